// `Vec<Record>` by reference.

use kcl::Record;

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_records]
    fn add(&mut self, records: &Vec<Record>) {
        let _ = records;
    }
}
