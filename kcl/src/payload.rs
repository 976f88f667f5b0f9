//! Typed payloads: what `#[on_record]` can take in place of the record itself.

use std::fmt;

use serde::Deserialize;

use crate::excerpt::Excerpt;
use crate::{BoxError, Record};

/// A payload that is read from one record; a type that implements it can be an argument of an `#[on_record]` handler.
///
/// ```
/// use kcl::{FromRecord, Record};
///
/// struct Line<'r>(&'r str);
///
/// impl<'r> FromRecord<'r> for Line<'r> {
///     type Error = std::str::Utf8Error;
///
///     fn from_record(record: &'r Record) -> Result<Self, Self::Error> {
///         std::str::from_utf8(record.data()).map(Line)
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a payload",
    label = "cannot be read from a record",
    note = "a payload is `Json<T>` with `T: serde::Deserialize`, or a type of your own that implements `kcl::FromRecord`"
)]
pub trait FromRecord<'r>: Sized {
    /// Why a record was none; it becomes the error of the handler, which then is not called.
    type Error: Into<BoxError>;

    /// Reads the payload; it may borrow from the record.
    ///
    /// # Errors
    ///
    /// If the record's data is no such payload.
    fn from_record(record: &'r Record) -> Result<Self, Self::Error>;
}

/// A payload in JSON: `Json(order): Json<Order>` as an argument of an `#[on_record]` handler.
///
/// `T` may borrow from the record: `Json<Order<'_>>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<'r, T: Deserialize<'r>> FromRecord<'r> for Json<T> {
    type Error = serde_json::Error;

    fn from_record(record: &'r Record) -> Result<Self, Self::Error> {
        record.json().map(Json)
    }
}

/// A record whose payload could not be read: the reader's error, and how the data starts.
#[derive(Debug)]
pub(crate) struct UndecodablePayload {
    source: BoxError,
    excerpt: String,
}

impl UndecodablePayload {
    pub(crate) fn new(record: &Record, source: BoxError) -> Self {
        Self { source, excerpt: Excerpt(record.data()).to_string() }
    }
}

impl fmt::Display for UndecodablePayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the payload cannot be decoded from `{}`", self.excerpt)
    }
}

impl std::error::Error for UndecodablePayload {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}
