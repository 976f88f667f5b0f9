// `Record` by value in `#[on_records]`.

use kcl::Record;

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_records]
    fn add(&mut self, record: Record) {
        let _ = record;
    }
}
