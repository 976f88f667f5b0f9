// A concurrency in a constant that does not exist.

use std::cell::Cell;

use kcl::Record;

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
