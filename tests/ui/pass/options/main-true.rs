// `main = true`, followed by a comma.

#[derive(Default)]
struct Count {
    records: usize,
}

#[kcl::processor(main = true)]
impl Count {
    #[on_record]
    fn count(&mut self) {
        self.records += 1;
    }
}
