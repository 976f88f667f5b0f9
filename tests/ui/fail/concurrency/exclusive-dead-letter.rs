// A handler of dead letters with `&mut self` beside concurrency.

use std::cell::Cell;

use kcl::{DeadLetter, Record};

#[derive(Default)]
struct Bytes {
    bytes: Cell<usize>,
}

#[kcl::processor]
impl Bytes {
    #[on_record(concurrency = 64, on_failure = dead_letter)]
    async fn add(&self, record: &Record) {
        self.bytes.set(self.bytes.get() + record.data().len());
    }

    #[on_dead_letter]
    async fn keep(&mut self, letter: &DeadLetter<'_>) {
        eprintln!("{:?}", letter.record());
    }
}
