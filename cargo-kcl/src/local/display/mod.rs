//! The display of a run: its progress and its result.

mod bottom;
pub(crate) mod page;
pub(crate) mod progress;
pub(crate) mod summary;
