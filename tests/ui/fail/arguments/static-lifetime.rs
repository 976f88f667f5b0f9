// A record that lives forever.

use kcl::Record;

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &'static Record) {
        let _ = record;
    }
}
