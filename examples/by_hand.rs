//! A processor without the macro: the trait, a constructor and a `main`.
//!
//! It counts records and bytes, and checkpoints every thousandth record itself.

use std::process::ExitCode;

use kcl::{
    BoxError, Checkpoints, Initialize, LeaseLost, ProcessRecords, Processor, Shard, ShardEnded, ShutdownRequested,
};

struct ByHand {
    records: u64,
    bytes: usize,
}

impl Initialize for ByHand {
    fn initialize(shard: &Shard) -> Result<Self, BoxError> {
        eprintln!("{}: from {}", shard.id(), shard.position());
        Ok(Self { records: 0, bytes: 0 })
    }
}

impl Processor for ByHand {
    const CHECKPOINTS: Checkpoints = Checkpoints::Handler;

    fn process_records(&mut self, input: &mut ProcessRecords<'_>) -> Result<(), BoxError> {
        for record in input.records() {
            self.records += 1;
            self.bytes += record.data().len();
            if self.records.is_multiple_of(1000) {
                input.checkpointer().checkpoint_at(record)?;
            }
        }
        Ok(())
    }

    fn lease_lost(&mut self, input: &mut LeaseLost<'_>) -> Result<(), BoxError> {
        eprintln!("{}: another worker continues", input.shard().id());
        Ok(())
    }

    // The runtime checkpoints SHARD_END once this has succeeded.
    fn shard_ended(&mut self, input: &mut ShardEnded<'_>) -> Result<(), BoxError> {
        eprintln!("{}: {} records, {} bytes", input.shard().id(), self.records, self.bytes);
        Ok(())
    }

    fn shutdown_requested(&mut self, input: &mut ShutdownRequested<'_>) -> Result<(), BoxError> {
        input.checkpointer().checkpoint()?;
        Ok(())
    }
}

fn main() -> ExitCode {
    kcl::run::<ByHand>()
}

#[cfg(test)]
mod tests {
    use kcl::testing::{Daemon, Fault, Refusal};

    use super::*;

    #[test]
    fn every_thousandth_record_is_checkpointed() {
        let run = Daemon::new().batch(vec!["abc"; 2500]).run::<ByHand>();
        run.assert_succeeded();
        assert_eq!((run.processor().records, run.processor().bytes), (2500, 7500));
        let checkpoints: Vec<_> = run.checkpoints().iter().map(|made| made.record()).collect();
        assert_eq!(checkpoints, [Some(1000), Some(2000)]);
    }

    #[test]
    fn a_requested_shutdown_checkpoints_the_rest() {
        let run = Daemon::new().batch(vec!["abc"; 1500]).shutdown_requested().run::<ByHand>();
        run.assert_checkpoint_at(1500);
    }

    #[test]
    fn another_worker_continues_after_the_checkpoint() {
        let run = Daemon::new()
            .batch(vec!["abc"; 1500])
            .fault(Fault::refuse_checkpoints(Refusal::LeaseLost, 1))
            .batch(vec!["abc"; 1000])
            .redeliver()
            .shard_end()
            .run::<ByHand>();
        // The checkpoint at record 2000 was refused, because the lease was gone, so 1500 records came again.
        assert_eq!(run.processor().records, 1500);
        run.assert_shard_ended();
    }
}
