// A handler attribute on an `impl` block, instead of `#[kcl::processor]`.

use kcl::Record;

#[derive(Default)]
struct Count {
    records: usize,
}

#[kcl::on_record]
impl Count {
    fn count(&mut self, _: &Record) {
        self.records += 1;
    }
}
