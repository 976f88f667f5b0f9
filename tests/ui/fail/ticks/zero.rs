// A tick every 0 seconds.

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

    #[on_tick(every = "0s")]
    fn report(&self) {
        eprintln!("{} bytes", self.bytes);
    }
}
