//! Recorded conversations: a folder each, written while a processor runs and read to play them again.

pub(crate) mod reader;
pub(crate) mod writer;
