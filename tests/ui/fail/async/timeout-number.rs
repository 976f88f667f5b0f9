// A timeout without a unit.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record(timeout = 30)]
    async fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
