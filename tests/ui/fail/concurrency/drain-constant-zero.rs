// A time to drain in a constant of 0.

use std::cell::Cell;
use std::time::Duration;

use kcl::Record;

const LIMIT: Duration = Duration::ZERO;

#[derive(Default)]
struct Bytes {
    bytes: Cell<usize>,
}

#[kcl::processor]
impl Bytes {
    #[on_record(concurrency = 64, drain = LIMIT)]
    async fn add(&self, record: &Record) {
        self.bytes.set(self.bytes.get() + record.data().len());
    }
}
