// No record handler.

use kcl::Record;

#[derive(Default)]
struct Count {
    records: usize,
}

#[kcl::processor]
impl Count {
    fn count(&mut self, _: &Record) {
        self.records += 1;
    }
}
