// A type that does not exist, within the return type.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) -> Result<(), Nonsense> {
        self.bytes += record.data().len();
        Ok(())
    }
}
