//! The arguments that a handler may take, chosen by type. Each kind of handler has its own trait, so that errors show
//! its own list of arguments.
//!
//! The impls are marked `do_not_recommend`: otherwise errors would list them as well.

use std::cell::RefCell;

use super::takes::{Part, parts};
use crate::checkpoint::Checkpointer;
use crate::dead_letter::letter::DeadLetter;
use crate::error::BoxError;
use crate::inputs::{ProcessRecord, ProcessRecords, Tick};
use crate::payload::{FromRecord, UndecodablePayload, UndecodablePayloads};
use crate::record::Record;
use crate::shard::{MillisBehindLatest, Shard};

/// The input of `#[on_init]` and `#[on_lease_lost]`.
pub struct ShardCx<'c> {
    pub(super) shard: &'c Shard,
}

/// The input of `#[on_records]`.
pub struct RecordsCx<'c, C = Checkpointer> {
    records: &'c [Record],
    shard: &'c Shard,
    millis_behind_latest: MillisBehindLatest,
    pub(super) checkpointer: Lent<'c, C>,
}

/// The input of `#[on_record]`.
pub struct RecordCx<'c, C = Checkpointer> {
    record: &'c Record,
    shard: &'c Shard,
    millis_behind_latest: MillisBehindLatest,
    pub(super) checkpointer: Lent<'c, C>,
}

impl<'c, C> RecordCx<'c, C> {
    pub(super) fn record(&self) -> &'c Record {
        self.record
    }
}

/// The input of `#[on_shard_end]` and `#[on_shutdown_requested]`.
pub struct ShutdownCx<'c, C = Checkpointer> {
    shard: &'c Shard,
    pub(super) checkpointer: Lent<'c, C>,
}

/// The input of `#[on_tick]`.
pub struct TickCx<'c, C = Checkpointer> {
    shard: &'c Shard,
    millis_behind_latest: MillisBehindLatest,
    pub(super) checkpointer: Lent<'c, C>,
}

/// The input of `#[on_dead_letter]`.
pub struct DeadLetterCx<'c> {
    pub(super) letter: &'c DeadLetter<'c>,
}

/// The checkpointer, until an argument takes it.
pub(super) struct Lent<'c, C>(RefCell<Option<&'c mut C>>);

impl<'c, C> Lent<'c, C> {
    fn new(checkpointer: &'c mut C) -> Self {
        Self(RefCell::new(Some(checkpointer)))
    }

    /// The error never occurs: [`TakenOnce`](super::takes::TakenOnce) refuses a second checkpointer at compile time.
    pub(super) fn take(&self) -> Result<&'c mut C, BoxError> {
        self.0.take().ok_or_else(|| "the handler took its checkpointer twice".into())
    }
}

impl<'c, C> RecordsCx<'c, C> {
    pub(super) fn new(input: &'c mut ProcessRecords<'_, C>) -> Self {
        Self {
            records: input.records,
            shard: input.shard,
            millis_behind_latest: input.millis_behind_latest,
            checkpointer: Lent::new(input.checkpointer),
        }
    }
}

impl<'c, C> RecordCx<'c, C> {
    pub(super) fn new(input: &'c mut ProcessRecord<'_, C>) -> Self {
        Self {
            record: input.record,
            shard: input.shard,
            millis_behind_latest: input.millis_behind_latest,
            checkpointer: Lent::new(input.checkpointer),
        }
    }
}

impl<'c, C> ShutdownCx<'c, C> {
    pub(super) fn new(shard: &'c Shard, checkpointer: &'c mut C) -> Self {
        Self { shard, checkpointer: Lent::new(checkpointer) }
    }
}

impl<'c, C> TickCx<'c, C> {
    pub(super) fn new(input: &'c mut Tick<'_, C>) -> Self {
        Self {
            shard: input.shard,
            millis_behind_latest: input.millis_behind_latest,
            checkpointer: Lent::new(input.checkpointer),
        }
    }
}

/// The body of an impl: the part that is taken, and the code that takes it. The impls' heads are written out, so that
/// errors can show them.
macro_rules! takes {
    ($takes:ty, |$cx:ident: $Cx:ty| $take:expr) => {
        type Takes = $takes;

        #[inline]
        fn take($cx: &$Cx) -> Result<Self, BoxError> {
            $take
        }
    };
}

pub(super) use takes;

/// An argument of `#[on_init]`.
#[diagnostic::on_unimplemented(
    message = "an `#[on_init]` constructor cannot take `{Self}`",
    label = "must be `&kcl::Shard`",
    note = "an `#[on_init]` constructor takes `&kcl::Shard` or nothing",
    note = "to pass anything else to the processor, remove `#[on_init]`, write `#[kcl::processor(main = false)]`, and create it in a function of your own: `fn main() -> std::process::ExitCode {{ kcl::Runner::new(|shard: &kcl::Shard| Ok::<_, kcl::BoxError>(...)).run() }}`",
    note = "with `async` handlers, that function calls `kcl::Runner::from_async(async |shard: &kcl::Shard| Ok::<_, kcl::BoxError>(...)).run()`"
)]
pub trait OnInit<'c>: Sized {
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
impl<'c> OnInit<'c> for &'c Shard {
    takes!(parts::Shard, |cx: ShardCx<'c>| Ok(cx.shard));
}

/// An argument of `#[on_records]`.
#[diagnostic::on_unimplemented(
    message = "an `#[on_records]` handler cannot take `{Self}`",
    label = "`#[on_records]` does not accept this type",
    note = "an `#[on_records]` handler can take, in any order: `&[kcl::Record]`, `&mut kcl::Checkpointer` (in an `async fn`, `&mut kcl::AsyncCheckpointer`), `&kcl::Shard`, `kcl::MillisBehindLatest`",
    note = "instead of `&[kcl::Record]` it can take `Vec<P>` or `Vec<(&kcl::Record, P)>`, where `P` is a payload",
    note = "a payload is `kcl::Json<T>` if `T` has `#[derive(serde::Deserialize)]`, your own type that implements `kcl::FromRecord`, or `Option<P>` or `Result<P, kcl::BoxError>` where `P` is one of these",
    note = "in `kcl::Json<T>`, a type parameter needs the bound `T: serde::de::DeserializeOwned`"
)]
pub trait OnRecords<'c, C = Checkpointer>: Sized {
    /// The part of the input that the argument takes.
    type Takes: Part;

    /// Takes it.
    ///
    /// # Errors
    ///
    /// If it was taken already, or if it holds payloads and some of them cannot be read.
    fn take(cx: &RecordsCx<'c, C>) -> Result<Self, BoxError>;
}

#[diagnostic::do_not_recommend]
impl<'c, C> OnRecords<'c, C> for &'c [Record] {
    takes!(parts::Records, |cx: RecordsCx<'c, C>| Ok(cx.records));
}

#[diagnostic::do_not_recommend]
impl<'c, C, P: FromRecord<'c>> OnRecords<'c, C> for Vec<P> {
    takes!(parts::RecordsWithPayloads<P::Error>, |cx: RecordsCx<'c, C>| {
        let mut payloads = Vec::with_capacity(cx.records.len());
        let mut undecodable = Vec::new();
        for (index, record) in cx.records.iter().enumerate() {
            match UndecodablePayload::read(record) {
                Ok(payload) => payloads.push(payload),
                Err(error) => undecodable.push((index, error)),
            }
        }
        if undecodable.is_empty() { Ok(payloads) } else { Err(UndecodablePayloads(undecodable).into()) }
    });
}

#[diagnostic::do_not_recommend]
impl<'c> OnRecords<'c> for &'c mut Checkpointer {
    takes!(parts::Checkpointer, |cx: RecordsCx<'c>| cx.checkpointer.take());
}

#[diagnostic::do_not_recommend]
impl<'c, C> OnRecords<'c, C> for &'c Shard {
    takes!(parts::Shard, |cx: RecordsCx<'c, C>| Ok(cx.shard));
}

#[diagnostic::do_not_recommend]
impl<'c, C> OnRecords<'c, C> for MillisBehindLatest {
    takes!(parts::MillisBehindLatest, |cx: RecordsCx<'c, C>| Ok(cx.millis_behind_latest));
}

/// An argument of `#[on_record]`.
#[diagnostic::on_unimplemented(
    message = "an `#[on_record]` handler cannot take `{Self}`",
    label = "`#[on_record]` does not accept this type",
    note = "an `#[on_record]` handler can take, in any order: `&kcl::Record`, one payload, `&mut kcl::Checkpointer` (in an `async fn`, `&mut kcl::AsyncCheckpointer`), `&kcl::Shard`, `kcl::MillisBehindLatest`",
    note = "a payload is `kcl::Json<T>` if `T` has `#[derive(serde::Deserialize)]`, your own type that implements `kcl::FromRecord`, or `Option<P>` or `Result<P, kcl::BoxError>` where `P` is one of these",
    note = "in `kcl::Json<T>`, a type parameter needs the bound `T: serde::de::DeserializeOwned`",
    note = "for the bytes of a record, take `&kcl::Record` and call `data()`; for all records of a batch at once, write `#[on_records]`"
)]
pub trait OnRecord<'c, C = Checkpointer>: Sized {
    /// The part of the input that the argument takes.
    type Takes: Part;

    /// Takes it.
    ///
    /// # Errors
    ///
    /// If it is a payload that cannot be read.
    fn take(cx: &RecordCx<'c, C>) -> Result<Self, BoxError>;
}

#[diagnostic::do_not_recommend]
impl<'c, C> OnRecord<'c, C> for &'c Record {
    takes!(parts::Records, |cx: RecordCx<'c, C>| Ok(cx.record));
}

#[diagnostic::do_not_recommend]
impl<'c> OnRecord<'c> for &'c mut Checkpointer {
    takes!(parts::Checkpointer, |cx: RecordCx<'c>| cx.checkpointer.take());
}

#[diagnostic::do_not_recommend]
impl<'c, C> OnRecord<'c, C> for &'c Shard {
    takes!(parts::Shard, |cx: RecordCx<'c, C>| Ok(cx.shard));
}

#[diagnostic::do_not_recommend]
impl<'c, C> OnRecord<'c, C> for MillisBehindLatest {
    takes!(parts::MillisBehindLatest, |cx: RecordCx<'c, C>| Ok(cx.millis_behind_latest));
}

// Not marked like the others, so that the errors name `FromRecord`, which a type of the user's can implement.
impl<'c, C, P: FromRecord<'c>> OnRecord<'c, C> for P {
    takes!(parts::Payload<P::Error>, |cx: RecordCx<'c, C>| UndecodablePayload::read(cx.record).map_err(Into::into));
}

/// An argument of `#[on_lease_lost]`.
#[diagnostic::on_unimplemented(
    message = "an `#[on_lease_lost]` handler cannot take `{Self}`",
    label = "must be `&kcl::Shard`",
    note = "an `#[on_lease_lost]` handler takes `&kcl::Shard` or nothing: another worker has the lease now, so no checkpoint is possible"
)]
pub trait OnLeaseLost<'c>: Sized {
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
impl<'c> OnLeaseLost<'c> for &'c Shard {
    takes!(parts::Shard, |cx: ShardCx<'c>| Ok(cx.shard));
}

/// An argument of `#[on_shard_end]`.
#[diagnostic::on_unimplemented(
    message = "an `#[on_shard_end]` handler cannot take `{Self}`",
    label = "`#[on_shard_end]` does not accept this type",
    note = "an `#[on_shard_end]` handler can take, in any order: `&mut kcl::Checkpointer` (in an `async fn`, `&mut kcl::AsyncCheckpointer`), `&kcl::Shard`"
)]
pub trait OnShardEnd<'c, C = Checkpointer>: Sized {
    /// The part of the input that the argument takes.
    type Takes: Part;

    /// Takes it.
    ///
    /// # Errors
    ///
    /// If it was taken already.
    fn take(cx: &ShutdownCx<'c, C>) -> Result<Self, BoxError>;
}

#[diagnostic::do_not_recommend]
impl<'c> OnShardEnd<'c> for &'c mut Checkpointer {
    takes!(parts::Checkpointer, |cx: ShutdownCx<'c>| cx.checkpointer.take());
}

#[diagnostic::do_not_recommend]
impl<'c, C> OnShardEnd<'c, C> for &'c Shard {
    takes!(parts::Shard, |cx: ShutdownCx<'c, C>| Ok(cx.shard));
}

/// An argument of `#[on_shutdown_requested]`.
#[diagnostic::on_unimplemented(
    message = "an `#[on_shutdown_requested]` handler cannot take `{Self}`",
    label = "`#[on_shutdown_requested]` does not accept this type",
    note = "an `#[on_shutdown_requested]` handler can take, in any order: `&mut kcl::Checkpointer` (in an `async fn`, `&mut kcl::AsyncCheckpointer`), `&kcl::Shard`"
)]
pub trait OnShutdownRequested<'c, C = Checkpointer>: Sized {
    /// The part of the input that the argument takes.
    type Takes: Part;

    /// Takes it.
    ///
    /// # Errors
    ///
    /// If it was taken already.
    fn take(cx: &ShutdownCx<'c, C>) -> Result<Self, BoxError>;
}

#[diagnostic::do_not_recommend]
impl<'c> OnShutdownRequested<'c> for &'c mut Checkpointer {
    takes!(parts::Checkpointer, |cx: ShutdownCx<'c>| cx.checkpointer.take());
}

#[diagnostic::do_not_recommend]
impl<'c, C> OnShutdownRequested<'c, C> for &'c Shard {
    takes!(parts::Shard, |cx: ShutdownCx<'c, C>| Ok(cx.shard));
}

/// An argument of `#[on_tick]`.
#[diagnostic::on_unimplemented(
    message = "an `#[on_tick]` handler cannot take `{Self}`",
    label = "`#[on_tick]` does not accept this type",
    note = "an `#[on_tick]` handler can take, in any order: `&mut kcl::Checkpointer` (in an `async fn`, `&mut kcl::AsyncCheckpointer`), `&kcl::Shard`, `kcl::MillisBehindLatest`",
    note = "it gets no records: keep them in `self` in the record handler"
)]
pub trait OnTick<'c, C = Checkpointer>: Sized {
    /// The part of the input that the argument takes.
    type Takes: Part;

    /// Takes it.
    ///
    /// # Errors
    ///
    /// If it was taken already.
    fn take(cx: &TickCx<'c, C>) -> Result<Self, BoxError>;
}

#[diagnostic::do_not_recommend]
impl<'c> OnTick<'c> for &'c mut Checkpointer {
    takes!(parts::Checkpointer, |cx: TickCx<'c>| cx.checkpointer.take());
}

#[diagnostic::do_not_recommend]
impl<'c, C> OnTick<'c, C> for &'c Shard {
    takes!(parts::Shard, |cx: TickCx<'c, C>| Ok(cx.shard));
}

#[diagnostic::do_not_recommend]
impl<'c, C> OnTick<'c, C> for MillisBehindLatest {
    takes!(parts::MillisBehindLatest, |cx: TickCx<'c, C>| Ok(cx.millis_behind_latest));
}

/// An argument of `#[on_dead_letter]`.
#[diagnostic::on_unimplemented(
    message = "an `#[on_dead_letter]` handler cannot take `{Self}`",
    label = "`#[on_dead_letter]` does not accept this type",
    note = "an `#[on_dead_letter]` handler can take, in any order: `&kcl::DeadLetter`, `&kcl::Record`, `&kcl::Shard`",
    note = "`&kcl::DeadLetter` contains the record, the last error and the number of attempts"
)]
pub trait OnDeadLetter<'c>: Sized {
    /// The part of the input that the argument takes.
    type Takes: Part;

    /// Takes it.
    ///
    /// # Errors
    ///
    /// If it was taken already.
    fn take(cx: &DeadLetterCx<'c>) -> Result<Self, BoxError>;
}

#[diagnostic::do_not_recommend]
impl<'c> OnDeadLetter<'c> for &'c DeadLetter<'c> {
    takes!(parts::DeadLetter, |cx: DeadLetterCx<'c>| Ok(cx.letter));
}

#[diagnostic::do_not_recommend]
impl<'c> OnDeadLetter<'c> for &'c Record {
    takes!(parts::Records, |cx: DeadLetterCx<'c>| Ok(cx.letter.record()));
}

#[diagnostic::do_not_recommend]
impl<'c> OnDeadLetter<'c> for &'c Shard {
    takes!(parts::Shard, |cx: DeadLetterCx<'c>| Ok(cx.letter.shard()));
}
