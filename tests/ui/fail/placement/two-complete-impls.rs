// Two impls of one type have the attribute.

use kcl::Record;

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::processor]
impl Revenue {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}

#[kcl::processor]
impl Revenue {
    #[on_records]
    fn add_all(&mut self, records: &[Record]) {
        self.bytes += records.len();
    }
}
