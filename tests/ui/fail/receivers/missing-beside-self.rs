// No receiver, although the body uses `self`.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(record: &Record) {
        self.bytes += record.data().len();
    }
}
