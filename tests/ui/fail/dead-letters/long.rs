// A dead letter that lives for a lifetime of the impl.

use kcl::{DeadLetter, Record};

#[derive(Default)]
struct Bytes<'a> {
    bytes: usize,
    failed: Vec<DeadLetter<'a>>,
}

#[kcl::processor]
impl<'a> Bytes<'a> {
    #[on_record(on_failure = dead_letter)]
    fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }

    #[on_dead_letter]
    fn keep(&mut self, letter: &DeadLetter<'a>) {
        self.failed.push(letter.clone());
    }
}
