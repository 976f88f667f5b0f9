// A processor is a type of the prelude.

use kcl::Record;

#[kcl::processor]
impl Vec<u8> {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.extend(record.data());
    }
}
