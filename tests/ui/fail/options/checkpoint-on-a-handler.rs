// `checkpoint` on a handler.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record(checkpoint = "30s")]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
