//! What handlers return.

use crate::BoxError;

/// What every handler comes to.
pub type Handled = Result<(), BoxError>;

/// What a handler may return.
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "must be `()` or `Result<(), E>`",
    note = "`E` is any error that turns into `Box<dyn Error + Send + Sync>`: most error types, `String`, `&str`, `kcl::BoxError`",
    note = "a value other than `()` would be thrown away: keep it in `self`"
)]
pub trait Outcome {
    /// Its failure, if it is one.
    fn handled(self) -> Handled;
}

impl Outcome for () {
    #[inline]
    fn handled(self) -> Handled {
        Ok(())
    }
}

#[diagnostic::do_not_recommend]
impl<E: Into<BoxError>> Outcome for Result<(), E> {
    #[inline]
    fn handled(self) -> Handled {
        self.map_err(Into::into)
    }
}

/// The result of a handler; the type is spelled out where it is called so that an error underlines it.
///
/// # Errors
///
/// The handler's.
#[inline]
pub fn finish<R: Outcome>(result: R) -> Handled {
    result.handled()
}

/// What `#[on_init]` may return.
#[diagnostic::on_unimplemented(
    message = "`#[on_init]` cannot return `{Self}`",
    label = "must be `Self` or `Result<Self, E>`",
    note = "`Self` is `{P}`; `E` is any error that turns into `Box<dyn Error + Send + Sync>`: most error types, `String`, `&str`, `kcl::BoxError`"
)]
pub trait Constructed<P> {
    /// The processor, or why there is none.
    fn constructed(self) -> Result<P, BoxError>;
}

impl<P> Constructed<P> for P {
    #[inline]
    fn constructed(self) -> Result<P, BoxError> {
        Ok(self)
    }
}

#[diagnostic::do_not_recommend]
impl<P, E: Into<BoxError>> Constructed<P> for Result<P, E> {
    #[inline]
    fn constructed(self) -> Result<P, BoxError> {
        self.map_err(Into::into)
    }
}

/// The result of a constructor; see [`finish`].
///
/// # Errors
///
/// The constructor's.
#[inline]
pub fn constructed<P, R: Constructed<P>>(result: R) -> Result<P, BoxError> {
    result.constructed()
}

/// How a processor starts without `#[on_init]`. The lifetime keeps rustc from judging the bound before it is used.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has neither `#[on_init]` nor `Default`",
    label = "nothing says how this processor starts",
    note = "the processor of a shard is made by its `#[on_init]` constructor, or else by `Default`",
    note = "add `#[on_init] fn new() -> Self {{ ... }}` to the impl, or `#[derive(Default)]` to the type"
)]
pub trait DefaultOrOnInit<'a>: Sized {
    /// Makes one.
    fn make() -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Default> DefaultOrOnInit<'_> for T {
    fn make() -> Self {
        Self::default()
    }
}
