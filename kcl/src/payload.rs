//! Typed payloads, which handlers can take instead of records.

use std::convert::Infallible;
use std::fmt;

use serde::Deserialize;

use crate::diagnosis::diagnose;
use crate::error::BoxError;
use crate::excerpt::Excerpt;
use crate::record::Record;

/// A payload that is read from one record. A type `P` that implements this trait can be an argument of an
/// `#[on_record]` handler, and `Vec<P>` can be an argument of an `#[on_records]` handler. With `Vec<(&Record, P)>`, each
/// payload comes with its record.
///
/// If the payload cannot be read from the data, the handler is not called and counts as failed. To see those records
/// too, take `Result<P, E>`, for any `E: From<P::Error>` such as [`BoxError`], or `Option<P>` if the reason does not
/// matter.
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
    note = "a payload is `kcl::Json<T>` if `T` has `#[derive(serde::Deserialize)]`, your own type that implements `kcl::FromRecord`, or `Option<P>` or `Result<P, kcl::BoxError>` where `P` is one of these",
    note = "whole records are taken as `&kcl::Record` in `#[on_record]`, and as `&[kcl::Record]` in `#[on_records]`"
)]
pub trait FromRecord<'r>: Sized {
    /// The reason the payload cannot be read. It becomes the error of the handler, which is then not called.
    type Error: Into<BoxError>;

    /// Reads the payload, which may borrow from the record.
    ///
    /// # Errors
    ///
    /// If the record's data is not such a payload.
    fn from_record(record: &'r Record) -> Result<Self, Self::Error>;
}

/// A payload in JSON: `Json(order): Json<Order>` as an argument of an `#[on_record]` handler.
///
/// `T` may borrow from the record: `Json<Order<'_>>`. For its strings, use `Cow<'_, str>` with `#[serde(borrow)]` rather
/// than `&str`, which a JSON string with an escape cannot become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json<T>(pub T);

// The impls are not recommended: otherwise the error for any other type would list them, with excerpts of their source.
#[diagnostic::do_not_recommend]
impl<'r, T: Deserialize<'r>> FromRecord<'r> for Json<T> {
    type Error = serde_json::Error;

    fn from_record(record: &'r Record) -> Result<Self, Self::Error> {
        record.json().map(Json)
    }
}

/// `None` if the data is not such a payload.
#[diagnostic::do_not_recommend]
impl<'r, P: FromRecord<'r>> FromRecord<'r> for Option<P> {
    type Error = Infallible;

    fn from_record(record: &'r Record) -> Result<Self, Infallible> {
        Ok(P::from_record(record).ok())
    }
}

/// An error if the data is not such a payload.
#[diagnostic::do_not_recommend]
impl<'r, P: FromRecord<'r>, E: From<P::Error>> FromRecord<'r> for Result<P, E> {
    type Error = Infallible;

    fn from_record(record: &'r Record) -> Result<Self, Infallible> {
        Ok(P::from_record(record).map_err(E::from))
    }
}

/// The payload together with its record.
#[diagnostic::do_not_recommend]
impl<'r, P: FromRecord<'r>> FromRecord<'r> for (&'r Record, P) {
    type Error = P::Error;

    fn from_record(record: &'r Record) -> Result<Self, Self::Error> {
        P::from_record(record).map(|payload| (record, payload))
    }
}

/// The error of a payload that could not be read, with the start of the data.
#[derive(Debug)]
pub(crate) struct UndecodablePayload {
    source: BoxError,
    excerpt: String,
    /// The certain nature of the data, if it was expected to be JSON.
    pub(crate) diagnosis: Option<&'static str>,
}

impl UndecodablePayload {
    /// Reads the payload.
    pub(crate) fn read<'r, P: FromRecord<'r>>(record: &'r Record) -> Result<P, Self> {
        P::from_record(record).map_err(|error| {
            let (source, data) = (error.into(), record.data());
            let diagnosis = source.is::<serde_json::Error>().then(|| diagnose(data)).flatten();
            Self { source, excerpt: Excerpt(data).to_string(), diagnosis }
        })
    }

    /// The text without an excerpt of the data.
    pub(crate) fn without_excerpt(&self) -> &'static str {
        "the payload cannot be decoded"
    }
}

impl fmt::Display for UndecodablePayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from `{}`", self.without_excerpt(), self.excerpt)
    }
}

impl std::error::Error for UndecodablePayload {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}

/// The errors of a batch's payloads that could not be read, with the places of their records in the batch: at least
/// one, in order.
#[derive(Debug)]
pub(crate) struct UndecodablePayloads(pub(crate) Vec<(usize, UndecodablePayload)>);

impl fmt::Display for UndecodablePayloads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} payloads cannot be decoded", self.0.len())
    }
}

impl std::error::Error for UndecodablePayloads {}
