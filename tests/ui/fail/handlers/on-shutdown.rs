// A shorter name: `on_shutdown`.

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

    #[on_shutdown]
    fn handle(&mut self) {
        eprintln!("{} bytes", self.bytes);
    }
}
