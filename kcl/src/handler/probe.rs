//! What an argument takes, asked in constants of their own: there a type that is no argument takes nothing and is no error, since
//! the call of the handler has that error already.
//!
//! `<probe::OnRecord<'_, T>>::TAKES` is the inherent constant below if `T` is an argument, else that of a trait beside the
//! question, which `#[kcl::processor]` writes there and which every type has.

use std::marker::PhantomData;

use super::Takes;

macro_rules! probes {
    ($($Place:ident)*) => {$(
        /// Asks for one place.
        pub struct $Place<'c, T>(PhantomData<(&'c (), T)>);

        impl<'c, T: super::$Place<'c>> $Place<'c, T> {
            /// What an argument of this type takes.
            pub const TAKES: Takes = T::TAKES;
        }
    )*};
}

probes! { OnInit OnRecords OnRecord OnLeaseLost OnShardEnd OnShutdownRequested OnDeadLetter }
