// The time of a tick in a constant that depends on a generic parameter.

use std::time::Duration;

use kcl::Record;

trait Pace {
    const PACE: Duration;
}

#[derive(Default)]
struct Bytes<P> {
    bytes: usize,
    pace: P,
}

#[kcl::processor(main = false)]
impl<P: Pace> Bytes<P> {
    #[on_record]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }

    #[on_tick(every = P::PACE)]
    fn report(&self) {
        eprintln!("{} bytes", self.bytes);
    }
}

fn main() {}
