// A number of batches in a constant of another type.

use std::cell::Cell;

use kcl::Record;

const BATCHES: u64 = 1;

#[derive(Default)]
struct Bytes {
    bytes: Cell<usize>,
}

#[kcl::processor]
impl Bytes {
    #[on_record(concurrency = 64, ahead = BATCHES)]
    async fn add(&self, record: &Record) {
        self.bytes.set(self.bytes.get() + record.data().len());
    }
}
