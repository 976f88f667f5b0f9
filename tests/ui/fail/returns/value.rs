// A value that would be discarded.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) -> usize {
        self.bytes += record.data().len();
        self.bytes
    }
}
