// `backoff` with constants in the wrong order.

use std::time::Duration;

use kcl::Record;

const FIRST: Duration = Duration::from_millis(200);
const MOST: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record(retry = 3, backoff = MOST..FIRST)]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
