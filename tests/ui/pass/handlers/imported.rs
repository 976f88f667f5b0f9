// The attribute by its own name.

use kcl::{Record, processor};

#[derive(Default)]
struct Count {
    records: usize,
}

#[processor]
impl Count {
    #[on_record]
    fn count(&mut self, _: &Record) {
        self.records += 1;
    }
}
