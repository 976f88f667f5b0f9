// A semicolon between two options.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record(retry = 3; on_failure = skip)]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
