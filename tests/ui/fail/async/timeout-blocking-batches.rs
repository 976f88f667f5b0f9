// A timeout of a blocking handler of batches.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_records(timeout = "30s")]
    fn add(&mut self, records: &[Record]) {
        self.bytes += records.iter().map(|record| record.data().len()).sum::<usize>();
    }
}
