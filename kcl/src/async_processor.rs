//! The trait of processors whose methods are `async`. It drives every processor: one without such methods implements it, too.

use std::future::{Future, ready};
use std::time::Duration;

use crate::checkpoint::asynchronous::AsyncCheckpointer;
use crate::checkpoint::pace::Checkpoints;
use crate::concurrency::{Concurrency, ConcurrentRecord, ConcurrentTick};
use crate::dead_letter::letter::DeadLetter;
use crate::error::BoxError;
use crate::inputs::{LeaseLost, ProcessRecords, ShardEnded, ShutdownRequested, Tick};
use crate::policy::FailurePolicy;
use crate::processor::{Initialize, Processor};
use crate::shard::Shard;

/// A processor of one shard's records whose methods are `async`, with one method for each message of the daemon. It needs the feature
/// `tokio`.
///
/// `#[kcl::processor]` writes the implementation if a handler is `async`. By hand it is just as short:
///
#[cfg_attr(feature = "tokio", doc = "```")]
#[cfg_attr(not(feature = "tokio"), doc = "```ignore")]
/// use kcl::{AsyncCheckpointer, AsyncInitialize, AsyncProcessor, BoxError, ProcessRecords, Shard};
///
/// struct Forward;
///
/// impl AsyncProcessor for Forward {
///     async fn process_records(&mut self, input: &mut ProcessRecords<'_, AsyncCheckpointer>) -> Result<(), BoxError> {
///         input
///             .settle_each_record(async |input| {
///                 // … send it …
///                 eprintln!("{:?}", input.record());
///                 Ok(())
///             })
///             .await
///     }
/// }
///
/// impl AsyncInitialize for Forward {
///     async fn initialize(_: &Shard) -> Result<Self, BoxError> {
///         Ok(Forward)
///     }
/// }
///
/// fn main() -> std::process::ExitCode {
/// #   if true { return std::process::ExitCode::SUCCESS }
///     kcl::run_async::<Forward>()
/// }
/// ```
///
/// The futures are polled on the thread that runs the processor, one after the other. Neither they nor the processor need to be
/// `Send`. While one of them blocks the thread, nothing else of the shard runs.
///
/// If a method returns an error or panics, it has failed. The message is never acknowledged and the process ends with exit code 1, so
/// that the daemon redelivers the records that were not checkpointed. If the daemon goes away while a method waits, and nobody can read
/// the reply any more, its future is dropped.
///
/// Every [`Processor`] implements this trait, with futures that never wait.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a processor",
    label = "must implement `kcl::AsyncProcessor`",
    note = "put `#[kcl::processor]` on its `impl` block, or implement `kcl::AsyncProcessor` for it by hand"
)]
pub trait AsyncProcessor {
    /// Who checkpoints the records, and when; see [`Processor::CHECKPOINTS`].
    const CHECKPOINTS: Checkpoints = Checkpoints::Batch;

    /// The policy for records that fail; see [`Processor::POLICY`].
    const POLICY: FailurePolicy = FailurePolicy::new();

    /// The time after which a running method is reported on stderr; see [`Processor::WARN_AFTER`].
    const WARN_AFTER: Duration = Duration::from_secs(60);

    /// Whether messages may quote payloads and partition keys; see [`Processor::LOG_PAYLOADS`].
    const LOG_PAYLOADS: bool = true;

    /// The shortest time between two calls of [`tick`](Self::tick). Without it, `tick` is not called.
    const TICK: Option<Duration> = None;

    /// The longest time of an attempt with a record, or with a batch if its records are not handled one by one. After this time, the
    /// future of the attempt is dropped, and the attempt has failed like any other: the [`POLICY`](Self::POLICY) applies. Whatever the
    /// attempt has sent may still arrive, even after the next attempt has begun.
    ///
    /// A future is dropped only while it waits. Code that blocks the thread is not interrupted.
    const TIMEOUT: Option<Duration> = None;

    /// The number of records that are handled at once, and in which order. Without it, one call of
    /// [`process_records`](Self::process_records) follows the other.
    const CONCURRENCY: Option<Concurrency> = None;

    /// The number of worker threads of the runtime, for the tasks that methods spawn. With 0, there is one for each CPU of the machine.
    /// Without it, these tasks run on the thread of the processor, while a method waits or the processor waits for the daemon. The
    /// methods themselves always run on that thread.
    const WORKER_THREADS: Option<usize> = None;

    /// Processes a batch of records, in the order of the shard. Delivery is at least once.
    ///
    /// # Errors
    ///
    /// Any error; see the trait.
    fn process_records(
        &mut self,
        input: &mut ProcessRecords<'_, AsyncCheckpointer>,
    ) -> impl Future<Output = Result<(), BoxError>>;

    /// Processes a record beside others, with [`CONCURRENCY`](Self::CONCURRENCY).
    ///
    /// # Errors
    ///
    /// Any error; the [`POLICY`](Self::POLICY) then applies to the record. The default implementation always fails.
    fn process_record(&self, input: &ConcurrentRecord<'_>) -> impl Future<Output = Result<(), BoxError>> {
        let _ = input;
        ready(Err("the processor does not process single records".into()))
    }

    /// Takes a record that failed permanently; see [`Processor::dead_letter`].
    ///
    /// # Errors
    ///
    /// Any error; the record then counts as failed. The default implementation always fails.
    fn dead_letter(&mut self, input: &DeadLetter<'_>) -> impl Future<Output = Result<(), BoxError>> {
        let _ = input;
        ready(Err("the processor does not take dead letters".into()))
    }

    /// Takes a record that failed permanently, beside other records, with [`CONCURRENCY`](Self::CONCURRENCY).
    ///
    /// # Errors
    ///
    /// Any error; the record then counts as failed. The default implementation always fails.
    fn concurrent_dead_letter(&self, input: &DeadLetter<'_>) -> impl Future<Output = Result<(), BoxError>> {
        let _ = input;
        ready(Err("the processor does not take dead letters".into()))
    }

    /// Called when [`TICK`](Self::TICK) has passed; see [`Processor::tick`].
    ///
    /// # Errors
    ///
    /// Any error; see the trait. The [`POLICY`](Self::POLICY) does not apply.
    fn tick(&mut self, input: &mut Tick<'_, AsyncCheckpointer>) -> impl Future<Output = Result<(), BoxError>> {
        let _ = input;
        ready(Ok(()))
    }

    /// Called when [`TICK`](Self::TICK) has passed, beside running records, with [`CONCURRENCY`](Self::CONCURRENCY).
    ///
    /// # Errors
    ///
    /// Any error; see the trait. The [`POLICY`](Self::POLICY) does not apply.
    fn concurrent_tick(&self, input: &ConcurrentTick<'_>) -> impl Future<Output = Result<(), BoxError>> {
        let _ = input;
        ready(Ok(()))
    }

    /// Called when another worker has the lease. A checkpoint is then no longer possible.
    ///
    /// # Errors
    ///
    /// Any error; see the trait.
    fn lease_lost(&mut self, input: &mut LeaseLost<'_>) -> impl Future<Output = Result<(), BoxError>> {
        let _ = input;
        ready(Ok(()))
    }

    /// Called when the shard has been read to its end; see [`Processor::shard_ended`].
    ///
    /// # Errors
    ///
    /// Any error; see the trait.
    fn shard_ended(
        &mut self,
        input: &mut ShardEnded<'_, AsyncCheckpointer>,
    ) -> impl Future<Output = Result<(), BoxError>> {
        let _ = input;
        ready(Ok(()))
    }

    /// Called when the worker is about to stop or to hand over the lease. This is the last chance to checkpoint.
    ///
    /// # Errors
    ///
    /// Any error; see the trait.
    fn shutdown_requested(
        &mut self,
        input: &mut ShutdownRequested<'_, AsyncCheckpointer>,
    ) -> impl Future<Output = Result<(), BoxError>> {
        let _ = input;
        ready(Ok(()))
    }
}

/// An [`AsyncProcessor`] that needs nothing but its shard to start. For other processors, give a factory to
#[cfg_attr(feature = "tokio", doc = "[`Runner::from_async`](crate::Runner::from_async).")]
#[cfg_attr(not(feature = "tokio"), doc = "`Runner::from_async`.")]
///
/// Every [`Initialize`] implements this trait, too.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a processor that can start by itself",
    label = "must implement `kcl::AsyncInitialize`",
    note = "`#[kcl::processor]` implements it for a type with an `async` handler that has an `#[on_init]` constructor, or else `Default`",
    note = "a processor that your own function creates is run by `kcl::Runner::from_async(function).run()`"
)]
pub trait AsyncInitialize: AsyncProcessor + Sized {
    /// Makes the processor of this shard, on the daemon's `initialize`.
    ///
    /// # Errors
    ///
    /// Any error. The message is then not acknowledged, and the process ends with exit code 1.
    fn initialize(shard: &Shard) -> impl Future<Output = Result<Self, BoxError>>;
}

// The work is done by the call that returns the future.
impl<P: Processor> AsyncProcessor for P {
    const CHECKPOINTS: Checkpoints = <P as Processor>::CHECKPOINTS;
    const POLICY: FailurePolicy = <P as Processor>::POLICY;
    const WARN_AFTER: Duration = <P as Processor>::WARN_AFTER;
    const LOG_PAYLOADS: bool = <P as Processor>::LOG_PAYLOADS;
    const TICK: Option<Duration> = <P as Processor>::TICK;

    #[inline]
    fn process_records(
        &mut self,
        input: &mut ProcessRecords<'_, AsyncCheckpointer>,
    ) -> impl Future<Output = Result<(), BoxError>> {
        ready(Processor::process_records(self, &mut input.blocking()))
    }

    fn dead_letter(&mut self, input: &DeadLetter<'_>) -> impl Future<Output = Result<(), BoxError>> {
        ready(Processor::dead_letter(self, input))
    }

    fn tick(&mut self, input: &mut Tick<'_, AsyncCheckpointer>) -> impl Future<Output = Result<(), BoxError>> {
        ready(Processor::tick(self, &mut input.blocking()))
    }

    fn lease_lost(&mut self, input: &mut LeaseLost<'_>) -> impl Future<Output = Result<(), BoxError>> {
        ready(Processor::lease_lost(self, input))
    }

    fn shard_ended(
        &mut self,
        input: &mut ShardEnded<'_, AsyncCheckpointer>,
    ) -> impl Future<Output = Result<(), BoxError>> {
        ready(Processor::shard_ended(self, &mut input.blocking()))
    }

    fn shutdown_requested(
        &mut self,
        input: &mut ShutdownRequested<'_, AsyncCheckpointer>,
    ) -> impl Future<Output = Result<(), BoxError>> {
        ready(Processor::shutdown_requested(self, &mut input.blocking()))
    }
}

impl<P: Initialize> AsyncInitialize for P {
    fn initialize(shard: &Shard) -> impl Future<Output = Result<Self, BoxError>> {
        ready(<P as Initialize>::initialize(shard))
    }
}
