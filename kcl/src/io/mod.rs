//! Input and output: the ends of a conversation, and the process's own stdin, stdout and stderr.

pub(crate) mod fd;
mod inner_pipe;
pub(crate) mod lent_io;
mod line_reader;
pub(crate) mod lines;
pub(crate) mod stderr;
pub(crate) mod stdio;
