#[kcl::processor]
#[cfg(unix)]
impl Sum {
    #[cfg(feature = "init")]
    #[on_init]
    fn open() -> Self {
        Sum(0)
    }

    #[cfg(feature = "batches")]
    #[on_records]
    fn add_all(&mut self, records: &[Record]) {
        self.0 += records.len();
    }

    #[cfg(feature = "records")]
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.0 += 1;
    }
}
