// A mistake in the syntax of a body.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) {
        let bytes = ;
        self.bytes += record.data().len();
    }
}
