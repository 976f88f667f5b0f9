//! Who checkpoints the records, and when.

use std::time::Duration;

/// Who checkpoints the records of a [`Processor`](crate::Processor), and when.
///
/// The runtime checkpoints after whole batches that succeeded, and between their records if the processor
/// [settles each of them](crate::ProcessRecords::settle_each_record). A checkpoint never passes a record that was not processed,
/// skipped or dead-lettered. The runtime also checkpoints the remaining records when a shutdown is requested, when a
/// handler fails (those that succeeded before the failure), and with SHARD_END. It does not if
/// [`shard_ended`](crate::Processor::shard_ended) fails, or if checkpoints are no longer possible because the lease or the daemon
/// is gone.
///
/// ```
/// use std::time::Duration;
/// use kcl::{BoxError, Checkpoints, ProcessRecords, Processor};
///
/// struct Count(u64);
///
/// impl Processor for Count {
///     const CHECKPOINTS: Checkpoints = Checkpoints::Interval(Duration::from_secs(30));
///
///     fn process_records(&mut self, input: &mut ProcessRecords<'_>) -> Result<(), BoxError> {
///         self.0 += input.records().len() as u64;
///         Ok(())
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checkpoints {
    /// The runtime checkpoints after each batch.
    Batch,
    /// The runtime checkpoints after the first batch that ends at least this long after the last checkpoint. With
    /// [`settle_each_record`](crate::ProcessRecords::settle_each_record), it also does so between records and before the wait for
    /// a retry, with a delay of up to an eighth of the time, at most 5 s.
    ///
    /// The daemon reads a processor's output only after it has sent a message, so such a checkpoint waits for the next
    /// message. On a quiet shard, it waits until the shutdown is requested or the lease is gone.
    Interval(Duration),
    /// The runtime checkpoints after the batch that brings the number of records since the last checkpoint to at least
    /// this. Fewer than this many records, plus one batch, may be delivered again. With
    /// [`settle_each_record`](crate::ProcessRecords::settle_each_record), it also does so between records: no more than this many
    /// are delivered again.
    ///
    /// Each checkpoint is a write to the lease table in DynamoDB, for each shard, and the records wait for it. A small
    /// number therefore costs money and time: `Records(10)` on a shard with 1,000 records a second is 100 writes a second.
    Records(u64),
    /// The record handler checkpoints, with its [`Checkpointer`](crate::Checkpointer).
    Handler,
}
