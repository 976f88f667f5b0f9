//! The file of `--log`. A restarted launcher continues it, and its size is limited.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The size in bytes at which another file is begun.
const MOST: u64 = 64 << 20;

/// A log file, and the one before it, whose name ends in `.1`.
#[derive(Debug)]
pub(super) struct LogFile {
    /// Not a link, except to something that never grows, such as a pipe.
    path: PathBuf,
    file: File,
    length: u64,
    most: u64,
}

impl LogFile {
    /// Opens a log file, or creates it.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::with_limit(path, MOST)
    }

    fn with_limit(path: &Path, most: u64) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        let length = file.metadata()?.len();
        // A pipe may have a link, such as /dev/stderr, but not a path.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        Ok(Self { path, file, length, most })
    }

    /// Writes a line at once, because people read a log while it grows. A log that cannot be written does not stop the daemon.
    pub(super) fn line(&mut self, text: &str) {
        if self.length >= self.most {
            self.begin_anew();
        }
        let line = format!("{text}\n");
        if self.file.write_all(line.as_bytes()).is_ok() {
            self.length += line.len() as u64;
        }
    }

    /// Renames the file, and begins another one. If that fails, it is tried again after as many bytes.
    fn begin_anew(&mut self) {
        // Another program may have emptied the file, and a pipe is never long.
        self.length = self.file.metadata().map_or(0, |now| now.len());
        if self.length < self.most {
            return;
        }
        match self.move_away().and_then(|()| Self::with_limit(&self.path, self.most)) {
            Ok(new) => *self = new,
            Err(_) => self.length = 0,
        }
    }

    /// Renames the file, unless its path leads elsewhere by now: another program has moved or removed it, or has begun another one.
    fn move_away(&self) -> io::Result<()> {
        let own = self.file.metadata()?;
        match fs::symlink_metadata(&self.path) {
            Ok(there) if (there.dev(), there.ino()) == (own.dev(), own.ino()) => {
                let mut before = self.path.clone().into_os_string();
                before.push(".1");
                fs::rename(&self.path, before)
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_continued_and_keeps_one_predecessor() {
        let folder = tempfile::tempdir().expect("a folder");
        let [path, before] = ["log", "log.1"].map(|name| folder.path().join(name));
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        for text in ["first", "second"] {
            LogFile::with_limit(&path, 20).expect("it can be written").line(text);
        }
        assert_eq!(read(&path), "first\nsecond\n");
        let mut log = LogFile::with_limit(&path, 20).expect("it can be written");
        for text in ["third", "fourth", "fifth"] {
            log.line(text);
        }
        assert_eq!((&*read(&before), &*read(&path)), ("first\nsecond\nthird\nfourth\n", "fifth\n"));
        // Another program may empty it, and nothing is left of what was before.
        File::create(&path).expect("it can be emptied");
        log.line("a line that is long enough");
        log.line("another");
        assert_eq!((&*read(&before), &*read(&path)), ("a line that is long enough\n", "another\n"));
    }
    #[test]
    fn a_file_that_is_no_longer_there_is_begun_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let [path, before, moved] = ["log", "log.1", "moved"].map(|name| folder.path().join(name));
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        let mut log = LogFile::with_limit(&path, 20).expect("it can be written");
        log.line("a line that is long enough");
        fs::rename(&path, &moved).expect("it can be moved");
        log.line("second");
        assert_eq!((&*read(&moved), &*read(&path)), ("a line that is long enough\n", "second\n"));
        log.line("another line that is long");
        fs::remove_file(&path).expect("it can be removed");
        log.line("third");
        assert_eq!((&*read(&path), before.exists()), ("third\n", false));
        log.line("the last line that is long");
        log.line("fourth");
        assert_eq!((&*read(&path), &*read(&before)), ("fourth\n", "third\nthe last line that is long\n"));
    }

    #[test]
    fn two_logs_in_one_file_keep_what_was_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let [path, before] = ["log", "log.1"].map(|name| folder.path().join(name));
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        let [mut first, mut second] = [(); 2].map(|()| LogFile::with_limit(&path, 20).expect("it can be written"));
        first.line("the first log's long line");
        second.line("the second log's long line");
        first.line("one");
        second.line("two");
        assert_eq!(read(&before), "the first log's long line\nthe second log's long line\n");
        assert_eq!(read(&path), "one\ntwo\n");
    }

    #[test]
    fn a_link_stays_where_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let [link, path, before] = ["link", "log", "log.1"].map(|name| folder.path().join(name));
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        File::create(&path).expect("it can be created");
        std::os::unix::fs::symlink("log", &link).expect("it can be linked");
        let mut log = LogFile::with_limit(&link, 20).expect("it can be written");
        log.line("a line that is long enough");
        log.line("second");
        assert_eq!((&*read(&before), &*read(&link)), ("a line that is long enough\n", "second\n"));
        assert!(link.is_symlink());
    }
}
