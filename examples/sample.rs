//! Defines every handler, reports each message it receives, and checkpoints itself.
//!
//! Handlers take the arguments they need, in any order. Every handler but the one for records is optional.

use kcl::{CheckpointError, Checkpointer, MillisBehindLatest, Record, Shard};

struct Sample {
    shard: String,
    records: u64,
}

#[kcl::processor]
impl Sample {
    /// The shard belongs to this process: there is one process per shard.
    #[on_init]
    fn initialize(shard: &Shard) -> Self {
        eprintln!("{}: initialize, from {}", shard.id(), shard.position());
        Sample { shard: shard.id().to_owned(), records: 0 }
    }

    /// A batch, in order. Records that are not checkpointed are delivered again, to this process or to another.
    #[on_records]
    fn process_records(
        &mut self,
        records: &[Record],
        MillisBehindLatest(behind): MillisBehindLatest,
        checkpointer: &mut Checkpointer,
    ) -> Result<(), CheckpointError> {
        eprintln!("{}: {} records, {:?} behind", self.shard, records.len(), behind.unwrap_or_default());
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

    /// Another worker has the shard now. Nothing can be checkpointed any more, so this handler cannot take a `Checkpointer`.
    #[on_lease_lost]
    fn lease_lost(&mut self) {
        eprintln!("{}: lease lost after {} records", self.shard, self.records);
    }

    /// The shard was split, merged or closed. The runtime checkpoints its end after this handler has succeeded.
    #[on_shard_end]
    fn shard_ended(&mut self) {
        eprintln!("{}: shard ended after {} records", self.shard, self.records);
    }

    /// The worker is about to stop. This is the last chance to checkpoint.
    #[on_shutdown_requested]
    fn shutdown_requested(&mut self, checkpointer: &mut Checkpointer) -> Result<(), CheckpointError> {
        eprintln!("{}: shutdown requested after {} records", self.shard, self.records);
        checkpointer.checkpoint()
    }
}

#[cfg(test)]
mod tests {
    use kcl::testing::{Daemon, Fault, Refusal};

    use super::*;

    #[test]
    fn each_batch_and_a_requested_shutdown_are_checkpointed() {
        let run = Daemon::new().batch(["a", "b"]).batch(["c"]).shutdown_requested().run::<Sample>();
        run.assert_succeeded();
        assert_eq!(run.processor().records, 3);
        let checkpoints: Vec<_> = run.checkpoints().iter().map(|made| made.record()).collect();
        assert_eq!(checkpoints, [Some(2), Some(3), Some(3)]);
    }

    #[test]
    fn a_throttled_checkpoint_is_tried_again() {
        let run = Daemon::new().fault(Fault::refuse_checkpoints(Refusal::Throttled, 2)).batch(["a"]).run::<Sample>();
        run.assert_succeeded();
        run.assert_checkpoint_at(1);
        assert_eq!(run.checkpoints().len(), 3);
    }

    #[test]
    fn a_lost_lease_is_not_a_failure() {
        let run = Daemon::new().batch(["a"]).fault(Fault::lose_lease()).batch(["b"]).run::<Sample>();
        run.assert_succeeded();
        run.assert_checkpoint_at(1);
        assert_eq!(run.acknowledgements().last(), Some(&"leaseLost"));
    }

    #[test]
    fn the_end_of_a_shard_is_checkpointed() {
        Daemon::new().batch(["a"]).shard_end().run::<Sample>().assert_shard_ended();
    }
}
