// `log_payloads` on a handler.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record(log_payloads = false)]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
