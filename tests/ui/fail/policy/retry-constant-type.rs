// `retry` with a constant of another type.

use kcl::Record;

const RETRIES: u64 = 3;

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
