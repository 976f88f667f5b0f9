// A timeout of 0.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record(timeout = "0s")]
    async fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
