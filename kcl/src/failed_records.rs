//! The records of a batch that failed.

use std::error::Error;
use std::fmt;

use crate::error::BoxError;

/// The records of a batch that failed, with their errors. An `#[on_records]` handler returns it as the `Err` of a
/// `Result<(), FailedRecords>`. The other records of the batch are done.
///
/// Further attempts get only the records that failed, in order. These are therefore handled after the later records of the batch. A
/// record without an attempt left goes to `on_failure` on its own. No checkpoint passes a record that failed.
///
/// A record is named by its place in what the call was given: in the slice, or in the `Vec`.
///
/// ```
/// use kcl::{FailedRecords, Record};
///
/// struct Table;
/// # impl Table { fn insert_all(&mut self, _: &[Record]) -> Vec<Result<(), std::io::Error>> { Vec::new() } }
///
/// #[kcl::processor(main = false)]
/// impl Store {
///     #[on_records(retry = 3, on_failure = skip)]
///     fn store(&mut self, records: &[Record]) -> Result<(), FailedRecords> {
///         FailedRecords::from_results(self.table.insert_all(records))
///     }
/// }
/// # #[derive(Default)]
/// # struct Store { table: Table }
/// # impl Default for Table { fn default() -> Self { Table } }
/// ```
///
/// An error without a record, or with a place that does not exist, counts as a failure of everything that the call was given.
#[derive(Debug, Default)]
pub struct FailedRecords(Vec<(usize, BoxError)>);

impl FailedRecords {
    /// Creates the error without a record.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds the record at this place. If it was added before, its first error remains.
    pub fn push(&mut self, place: usize, error: impl Into<BoxError>) {
        self.0.push((place, error.into()));
    }

    /// Whether no record was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of records that were added.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The places and the errors, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &(dyn Error + Send + Sync + 'static))> {
        self.0.iter().map(|(place, error)| (*place, &**error))
    }

    /// `Ok` if no record was added.
    ///
    /// # Errors
    ///
    /// The error itself, if records were added.
    pub fn into_result(self) -> Result<(), Self> {
        if self.is_empty() { Ok(()) } else { Err(self) }
    }

    /// Takes the results of all records, in their order.
    ///
    /// # Errors
    ///
    /// If at least one of the results is an error.
    pub fn from_results<E: Into<BoxError>>(results: impl IntoIterator<Item = Result<(), E>>) -> Result<(), Self> {
        let mut failed = Self::new();
        for (place, result) in results.into_iter().enumerate() {
            if let Err(error) = result {
                failed.push(place, error);
            }
        }
        failed.into_result()
    }

    /// The places in order, each of them once, with their errors.
    ///
    /// # Errors
    ///
    /// The error itself, if it does not name records among the first `count`.
    pub(crate) fn among(mut self, count: usize) -> Result<Vec<(usize, BoxError)>, Self> {
        if self.is_empty() || self.0.iter().any(|&(place, _)| place >= count) {
            return Err(self);
        }
        self.0.sort_by_key(|&(place, _)| place);
        self.0.dedup_by_key(|&mut (place, _)| place);
        Ok(self.0)
    }
}

impl<E: Into<BoxError>> Extend<(usize, E)> for FailedRecords {
    fn extend<I: IntoIterator<Item = (usize, E)>>(&mut self, failed: I) {
        self.0.extend(failed.into_iter().map(|(place, error)| (place, error.into())));
    }
}

impl<E: Into<BoxError>> FromIterator<(usize, E)> for FailedRecords {
    fn from_iter<I: IntoIterator<Item = (usize, E)>>(failed: I) -> Self {
        let mut records = Self::new();
        records.extend(failed);
        records
    }
}

impl fmt::Display for FailedRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0[..] {
            [] => f.write_str("the handler returned `FailedRecords` without a record"),
            [(place, error)] => write!(f, "the record at place {place} failed: {error}"),
            [(place, error), ..] => {
                write!(f, "{} records failed, among them the one at place {place}: {error}", self.0.len())
            }
        }
    }
}

impl Error for FailedRecords {}
