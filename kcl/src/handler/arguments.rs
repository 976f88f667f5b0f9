//! The arguments a handler may take, chosen by type: one trait for each place, so that each has its own list in errors.

use std::cell::RefCell;

use super::Takes;
use crate::payload::UndecodablePayload;
use crate::{BoxError, Checkpointer, FromRecord, MillisBehindLatest, ProcessRecord, ProcessRecords, Record, Shard};

/// One argument: what it takes, and how it is had from the context `Cx`.
///
/// Both are fields so that the bound on `T` stands in one place only, and a type that does not fit is one error.
pub struct Argument<Cx, T> {
    /// Known while it is compiled.
    pub takes: Takes,
    take: fn(&Cx) -> Result<T, BoxError>,
}

impl<Cx, T> Argument<Cx, T> {
    /// Takes it.
    ///
    /// # Errors
    ///
    /// If it is a payload that cannot be read.
    #[inline]
    pub fn take(self, cx: &Cx) -> Result<T, BoxError> {
        (self.take)(cx)
    }
}

/// What `#[on_init]` and `#[on_lease_lost]` choose from.
pub struct ShardCx<'c> {
    pub(super) shard: &'c Shard,
}

/// What `#[on_records]` chooses from.
pub struct RecordsCx<'c> {
    records: &'c [Record],
    shard: &'c Shard,
    millis_behind_latest: MillisBehindLatest,
    checkpointer: Lent<'c>,
}

/// What `#[on_record]` chooses from.
pub struct RecordCx<'c> {
    record: &'c Record,
    shard: &'c Shard,
    millis_behind_latest: MillisBehindLatest,
    checkpointer: Lent<'c>,
}

/// What `#[on_shard_end]` and `#[on_shutdown_requested]` choose from.
pub struct ShutdownCx<'c> {
    shard: &'c Shard,
    checkpointer: Lent<'c>,
}

/// The checkpointer, until an argument takes it.
struct Lent<'c>(RefCell<Option<&'c mut Checkpointer>>);

impl<'c> Lent<'c> {
    fn new(checkpointer: &'c mut Checkpointer) -> Self {
        Self(RefCell::new(Some(checkpointer)))
    }

    /// The error is never seen: [`Takes::and`] refuses a second one while it is compiled.
    fn take(&self) -> Result<&'c mut Checkpointer, BoxError> {
        self.0.take().ok_or_else(|| "the handler took its checkpointer twice".into())
    }
}

impl<'c> RecordsCx<'c> {
    pub(super) fn new(input: &'c mut ProcessRecords<'_>) -> Self {
        Self {
            records: input.records,
            shard: input.shard,
            millis_behind_latest: input.millis_behind_latest,
            checkpointer: Lent::new(input.checkpointer),
        }
    }
}

impl<'c> RecordCx<'c> {
    pub(super) fn new(input: &'c mut ProcessRecord<'_>) -> Self {
        Self {
            record: input.record,
            shard: input.shard,
            millis_behind_latest: input.millis_behind_latest,
            checkpointer: Lent::new(input.checkpointer),
        }
    }
}

impl<'c> ShutdownCx<'c> {
    pub(super) fn new(shard: &'c Shard, checkpointer: &'c mut Checkpointer) -> Self {
        Self { shard, checkpointer: Lent::new(checkpointer) }
    }
}

/// Declares the trait of one place, its constructor of [`Argument`]s and the arguments it has.
macro_rules! arguments {
    (
        $(#[$doc:meta])*
        $Trait:ident, $function:ident, $Cx:ident;
        $($Type:ty => $takes:ident, |$cx:ident| $take:expr;)*
    ) => {
        $(#[$doc])*
        pub trait $Trait<'c>: Sized {
            /// What it takes.
            const TAKES: Takes;

            /// Takes it.
            ///
            /// # Errors
            ///
            /// If it is a payload that cannot be read.
            fn take(cx: &$Cx<'c>) -> Result<Self, BoxError>;
        }

        $(impl<'c> $Trait<'c> for $Type {
            const TAKES: Takes = Takes::$takes;

            #[inline]
            fn take($cx: &$Cx<'c>) -> Result<Self, BoxError> {
                $take
            }
        })*

        /// The argument of this type.
        #[must_use]
        pub const fn $function<'c, T: $Trait<'c>>() -> Argument<$Cx<'c>, T> {
            Argument { takes: T::TAKES, take: T::take }
        }
    };
}

arguments! {
    /// What `#[on_init]` may take.
    #[diagnostic::on_unimplemented(
        message = "an `#[on_init]` constructor cannot take `{Self}`",
        label = "must be `&Shard`",
        note = "an `#[on_init]` constructor takes `&Shard`, or nothing"
    )]
    OnInitArgument, init_argument, ShardCx;
    &'c Shard => SHARD, |cx| Ok(cx.shard);
}

arguments! {
    /// What `#[on_records]` may take.
    #[diagnostic::on_unimplemented(
        message = "an `#[on_records]` handler cannot take `{Self}`",
        label = "not an argument of `#[on_records]`",
        note = "an `#[on_records]` handler takes any of, in any order: `&[Record]`, `&mut Checkpointer`, `&Shard`, `MillisBehindLatest`"
    )]
    OnRecordsArgument, records_argument, RecordsCx;
    &'c [Record] => RECORDS, |cx| Ok(cx.records);
    &'c mut Checkpointer => CHECKPOINTER, |cx| cx.checkpointer.take();
    &'c Shard => SHARD, |cx| Ok(cx.shard);
    MillisBehindLatest => MILLIS_BEHIND_LATEST, |cx| Ok(cx.millis_behind_latest);
}

arguments! {
    /// What `#[on_record]` may take; its errors speak through [`FromRecord`], which every type here might be.
    OnRecordArgument, record_argument, RecordCx;
    &'c Record => RECORDS, |cx| Ok(cx.record);
    &'c mut Checkpointer => CHECKPOINTER, |cx| cx.checkpointer.take();
    &'c Shard => SHARD, |cx| Ok(cx.shard);
    MillisBehindLatest => MILLIS_BEHIND_LATEST, |cx| Ok(cx.millis_behind_latest);
}

impl<'c, P: FromRecord<'c>> OnRecordArgument<'c> for P {
    const TAKES: Takes = Takes::PAYLOAD;

    #[inline]
    fn take(cx: &RecordCx<'c>) -> Result<Self, BoxError> {
        P::from_record(cx.record).map_err(|error| UndecodablePayload::new(cx.record, error.into()).into())
    }
}

arguments! {
    /// What `#[on_lease_lost]` may take.
    #[diagnostic::on_unimplemented(
        message = "an `#[on_lease_lost]` handler cannot take `{Self}`",
        label = "must be `&Shard`",
        note = "an `#[on_lease_lost]` handler takes `&Shard`, or nothing: another worker has the lease now, so there is nothing to checkpoint"
    )]
    OnLeaseLostArgument, lease_lost_argument, ShardCx;
    &'c Shard => SHARD, |cx| Ok(cx.shard);
}

arguments! {
    /// What `#[on_shard_end]` may take.
    #[diagnostic::on_unimplemented(
        message = "an `#[on_shard_end]` handler cannot take `{Self}`",
        label = "not an argument of `#[on_shard_end]`",
        note = "an `#[on_shard_end]` handler takes any of, in any order: `&mut Checkpointer`, `&Shard`"
    )]
    OnShardEndArgument, shard_end_argument, ShutdownCx;
    &'c mut Checkpointer => CHECKPOINTER, |cx| cx.checkpointer.take();
    &'c Shard => SHARD, |cx| Ok(cx.shard);
}

arguments! {
    /// What `#[on_shutdown_requested]` may take.
    #[diagnostic::on_unimplemented(
        message = "an `#[on_shutdown_requested]` handler cannot take `{Self}`",
        label = "not an argument of `#[on_shutdown_requested]`",
        note = "an `#[on_shutdown_requested]` handler takes any of, in any order: `&mut Checkpointer`, `&Shard`"
    )]
    OnShutdownRequestedArgument, shutdown_requested_argument, ShutdownCx;
    &'c mut Checkpointer => CHECKPOINTER, |cx| cx.checkpointer.take();
    &'c Shard => SHARD, |cx| Ok(cx.shard);
}
