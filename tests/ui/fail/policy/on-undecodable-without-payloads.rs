// `on_undecodable` for a batch handler without payloads.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_records(on_undecodable = skip)]
    fn add(&mut self, records: &[Record]) {
        self.bytes += records.len();
    }
}
