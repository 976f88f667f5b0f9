// `#[cfg]` decides whether records are handled at once.

use std::cell::Cell;

use kcl::{DeadLetter, Record};

#[derive(Default)]
struct Bytes {
    bytes: Cell<usize>,
}

#[kcl::processor]
impl Bytes {
    #[cfg(unix)]
    #[on_record(on_failure = dead_letter)]
    fn add(&mut self, record: &Record) {
        self.bytes.set(self.bytes.get() + record.data().len());
    }

    #[cfg(not(unix))]
    #[on_record(concurrency = 64, on_failure = dead_letter)]
    async fn add(&self, record: &Record) {
        self.bytes.set(self.bytes.get() + record.data().len());
    }

    #[on_tick(every = "5s")]
    fn report(&self) {}

    #[on_dead_letter]
    fn keep(&self, _: &DeadLetter<'_>) {}
}
