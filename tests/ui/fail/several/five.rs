// Five mistakes.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    const fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }

    #[on_records]
    fn add_all(&mut self, records: &[Record]) {
        self.bytes += records.len();
    }

    #[on_shard_end(now)]
    fn report() {}

    #[cfg_attr(unix, on_lease_lost)]
    fn lost(&mut self) {}
}
