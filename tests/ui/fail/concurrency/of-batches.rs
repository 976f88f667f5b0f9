// Concurrency of batches.

use std::cell::Cell;

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: Cell<usize>,
}

#[kcl::processor]
impl Bytes {
    #[on_records(concurrency = 64)]
    async fn add(&self, records: &[Record]) {
        let bytes = records.iter().map(|record| record.data().len()).sum::<usize>();
        self.bytes.set(self.bytes.get() + bytes);
    }
}
