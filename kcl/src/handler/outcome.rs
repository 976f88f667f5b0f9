//! The results of handlers.

use super::left_to_rustc;
use crate::error::BoxError;

/// The result of every handler.
pub type Handled = Result<(), BoxError>;

/// The result of a constructor.
pub type Made<P> = Result<P, BoxError>;

/// A type that a handler may return.
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "must be `()` or `Result<(), E>`",
    note = "the value would be discarded: store it in `self`, or report a failure as the `Err` of a `Result<(), E>`"
)]
pub trait Outcome {
    /// Converts the value to the common result.
    fn handled(self) -> Handled;
}

#[diagnostic::do_not_recommend]
impl Outcome for () {
    #[inline]
    fn handled(self) -> Handled {
        Ok(())
    }
}

impl<T: Nothing, E: Failure> Outcome for Result<T, E> {
    #[inline]
    fn handled(self) -> Handled {
        self.map(drop).map_err(Failure::into_error)
    }
}

/// The result of a handler whose return type is checked at another handler. A wrong type has no second error here.
pub struct Returned<T>(pub T);

impl<T: Outcome> Returned<T> {
    /// Converts the value to the common result.
    #[inline]
    pub fn __handled(self) -> Handled {
        self.0.handled()
    }
}

/// The conversion of a type that a handler cannot return.
pub trait Unchecked: Sized {
    /// Fails to compile into a program, because the type has an error at another handler.
    fn __handled(self) -> Handled {
        left_to_rustc::<Self>()
    }
}

impl<T> Unchecked for Returned<T> {}

/// A value that a handler's `Result` may hold.
#[diagnostic::on_unimplemented(
    message = "a handler cannot return a `Result` with a `{Self}`",
    label = "must be `()` or `Result<(), E>`",
    note = "the value would be discarded: store it in `self`"
)]
pub trait Nothing {}

impl Nothing for () {}

/// An error that a handler may return.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a handler",
    label = "the `E` of `Result<_, E>` must convert into `Box<dyn Error + Send + Sync>`",
    note = "these types do: every `std::error::Error` that is `Send` and `Sync`, `String`, `&str` and `kcl::BoxError`",
    note = "a plain `Box<dyn Error>` does not, because it may not be `Send`: write `kcl::BoxError` instead",
    note = "an `#[on_records]` handler that knows which records failed returns `Result<(), kcl::FailedRecords>`"
)]
pub trait Failure {
    /// Converts the error to the common type.
    fn into_error(self) -> BoxError;
}

#[diagnostic::do_not_recommend]
impl<E: Into<BoxError>> Failure for E {
    #[inline]
    fn into_error(self) -> BoxError {
        self.into()
    }
}

/// A type that `#[on_init]` may return.
#[diagnostic::on_unimplemented(
    message = "an `#[on_init]` constructor cannot return `{Self}`",
    label = "must be `Self` or `Result<Self, E>`",
    note = "the constructor creates the processor, so `Self` is `{P}`"
)]
pub trait Constructed<P> {
    /// The processor, or the error.
    fn constructed(self) -> Made<P>;
}

#[diagnostic::do_not_recommend]
impl<P> Constructed<P> for P {
    #[inline]
    fn constructed(self) -> Made<P> {
        Ok(self)
    }
}

impl<P, E: Failure> Constructed<P> for Result<P, E> {
    #[inline]
    fn constructed(self) -> Made<P> {
        self.map_err(Failure::into_error)
    }
}

/// A processor that starts without `#[on_init]`. The lifetime keeps rustc from checking a bound with this trait before
/// it is used.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has neither `#[on_init]` nor `Default`",
    label = "there is no way to create this processor",
    note = "the processor of a shard is created by its `#[on_init]` constructor, or else by `Default`",
    note = "put `#[on_init]` on a constructor in the `#[kcl::processor]` impl, as in `#[on_init] fn new() -> Self {{ ... }}`, or put `#[derive(Default)]` on the type; its type arguments then need `Default`, too"
)]
pub trait OnInitOrDefault<'a>: Sized {
    /// Makes the processor.
    fn make() -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Default> OnInitOrDefault<'_> for T {
    fn make() -> Self {
        Self::default()
    }
}
