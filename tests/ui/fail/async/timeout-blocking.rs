// A timeout of a blocking handler.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record(timeout = "30s")]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
