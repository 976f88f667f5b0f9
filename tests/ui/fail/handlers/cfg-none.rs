// `cfg`s that leave no record handler.

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[cfg(windows)]
    #[on_record]
    fn add(&mut self, record: &kcl::Record) {
        self.bytes += record.data().len();
    }

    #[cfg(target_os = "none")]
    #[on_records]
    fn add_all(&mut self, records: &[kcl::Record]) {
        self.bytes += records.len();
    }
}
