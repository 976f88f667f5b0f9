// `Default` instead of a constructor.

use kcl::Record;

struct Bytes {
    bytes: usize,
}

impl Default for Bytes {
    fn default() -> Self {
        Bytes { bytes: 0 }
    }
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
