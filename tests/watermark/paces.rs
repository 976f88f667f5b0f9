//! Wrappers that give a processor another pace of checkpoints.

use std::time::Duration;

use kcl::{
    BoxError, Checkpoints, DeadLetter, FailurePolicy, LeaseLost, ProcessRecords, Processor, ShardEnded,
    ShutdownRequested,
};

/// Checkpoints every `SECONDS` seconds.
pub(crate) struct Timed<P, const SECONDS: u64>(pub(crate) P);

/// Checkpoints after `RECORDS` records.
pub(crate) struct Numbered<P, const RECORDS: u64>(pub(crate) P);

macro_rules! paced {
    ([$($generics:tt)*] $ty:ty, $checkpoints:expr) => {
        impl<P: Processor, $($generics)*> Processor for $ty {
            const CHECKPOINTS: Checkpoints = $checkpoints;
            const POLICY: FailurePolicy = P::POLICY;

            fn process_records(&mut self, input: &mut ProcessRecords<'_>) -> Result<(), BoxError> {
                self.0.process_records(input)
            }

            fn dead_letter(&mut self, input: &DeadLetter<'_>) -> Result<(), BoxError> {
                self.0.dead_letter(input)
            }

            fn lease_lost(&mut self, input: &mut LeaseLost<'_>) -> Result<(), BoxError> {
                self.0.lease_lost(input)
            }

            fn shard_ended(&mut self, input: &mut ShardEnded<'_>) -> Result<(), BoxError> {
                self.0.shard_ended(input)
            }

            fn shutdown_requested(&mut self, input: &mut ShutdownRequested<'_>) -> Result<(), BoxError> {
                self.0.shutdown_requested(input)
            }
        }
    };
}

paced!([const SECONDS: u64] Timed<P, SECONDS>, Checkpoints::Interval(Duration::from_secs(SECONDS)));
paced!([const RECORDS: u64] Numbered<P, RECORDS>, Checkpoints::Records(RECORDS));
