// `[Record]` without `&`.

use kcl::Record;

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_records]
    fn add(&mut self, records: [Record]) {
        let _ = records;
    }
}
