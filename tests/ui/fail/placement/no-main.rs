// `main = false` without a `main`.

use kcl::Record;

#[derive(Default)]
struct Count {
    records: usize,
}

#[kcl::processor(main = false)]
impl Count {
    #[on_record]
    fn count(&mut self, _: &Record) {
        self.records += 1;
    }
}
