//! Takes records one by one: `#[on_record]` and `Record::data`.

#[derive(Default)]
struct Processor {
    tally: processors::Tally,
}

#[kcl::processor]
impl Processor {
    #[on_record]
    fn process(&mut self, record: &kcl::Record) {
        self.tally.add(record.data());
    }

    #[on_lease_lost]
    fn report(&self) {
        self.tally.report();
    }
}
