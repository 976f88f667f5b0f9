// A `Box<dyn Error>` that is not `Send`.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) -> Result<(), Box<dyn std::error::Error>> {
        self.bytes += record.data().len();
        Ok(())
    }
}
