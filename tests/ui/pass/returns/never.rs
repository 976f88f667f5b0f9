// A handler that does not return.

#![deny(warnings)]

#[derive(Default)]
struct Count {
    records: usize,
}

#[kcl::processor]
impl Count {
    #[on_record]
    fn count(&mut self) -> () {
        self.records += 1;
    }

    #[on_lease_lost]
    fn lost(&mut self) -> ! {
        panic!("{} records", self.records)
    }
}
