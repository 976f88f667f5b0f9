// A concurrency in a constant of 0.

use std::cell::Cell;

use kcl::Record;

const AT_ONCE: u32 = 0;

#[derive(Default)]
struct Bytes {
    bytes: Cell<usize>,
}

#[kcl::processor]
impl Bytes {
    #[on_record(concurrency = AT_ONCE)]
    async fn add(&self, record: &Record) {
        self.bytes.set(self.bytes.get() + record.data().len());
    }
}
