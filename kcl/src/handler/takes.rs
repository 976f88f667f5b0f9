//! The parts of the input that a handler's arguments take, as types. Contradictions between them are errors of types, so
//! `cargo check` finds them in generic processors too.
//!
//! Some checks compare types: an inherent method answers for the types that it matches, and the method of a trait for
//! all others.

use std::convert::Infallible;
use std::marker::PhantomData;

use crate::checkpoint::pace::Checkpoints;

/// The parts.
pub mod parts {
    use std::marker::PhantomData;

    /// The records.
    pub struct Records;

    /// The records, with payloads whose error is `E`.
    pub struct RecordsWithPayloads<E>(PhantomData<E>);

    /// A payload whose error is `E`.
    pub struct Payload<E>(PhantomData<E>);

    /// The checkpointer.
    pub struct Checkpointer;

    /// The shard.
    pub struct Shard;

    /// The distance from the newest record.
    pub struct MillisBehindLatest;

    /// The record that failed.
    pub struct DeadLetter;

    /// The part of a type that cannot be an argument. That type has its own error, so it causes none here.
    pub struct Unknown;
}

/// An answer.
pub struct Yes;

/// An answer.
pub struct No;

/// The properties of a part.
pub trait Part {
    /// The same type for parts that cannot be taken together.
    type Kind;
    /// Whether it holds payloads that can be undecodable, apart from those whose error is [`Infallible`].
    type Failure: Default;
    /// Whether it is a part: [`Yes`] or [`No`].
    type Known;
    /// Whether it is the checkpointer.
    const IS_CHECKPOINTER: bool = false;
}

macro_rules! parts {
    ($($Part:ident $(<$E:ident>)?: $Kind:ty, $Failure:ty, $Known:ty;)+) => {$(
        impl$(<$E>)? Part for parts::$Part$(<$E>)? {
            type Kind = $Kind;
            type Failure = $Failure;
            type Known = $Known;
        }
    )+};
}

parts! {
    Records: Self, NoPayload, Yes;
    RecordsWithPayloads<E>: parts::Records, CanFail, Yes;
    Payload<E>: parts::Payload<()>, CanFail, Yes;
    Shard: Self, NoPayload, Yes;
    MillisBehindLatest: Self, NoPayload, Yes;
    DeadLetter: Self, NoPayload, Yes;
    Unknown: Self, CanFail, No;
}

impl Part for parts::Checkpointer {
    type Kind = Self;
    type Failure = NoPayload;
    type Known = Yes;
    const IS_CHECKPOINTER: bool = true;
}

/// A part that an argument takes. It is a value because generated code does not name the types of arguments.
pub struct Taken<P>(pub(super) PhantomData<P>);

impl<P> Taken<P> {
    /// The same part. The call has the span of an option, for an error about this part.
    #[must_use]
    pub fn again(&self) -> Self {
        Self(PhantomData)
    }
}

/// The parts of all arguments of a handler, as nested pairs.
pub trait Parts {
    /// Whether one of them is the checkpointer.
    const HAVE_CHECKPOINTER: bool;
}

impl Parts for () {
    const HAVE_CHECKPOINTER: bool = false;
}

impl<P: Part, Rest: Parts> Parts for (Taken<P>, Rest) {
    const HAVE_CHECKPOINTER: bool = P::IS_CHECKPOINTER || Rest::HAVE_CHECKPOINTER;
}

/// Who checkpoints if the record handler takes these arguments and has no option for it.
#[must_use]
pub const fn checkpoints<S, P: Parts>(_: &impl Fn(&mut S) -> P) -> Checkpoints {
    if P::HAVE_CHECKPOINTER { Checkpoints::Handler } else { Checkpoints::Batch }
}

/// The kinds of two parts, and whether they are known.
pub struct Pair<KindA, KindB, KnownA, KnownB>(PhantomData<(KindA, KindB, KnownA, KnownB)>);

/// Compares two parts.
#[must_use]
pub fn pair<A: Part, B: Part>(_: &Taken<A>, _: &Taken<B>) -> Pair<A::Kind, B::Kind, A::Known, B::Known> {
    Pair(PhantomData)
}

/// Two parts of the same kind. If rustc does not know the type of an argument, the answer for it is open too, and the argument's own
/// error is the only one.
pub struct Twice<KnownA, KnownB>(PhantomData<(KnownA, KnownB)>);

/// Two different parts.
pub struct Apart;

impl<Kind, KnownA, KnownB> Pair<Kind, Kind, KnownA, KnownB> {
    /// The parts are the same.
    #[must_use]
    pub fn compared(&self) -> Twice<KnownA, KnownB> {
        Twice(PhantomData)
    }
}

/// The comparison of two different parts.
pub trait Compared {
    /// The parts are different.
    fn compared(&self) -> Apart {
        Apart
    }
}

impl<KindA, KindB, KnownA, KnownB> Compared for Pair<KindA, KindB, KnownA, KnownB> {}

/// Two parts that a handler can take together.
#[diagnostic::on_unimplemented(
    message = "a handler can take each part of its input only once",
    label = "another argument takes the same part",
    note = "remove one of the two arguments; to decode two payloads from one record, take `&Record`"
)]
pub trait TakenOnce: Sized {
    /// Accepts the two parts.
    fn check(self) {}
}

#[diagnostic::do_not_recommend]
impl TakenOnce for Apart {}

#[diagnostic::do_not_recommend]
impl TakenOnce for Twice<No, Yes> {}

#[diagnostic::do_not_recommend]
impl TakenOnce for Twice<Yes, No> {}

#[diagnostic::do_not_recommend]
impl TakenOnce for Twice<No, No> {}

/// A handler without payloads.
#[derive(Default)]
pub struct NoPayload;

/// A handler with payloads that can be undecodable.
#[derive(Default)]
pub struct CanFail;

/// A handler with payloads that are always decodable, such as an `Option` of a payload.
pub struct CannotFail;

impl Taken<parts::Payload<Infallible>> {
    /// The payload is always decodable.
    #[must_use]
    pub fn failure(&self) -> CannotFail {
        CannotFail
    }
}

impl Taken<parts::RecordsWithPayloads<Infallible>> {
    /// The payloads are always decodable.
    #[must_use]
    pub fn failure(&self) -> CannotFail {
        CannotFail
    }
}

/// Whether the part of an argument can be undecodable, if its error is not [`Infallible`].
pub trait Failing {
    /// The answer.
    type Failure: Default;

    /// Returns the answer.
    fn failure(&self) -> Self::Failure {
        Self::Failure::default()
    }
}

impl<P: Part> Failing for Taken<P> {
    type Failure = P::Failure;
}

impl NoPayload {
    /// Another argument decides.
    #[must_use]
    pub fn or<Other>(self, other: Other) -> Other {
        other
    }
}

impl CanFail {
    /// This argument decides.
    #[must_use]
    pub fn or<Other>(self, _: Other) -> Self {
        self
    }
}

impl CannotFail {
    /// This argument decides.
    #[must_use]
    pub fn or<Other>(self, _: Other) -> Self {
        self
    }
}

/// A handler for which the option `on_undecodable` has an effect.
#[diagnostic::on_unimplemented(
    message = "option `on_undecodable` has no effect on this handler",
    label = "no record is undecodable for it",
    note = "the option needs a handler that takes a payload such as `Json<T>`",
    note = "an `Option` or a `Result` of a payload never fails: the handler gets `None` or an `Err`, and decides itself",
    note = "take a plain payload, or remove the option"
)]
pub trait Undecodable: Sized {
    /// Accepts the handler.
    fn check(self) {}
}

#[diagnostic::do_not_recommend]
impl Undecodable for CanFail {}

/// A part beside which the option `checkpoint` has an effect.
#[diagnostic::on_unimplemented(
    message = "option `checkpoint` needs a record handler without a `&mut Checkpointer`",
    label = "the handler makes all checkpoints itself",
    note = "remove the argument or the option"
)]
pub trait LeavesCheckpoints: Sized {
    /// Accepts the part.
    fn check(self) {}
}

macro_rules! leave_checkpoints {
    ($($Part:ident $(<$E:ident>)?)+) => {$(
        #[diagnostic::do_not_recommend]
        impl$(<$E>)? LeavesCheckpoints for Taken<parts::$Part$(<$E>)?> {}
    )+};
}

leave_checkpoints! { Records RecordsWithPayloads<E> Payload<E> Shard MillisBehindLatest DeadLetter Unknown }
