//! The trait that the macro implements for a processor without `async` handlers: one method for each message, with typed input.

use std::time::Duration;

use crate::checkpoint::pace::Checkpoints;
use crate::dead_letter::letter::DeadLetter;
use crate::error::BoxError;
use crate::inputs::{LeaseLost, ProcessRecords, ShardEnded, ShutdownRequested, Tick};
use crate::policy::FailurePolicy;
use crate::shard::Shard;

/// A processor of one shard's records, with one method for each message of the daemon.
///
/// `#[kcl::processor]` writes the implementation. By hand it is just as short:
///
/// ```
/// use kcl::{BoxError, Initialize, ProcessRecords, Processor, Shard};
///
/// struct Count(u64);
///
/// impl Processor for Count {
///     fn process_records(&mut self, input: &mut ProcessRecords<'_>) -> Result<(), BoxError> {
///         self.0 += input.records().len() as u64;
///         Ok(())
///     }
/// }
///
/// impl Initialize for Count {
///     fn initialize(_: &Shard) -> Result<Self, BoxError> {
///         Ok(Count(0))
///     }
/// }
///
/// fn main() -> std::process::ExitCode {
/// #   if true { return std::process::ExitCode::SUCCESS }
///     kcl::run::<Count>()
/// }
/// ```
///
/// If a method returns an error or panics, it has failed. The message is never acknowledged and the process ends with
/// exit code 1, so that the daemon redelivers the records that were not checkpointed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a processor",
    label = "must implement `kcl::Processor`",
    note = "put `#[kcl::processor]` on its `impl` block if it does not have it, or implement `kcl::Processor` for it by hand",
    note = "with the feature `tokio`, a processor with `async` handlers is run by `kcl::run_async::<P>()`, in a test by `.run_async::<P>()`, or by `kcl::Runner::from_async(async |shard: &kcl::Shard| ...).run()`"
)]
pub trait Processor {
    /// Who checkpoints the records, and when. With [`Checkpoints::Handler`], the runtime checkpoints only SHARD_END.
    const CHECKPOINTS: Checkpoints = Checkpoints::Batch;

    /// The policy for records that fail. By default, the first failure ends the process.
    ///
    /// A retry calls [`process_records`](Self::process_records) again.
    /// [`for_each_record`](ProcessRecords::for_each_record) then resumes at the record that failed, or after it if that
    /// record was skipped or dead-lettered. If the method fails without `for_each_record`, or after it has returned,
    /// the batch is retried, skipped or dead-lettered as a whole.
    const POLICY: FailurePolicy = FailurePolicy::new();

    /// The time after which a running method is reported on stderr, with the shard, the record or records, and the time
    /// that it has taken. In [`for_each_record`](ProcessRecords::for_each_record), the time counts for each record. The
    /// report is repeated after twice the time, and so on. Retries by the [`POLICY`](Self::POLICY), and the waits
    /// before them, count as one call with the first attempt. A report may be late by an eighth of the time, but at
    /// most by 5 s. With [`Duration::MAX`], nothing is reported.
    const WARN_AFTER: Duration = Duration::from_secs(60);

    /// Whether messages may quote payloads and partition keys. `KCL_LOG_PAYLOADS=0` in the environment has the same effect as
    /// `false`; see [payloads in messages](macro@crate::processor#payloads-in-messages).
    const LOG_PAYLOADS: bool = true;

    /// The shortest time between two calls of [`tick`](Self::tick). Without it, `tick` is not called.
    const TICK: Option<Duration> = None;

    /// Processes a batch of records, in the order of the shard. Delivery is at least once.
    ///
    /// # Errors
    ///
    /// Any error; see the trait.
    fn process_records(&mut self, input: &mut ProcessRecords<'_>) -> Result<(), BoxError>;

    /// Takes a record that failed permanently, if the [`POLICY`](Self::POLICY) asks for
    /// [`DeadLetter`](crate::FailureAction::DeadLetter). After success, checkpoints move past the record.
    ///
    /// # Errors
    ///
    /// Any error; the record then counts as failed. The default implementation always fails.
    fn dead_letter(&mut self, input: &DeadLetter<'_>) -> Result<(), BoxError> {
        let _ = input;
        Err("the processor does not take dead letters".into())
    }

    /// Called when [`TICK`](Self::TICK) has passed since the last call, or since the start: within a message that brings records, after
    /// its records, or within one that brings none. It is never called between messages, because the daemon would not read a checkpoint
    /// then. A quiet shard therefore needs `callProcessRecordsEvenForEmptyRecordList=true` in the daemon's properties.
    ///
    /// A processor with a tick does not get batches without records.
    ///
    /// # Errors
    ///
    /// Any error; see the trait. The [`POLICY`](Self::POLICY) does not apply.
    fn tick(&mut self, input: &mut Tick<'_>) -> Result<(), BoxError> {
        let _ = input;
        Ok(())
    }

    /// Called when another worker has the lease. Checkpoints are no longer possible.
    ///
    /// # Errors
    ///
    /// Any error; see the trait.
    fn lease_lost(&mut self, input: &mut LeaseLost<'_>) -> Result<(), BoxError> {
        let _ = input;
        Ok(())
    }

    /// Called when the shard has been read to its end. After success, the runtime checkpoints SHARD_END, unless this
    /// call has already done so.
    ///
    /// # Errors
    ///
    /// Any error; see the trait.
    fn shard_ended(&mut self, input: &mut ShardEnded<'_>) -> Result<(), BoxError> {
        let _ = input;
        Ok(())
    }

    /// Called when the worker is about to stop or to hand over the lease. This is the last chance to checkpoint.
    ///
    /// # Errors
    ///
    /// Any error; see the trait.
    fn shutdown_requested(&mut self, input: &mut ShutdownRequested<'_>) -> Result<(), BoxError> {
        let _ = input;
        Ok(())
    }
}

/// A [`Processor`] that needs nothing but its shard to start. For other processors, give a factory to
/// [`Runner::new`](crate::Runner::new).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a processor that can start by itself",
    label = "must implement `kcl::Initialize`",
    note = "with the feature `tokio`, a processor with `async` handlers is run by `kcl::run_async::<P>()`, in a test by `.run_async::<P>()`, or by `kcl::Runner::from_async(async |shard: &kcl::Shard| ...).run()`",
    note = "without `async` handlers, `#[kcl::processor]` implements it for a type that has an `#[on_init]` constructor, or else `Default`",
    note = "a processor that your own function creates is run by `kcl::Runner::new(function).run()`"
)]
pub trait Initialize: Processor + Sized {
    /// Makes the processor of this shard, on the daemon's `initialize`.
    ///
    /// # Errors
    ///
    /// Any error. The message is then not acknowledged, and the process ends with exit code 1.
    fn initialize(shard: &Shard) -> Result<Self, BoxError>;
}
