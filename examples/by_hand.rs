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
