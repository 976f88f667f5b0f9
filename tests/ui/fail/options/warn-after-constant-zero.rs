// `warn_after` with a constant of 0.

use std::time::Duration;

use kcl::Record;

const SLOW: Duration = Duration::ZERO;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor(warn_after = SLOW)]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
