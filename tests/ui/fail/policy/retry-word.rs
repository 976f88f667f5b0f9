// `retry` with a word.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record(retry = retries)]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
