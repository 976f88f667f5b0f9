// `invalid` for a batch handler without payloads.

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
