// Another KCL's name: `process_records`.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[process_records]
    fn add(&mut self, records: &[Record]) {
        self.bytes += records.len();
    }
}
