// A size in a constant of another type.

use std::cell::Cell;

use kcl::Record;

const LIMIT: usize = 64 << 20;

#[derive(Default)]
struct Bytes {
    bytes: Cell<usize>,
}

#[kcl::processor]
impl Bytes {
    #[on_record(concurrency = 64, ahead_bytes = LIMIT)]
    async fn add(&self, record: &Record) {
        self.bytes.set(self.bytes.get() + record.data().len());
    }
}
