//! Processors as programs: finding, building, asking and starting them, and reading their replies.

pub(crate) mod cargo;
pub(crate) mod description;
pub(crate) mod exec;
pub(crate) mod program;
pub(crate) mod replies;
pub(crate) mod spawn;
