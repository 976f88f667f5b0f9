// `retry` with the suffix of a type.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record(retry = 3u32)]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
