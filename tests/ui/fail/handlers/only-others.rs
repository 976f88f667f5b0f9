// Handlers, but none for records.

#[derive(Default)]
struct Count {
    records: usize,
}

#[kcl::processor]
impl Count {
    #[on_shard_end]
    fn report(&self) {
        eprintln!("{} records", self.records);
    }
}
