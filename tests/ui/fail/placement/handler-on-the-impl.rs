// A handler attribute on the `impl` block.

use kcl::Record;

#[derive(Default)]
struct Count {
    records: usize,
}

#[kcl::processor]
#[on_record]
impl Count {
    fn count(&mut self, _: &Record) {
        self.records += 1;
    }
}
