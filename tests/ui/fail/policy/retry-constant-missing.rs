// `retry` with a constant that does not exist.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record(retry = RETRIES)]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
