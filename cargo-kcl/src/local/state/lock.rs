//! A state serves one run at a time, which says who it is.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Why the state cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    #[error("{} is used by another run that has not ended ({}); a state serves one at a time", path.display(), who(pid))]
    Held { path: PathBuf, pid: String },
    #[error("{} cannot be locked: {error}; --state DIR keeps checkpoints in another folder", path.display())]
    Io { path: PathBuf, error: io::Error },
}

fn who(pid: &str) -> String {
    // The other one may just be about to write it.
    if pid.is_empty() { "of a process that just started".to_owned() } else { format!("process {pid}") }
}

/// Held as long as this lives, and given up by the system however the process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a state file: a file beside it, with the holder's process id in it.
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
    fn the_second_is_told_who_the_first_is() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("orders.v1.redb");
        let first = Lock::take(&state).unwrap();
        let refused = Lock::take(&state).unwrap_err().to_string();
        assert!(
            refused.contains(&format!(
                "orders.v1.redb is used by another run that has not ended (process {})",
                std::process::id()
            )),
            "{refused}"
        );
        drop(first);
        Lock::take(&state).unwrap();
    }
}
