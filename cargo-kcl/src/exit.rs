//! The tool's exit codes.

use std::io;

/// A processor or a service failed, or a check found something.
pub(crate) const FAILED: u8 = 1;
/// Wrong use, or bad input.
pub(crate) const WRONG_USE: u8 = 2;
/// The exit code of a shell for a command that it cannot execute.
pub(crate) const CANNOT_EXECUTE: u8 = 126;
/// A signal ended the run, as for a shell whose command Ctrl-C ended.
pub(crate) const INTERRUPTED: u8 = 130;

/// The exit code for something that the tool needs and cannot use. Supervisors do not start a command again that was wrong, so only
/// errors that stay the same are wrong use. A full disk may pass, and so may an address that is in use, or that the machine does not have
/// yet.
pub(crate) fn of_io(error: &io::Error) -> u8 {
    use io::ErrorKind::{InvalidInput, IsADirectory, NotADirectory, NotFound, PermissionDenied, Unsupported};
    match error.kind() {
        NotFound | PermissionDenied | IsADirectory | NotADirectory | InvalidInput | Unsupported => WRONG_USE,
        _ => FAILED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_that_may_pass_is_not_wrong_use() {
        use io::ErrorKind::{AddrInUse, AddrNotAvailable, ReadOnlyFilesystem, StorageFull};
        for kind in [StorageFull, AddrInUse, AddrNotAvailable, ReadOnlyFilesystem] {
            assert_eq!(of_io(&kind.into()), FAILED, "{kind}");
        }
        for kind in [io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied] {
            assert_eq!(of_io(&kind.into()), WRONG_USE, "{kind}");
        }
    }
}
