// A handler that is not there yet.

use kcl::Record;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }

    #[on_dead_letter]
    fn keep(&mut self, record: &Record) {
        eprintln!("{record:?}");
    }
}
