// Both `#[on_record]` and `#[on_records]`.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }

    #[on_records]
    fn add_all(&mut self, records: &[Record]) {
        self.bytes += records.len();
    }
}
