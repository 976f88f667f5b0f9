// A blocking checkpointer of a handler with concurrency.

use std::cell::Cell;

use kcl::{Checkpointer, Record};

#[derive(Default)]
struct Bytes {
    bytes: Cell<usize>,
}

#[kcl::processor]
impl Bytes {
    #[on_record(concurrency = 64)]
    async fn add(&self, record: &Record, _: &mut Checkpointer) {
        self.bytes.set(self.bytes.get() + record.data().len());
    }
}
