// An alias for a checkpointer of a handler with concurrency.

use std::cell::Cell;

use kcl::{AsyncCheckpointer, Record};

type Marks<'a> = &'a mut AsyncCheckpointer;

#[derive(Default)]
struct Bytes {
    bytes: Cell<usize>,
}

#[kcl::processor]
impl Bytes {
    #[on_record(concurrency = 64)]
    async fn add(&self, record: &Record, _: Marks<'_>) {
        self.bytes.set(self.bytes.get() + record.data().len());
    }
}
