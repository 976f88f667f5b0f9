// `backoff` with one constant.

use std::time::Duration;

use kcl::Record;

const FIRST: Duration = Duration::from_millis(200);

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record(retry = 3, backoff = FIRST)]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
