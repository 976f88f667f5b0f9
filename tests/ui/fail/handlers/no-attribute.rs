// A method named as in other KCLs, without an attribute.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    fn process_records(&mut self, records: &[Record]) {
        self.bytes += records.iter().map(|record| record.data().len()).sum::<usize>();
    }
}
