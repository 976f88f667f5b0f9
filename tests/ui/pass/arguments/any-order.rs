// Arguments in any order.

use kcl::{Checkpointer, Checkpoints, MillisBehindLatest, Processor, Record, Shard};

#[derive(Default)]
struct Count {
    records: usize,
}

#[kcl::processor]
impl Count {
    #[on_records]
    fn count(&mut self, behind: MillisBehindLatest, _: &mut Checkpointer, shard: &Shard, records: &[Record]) {
        self.records += records.len();
        eprintln!("{} {behind:?}", shard.id());
    }

    #[on_shard_end]
    fn report(&self, shard: &Shard, _: &mut Checkpointer) {
        eprintln!("{} {}", shard.id(), self.records);
    }

    #[on_shutdown_requested]
    fn stop(&self, _: &mut Checkpointer, shard: &Shard) {
        eprintln!("{}", shard.id());
    }
}

const _: () = assert!(matches!(Count::CHECKPOINTS, Checkpoints::Handler));
