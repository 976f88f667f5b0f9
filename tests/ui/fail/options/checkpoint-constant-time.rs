// A constant of another type as the value of the option `checkpoint`.

use std::time::Duration;

use kcl::Record;

const PACE: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor(checkpoint = PACE)]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
