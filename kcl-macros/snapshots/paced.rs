#[kcl::processor(checkpoint = "1000 records", warn_after = "5m")]
impl Sum {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.0 += record.data().len();
    }
}
