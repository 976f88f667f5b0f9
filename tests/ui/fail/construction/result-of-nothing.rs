// A constructor that returns a `Result` of `()`.

use kcl::Record;

struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_init]
    fn open() -> Result<(), std::io::Error> {
        Ok(())
    }

    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
