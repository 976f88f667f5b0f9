// Handlers named like the methods of `kcl::Processor`.

use kcl::{Checkpointer, Record, Shard};

struct Count {
    records: usize,
}

#[kcl::processor]
impl Count {
    #[on_init]
    fn initialize(shard: &Shard) -> Self {
        eprintln!("{}", shard.id());
        Count { records: 0 }
    }

    #[on_records]
    fn process_records(&mut self, records: &[Record]) {
        self.records += records.len();
    }

    #[on_lease_lost]
    fn lease_lost(&mut self) {}

    #[on_shard_end]
    fn shard_ended(&mut self, checkpointer: &mut Checkpointer) -> Result<(), kcl::CheckpointError> {
        checkpointer.checkpoint()
    }

    #[on_shutdown_requested]
    fn shutdown_requested(&mut self) {}
}
