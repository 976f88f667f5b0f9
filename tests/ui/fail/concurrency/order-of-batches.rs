// An order of batches.

use std::cell::Cell;

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: Cell<usize>,
}

#[kcl::processor]
impl Bytes {
    #[on_records(order = partition_key)]
    async fn add(&self, records: &[Record]) {
        let bytes = records.iter().map(|record| record.data().len()).sum::<usize>();
        self.bytes.set(self.bytes.get() + bytes);
    }
}
