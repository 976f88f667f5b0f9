//! What `#[kcl::processor]` calls: the arguments a handler may take, and its result. Not for use by hand.

mod arguments;
mod outcome;
mod takes;

pub use arguments::{
    OnInitArgument, OnLeaseLostArgument, OnRecordArgument, OnRecordsArgument, OnShardEndArgument,
    OnShutdownRequestedArgument, RecordCx, RecordsCx, ShardCx, ShutdownCx,
};
pub use outcome::{Constructed, Failure, Handled, Nothing, OnInitOrDefault, Outcome};
pub use takes::Takes;

use crate::{BoxError, LeaseLost, ProcessRecords, Shard, ShardEnded, ShutdownRequested};

/// Calls an `#[on_init]` constructor.
///
/// # Errors
///
/// The constructor's.
pub fn on_init<P>(shard: &Shard, call: impl FnOnce(&ShardCx<'_>) -> Result<P, BoxError>) -> Result<P, BoxError> {
    call(&ShardCx { shard })
}

/// Calls an `#[on_records]` handler with the batch.
///
/// # Errors
///
/// The handler's.
pub fn on_records(input: &mut ProcessRecords<'_>, call: impl FnOnce(&RecordsCx<'_>) -> Handled) -> Handled {
    call(&RecordsCx::new(input))
}

/// Calls an `#[on_record]` handler with each record of the batch.
///
/// # Errors
///
/// The handler's, or a payload's.
pub fn on_record(input: &mut ProcessRecords<'_>, mut call: impl FnMut(&RecordCx<'_>) -> Handled) -> Handled {
    input.for_each_record(|one| call(&RecordCx::new(one)))
}

/// Calls an `#[on_lease_lost]` handler.
///
/// # Errors
///
/// The handler's.
pub fn on_lease_lost(input: &mut LeaseLost<'_>, call: impl FnOnce(&ShardCx<'_>) -> Handled) -> Handled {
    call(&ShardCx { shard: input.shard })
}

/// Calls an `#[on_shard_end]` handler.
///
/// # Errors
///
/// The handler's.
pub fn on_shard_end(input: &mut ShardEnded<'_>, call: impl FnOnce(&ShutdownCx<'_>) -> Handled) -> Handled {
    call(&ShutdownCx::new(input.shard, input.checkpointer))
}

/// Calls an `#[on_shutdown_requested]` handler.
///
/// # Errors
///
/// The handler's.
pub fn on_shutdown_requested(
    input: &mut ShutdownRequested<'_>,
    call: impl FnOnce(&ShutdownCx<'_>) -> Handled,
) -> Handled {
    call(&ShutdownCx::new(input.shard, input.checkpointer))
}
