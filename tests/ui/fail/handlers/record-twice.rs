// Two `#[on_record]` handlers.

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

    #[on_record]
    fn print(&mut self, record: &Record) {
        eprintln!("{record:?}");
    }
}
