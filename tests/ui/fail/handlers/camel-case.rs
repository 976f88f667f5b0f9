// A handler in camel case.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[onRecords]
    fn add(&mut self, records: &[Record]) {
        self.bytes += records.len();
    }
}
