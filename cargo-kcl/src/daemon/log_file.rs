//! The file of `--log`. A restarted launcher continues it, and its size is limited.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use crate::report;

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
    losses: Losses,
    /// Whether it was reported that no other file can be begun.
    is_stuck: bool,
}

/// A change that people learn of on stderr, because the log does not show it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Notice {
    #[error("the log {} cannot be written: {error}; the daemon goes on, and lines are missing in the log until it can be written again", path.display())]
    Fails { path: PathBuf, error: io::Error },
    #[error("the log {} is written again; {} missing in it", path.display(), match lost { 1 => "1 line is".to_owned(), lost => format!("{lost} lines are") })]
    Back { path: PathBuf, lost: u64 },
    #[error("the log {} is long, and no other one can be begun in its place: {error}; it goes on growing", path.display())]
    Grows { path: PathBuf, error: io::Error },
    #[error("the log {} was moved away, and no other one can be begun in its place: {error}; lines go to the one that was moved until that works", path.display())]
    NotBegun { path: PathBuf, error: io::Error },
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
        let losses = Losses { lines: 0, is_torn: is_torn(&path, length) };
        Ok(Self { path, file, length, most, losses, is_stuck: false })
    }

    /// Writes a line at once, because people read a log while it grows. A log that cannot be written does not stop the daemon.
    pub(super) fn line(&mut self, text: &str) {
        let limit = if self.length >= self.most { self.begin_anew() } else { None };
        let written = self.losses.line(&mut self.file, text);
        for notice in limit.into_iter().chain(self.note(written)) {
            report::warning(notice);
        }
    }

    fn note(&mut self, written: Written) -> Option<Notice> {
        let path = self.path.clone();
        self.length += written.bytes;
        match written.change {
            None => None,
            Some(Change::Fails(error)) => Some(Notice::Fails { path, error }),
            Some(Change::Back(lost)) => Some(Notice::Back { path, lost }),
        }
    }

    /// Renames the file, and begins another one. If that fails, it is tried again after as many bytes.
    fn begin_anew(&mut self) -> Option<Notice> {
        // Another program may have emptied the file, and a pipe is never long.
        self.length = self.file.metadata().map_or(0, |now| now.len());
        if self.length < self.most {
            return None;
        }
        let path = self.path.clone();
        let failure = match self.move_away() {
            Err(error) => Notice::Grows { path, error },
            Ok(()) => match Self::with_limit(&self.path, self.most) {
                Ok(new) => {
                    let lines = self.losses.lines;
                    *self = new;
                    self.losses.lines = lines;
                    return None;
                }
                Err(error) => Notice::NotBegun { path, error },
            },
        };
        self.length = 0;
        let is_known = std::mem::replace(&mut self.is_stuck, true);
        (!is_known).then_some(failure)
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

/// Whether a file ends within a line, because the disk was full or the machine has stopped.
fn is_torn(path: &Path, length: u64) -> bool {
    let mut last = [b'\n'];
    let Some(end) = length.checked_sub(1) else { return false };
    let read = File::open(path).and_then(|file| file.read_at(&mut last, end));
    read.is_ok() && last != *b"\n"
}

/// The lines that could not be written since the last one that could.
#[derive(Debug, Default)]
struct Losses {
    lines: u64,
    /// Whether the file ends within a line.
    is_torn: bool,
}

/// The result of writing a line.
#[derive(Debug)]
struct Written {
    bytes: u64,
    change: Option<Change>,
}

#[derive(Debug)]
enum Change {
    /// This line is the first one that cannot be written.
    Fails(io::Error),
    /// This line can be written, after this many that could not.
    Back(u64),
}

impl Losses {
    /// Writes a line, after the end of one that was torn.
    fn line(&mut self, file: &mut impl Write, text: &str) -> Written {
        let line = format!("{}{text}\n", if self.is_torn { "\n" } else { "" });
        let (bytes, error) = write(file, line.as_bytes());
        if let Some(last) = bytes.checked_sub(1) {
            self.is_torn = line.as_bytes()[last] != b'\n';
        }
        let change = match error {
            Some(error) => {
                self.lines += 1;
                (self.lines == 1).then_some(Change::Fails(error))
            }
            None => Some(std::mem::take(&mut self.lines)).filter(|lost| *lost > 0).map(Change::Back),
        };
        Written { bytes: bytes as u64, change }
    }
}

/// Writes bytes, and returns how many were written, with the error if not all were.
fn write(file: &mut impl Write, bytes: &[u8]) -> (usize, Option<io::Error>) {
    let mut written = 0;
    while written < bytes.len() {
        match file.write(&bytes[written..]) {
            Ok(0) => return (written, Some(ErrorKind::WriteZero.into())),
            Ok(more) => written += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (written, Some(error)),
        }
    }
    (written, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with this much space.
    struct Disk {
        content: Vec<u8>,
        space: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let length = bytes.len().min(self.space - self.content.len());
            self.content.extend(&bytes[..length]);
            if length == 0 { Err(ErrorKind::StorageFull.into()) } else { Ok(length) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_reported_once_and_torn_lines_are_ended() {
        let mut disk = Disk { content: Vec::new(), space: 8 };
        let mut losses = Losses::default();
        let mut line = |disk: &mut Disk, text| losses.line(disk, text).change;
        assert!(line(&mut disk, "first").is_none());
        assert!(
            matches!(line(&mut disk, "second"), Some(Change::Fails(error)) if error.kind() == ErrorKind::StorageFull)
        );
        assert!(line(&mut disk, "third").is_none());
        disk.space = 15;
        assert!(line(&mut disk, "fourth").is_none(), "seven bytes are not enough for this one");
        disk.space = 100;
        assert!(matches!(line(&mut disk, "fifth"), Some(Change::Back(3))));
        assert!(line(&mut disk, "sixth").is_none());
        assert_eq!(String::from_utf8_lossy(&disk.content), "first\nse\nfourth\nfifth\nsixth\n");
    }

    #[test]
    fn a_log_that_ends_within_a_line_is_continued_on_another() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        fs::write(&path, "torn").expect("it can be written");
        LogFile::open(&path).expect("it can be written").line("whole");
        assert_eq!(fs::read_to_string(&path).expect("it can be read"), "torn\nwhole\n");
    }

    #[test]
    fn a_log_that_cannot_be_begun_anew_is_reported_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        // It cannot be renamed to a folder.
        fs::create_dir(folder.path().join("log.1")).expect("a folder");
        let mut log = LogFile::with_limit(&path, 4).expect("it can be written");
        log.line("first");
        assert!(matches!(log.begin_anew(), Some(Notice::Grows { .. })));
        log.line("second");
        assert!(log.begin_anew().is_none());
        assert_eq!(fs::read_to_string(&path).expect("it can be read"), "first\nsecond\n");
    }

    #[test]
    fn a_log_that_is_gone_is_not_said_to_grow() {
        let folder = tempfile::tempdir().expect("a folder");
        let [path, moved] = ["log", "moved"].map(|name| folder.path().join(name));
        let mut log = LogFile::with_limit(&path, 4).expect("it can be written");
        log.line("first");
        fs::rename(&path, &moved).expect("it can be moved");
        // It cannot be written.
        fs::create_dir(&path).expect("a folder");
        assert!(matches!(log.begin_anew(), Some(Notice::NotBegun { .. })));
        log.line("second");
        assert_eq!(fs::read_to_string(&moved).expect("it can be read"), "first\nsecond\n");
        fs::remove_dir(&path).expect("it can be removed");
        log.line("third");
        assert_eq!(fs::read_to_string(&path).expect("it can be read"), "third\n");
    }

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
