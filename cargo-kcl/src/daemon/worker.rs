//! The worker's name, which leases are held under. A worker that starts again under its name takes its leases back at once.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::system::uname;

use super::compose::LOCAL_WORKER;

/// A name on this machine that no other run has until the value is dropped. The system frees it however the process ends.
#[derive(Debug)]
pub(crate) struct Name {
    pub(crate) text: String,
    _lock: File,
}

impl Name {
    /// Takes the first free name of an application's workers: `local`, `local-2`, and so on. The application is that of the tables
    /// at this URL.
    ///
    /// # Errors
    ///
    /// If the folder of the locks cannot be used.
    pub(crate) fn take(folder: &Path, url: &str, application: &str) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '.') { c } else { '-' };
        let file: String = format!("{application} {}", url.trim_end_matches('/')).chars().map(plain).collect();
        for number in 1_u32.. {
            let lock = File::options().create(true).append(true).open(folder.join(format!("{file}-{number}.lock")))?;
            let text = if number == 1 { LOCAL_WORKER.to_owned() } else { format!("{LOCAL_WORKER}-{number}") };
            match lock.try_lock() {
                Ok(()) => return Ok(Self { text, _lock: lock }),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Err(io::Error::other("every name is in use"))
    }
}

/// A name that no other worker has, on any machine. The KCL makes such a name at every start, under which it has no leases yet.
pub(crate) fn unique() -> String {
    let machine = uname().nodename().to_string_lossy().into_owned();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{machine}-{}-{}", std::process::id(), now.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_free_name_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let take = |url| Name::take(&folder.path().join("workers"), url, "app").unwrap();
        let first = take("http://127.0.0.1:8000");
        let second = take("http://127.0.0.1:8000/");
        let elsewhere = take("http://127.0.0.1:8001");
        assert_eq!([&*first.text, &*second.text, &*elsewhere.text], ["local", "local-2", "local"]);
        drop(first);
        assert_eq!(take("http://127.0.0.1:8000").text, "local");
    }
}
