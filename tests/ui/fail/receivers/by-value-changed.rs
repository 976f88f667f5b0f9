// A receiver by value that the body changes.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(self, record: &Record) {
        self.bytes += record.data().len();
    }
}
