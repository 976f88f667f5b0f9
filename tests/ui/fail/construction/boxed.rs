// A constructor that returns `Box<Self>`.

use kcl::Record;

struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_init]
    fn open() -> Box<Self> {
        Box::new(Bytes { bytes: 0 })
    }

    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
