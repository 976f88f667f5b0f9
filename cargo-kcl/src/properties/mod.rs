//! The daemon's properties: their keys, the file format, and the checks of a file.

mod check;
mod combinations;
mod file;
mod finding;
mod keys;
mod lint;
mod processor;
mod values;

pub(crate) use check::{CheckOptions, run as check};
pub(crate) use file::{Malformed, Origin, Properties};
pub(crate) use finding::Level;
pub(crate) use lint::lint;
pub(crate) use processor::{EMPTY_BATCHES, ask as ask_processor, lint as lint_for};
