// An undeclared lifetime.

use kcl::Record;

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &'a Record) {
        let _ = record;
    }
}
