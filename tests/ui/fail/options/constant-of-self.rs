// A constant of the processor, of the wrong type.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor(warn_after = Self::LIMIT)]
impl Bytes {
    const LIMIT: u64 = 30;

    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
