// A const generic handler.

use kcl::Record;

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add<const N: usize>(&mut self, record: &Record) {
        let _ = record;
    }
}
