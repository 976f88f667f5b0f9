#[kcl::processor(main = false)]
impl<'p, T, const N: usize> Last<'p, T, N>
where
    T: DeserializeOwned,
{
    #[kcl::on_record]
    fn keep<'r>(&mut self, record: &'r Record, Json(value): Json<T>, place: Place<'r>) {
        self.value = value;
    }
}
