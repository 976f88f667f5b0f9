// A bound that is not met.

use kcl::Record;

#[derive(Default)]
struct Count {
    records: usize,
}

#[kcl::processor]
impl Count
where
    Count: std::fmt::Display,
{
    #[on_record]
    fn count(&mut self, _: &Record) {
        self.records += 1;
    }
}
