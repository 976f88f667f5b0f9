// Another attribute instead of that of a record handler.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[handler]
    fn add(&mut self, records: &[Record]) {
        self.bytes += records.len();
    }
}
