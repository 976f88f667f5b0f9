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

/// The answer about a type that has an error of its own.
pub struct Maybe;

/// An answer as a type.
pub trait Answer {
    /// This answer, unless it is [`No`].
    type Or<Other: Answer>: Answer;
    /// Whether it is [`Yes`].
    const IS_YES: bool = false;
}

impl Answer for Yes {
    type Or<Other: Answer> = Self;
    const IS_YES: bool = true;
}

impl Answer for No {
    type Or<Other: Answer> = Other;
}

impl Answer for Maybe {
    type Or<Other: Answer> = Self;
}

/// The properties of a part.
pub trait Part {
    /// The same type for parts that cannot be taken together.
    type Kind;
    /// Whether it holds payloads, and their error.
    type Failure: Default;
    /// Whether it is a part: [`Yes`] or [`No`].
    type Known;
    /// Whether it is the checkpointer.
    type IsCheckpointer: Answer;
}

macro_rules! parts {
    ($($Part:ident $(<$E:ident>)?: $Kind:ty, $Failure:ty, $Known:ty, $IsCheckpointer:ty;)+) => {$(
        impl$(<$E>)? Part for parts::$Part$(<$E>)? {
            type Kind = $Kind;
            type Failure = $Failure;
            type Known = $Known;
            type IsCheckpointer = $IsCheckpointer;
        }
    )+};
}

parts! {
    Records: Self, NoPayload, Yes, No;
    RecordsWithPayloads<E>: parts::Records, Fails<E>, Yes, No;
    Payload<E>: parts::Payload<()>, Fails<E>, Yes, No;
    Checkpointer: Self, NoPayload, Yes, Yes;
    Shard: Self, NoPayload, Yes, No;
    MillisBehindLatest: Self, NoPayload, Yes, No;
    DeadLetter: Self, NoPayload, Yes, No;
    Unknown: Self, Fails<()>, No, Maybe;
}

/// A part that an argument takes. It is a value because generated code does not name the types of arguments.
pub struct Taken<P>(pub(super) PhantomData<P>);

impl<P> Taken<P> {
    /// The same part. The call has the span of an option, for an error about this part.
    #[must_use]
    pub fn __again(&self) -> Self {
        Self(PhantomData)
    }
}

impl<T: Part> Taken<T> {
    /// The answers for the part of a tick and for a record handler that takes these parts.
    #[must_use]
    pub fn __beside<S, P: Parts>(&self, _: &impl Fn(&mut S) -> P) -> Beside<T::IsCheckpointer, P::HaveCheckpointer> {
        Beside(PhantomData)
    }
}

/// The parts of all arguments of a handler, as nested pairs.
pub trait Parts {
    /// Whether one of them is the checkpointer.
    type HaveCheckpointer: Answer;
}

impl Parts for () {
    type HaveCheckpointer = No;
}

impl<P: Part, Rest: Parts> Parts for (Taken<P>, Rest) {
    type HaveCheckpointer = <P::IsCheckpointer as Answer>::Or<Rest::HaveCheckpointer>;
}

/// Who checkpoints if the record handler takes these arguments and has no option for it.
#[must_use]
pub const fn checkpoints<S, P: Parts>(_: &impl Fn(&mut S) -> P) -> Checkpoints {
    if P::HaveCheckpointer::IS_YES { Checkpoints::Handler } else { Checkpoints::Batch }
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
    pub fn __compared(&self) -> Twice<KnownA, KnownB> {
        Twice(PhantomData)
    }
}

/// The comparison of two different parts.
pub trait Compared {
    /// The parts are different.
    fn __compared(&self) -> Apart {
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

/// A handler with payloads whose error is `E`.
pub struct Fails<E>(PhantomData<E>);

/// A handler with payloads that can be undecodable.
#[derive(Default)]
pub struct CanFail;

/// A handler with payloads that are always decodable, such as an `Option` of a payload.
pub struct NeverFails;

impl<E> Default for Fails<E> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<P: Part> Taken<P> {
    /// Whether the part can be undecodable, as a type that answers.
    #[must_use]
    pub fn __failure(&self) -> P::Failure {
        P::Failure::default()
    }
}

impl NoPayload {
    /// Another argument decides.
    #[must_use]
    pub fn or<Other>(self, other: Other) -> Other {
        other
    }
}

impl<E> Fails<E> {
    /// This argument decides.
    #[must_use]
    pub fn or<Other>(self, _: Other) -> Self {
        self
    }
}

// If rustc does not know the type of an argument, it does not know this one either, and reports nothing here. Two inherent methods of
// one type would be ambiguous then, which is a further error.
impl Fails<Infallible> {
    /// The answer for payloads that are always decodable.
    #[must_use]
    pub fn __decided(self) -> NeverFails {
        NeverFails
    }
}

/// The answer of all arguments, if their error is not [`Infallible`].
pub trait Decided: Sized {
    /// The answer.
    type Answer: Default;

    /// Returns the answer.
    #[must_use]
    fn __decided(self) -> Self::Answer {
        Self::Answer::default()
    }
}

impl Decided for NoPayload {
    type Answer = Self;
}

impl<E> Decided for Fails<E> {
    type Answer = CanFail;
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
    message = "option `checkpoint` needs a record handler without a checkpointer",
    label = "the handler makes all checkpoints itself",
    note = "remove the argument or the option"
)]
pub trait LeavesCheckpoints: Sized {
    /// Accepts the part.
    fn check(self) {}
}

/// Whether a tick takes a checkpointer, and whether the record handler does.
pub struct Beside<Tick, Records>(PhantomData<(Tick, Records)>);

/// A part that a tick can take beside the record handler.
#[diagnostic::on_unimplemented(
    message = "an `#[on_tick]` handler can take a checkpointer only if the record handler takes one",
    label = "the runtime makes all checkpoints of this processor",
    note = "take `checkpointer: &mut kcl::Checkpointer` (in an `async fn`, `&mut kcl::AsyncCheckpointer`) in the record handler too, even if only the tick uses it: the runtime then checkpoints nothing but SHARD_END",
    note = "or remove it here: the runtime then checkpoints what the record handler has returned from"
)]
pub trait TickCheckpoints: Sized {
    /// Accepts the part.
    fn check(self) {}
}

#[diagnostic::do_not_recommend]
impl<Records> TickCheckpoints for Beside<No, Records> {}

#[diagnostic::do_not_recommend]
impl<Records> TickCheckpoints for Beside<Maybe, Records> {}

#[diagnostic::do_not_recommend]
impl TickCheckpoints for Beside<Yes, Yes> {}

#[diagnostic::do_not_recommend]
impl TickCheckpoints for Beside<Yes, Maybe> {}

macro_rules! leave_checkpoints {
    ($($Part:ident $(<$E:ident>)?)+) => {$(
        #[diagnostic::do_not_recommend]
        impl$(<$E>)? LeavesCheckpoints for Taken<parts::$Part$(<$E>)?> {}
    )+};
}

leave_checkpoints! { Records RecordsWithPayloads<E> Payload<E> Shard MillisBehindLatest DeadLetter Unknown }
