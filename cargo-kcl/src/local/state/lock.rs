//! The lock of a state file: one run at a time uses it and records its process id.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::process::{Pid, test_kill_process};

/// How long to look at a lock again whose holder is not known to run: it may just have started, or been killed, and a process that
/// it was about to start still holds the lock for a moment.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long to look at it again if a process with the id of the holder exists, which may be about to be reaped.
const SHORT: Duration = Duration::from_millis(200);
const LOOK: Duration = Duration::from_millis(10);
/// The most bytes of a process id with its line feed.
const LONGEST: u64 = 24;

/// The reason why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    #[error("{} is in use by another run that has not ended ({}); only one run at a time can use a state", path.display(), who(pid))]
    Held { path: PathBuf, pid: String },
    #[error("{} is not a lock file of this tool, and is left alone; choose another --app, or move it away", .0.display())]
    Foreign(PathBuf),
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
        // A link is not followed: nothing but the lock file is ever written.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let mut options = File::options();
        options.create(true).truncate(false).read(true).write(true).custom_flags(flags.bits().cast_signed());
        let mut file = match options.open(&path) {
            Err(error) if path.is_symlink() || error.kind() == io::ErrorKind::IsADirectory => {
                return Err(LockError::Foreign(path));
            }
            opened => opened.map_err(failed)?,
        };
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(LockError::Foreign(path));
        }
        let started = Instant::now();
        loop {
            let locked = file.try_lock();
            let pid = process_id(&mut file).map_err(failed)?.ok_or_else(|| LockError::Foreign(path.clone()))?;
            match locked {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if started.elapsed() > if runs(&pid) { SHORT } else { PATIENCE } => {
                    return Err(LockError::Held { path: state.to_owned(), pid });
                }
                Err(TryLockError::WouldBlock) => thread::sleep(LOOK),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
        let written = file.set_len(0).and_then(|()| file.rewind());
        written.and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

/// The process id in a lock file, which is empty while it is written. `None` if the file contains something else.
fn process_id(file: &mut File) -> io::Result<Option<String>> {
    let mut text = Vec::new();
    file.rewind()?;
    Read::take(&mut *file, LONGEST + 1).read_to_end(&mut text)?;
    let pid = text.strip_suffix(b"\n").unwrap_or(&text);
    let is_pid = text.len() as u64 <= LONGEST && pid.iter().all(u8::is_ascii_digit);
    Ok(is_pid.then(|| String::from_utf8_lossy(pid).into_owned()))
}

/// Whether a process with this id exists. One that ends as this looks may count either way.
fn runs(pid: &str) -> bool {
    let id = pid.parse().ok().and_then(Pid::from_raw);
    id.is_some_and(|id| test_kill_process(id) != Err(rustix::io::Errno::SRCH))
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

    #[test]
    fn a_file_that_is_not_a_lock_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("Cargo.redb");
        let lock = folder.path().join("Cargo.lock");
        let other = folder.path().join("other");
        std::fs::write(&other, "1\n").unwrap();
        std::os::unix::fs::symlink(&other, &lock).unwrap();
        assert!(matches!(Lock::take(&state), Err(LockError::Foreign(_))));
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "1\n");
        std::fs::remove_file(&lock).unwrap();
        for text in ["# This file is automatically @generated by Cargo.\n", "1\n2\n"] {
            std::fs::write(&lock, text).unwrap();
            assert!(matches!(Lock::take(&state), Err(LockError::Foreign(_))));
            assert_eq!(std::fs::read_to_string(&lock).unwrap(), text);
        }
        std::fs::write(&lock, "1234567\n").unwrap();
        Lock::take(&state).unwrap();
    }

    #[test]
    fn a_lock_whose_holder_is_dead_is_looked_at_again() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("app.redb");
        let first = Lock::take(&state).unwrap();
        // No process has this id: it is above the largest one of Linux.
        std::fs::write(folder.path().join("app.lock"), "2147483647\n").unwrap();
        let released = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            drop(first);
        });
        Lock::take(&state).unwrap();
        released.join().unwrap();
        let _held = Lock::take(&state).unwrap();
        std::fs::write(folder.path().join("app.lock"), "2147483647\n").unwrap();
        assert!(matches!(Lock::take(&state), Err(LockError::Held { .. })));
    }
}
