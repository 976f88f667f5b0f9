// `retry` instead of an action.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record(on_failure = retry)]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
