// A checkpointer, concurrency and the option `checkpoint`.

use std::cell::Cell;

use kcl::{AsyncCheckpointer, Record};

#[derive(Default)]
struct Bytes {
    bytes: Cell<usize>,
}

#[kcl::processor(checkpoint = "30s")]
impl Bytes {
    #[on_record(concurrency = 64)]
    async fn add(&self, record: &Record, _: &mut AsyncCheckpointer) {
        self.bytes.set(self.bytes.get() + record.data().len());
    }
}
