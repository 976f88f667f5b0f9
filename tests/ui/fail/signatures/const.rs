// A `const` handler.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    const fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
