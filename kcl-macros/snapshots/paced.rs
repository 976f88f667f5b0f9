#[kcl::processor(checkpoint = "1000 records", warn_after = "5m", log_payloads = false)]
impl Sum {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.0 += record.data().len();
    }

    #[on_tick(every = limits::PACE)]
    fn report(&self, behind: MillisBehindLatest) {
        eprintln!("{} bytes", self.0);
    }
}
