// A second impl that is a changed copy of the first one, so its methods have the same names.

#[derive(Default)]
struct Count {
    records: usize,
}

#[kcl::processor]
impl Count {
    #[on_record]
    fn add(&mut self, _: &kcl::Record) {
        self.count(1);
    }

    fn count(&mut self, records: usize) {
        self.records += records;
    }
}

#[kcl::processor]
impl Count {
    #[on_records]
    fn add(&mut self, records: &[kcl::Record]) {
        self.count(records.len());
    }

    fn count(&mut self, records: usize) {
        self.records += records;
    }
}
