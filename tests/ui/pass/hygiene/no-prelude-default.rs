// Without the prelude, by `Default`.

#![no_implicit_prelude]

#[derive(::std::default::Default)]
struct Count {
    records: usize,
}

#[::kcl::processor]
impl Count {
    #[on_records]
    fn count(&mut self, records: &[::kcl::Record], _: &::kcl::Shard) {
        self.records += records.len();
    }
}
