// A timeout in a constant of 0.

use std::time::Duration;

use kcl::Record;

const LIMIT: Duration = Duration::ZERO;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record(timeout = LIMIT)]
    async fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
