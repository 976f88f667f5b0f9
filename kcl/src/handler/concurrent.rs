//! The arguments of handlers that run while records are handled, with the option `concurrency`. There is no checkpointer among them: it
//! would pass records that are not done.

use super::arguments::{ShardCx, takes};
use super::takes::{Part, parts};
use crate::concurrency::{ConcurrentRecord, ConcurrentTick};
use crate::error::BoxError;
use crate::payload::{FromRecord, UndecodablePayload};
use crate::record::Record;
use crate::shard::{MillisBehindLatest, Shard};

/// An argument of `#[on_record]` with `concurrency`.
#[diagnostic::on_unimplemented(
    message = "an `#[on_record]` handler with `concurrency` cannot take `{Self}`",
    label = "`#[on_record]` does not accept this type",
    note = "an `#[on_record]` handler with `concurrency` can take, in any order: `&kcl::Record`, one payload, `&kcl::Shard`, `kcl::MillisBehindLatest`",
    note = "a payload is `kcl::Json<T>` if `T` has `#[derive(serde::Deserialize)]`, your own type that implements `kcl::FromRecord`, or `Option<P>` or `Result<P, kcl::BoxError>` where `P` is one of these",
    note = "in `kcl::Json<T>`, a type parameter needs the bound `T: serde::de::DeserializeOwned`",
    note = "there is no checkpointer among them: records may not be done while it runs, and a checkpoint would pass them"
)]
pub trait OnConcurrentRecord<'c>: Sized {
    /// The part of the input that the argument takes.
    type Takes: Part;

    /// Takes it.
    ///
    /// # Errors
    ///
    /// If it is a payload that cannot be read.
    fn take(cx: &ConcurrentRecord<'c>) -> Result<Self, BoxError>;
}

#[diagnostic::do_not_recommend]
impl<'c> OnConcurrentRecord<'c> for &'c Record {
    takes!(parts::Records, |cx: ConcurrentRecord<'c>| Ok(cx.record()));
}

#[diagnostic::do_not_recommend]
impl<'c> OnConcurrentRecord<'c> for &'c Shard {
    takes!(parts::Shard, |cx: ConcurrentRecord<'c>| Ok(cx.shard()));
}

#[diagnostic::do_not_recommend]
impl<'c> OnConcurrentRecord<'c> for MillisBehindLatest {
    takes!(parts::MillisBehindLatest, |cx: ConcurrentRecord<'c>| Ok(cx.millis_behind_latest()));
}

// Not marked like the others, so that the errors name `FromRecord`, which a type of the user's can implement.
impl<'c, P: FromRecord<'c>> OnConcurrentRecord<'c> for P {
    takes!(parts::Payload<P::Error>, |cx: ConcurrentRecord<'c>| {
        UndecodablePayload::read(cx.record()).map_err(Into::into)
    });
}

/// An argument of `#[on_tick]` beside `concurrency`.
#[diagnostic::on_unimplemented(
    message = "an `#[on_tick]` handler beside `concurrency` cannot take `{Self}`",
    label = "`#[on_tick]` does not accept this type",
    note = "an `#[on_tick]` handler beside `concurrency` can take, in any order: `&kcl::Shard`, `kcl::MillisBehindLatest`",
    note = "there is no checkpointer among them: records may not be done while it runs, and a checkpoint would pass them"
)]
pub trait OnConcurrentTick<'c>: Sized {
    /// The part of the input that the argument takes.
    type Takes: Part;

    /// Takes it.
    ///
    /// # Errors
    ///
    /// If it was taken already.
    fn take(cx: &ConcurrentTick<'c>) -> Result<Self, BoxError>;
}

#[diagnostic::do_not_recommend]
impl<'c> OnConcurrentTick<'c> for &'c Shard {
    takes!(parts::Shard, |cx: ConcurrentTick<'c>| Ok(cx.shard()));
}

#[diagnostic::do_not_recommend]
impl<'c> OnConcurrentTick<'c> for MillisBehindLatest {
    takes!(parts::MillisBehindLatest, |cx: ConcurrentTick<'c>| Ok(cx.millis_behind_latest()));
}

/// An argument of `#[on_shutdown_requested]` beside `concurrency`.
#[diagnostic::on_unimplemented(
    message = "an `#[on_shutdown_requested]` handler beside `concurrency` cannot take `{Self}`",
    label = "must be `&kcl::Shard`",
    note = "an `#[on_shutdown_requested]` handler beside `concurrency` takes `&kcl::Shard` or nothing",
    note = "there is no checkpointer among them: records may not be done while it runs, and a checkpoint would pass them"
)]
pub trait OnConcurrentShutdown<'c>: Sized {
    /// The part of the input that the argument takes.
    type Takes: Part;

    /// Takes it.
    ///
    /// # Errors
    ///
    /// If it was taken already.
    fn take(cx: &ShardCx<'c>) -> Result<Self, BoxError>;
}

#[diagnostic::do_not_recommend]
impl<'c> OnConcurrentShutdown<'c> for &'c Shard {
    takes!(parts::Shard, |cx: ShardCx<'c>| Ok(cx.shard));
}

/// An argument that is written as `&mut`, of a handler that runs while records are handled. It must be a checkpointer, and none is one.
#[diagnostic::on_unimplemented(
    message = "beside option `concurrency`, this handler cannot take `{Self}`",
    label = "remove this argument",
    note = "records may not be done while it runs, and a checkpoint of its own would pass them: the runtime checkpoints the records that are done",
    note = "only `#[on_shard_end]` can take a checkpointer: every record is done by then"
)]
pub trait BesideRecords<'c>: Sized {
    /// Takes it.
    ///
    /// # Errors
    ///
    /// Never, because no type implements this trait.
    fn take<Cx>(cx: &Cx) -> Result<Self, BoxError>;
}
