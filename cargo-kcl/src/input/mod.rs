//! Records of files and standard input: lines, the formats they are in, and their partition keys.

mod aws;
pub(crate) mod documents;
pub(crate) mod follow;
pub(crate) mod key;
pub(crate) mod kpl;
pub(crate) mod lines;
pub(crate) mod record;
mod start;
