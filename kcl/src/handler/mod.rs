//! The code behind `#[kcl::processor]`: the arguments that a handler may take, and its result. It is public as
//! `kcl::__private`, and not for use by hand.

mod arguments;
mod checkpointers;
mod concurrent;
mod constants;
mod outcome;
pub mod probe;
mod takes;
mod unlike;

pub use arguments::{
    DeadLetterCx, OnDeadLetter, OnInit, OnLeaseLost, OnRecord, OnRecords, OnShardEnd, OnShutdownRequested, OnTick,
    RecordCx, RecordsCx, ShardCx, ShutdownCx, TickCx,
};
pub use checkpointers::Awaited;
pub use concurrent::{BesideRecords, OnConcurrentRecord, OnConcurrentShutdown, OnConcurrentTick};
pub use constants::Given;
pub use outcome::{Constructed, Failure, Handled, Made, Nothing, OnInitOrDefault, Outcome, Returned, Unchecked};
pub use takes::{
    Answer, Apart, Beside, CanFail, Compared, Decided, Fails, LeavesCheckpoints, Maybe, NeverFails, No, NoPayload,
    Pair, Taken, TakenOnce, TickCheckpoints, Twice, Undecodable, Yes, checkpoints, pair, parts,
};
pub use unlike::{NotThePayload, OfOneRecord, Payload, any, payload};

use std::marker::PhantomData;
use std::process::ExitCode;

#[cfg(feature = "tokio")]
use crate::async_processor::AsyncInitialize;
use crate::checkpoint::Checkpointer;
use crate::checkpoint::asynchronous::AsyncCheckpointer;
use crate::concurrency::{ConcurrentRecord, ConcurrentTick};
use crate::dead_letter::letter::DeadLetter;
use crate::inputs::{LeaseLost, ProcessRecords, ShardEnded, ShutdownRequested, Tick};
use crate::processor::Initialize;
use crate::runner::run;
#[cfg(feature = "tokio")]
use crate::runtime::run_async;
use crate::shard::Shard;

/// Fails to compile with this text when code is generated for a function that is generic over `P`.
macro_rules! fail_to_compile {
    ($P:ty, $text:literal) => {{
        const { assert!(size_of::<$P>() > isize::MAX as usize, $text) };
        unreachable!("it does not compile")
    }};
}
use fail_to_compile;

/// The inferred type. Unlike `_`, it can have the span of a whole type in the user's code, for an error about that type.
pub type Inferred<T> = T;

/// A placeholder where `#[kcl::processor]` leaves an error to rustc. If rustc reports no error after all, this function
/// fails to compile when code is generated for it, so it never becomes part of a program.
///
/// # Panics
///
/// At compile time.
pub fn left_to_rustc<P>() -> ! {
    fail_to_compile!(P, "`#[kcl::processor]` left an error to rustc, and rustc found none")
}

/// Starts a processor whose impl has a `where` clause. If the clause is not met, it has its own error, and the method of [`NoStart`] is
/// called instead, which does not compile into a program.
pub struct Start<P>(PhantomData<P>);

impl<P> Start<P> {
    /// Prepares the start.
    #[expect(clippy::new_without_default, reason = "generated code calls it by name")]
    #[must_use]
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<P: Initialize> Start<P> {
    /// Runs the processor.
    #[must_use]
    pub fn run(self) -> ExitCode {
        run::<P>()
    }
}

#[cfg(feature = "tokio")]
impl<P: AsyncInitialize> Start<P> {
    /// Runs the processor, whose handlers may be `async`.
    #[must_use]
    pub fn run_async(self) -> ExitCode {
        run_async::<P>()
    }
}

/// A processor that cannot start.
pub trait NoStart: Sized {
    /// Fails to compile into a program.
    fn run(self) -> ExitCode {
        left_to_rustc::<Self>()
    }

    /// Fails to compile into a program.
    fn run_async(self) -> ExitCode {
        left_to_rustc::<Self>()
    }
}

impl<P> NoStart for Start<P> {}

/// The handler attributes beside code with a mistake. They do nothing, so a misplaced one is not a further mistake.
#[cfg(feature = "macros")]
pub mod attributes {
    pub use kcl_macros::{
        stand_in as on_dead_letter, stand_in as on_init, stand_in as on_lease_lost, stand_in as on_record,
        stand_in as on_records, stand_in as on_shard_end, stand_in as on_shutdown_requested, stand_in as on_tick,
    };
}

/// This crate with the handler attributes that do nothing, for code that names it.
#[cfg(feature = "macros")]
pub mod among_stand_ins {
    pub use super::attributes::{
        on_dead_letter, on_init, on_lease_lost, on_record, on_records, on_shard_end, on_shutdown_requested, on_tick,
    };
    pub use crate::*;
}

/// The `main` beside code with a mistake.
pub mod stand_in {
    /// Fails to compile into a program. It is inline, so that it is compiled only where it is used.
    #[inline]
    pub fn main() {
        super::left_to_rustc::<()>();
    }
}

/// The arguments for an `#[on_init]` constructor.
#[must_use]
pub fn on_init(shard: &Shard) -> ShardCx<'_> {
    ShardCx { shard }
}

/// The arguments for an `#[on_records]` handler.
#[must_use]
pub fn on_records<'c, C>(input: &'c mut ProcessRecords<'_, C>) -> RecordsCx<'c, C> {
    RecordsCx::new(input)
}

/// The records for an `#[on_record]` handler.
#[must_use]
pub fn on_record<'a, 'b, C>(input: &'a mut ProcessRecords<'b, C>) -> EachRecord<'a, 'b, C> {
    EachRecord(input)
}

/// Records for an `#[on_record]` handler, which handles them one by one.
pub struct EachRecord<'a, 'b, C>(&'a mut ProcessRecords<'b, C>);

impl EachRecord<'_, '_, Checkpointer> {
    /// Calls the handler for each record, with the arguments that it may take.
    ///
    /// # Errors
    ///
    /// The error of the handler, or of a payload that cannot be read.
    pub fn each(self, mut call: impl FnMut(&RecordCx<'_>) -> Handled) -> Handled {
        self.0.settle_each_record(|one| call(&RecordCx::new(one)))
    }
}

impl EachRecord<'_, '_, AsyncCheckpointer> {
    /// Calls the handler for each record, with the arguments that it may take, and awaits it.
    ///
    /// # Errors
    ///
    /// The error of the handler, or of a payload that cannot be read.
    pub async fn each(self, mut call: impl AsyncFnMut(&RecordCx<'_, AsyncCheckpointer>) -> Handled) -> Handled {
        self.0.settle_each_record(async |one| call(&RecordCx::new(one)).await).await
    }
}

/// The argument for an `#[on_record]` handler with `concurrency`.
#[must_use]
pub fn on_concurrent_record<'c>(input: &ConcurrentRecord<'c>) -> ConcurrentRecord<'c> {
    *input
}

/// The result of a batch for a processor that handles single records at once.
///
/// # Errors
///
/// Always.
pub fn no_batches() -> Handled {
    Err("the processor handles its records at once, not in batches".into())
}

/// The runtime that polls `async` handlers.
///
/// With `runtime = current_thread`, the default, the tasks that they spawn run on the main thread, while a handler waits or the processor
/// waits for the daemon. With `runtime = multi_thread`, these tasks have threads of their own: `worker_threads = 4`, or by default as many
/// as the machine has processors. The handlers themselves always run on the main thread.
#[must_use]
pub const fn runtime(worker_threads: Option<usize>) -> Option<usize> {
    worker_threads
}

/// The arguments for an `#[on_lease_lost]` handler.
#[must_use]
pub fn on_lease_lost<'c>(input: &'c mut LeaseLost<'_>) -> ShardCx<'c> {
    ShardCx { shard: input.shard }
}

/// The arguments for an `#[on_shard_end]` handler.
#[must_use]
pub fn on_shard_end<'c, C>(input: &'c mut ShardEnded<'_, C>) -> ShutdownCx<'c, C> {
    ShutdownCx::new(input.shard, input.checkpointer)
}

/// The arguments for an `#[on_shutdown_requested]` handler.
#[must_use]
pub fn on_shutdown_requested<'c, C>(input: &'c mut ShutdownRequested<'_, C>) -> ShutdownCx<'c, C> {
    ShutdownCx::new(input.shard, input.checkpointer)
}

/// The arguments for an `#[on_shutdown_requested]` handler beside `concurrency`.
#[must_use]
pub fn on_concurrent_shutdown<'c, C>(input: &'c mut ShutdownRequested<'_, C>) -> ShardCx<'c> {
    ShardCx { shard: input.shard }
}

/// The arguments for an `#[on_tick]` handler.
#[must_use]
pub fn on_tick<'c, C>(input: &'c mut Tick<'_, C>) -> TickCx<'c, C> {
    TickCx::new(input)
}

/// The arguments for an `#[on_tick]` handler beside `concurrency`.
#[must_use]
pub fn on_concurrent_tick<'c>(input: &ConcurrentTick<'c>) -> ConcurrentTick<'c> {
    *input
}

/// The arguments for an `#[on_dead_letter]` handler.
#[must_use]
pub fn on_dead_letter<'c>(input: &'c DeadLetter<'c>) -> DeadLetterCx<'c> {
    DeadLetterCx { letter: input }
}
