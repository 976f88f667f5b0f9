#[kcl::processor(checkpoint = PACE, warn_after = limits::SLOW)]
impl Sum<'_> {
    #[on_record(retry = Self::RETRIES, backoff = "1s"..MOST)]
    fn add(&mut self, record: &Record) {
        self.0 += record.data().len();
    }
}
