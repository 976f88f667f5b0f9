// `Record` by value in `#[on_record]`.

use kcl::Record;

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: Record) {
        let _ = record;
    }
}
