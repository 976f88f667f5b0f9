// A type without its lifetime, which `async fn` requires.

use kcl::{DeadLetter, Record};

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record(on_failure = dead_letter)]
    async fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }

    #[on_dead_letter]
    async fn keep(&mut self, letter: &DeadLetter) {
        eprintln!("{:?}", letter.record());
    }
}
