// A misspelt handler.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_recrods]
    fn add(&mut self, records: &[Record]) {
        self.bytes += records.len();
    }
}
