//! Errors that another attempt cannot change.

use std::error::Error;
use std::fmt;

use crate::error::BoxError;
use crate::panics::causes;

/// An error that another attempt cannot change. The handler is not called again with the record, whatever `retry` is, and
/// `on_failure` applies at once.
///
/// [`Permanent()`](fn@Permanent) makes one. It is found anywhere among the [sources](Error::source) of the error that a handler
/// returns, so the context that `anyhow` or `eyre` adds does not hide it. Its text and its causes are those of the error in it.
pub struct Permanent {
    cause: Cause,
}

/// The error in a [`Permanent`]. It is a source of its own, because `anyhow` and `eyre` hide the type of the outermost error.
struct Cause(BoxError);

/// Marks an error as one that another attempt cannot change.
///
/// ```
/// use kcl::{BoxError, Json, Permanent};
///
/// #[derive(serde::Deserialize)]
/// struct Order { customer: String }
///
/// enum Response { Stored, NoSuchCustomer, Busy }
/// # fn store(_: &Order) -> Response { Response::Stored }
///
/// struct Orders;
///
/// # impl Orders {
/// // With `#[on_record(retry = 5, on_failure = dead_letter)]`, a busy server is asked again, and an unknown customer is not.
/// fn order(&mut self, Json(order): Json<Order>) -> Result<(), BoxError> {
///     match store(&order) {
///         Response::Stored => Ok(()),
///         Response::Busy => Err("the server is busy".into()),
///         Response::NoSuchCustomer => Err(Permanent(format!("no customer {}", order.customer)).into()),
///     }
/// }
/// # }
/// ```
///
/// The `E` of a handler's `Result<(), E>` can also be [`Permanent`](struct@Permanent) itself: `parse(record).map_err(Permanent)?`.
#[allow(non_snake_case, reason = "it is used like the constructor of a tuple struct, and converts its argument")]
pub fn Permanent(error: impl Into<BoxError>) -> Permanent {
    Permanent { cause: Cause(error.into()) }
}

impl Permanent {
    /// The error that was marked.
    pub fn into_inner(self) -> BoxError {
        self.cause.0
    }
}

/// Whether an error, or one of its causes, is [`Permanent`].
pub(crate) fn is_permanent(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|error| error.is::<Permanent>() || error.is::<Cause>())
}

impl fmt::Display for Permanent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl fmt::Debug for Permanent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permanent").field(&self.cause.0).finish()
    }
}

impl Error for Permanent {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.cause)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
