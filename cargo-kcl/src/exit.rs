//! The tool's exit codes.

/// A processor or a service failed, or a check found something.
pub(crate) const FAILED: u8 = 1;
/// Wrong use, or bad input.
pub(crate) const WRONG_USE: u8 = 2;
/// The exit code of a shell for a command that it cannot execute.
pub(crate) const CANNOT_EXECUTE: u8 = 126;
/// A signal ended the run, as for a shell whose command Ctrl-C ended.
pub(crate) const INTERRUPTED: u8 = 130;
