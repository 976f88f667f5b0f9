// A field that is changed through `&self`.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&self, record: &Record) {
        self.bytes += record.data().len();
    }
}
