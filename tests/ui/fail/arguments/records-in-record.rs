// `&[Record]` in `#[on_record]`.

use kcl::Record;

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, records: &[Record]) {
        let _ = records;
    }
}
