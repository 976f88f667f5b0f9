// Another KCL's name: `shutdown_requested`.

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

    #[shutdown_requested]
    fn handle(&mut self) {
        eprintln!("{} bytes", self.bytes);
    }
}
