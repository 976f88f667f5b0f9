// The time of a tick without a unit.

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

    #[on_tick(every = 5)]
    fn report(&self) {
        eprintln!("{} bytes", self.bytes);
    }
}
