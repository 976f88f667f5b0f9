// Two constructors.

use kcl::Record;

struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_init]
    fn open() -> Self {
        Bytes { bytes: 0 }
    }

    #[on_init]
    fn reopen() -> Self {
        Bytes { bytes: 1 }
    }

    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
