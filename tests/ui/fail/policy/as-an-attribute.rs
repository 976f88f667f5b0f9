// An option of the record handler as an attribute.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    #[on_failure(skip)]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
