// A `Result` with a number as its error.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) -> Result<(), u32> {
        self.bytes += record.data().len();
        Err(3)
    }
}
