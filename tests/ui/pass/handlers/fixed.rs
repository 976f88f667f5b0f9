// One record handler, and other handlers once each.

use kcl::{Record, Shard};

struct Count {
    records: usize,
}

#[kcl::processor]
impl Count {
    #[on_init]
    fn open(shard: &Shard) -> Self {
        eprintln!("{}", shard.id());
        Count { records: 0 }
    }

    #[on_record]
    fn count(&mut self, _: &Record) {
        self.records += 1;
    }

    #[on_lease_lost]
    fn lost(&mut self) {}

    #[on_shard_end]
    fn report(&self) {
        eprintln!("{} records", self.records);
    }

    #[on_shutdown_requested]
    fn stop(&mut self) {}
}
