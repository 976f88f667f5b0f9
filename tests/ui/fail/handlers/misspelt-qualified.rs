// A misspelt handler, with its path.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[kcl::on_recods]
    fn add(&mut self, records: &[Record]) {
        self.bytes += records.len();
    }
}
