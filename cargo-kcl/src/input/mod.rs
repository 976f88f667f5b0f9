//! Records of files and standard input: lines, documents, formats and partition keys.

mod aws;
mod bracket;
pub(crate) mod documents;
pub(crate) mod follow;
pub(crate) mod key;
pub(crate) mod kpl;
pub(crate) mod limits;
pub(crate) mod lines;
pub(crate) mod number_hashes;
pub(crate) mod options;
pub(crate) mod path;
pub(crate) mod record;
pub(crate) mod record_error;
pub(crate) mod source;
pub(crate) mod start;
