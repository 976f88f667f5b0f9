// A record handler with `max_attempts`.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record(max_attempts = 3)]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
