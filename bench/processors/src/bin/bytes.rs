//! Shares the data of records: `#[on_records]` and `Record::bytes`.

#[derive(Default)]
struct Processor {
    tally: processors::Tally,
}

#[kcl::processor]
impl Processor {
    #[on_records]
    fn process(&mut self, records: &[kcl::Record]) {
        records.iter().for_each(|record| self.tally.add(&record.bytes()));
    }

    #[on_lease_lost]
    fn report(&self) {
        self.tally.report();
    }
}
