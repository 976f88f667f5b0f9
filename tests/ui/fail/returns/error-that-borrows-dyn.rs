// An error behind a trait object that borrows.

use std::error::Error;

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) -> Result<(), Box<dyn Error + Send + Sync + '_>> {
        self.bytes += std::str::from_utf8(record.data())?.len();
        Ok(())
    }
}
