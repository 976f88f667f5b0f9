//! Processors as programs: finding, building and starting them, and reading their replies.

pub(crate) mod cargo;
pub(crate) mod exec;
pub(crate) mod program;
pub(crate) mod replies;
pub(crate) mod spawn;
