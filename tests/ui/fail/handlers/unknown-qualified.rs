// A handler that does not exist, with its path.

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

    #[kcl::finish]
    fn handle(&mut self) {
        eprintln!("{} bytes", self.bytes);
    }
}
