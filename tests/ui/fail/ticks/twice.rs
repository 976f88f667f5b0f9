// Two ticks.

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

    #[on_tick(every = "5s")]
    fn report(&self) {
        eprintln!("{} bytes", self.bytes);
    }

    #[on_tick(every = "1m")]
    fn repeat(&self) {
        eprintln!("{} bytes", self.bytes);
    }
}
