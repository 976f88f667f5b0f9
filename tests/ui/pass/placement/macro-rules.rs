// A processor that a macro generates.

macro_rules! counter {
    ($name:ident, $record:ty, $($attr:ident)*) => {
        #[derive(Default)]
        struct $name {
            records: usize,
        }

        #[kcl::processor]
        impl $name {
            $(#[$attr])*
            fn count(&mut self, record: $record) {
                let _ = record;
                self.records += 1;
            }

            #[on_shard_end]
            fn report(&self) -> Result<(), kcl::BoxError> {
                eprintln!("{}", self.records);
                Ok(())
            }
        }
    };
}

counter!(Count, &kcl::Record, on_record);
