//! The daemon's properties: its keys, its file format, and what is wrong with a file.

mod check;
mod combinations;
mod file;
mod keys;
mod lint;
mod values;

pub(crate) use check::{CheckOptions, run as check};
pub(crate) use file::{Malformed, Origin, Properties};
pub(crate) use lint::{Level, lint};
