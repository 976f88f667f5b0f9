// The order of the shard.

use std::cell::Cell;

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: Cell<usize>,
}

#[kcl::processor]
impl Bytes {
    #[on_record(concurrency = 64, order = shard)]
    async fn add(&self, record: &Record) {
        self.bytes.set(self.bytes.get() + record.data().len());
    }
}
