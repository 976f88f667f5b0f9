// A word on payloads of a batch that has none.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_records(invalid = "skip")]
    fn add(&mut self, records: &[Record]) {
        self.bytes += records.len();
    }
}
