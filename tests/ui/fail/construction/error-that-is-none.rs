// A constructor whose error type is not an error.

use kcl::Record;

struct Unready;

struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_init]
    fn open() -> Result<Self, Unready> {
        Err(Unready)
    }

    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
