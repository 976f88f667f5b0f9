//! What handlers return.

use crate::BoxError;

/// What every handler comes to.
pub type Handled = Result<(), BoxError>;

/// What a constructor comes to.
pub type Made<P> = Result<P, BoxError>;

/// What a handler may return.
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "must be `()` or `Result<(), E>`",
    note = "the value would be thrown away: keep it in `self`, or report a failure as the `Err` of a `Result<(), E>`"
)]
pub trait Outcome {
    /// Its failure, if it is one.
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

/// What a handler's `Result` may hold.
#[diagnostic::on_unimplemented(
    message = "a handler cannot return a `Result` with a `{Self}`",
    label = "must be `()` or `Result<(), E>`",
    note = "the value would be thrown away: keep it in `self`"
)]
pub trait Nothing {}

impl Nothing for () {}

/// What a handler may fail with.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a handler",
    label = "the `E` of `Result<_, E>` must turn into `Box<dyn Error + Send + Sync>`",
    note = "what does: types that implement `std::error::Error` and are `Send` and `Sync`, `String`, `&str`, `kcl::BoxError`",
    note = "a plain `Box<dyn Error>` does not, as it may not be `Send`: write `kcl::BoxError` in its place"
)]
pub trait Failure {
    /// The error, of whatever type it was.
    fn into_error(self) -> BoxError;
}

#[diagnostic::do_not_recommend]
impl<E: Into<BoxError>> Failure for E {
    #[inline]
    fn into_error(self) -> BoxError {
        self.into()
    }
}

/// What `#[on_init]` may return.
#[diagnostic::on_unimplemented(
    message = "an `#[on_init]` constructor cannot return `{Self}`",
    label = "must be `Self` or `Result<Self, E>`",
    note = "it makes the processor, so `Self` is `{P}`"
)]
pub trait Constructed<P> {
    /// The processor, or why there is none.
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

/// How a processor starts without `#[on_init]`. The lifetime keeps rustc from judging a bound with it before it is used.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has neither `#[on_init]` nor `Default`",
    label = "nothing says how this processor starts",
    note = "the processor of a shard is made by its `#[on_init]` constructor, or else by `Default`",
    note = "add `#[on_init] fn new() -> Self {{ ... }}` to the impl, or `#[derive(Default)]` to the type"
)]
pub trait OnInitOrDefault<'a>: Sized {
    /// Makes one.
    fn make() -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Default> OnInitOrDefault<'_> for T {
    fn make() -> Self {
        Self::default()
    }
}
