// Another KCL's name: `lease_lost`.

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

    #[lease_lost]
    fn handle(&mut self) {
        eprintln!("{} bytes", self.bytes);
    }
}
