// The time of a tick in a constant that is not a `Duration`.

use kcl::Record;

const PACE: u64 = 5;

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

    #[on_tick(every = PACE)]
    fn report(&self) {
        eprintln!("{} bytes", self.bytes);
    }
}
