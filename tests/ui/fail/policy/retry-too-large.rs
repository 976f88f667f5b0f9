// `retry` with a number that is too large.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record(retry = 99999999999)]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
