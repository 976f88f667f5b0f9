// Handlers with a `cfg` that is true.

#![deny(warnings)]

use kcl::{Record, Shard};

struct Count {
    records: usize,
}

#[kcl::processor]
impl Count {
    #[cfg(unix)]
    #[on_init]
    fn open(shard: &Shard) -> Self {
        eprintln!("{}", shard.id());
        Count { records: 0 }
    }

    #[on_records]
    #[cfg(unix)]
    #[cfg(not(windows))]
    fn count(&mut self, records: &[Record]) {
        self.records += records.len();
    }

    #[cfg(unix)]
    #[on_shard_end]
    fn report(&self) {
        eprintln!("{} records", self.records);
    }
}
