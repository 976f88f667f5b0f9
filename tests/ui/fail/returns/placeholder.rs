// `_` in a return type.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) -> _ {
        self.bytes += record.data().len();
        ()
    }
}
