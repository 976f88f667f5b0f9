// An argument that a handler with concurrency cannot take.

use std::cell::Cell;

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: Cell<usize>,
}

#[kcl::processor]
impl Bytes {
    #[on_record(concurrency = 64)]
    async fn add(&self, record: &Record, _: std::time::Instant) {
        self.bytes.set(self.bytes.get() + record.data().len());
    }
}
