//! Input and output: the ends of a conversation, and the process's own stdin, stdout and stderr.

pub(crate) mod fd;
pub(crate) mod inner_pipe;
mod input;
pub(crate) mod lent_io;
pub(crate) mod lines;
pub(crate) mod pipe_input;
pub(crate) mod stderr;
pub(crate) mod stdio;
