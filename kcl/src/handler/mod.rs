//! What `#[kcl::processor]` calls: the arguments a handler may take, and its result. Not for use by hand.

mod arguments;
mod outcome;
pub mod probe;
mod takes;

pub use arguments::{
    DeadLetterCx, OnDeadLetter, OnInit, OnLeaseLost, OnRecord, OnRecords, OnShardEnd, OnShutdownRequested, RecordCx,
    RecordsCx, ShardCx, ShutdownCx,
};
pub use outcome::{Constructed, Failure, Handled, Made, Nothing, OnInitOrDefault, Outcome};
pub use takes::{Takes, checkpoints};

use crate::{DeadLetter, LeaseLost, ProcessRecords, Shard, ShardEnded, ShutdownRequested};

/// Stands where `#[kcl::processor]` has left an error to rustc. If rustc has none after all, this is one, when code is generated for
/// it: it never becomes a program.
///
/// # Panics
///
/// While it is compiled.
pub fn left_to_rustc<P>() -> ! {
    const { assert!(size_of::<P>() > isize::MAX as usize, "`#[kcl::processor]` left an error to rustc, which found none") };
    unreachable!("it does not compile")
}

/// What an `#[on_init]` constructor chooses from.
#[must_use]
pub fn on_init(shard: &Shard) -> ShardCx<'_> {
    ShardCx { shard }
}

/// What an `#[on_records]` handler chooses from.
#[must_use]
pub fn on_records<'c>(input: &'c mut ProcessRecords<'_>) -> RecordsCx<'c> {
    RecordsCx::new(input)
}

/// The records for an `#[on_record]` handler.
#[must_use]
pub fn on_record<'a, 'b>(input: &'a mut ProcessRecords<'b>) -> EachRecord<'a, 'b> {
    EachRecord(input)
}

/// Records that are to be handed over one by one.
pub struct EachRecord<'a, 'b>(&'a mut ProcessRecords<'b>);

impl EachRecord<'_, '_> {
    /// Calls the handler with what it chooses from.
    ///
    /// # Errors
    ///
    /// The handler's, or a payload's.
    pub fn each(self, mut call: impl FnMut(&RecordCx<'_>) -> Handled) -> Handled {
        self.0.for_each_record(|one| call(&RecordCx::new(one)))
    }
}

/// What an `#[on_lease_lost]` handler chooses from.
#[must_use]
pub fn on_lease_lost<'c>(input: &'c mut LeaseLost<'_>) -> ShardCx<'c> {
    ShardCx { shard: input.shard }
}

/// What an `#[on_shard_end]` handler chooses from.
#[must_use]
pub fn on_shard_end<'c>(input: &'c mut ShardEnded<'_>) -> ShutdownCx<'c> {
    ShutdownCx::new(input.shard, input.checkpointer)
}

/// What an `#[on_shutdown_requested]` handler chooses from.
#[must_use]
pub fn on_shutdown_requested<'c>(input: &'c mut ShutdownRequested<'_>) -> ShutdownCx<'c> {
    ShutdownCx::new(input.shard, input.checkpointer)
}

/// What an `#[on_dead_letter]` handler chooses from.
#[must_use]
pub fn on_dead_letter<'c>(input: &'c DeadLetter<'c>) -> DeadLetterCx<'c> {
    DeadLetterCx { letter: input }
}
