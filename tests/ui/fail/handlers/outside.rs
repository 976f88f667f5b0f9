// A handler outside an annotated impl.

use kcl::{Record, on_record};

struct Count {
    records: usize,
}

impl Count {
    #[on_record]
    fn count(&mut self, _: &Record) {
        self.records += 1;
    }
}

fn main() {}
