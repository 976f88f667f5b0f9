// The interval of a tick, on a record handler.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record(every = "5s")]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
