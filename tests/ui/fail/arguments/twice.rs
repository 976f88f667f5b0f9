// The same argument twice.

use kcl::Record;

#[derive(Default)]
struct Bytes;

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, first: &Record, second: &Record) {
        let _ = first;
        let _ = second;
    }
}
