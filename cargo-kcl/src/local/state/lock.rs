//! The lock of a state file: one run at a time uses it and records its process id.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The reason why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    #[error("{} is in use by another run that has not ended ({}); only one run at a time can use a state", path.display(), who(pid))]
    Held { path: PathBuf, pid: String },
    #[error("{} cannot be locked: {error}; --state DIR saves checkpoints in another folder", path.display())]
    Io { path: PathBuf, error: io::Error },
}

fn who(pid: &str) -> String {
    // The other run may be about to write it.
    if pid.is_empty() { "a process that has just started".to_owned() } else { format!("process {pid}") }
}

/// A lock that is held while this value lives. The system releases it however the process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a state file: a file next to it that contains the holder's process id.
    pub(crate) fn take(state: &Path) -> Result<Self, LockError> {
        let path = state.with_extension("lock");
        let failed = |error| LockError::Io { path: path.clone(), error };
        let open = File::options().create(true).truncate(false).read(true).write(true).open(&path);
        let mut file = open.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                file.read_to_string(&mut pid).map_err(failed)?;
                return Err(LockError::Held { path: state.to_owned(), pid: pid.trim_end().to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let written = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(failed)?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_learns_who_holds_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("orders.v1.redb");
        let first = Lock::take(&state).unwrap();
        let refused = Lock::take(&state).unwrap_err().to_string();
        assert!(
            refused.contains(&format!(
                "orders.v1.redb is in use by another run that has not ended (process {})",
                std::process::id()
            )),
            "{refused}"
        );
        drop(first);
        Lock::take(&state).unwrap();
    }
}
