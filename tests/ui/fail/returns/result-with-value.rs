// A `Result` with a value.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) -> Result<usize, std::io::Error> {
        self.bytes += record.data().len();
        Ok(self.bytes)
    }
}
