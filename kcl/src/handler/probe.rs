//! Probes for the part of the input that an argument takes. If a type cannot be an argument, its probe answers with
//! [`Takes::UNKNOWN`] rather than an error, because the call of the handler already has that error.
//!
//! If `T` can be an argument, `<probe::OnRecord<'_, T>>::TAKES` is the inherent constant below. Otherwise, it is the
//! constant of a trait that every type implements, and that `#[kcl::processor]` writes next to the probe.

use std::marker::PhantomData;

use super::takes::Takes;

macro_rules! probes {
    ($($Place:ident)*) => {$(
        /// The probe for one handler.
        pub struct $Place<'c, T>(PhantomData<(&'c (), T)>);

        impl<'c, T: super::arguments::$Place<'c>> $Place<'c, T> {
            /// The part that an argument of this type takes.
            pub const TAKES: Takes = T::TAKES;
        }
    )*};
}

probes! { OnInit OnRecords OnRecord OnLeaseLost OnShardEnd OnShutdownRequested OnDeadLetter }
