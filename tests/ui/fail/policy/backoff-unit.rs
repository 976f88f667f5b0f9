// `backoff` with a unit that does not exist.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record(retry = 3, backoff = "200ms..5parsecs")]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
