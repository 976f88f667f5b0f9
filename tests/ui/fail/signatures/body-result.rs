// A `Result` that is not returned.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) {
        let text = std::str::from_utf8(record.data())?;
        self.bytes += text.len();
    }
}
