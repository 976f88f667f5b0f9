// A concurrency that is a word.

use std::cell::Cell;

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: Cell<usize>,
}

#[kcl::processor]
impl Bytes {
    #[on_record(concurrency = unlimited)]
    async fn add(&self, record: &Record) {
        self.bytes.set(self.bytes.get() + record.data().len());
    }
}
