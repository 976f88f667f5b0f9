//! Every handler spelled out: reports each message it gets, and checkpoints itself.
//!
//! Handlers take what they need, in any order; each is optional but the one for records.

use kcl::{CheckpointError, Checkpointer, MillisBehindLatest, Record, Shard};

struct Sample {
    shard: String,
    records: u64,
}

#[kcl::processor]
impl Sample {
    /// The shard is this process's: there is one process a shard.
    #[on_init]
    fn initialize(shard: &Shard) -> Self {
        eprintln!("{}: initialize, from {}", shard.id(), shard.position());
        Sample { shard: shard.id().to_owned(), records: 0 }
    }

    /// A batch, in order. What is not checkpointed is delivered again, to this process or to another.
    #[on_records]
    fn process_records(
        &mut self,
        records: &[Record],
        MillisBehindLatest(behind): MillisBehindLatest,
        checkpointer: &mut Checkpointer,
    ) -> Result<(), CheckpointError> {
        eprintln!("{}: {} records, {} ms behind", self.shard, records.len(), behind.unwrap_or(0));
        for record in records {
            self.records += 1;
            eprintln!(
                "{}: {}/{} {}: {}",
                self.shard,
                record.sequence_number(),
                record.sub_sequence_number(),
                record.partition_key(),
                String::from_utf8_lossy(record.data())
            );
        }
        checkpointer.checkpoint()
    }

    /// Another worker has the shard now. There is nothing to checkpoint any more, so there is no `Checkpointer` to be had.
    #[on_lease_lost]
    fn lease_lost(&mut self) {
        eprintln!("{}: lease lost after {} records", self.shard, self.records);
    }

    /// The shard was split, merged or closed. The runtime checkpoints its end once this has succeeded.
    #[on_shard_end]
    fn shard_ended(&mut self) {
        eprintln!("{}: shard ended after {} records", self.shard, self.records);
    }

    /// The worker is about to stop: the last moment to checkpoint.
    #[on_shutdown_requested]
    fn shutdown_requested(&mut self, checkpointer: &mut Checkpointer) -> Result<(), CheckpointError> {
        eprintln!("{}: shutdown requested after {} records", self.shard, self.records);
        checkpointer.checkpoint()
    }
}
