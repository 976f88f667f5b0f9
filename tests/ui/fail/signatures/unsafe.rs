// An `unsafe` handler.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    unsafe fn add(&mut self, record: &Record) {
        let _ = record;
        self.bytes += 1;
    }
}
