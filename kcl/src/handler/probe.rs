//! Probes for the part of the input that an argument takes. Generated code uses them in closures that are never called: the call of
//! the handler there determines the types of the arguments, so they are not named.
//!
//! If a type can be an argument, [`__part`](OnRecord::__part) is the inherent method. Otherwise it is that of the trait
//! [`NoArgument`], rather than an error, because the call that takes the argument already has that error.

use std::marker::PhantomData;

use super::takes::{Taken, parts};
use super::{arguments, concurrent};
use crate::checkpoint::Checkpointer;
use crate::checkpoint::asynchronous::AsyncCheckpointer;

macro_rules! probes {
    ($($Place:ident: $Trait:path;)*) => {$(
        /// The probe for one handler.
        pub struct $Place<'c, T>(PhantomData<(&'c (), T)>);

        impl<'c, T> $Place<'c, T> {
            /// A probe for a type that the call of the handler determines.
            #[expect(clippy::new_without_default, reason = "generated code calls it by name")]
            #[must_use]
            pub fn new() -> Self {
                Self(PhantomData)
            }

            /// Stands for the argument in the call of the handler.
            #[must_use]
            pub fn __value(&self) -> T {
                unreachable!("probes are never called")
            }
        }

        impl<'c, T: $Trait> $Place<'c, T> {
            /// The part that an argument of this type takes.
            #[must_use]
            pub fn __part(&self) -> Taken<T::Takes> {
                Taken(PhantomData)
            }
        }

        impl<T> $crate::handler::probe::NoArgument for $Place<'_, T> {}
    )*};
}

/// The probe for the checkpointer alone, for a handler whose arguments need no other check.
pub struct Any<T>(PhantomData<T>);

impl<T> Any<T> {
    /// A probe for a type that the call of the handler determines.
    #[expect(clippy::new_without_default, reason = "generated code calls it by name")]
    #[must_use]
    pub fn new() -> Self {
        Self(PhantomData)
    }

    /// Stands for the argument in the call of the handler.
    #[must_use]
    pub fn __value(&self) -> T {
        unreachable!("probes are never called")
    }
}

impl Any<&mut Checkpointer> {
    /// The checkpointer.
    #[must_use]
    pub fn __part(&self) -> Taken<parts::Checkpointer> {
        Taken(PhantomData)
    }
}

impl Any<&mut AsyncCheckpointer> {
    /// The checkpointer.
    #[must_use]
    pub fn __part(&self) -> Taken<parts::Checkpointer> {
        Taken(PhantomData)
    }
}

impl<T> NoArgument for Any<T> {}

/// A type that may not be an argument.
pub trait NoArgument {
    /// The part that it takes if it is not an argument.
    fn __part(&self) -> Taken<parts::Unknown> {
        Taken(PhantomData)
    }
}

probes! {
    OnInit: arguments::OnInit<'c>;
    OnRecords: arguments::OnRecords<'c>;
    OnRecord: arguments::OnRecord<'c>;
    OnLeaseLost: arguments::OnLeaseLost<'c>;
    OnShardEnd: arguments::OnShardEnd<'c>;
    OnShutdownRequested: arguments::OnShutdownRequested<'c>;
    OnTick: arguments::OnTick<'c>;
    OnDeadLetter: arguments::OnDeadLetter<'c>;
    OnConcurrentRecord: concurrent::OnConcurrentRecord<'c>;
    OnConcurrentTick: concurrent::OnConcurrentTick<'c>;
    OnConcurrentShutdown: concurrent::OnConcurrentShutdown<'c>;
}

/// The probes for `async` handlers whose input has a checkpointer.
pub mod asynchronous {
    use std::marker::PhantomData;

    use super::{AsyncCheckpointer, Taken, arguments};

    probes! {
        OnRecords: arguments::OnRecords<'c, AsyncCheckpointer>;
        OnRecord: arguments::OnRecord<'c, AsyncCheckpointer>;
        OnShardEnd: arguments::OnShardEnd<'c, AsyncCheckpointer>;
        OnShutdownRequested: arguments::OnShutdownRequested<'c, AsyncCheckpointer>;
        OnTick: arguments::OnTick<'c, AsyncCheckpointer>;
    }
}
