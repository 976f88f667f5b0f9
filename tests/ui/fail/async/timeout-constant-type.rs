// A timeout in a constant of another type.

use kcl::Record;

const LIMIT: u64 = 30;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record(timeout = LIMIT)]
    async fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
