//! Takes batches in an `async` handler: `#[on_records]` and `Record::data`.

#[derive(Default)]
struct Processor {
    tally: processors::Tally,
}

#[kcl::processor]
impl Processor {
    #[on_records]
    async fn process(&mut self, records: &[kcl::Record]) {
        records.iter().for_each(|record| self.tally.add(record.data()));
    }

    #[on_lease_lost]
    fn report(&self) {
        self.tally.report();
    }
}
