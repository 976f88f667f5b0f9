//! Opens files and standard input, and tells whether a file is still the same.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IsTerminal, Seek};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;

use super::documents::DocumentError;
use super::path::Input;
use super::record_error::RecordError;
use super::start::{self, Foreign};
use crate::disk;

/// The number of bytes to read at once.
pub(super) const READ: usize = 256 << 10;

/// A hint at what was meant by the name of a file that does not exist.
fn meant(input: &Input, error: &io::Error) -> &'static str {
    let name = input.to_string();
    match error.kind() {
        io::ErrorKind::NotFound if name.starts_with('~') => {
            "; the shell replaces `~` only at the start of a word that is not quoted, as in `~/FILE`"
        }
        io::ErrorKind::NotFound if name.contains("://") => {
            "; only files are read, and `-`, which is standard input: pipe what another program fetches"
        }
        io::ErrorKind::NotFound if name.contains(',') => "; name each file by itself, without a comma",
        _ => "",
    }
}

/// An error in the input.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    #[error("{} cannot be opened: {}{}", .0, .1, meant(.0, .1))]
    Open(Input, io::Error),
    #[error("{0} is a directory; name the files in it, each by itself")]
    Directory(Input),
    #[error("standard input can only be read once; give `-` once")]
    StdinTwice,
    #[error("{0} is not a file that can be followed; with --follow, the last --input must be a file")]
    NotFollowed(Input),
    #[error(
        "{input} was truncated while it was read, from {was} to {now} bytes: the records after line {line} are not delivered, and no shard ends. Run again over the whole file"
    )]
    CutShort { input: Input, line: u64, was: u64, now: u64 },
    #[error(
        "{0} was replaced by another file during the run and cannot be read again; the records read so far are delivered, and no shard ends"
    )]
    Replaced(Input),
    #[error("{input}, after line {line}: reading failed: {error}")]
    Read { input: Input, line: u64, error: io::Error },
    #[error(
        "{input}, line {line}: longer than {} MiB; nothing from this line on was delivered. A Kinesis record has at most 1 MiB, or 10 MiB on a stream that allows it (--large-records)",
        longest >> 20
    )]
    TooLong { input: Input, line: u64, longest: usize },
    #[error("{}", .1.explain(.0))]
    Foreign(Input, Foreign),
    #[error("{input}, line {line}: {problem}; nothing from this line on was delivered")]
    Document { input: Input, line: u64, problem: DocumentError },
    #[error(
        "{input}, line {line}: this line is read in another way now: a line ends at `\\r\\n` as it does at `\\n`, and a byte order mark at the start is dropped. The progress was saved by an earlier version of this tool, in which both belonged to the record. Start over with --fresh, or without the --resume file"
    )]
    Altered { input: Input, line: u64 },
    #[error(
        "{input} has changed since it was processed: its content up to line {line} is different. Restore it, or start over with --fresh"
    )]
    Changed { input: Input, line: u64 },
    #[error(
        "the inputs before {input} have changed since they were processed. Restore them, or start over with --fresh"
    )]
    ChangedBefore { input: Input },
    #[error(
        "{what} had {was} bytes when {shards} ended and has {now} now: an ended shard cannot receive the new records. Process them from a separate file in a separate run, or start over with --fresh"
    )]
    Grown { what: String, shards: String, was: u64, now: u64 },
    #[error(
        "{what} has more records than the {was} bytes that it had when {shards} ended: an ended shard cannot receive them. Process them from a separate file in a separate run, or start over with --fresh"
    )]
    Longer { what: String, shards: String, was: u64 },
    #[error(
        "{0} was rewritten during the run, so that shards would be processed from different contents: no further shard ends. Run again when nothing writes to it"
    )]
    Rewritten(String),
    #[error(
        "{input} was replaced or removed since it was processed, and the file that was processed is not beside it, under a name such as {input}.1. Put it back, not compressed, or read only the new file, from its start, with --fresh"
    )]
    RotatedAway { input: Input },
    #[error(
        "{input} was rotated since it was processed, and its records continue in {}, which is compressed; decompress it beside the others, or start over with --fresh",
        path.display()
    )]
    Compressed { input: Input, path: PathBuf },
    #[error("the input cannot be read: {0}")]
    Thread(io::Error),
    #[error("the state of the input cannot be saved: {0}")]
    Unkept(Box<dyn std::error::Error + Send + Sync>),
    #[error("{input}, line {line}: {problem}; nothing from this line on was delivered. The line is `{excerpt}`")]
    Record { input: Input, line: u64, problem: Box<RecordError>, excerpt: String },
}

/// An open input.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) input: Input,
    pub(crate) file: File,
    /// When a regular file was last written, in milliseconds since 1970.
    modified: Option<i64>,
    /// The identity of a regular file when it was opened.
    identity: Option<FileIdentity>,
    pub(super) followed: bool,
    /// Files to read after this one, before the one that now has the name.
    pub(super) later: VecDeque<File>,
    /// Whether the file to follow does not exist yet.
    pub(super) absent: bool,
    /// Whether it was read before, so that nothing needs to be said about it.
    pub(super) again: bool,
}

/// An input that was opened before.
#[derive(Clone, Debug)]
pub(crate) struct SourceIdentity {
    input: Input,
    modified: Option<i64>,
    file: Option<FileIdentity>,
}

/// Identifies a file, and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileIdentity {
    device: u64,
    inode: u64,
    length: u64,
}

impl Source {
    pub(crate) fn open_all(inputs: &[Input]) -> Result<Vec<Self>, InputError> {
        if inputs.iter().filter(|&input| *input == Input::Stdin).count() > 1 {
            return Err(InputError::StdinTwice);
        }
        inputs.iter().map(Self::open).collect()
    }

    pub(super) fn open(input: &Input) -> Result<Self, InputError> {
        let opened = match input {
            Input::File(path) => File::open(path),
            Input::Stdin => {
                rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).map(OwnedFd::into).map_err(io::Error::from)
            }
        };
        let file = opened.map_err(|error| InputError::Open(input.clone(), error))?;
        let metadata = file.metadata().map_err(|error| InputError::Open(input.clone(), error))?;
        if metadata.is_dir() {
            return Err(InputError::Directory(input.clone()));
        }
        let modified = if metadata.is_file() { metadata.modified().ok().map(millis) } else { None };
        // A later error would come after a build, and after the records of other inputs.
        let mut start = [0; start::LONGEST];
        if metadata.is_file() && *input != Input::Stdin {
            let read = file.read_at(&mut start, 0).map_err(|error| InputError::Open(input.clone(), error))?;
            if let Some(format) = Foreign::of(&start[..read]) {
                return Err(InputError::Foreign(input.clone(), format));
            }
        }
        let identity = metadata.is_file().then(|| FileIdentity {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
        });
        Ok(Self { modified, identity, ..Self::new(input.clone(), file) })
    }

    pub(super) fn new(input: Input, file: File) -> Self {
        let later = VecDeque::new();
        Self { input, file, modified: None, identity: None, followed: false, later, absent: false, again: false }
    }

    /// Opens inputs, the last of which is followed. It need not exist yet.
    pub(crate) fn open_followed(inputs: &[Input]) -> Result<Vec<Self>, InputError> {
        let Some((last, others)) = inputs.split_last() else { return Ok(Vec::new()) };
        let mut sources = Self::open_all(others)?;
        let mut source = match (Self::open(last), last) {
            (Err(InputError::Open(_, error)), Input::File(path)) if is_absent(path, &error) => {
                let empty = Self::open(&Input::File("/dev/null".into()))?;
                Self { input: last.clone(), modified: Some(millis(SystemTime::now())), absent: true, ..empty }
            }
            (opened, _) => opened?,
        };
        source.follow()?;
        sources.push(source);
        Ok(sources)
    }

    /// Reads an earlier file first, and then these, before the one that now has the name.
    pub(crate) fn begin_in(&mut self, file: File, later: VecDeque<File>) {
        self.file = file;
        self.later = later;
        self.absent = false;
    }

    /// Whether the file to follow does not exist yet.
    pub(crate) fn is_absent(&self) -> bool {
        self.absent
    }

    /// Opens an input again, to read it from its start.
    pub(crate) fn open_again(first: &SourceIdentity) -> Result<Self, InputError> {
        let mut again = Self::open(&first.input)?.again();
        if let (Some(was), Some(is)) = (first.file, again.identity) {
            if (was.device, was.inode) != (is.device, is.inode) {
                return Err(InputError::Replaced(first.input.clone()));
            }
            again.identity = Some(was);
            // A record has the same arrival time whenever it is delivered.
            again.modified = first.modified;
        }
        Ok(again)
    }

    /// A source that reads this file to its end, from the start.
    pub(crate) fn of_file(input: Input, mut file: File) -> io::Result<Self> {
        file.rewind()?;
        let modified = file.metadata()?.modified().ok().map(millis);
        Ok(Self { modified, again: true, ..Self::new(input, file) })
    }

    /// The same source, if nothing needs to be said about it: it was read before.
    pub(crate) fn again(self) -> Self {
        Self { again: true, ..self }
    }

    /// The identity needed to open the input again.
    pub(crate) fn identity_now(&self) -> SourceIdentity {
        SourceIdentity { input: self.input.clone(), modified: self.modified, file: self.identity }
    }

    /// Continues to read after the end, as `tail -F` does.
    pub(crate) fn follow(&mut self) -> Result<(), InputError> {
        if self.modified.is_none() {
            return Err(InputError::NotFollowed(self.input.clone()));
        }
        self.followed = true;
        Ok(())
    }

    /// The offset at which the last complete line ends, in bytes.
    pub(crate) fn last_line_end(&self) -> Result<u64, InputError> {
        let failed = |error| InputError::Read { input: self.input.clone(), line: 0, error };
        let mut end = self.file.metadata().map_err(failed)?.len();
        let mut buffer = vec![0; READ];
        while end > 0 {
            let length = buffer.len().min(end.try_into().unwrap_or(usize::MAX));
            let start = end - length as u64;
            self.file.read_exact_at(&mut buffer[..length], start).map_err(failed)?;
            if let Some(found) = memchr::memrchr(b'\n', &buffer[..length]) {
                return Ok(start + found as u64 + 1);
            }
            end = start;
        }
        Ok(0)
    }

    /// Whether this is a file that can be read again. A file on standard input cannot: its offset is shared by all readers.
    pub(crate) fn is_file(&self) -> bool {
        self.modified.is_some() && self.input != Input::Stdin
    }

    pub(crate) fn is_followed(&self) -> bool {
        self.followed
    }

    /// The length in bytes, if the end is known.
    pub(crate) fn length(&self) -> Option<u64> {
        self.identity.filter(|_| !self.followed).map(|file| file.length)
    }

    /// The offset from which on text was added to a file after it was first opened. It is the greatest number if that is not known.
    pub(super) fn added_from(&self) -> u64 {
        // Files in /proc have a content, although their length is 0.
        self.length().filter(|length| self.is_file() && *length > 0).unwrap_or(u64::MAX)
    }

    /// Whether the input is a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.file.is_terminal()
    }

    /// The name that identifies the input to a later run: the same path is the same input.
    pub(crate) fn identity(input: &Input) -> String {
        match input {
            Input::Stdin => "-".to_owned(),
            Input::File(path) => absolute(path).display().to_string(),
        }
    }

    /// The arrival time of its records, in milliseconds since 1970. For a file, it is the last write, so that a run can be
    /// repeated. For a pipe or a followed file, it is now.
    pub(super) fn arrival(&self) -> i64 {
        self.modified.filter(|_| !self.followed).unwrap_or_else(|| millis(SystemTime::now()))
    }

    /// Whether a read would block until another process writes.
    pub(super) fn would_wait(&self) -> bool {
        if self.modified.is_some() {
            return false;
        }
        let mut ready = [PollFd::new(&self.file, PollFlags::IN)];
        matches!(poll(&mut ready, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(0))
    }
}

/// Whether a file does not exist, in a folder that does.
fn is_absent(path: &Path, error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound && path.file_name().is_some() && disk::folder_of(path).is_dir()
}

fn absolute(path: &Path) -> PathBuf {
    // A file that is followed may not exist yet, and must have the same name then.
    let in_folder = || Some(disk::folder_of(path).canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(in_folder).unwrap_or_else(|| path.to_owned())
}

fn millis(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).ok().and_then(|since| since.as_millis().try_into().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_keep_their_arrival_time_when_a_file_is_opened_again() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let first = Source::open(&Input::File(file.path().to_owned())).unwrap();
        let later = SystemTime::now() + std::time::Duration::from_secs(60);
        file.as_file().set_modified(later).unwrap();
        let again = Source::open_again(&first.identity_now()).unwrap();
        assert_eq!(again.arrival(), first.arrival());
        assert_ne!(first.arrival(), millis(later));
    }
}
