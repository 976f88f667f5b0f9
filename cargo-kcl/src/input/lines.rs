//! The input: files and standard input, read line by line.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;

use super::follow::{self, FileId, Moved, Trace};
use crate::disk;
use crate::report;

/// The most data in one `processRecords` message; a longer line cannot be delivered.
pub(crate) const LONGEST_LINE: usize = 10 << 20;
const READ: usize = 256 << 10;

/// One `--input`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    File(PathBuf),
    Stdin,
}

impl From<OsString> for Input {
    fn from(text: OsString) -> Self {
        if text == "-" { Self::Stdin } else { Self::File(text.into()) }
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Stdin => f.write_str("standard input"),
        }
    }
}

/// An error in the input.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    #[error("{0} cannot be opened: {1}")]
    Open(Input, io::Error),
    #[error("{0} is a directory; name each file in it with its own --input")]
    Directory(Input),
    #[error("standard input can only be read once; give `--input -` once")]
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
    #[error("{input}, line {line}: {problem}; nothing from this line on was delivered. The line is `{excerpt}`")]
    Key { input: Input, line: u64, problem: super::key::KeyError, excerpt: String },
    #[error(
        "{input} has changed since it was processed: its content up to line {line} is different. Restore it, or start over with --fresh"
    )]
    Changed { input: Input, line: u64 },
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
        "{input} was replaced since it was processed, and the file that was processed is not beside it, under a name such as {input}.1. Put it back, not compressed, or read only the new file, from its start, with --fresh"
    )]
    RotatedAway { input: Input },
    #[error(
        "{input} was rotated since it was processed, and its records continue in {}, which is compressed; decompress it beside the others",
        path.display()
    )]
    Compressed { input: Input, path: PathBuf },
    #[error("the input cannot be read: {0}")]
    Thread(io::Error),
    #[error("the state of the input cannot be saved: {0}")]
    Unkept(Box<dyn std::error::Error + Send + Sync>),
    #[error("{input}, line {line}: {problem}; nothing from this line on was delivered. The line is `{excerpt}`")]
    Record { input: Input, line: u64, problem: Box<super::record::RecordError>, excerpt: String },
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
    followed: bool,
    /// Files to read after this one, before the one that now has the name.
    later: VecDeque<File>,
    /// Whether the file to follow does not exist yet.
    absent: bool,
}

/// An input that was opened before.
#[derive(Clone, Debug)]
pub(crate) struct SourceIdentity {
    input: Input,
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

    fn open(input: &Input) -> Result<Self, InputError> {
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
        let identity = metadata.is_file().then(|| FileIdentity {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
        });
        let later = VecDeque::new();
        Ok(Self { input: input.clone(), file, modified, identity, followed: false, later, absent: false })
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
        let mut again = Self::open(&first.input)?;
        if let (Some(was), Some(is)) = (first.file, again.identity) {
            if (was.device, was.inode) != (is.device, is.inode) {
                return Err(InputError::Replaced(first.input.clone()));
            }
            again.identity = Some(was);
        }
        Ok(again)
    }

    /// A source that reads this file to its end, from the start.
    pub(crate) fn of_file(input: Input, mut file: File) -> io::Result<Self> {
        file.rewind()?;
        let modified = file.metadata()?.modified().ok().map(millis);
        Ok(Self { input, file, modified, identity: None, followed: false, later: VecDeque::new(), absent: false })
    }

    /// The identity needed to open the input again.
    pub(crate) fn identity_now(&self) -> SourceIdentity {
        SourceIdentity { input: self.input.clone(), file: self.identity }
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
    fn arrival(&self) -> i64 {
        self.modified.filter(|_| !self.followed).unwrap_or_else(|| millis(SystemTime::now()))
    }

    /// Whether a read would block until another process writes.
    fn would_wait(&self) -> bool {
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

/// The next event of an input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<'a> {
    /// A line that is not empty, without its end.
    Line {
        text: &'a [u8],
        /// Counted from 1.
        number: u64,
        /// The offset of its start, in bytes; in a followed file, counted over everything read under the input's name.
        offset: u64,
        /// The arrival time, in milliseconds since 1970.
        arrival: i64,
        /// The offset at which its file starts; not 0 if the file replaced another.
        origin: u64,
    },
    /// No line for now; the next call waits for one.
    Idle,
    End,
}

/// The lines of a source, read through one buffer that grows to the longest line.
#[derive(Debug)]
pub(crate) struct Lines {
    source: Source,
    buffer: Vec<u8>,
    /// The unread part of the buffer.
    start: usize,
    end: usize,
    /// The offset in the input at which the unread part starts.
    offset: u64,
    origin: u64,
    number: u64,
    idle: bool,
    longest: usize,
    arrival: i64,
    /// What was read of a followed file.
    trace: Trace,
}

impl Lines {
    /// Reads lines up to the length that a message can hold.
    pub(crate) fn new(source: Source) -> Self {
        Self::with_longest(source, LONGEST_LINE)
    }

    /// Reads lines of at most `longest` bytes.
    pub(crate) fn with_longest(source: Source, longest: usize) -> Self {
        let arrival = source.arrival();
        let buffer = vec![0; READ];
        let trace = Trace::default();
        Self { source, buffer, start: 0, end: 0, offset: 0, origin: 0, number: 0, idle: false, longest, arrival, trace }
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// The offset at which the file that is read now starts.
    pub(crate) fn origin(&self) -> u64 {
        self.origin
    }

    /// The identity of the file that is read now, as far as it was read.
    pub(crate) fn file_id(&self) -> Result<FileId, InputError> {
        self.trace.file_id(&self.source.file).map_err(|error| self.failed(error))
    }

    /// The offset up to which the input was read, in bytes.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) fn next(&mut self) -> Result<Next<'_>, InputError> {
        loop {
            let mut searched = 0;
            let (length, end) = loop {
                let unread = &self.buffer[self.start..self.end];
                if let Some(found) = memchr::memchr(b'\n', &unread[searched..]) {
                    break (searched + found, 1);
                }
                searched = unread.len();
                if searched > self.longest {
                    return Err(self.too_long(self.number + 1));
                }
                if !self.idle && self.source.would_wait() {
                    self.idle = true;
                    return Ok(Next::Idle);
                }
                if self.fill()? > 0 {
                    self.idle = false;
                    continue;
                }
                if !self.source.followed {
                    self.check_length(searched)?;
                    if searched == 0 {
                        return Ok(Next::End);
                    }
                    break (searched, 0);
                }
                match self.moved()? {
                    Moved::Not if self.idle => thread::sleep(follow::POLL),
                    Moved::Not => {
                        self.idle = true;
                        return Ok(Next::Idle);
                    }
                    // The old file may have grown between the read and the check.
                    Moved::Replaced(_) if self.fill()? > 0 => {}
                    // The last text of a replaced file is a line, with or without a line feed.
                    _ if searched > 0 => break (searched, 0),
                    moved => self.switch(moved)?,
                }
            };
            let (start, offset) = (self.start, self.offset);
            self.start += length + end;
            self.offset += (length + end) as u64;
            self.number += 1;
            if length > self.longest {
                return Err(self.too_long(self.number));
            }
            if length > 0 {
                let text = &self.buffer[start..start + length];
                return Ok(Next::Line {
                    text,
                    number: self.number,
                    offset,
                    arrival: self.arrival,
                    origin: self.origin,
                });
            }
        }
    }

    /// Checks that a file that was read to its end, including the last line, was not truncated in the meantime.
    fn check_length(&self, last_line: usize) -> Result<(), InputError> {
        let Some(was) = self.source.length().filter(|was| self.offset + (last_line as u64) < *was) else {
            return Ok(());
        };
        let now = self.source.file.metadata().map_err(|error| self.failed(error))?.len();
        if now < was {
            return Err(InputError::CutShort { input: self.source.input.clone(), line: self.number, was, now });
        }
        Ok(())
    }

    /// Sets the offset at which the file starts, as it did in an earlier run.
    pub(crate) fn start_at(&mut self, origin: u64) {
        self.origin = origin;
        self.offset = origin;
    }

    fn moved(&self) -> Result<Moved, InputError> {
        let Input::File(path) = &self.source.input else { return Ok(Moved::Not) };
        follow::look(&self.source.file, path, &self.trace, &self.source.later).map_err(|error| self.failed(error))
    }

    /// Continues with the file that now has the name, from its start.
    fn switch(&mut self, moved: Moved) -> Result<(), InputError> {
        let event = match moved {
            Moved::Replaced(file) => {
                self.source.file = file;
                self.source.later.pop_front();
                if std::mem::take(&mut self.source.absent) { "was created" } else { "was rotated" }
            }
            Moved::Truncated | Moved::Not => {
                self.source.file.rewind().map_err(|error| self.failed(error))?;
                "was truncated"
            }
        };
        report::line(format_args!("{} {event}; reading it from the start", self.source.input));
        self.origin = self.offset;
        self.number = 0;
        self.trace = Trace::default();
        Ok(())
    }

    fn failed(&self, error: io::Error) -> InputError {
        InputError::Read { input: self.source.input.clone(), line: self.number, error }
    }

    fn too_long(&self, line: u64) -> InputError {
        InputError::TooLong { input: self.source.input.clone(), line, longest: self.longest }
    }

    /// Reads more data after the unread part.
    fn fill(&mut self) -> Result<usize, InputError> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() - self.end < READ / 2 {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        loop {
            match self.source.file.read(&mut self.buffer[self.end..]) {
                Ok(read) => {
                    if self.source.followed && read > 0 {
                        // Bytes from the middle of other content are no records; the file is read from the start then.
                        if !self.trace.fits(&self.source.file).map_err(|error| self.failed(error))? {
                            return Ok(0);
                        }
                        self.trace.note(&self.buffer[self.end..self.end + read]);
                        self.arrival = self.source.arrival();
                    }
                    self.end += read;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// The lines of a pipe, which is not a regular file; standard input is often a pipe.
    fn piped(text: &[u8]) -> Lines {
        let (reader, writer) = io::pipe().unwrap();
        let text = text.to_vec();
        std::thread::spawn(move || io::PipeWriter::write_all(&mut { writer }, &text));
        Lines::new(Source {
            input: Input::Stdin,
            file: OwnedFd::from(reader).into(),
            modified: None,
            identity: None,
            followed: false,
            later: VecDeque::new(),
            absent: false,
        })
    }

    fn all(mut lines: Lines) -> Result<Vec<(Vec<u8>, u64, u64)>, InputError> {
        let mut all = Vec::new();
        loop {
            match lines.next()? {
                Next::Line { text, number, offset, .. } => all.push((text.to_vec(), number, offset)),
                Next::Idle => {}
                Next::End => return Ok(all),
            }
        }
    }

    #[test]
    fn a_line_feed_ends_a_record() {
        let lines = all(piped(b"one\r\n\n\xff\0\nlast")).unwrap();
        assert_eq!(lines, [(b"one\r".to_vec(), 1, 0), (b"\xff\0".to_vec(), 3, 6), (b"last".to_vec(), 4, 9)]);
        assert_eq!(all(piped(b"")).unwrap(), []);
        assert_eq!(all(piped(b"\n\n")).unwrap(), []);
    }

    #[test]
    fn a_line_may_be_longer_than_a_read() {
        let long = vec![b'x'; 5 * READ + 3];
        let lines = all(piped(&[&long[..], b"\nshort\n"].concat())).unwrap();
        assert_eq!(lines.iter().map(|(text, ..)| text.len()).collect::<Vec<_>>(), [long.len(), 5]);
    }

    #[test]
    fn a_line_that_no_message_can_hold_is_an_error() {
        let longest = [b"1\n", &vec![b'x'; LONGEST_LINE][..], b"\n"].concat();
        assert_eq!(all(piped(&longest)).unwrap().len(), 2);
        for end in [&b"\n"[..], b"", b"xxxx"] {
            let longer = [b"1\n", &vec![b'x'; LONGEST_LINE + 1][..], end].concat();
            assert!(matches!(all(piped(&longer)), Err(InputError::TooLong { line: 2, .. })), "{end:?}");
        }
    }

    /// The lines of a followed file that can be read for now.
    fn available(lines: &mut Lines) -> Vec<(String, u64)> {
        let mut read = Vec::new();
        loop {
            match lines.next().unwrap() {
                Next::Line { text, number, .. } => read.push((String::from_utf8_lossy(text).into_owned(), number)),
                Next::Idle => return read,
                Next::End => panic!("a followed file has no end"),
            }
        }
    }

    #[test]
    fn a_followed_file_may_grow_be_replaced_and_be_truncated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(
            &path,
            "a
b
unfin",
        )
        .unwrap();
        let mut source = Source::open(&Input::File(path.clone())).unwrap();
        source.follow().unwrap();
        assert_eq!(source.last_line_end().unwrap(), 4);
        let mut lines = Lines::new(source);
        let line = |text: &str, number| (text.to_owned(), number);
        assert_eq!(available(&mut lines), [line("a", 1), line("b", 2)]);

        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(
            b"ished
last words",
        )
        .unwrap();
        assert!(matches!(lines.next().unwrap(), Next::Line { text: b"unfinished", number: 3, offset: 4, .. }));
        assert!(matches!(lines.next().unwrap(), Next::Idle));

        std::fs::rename(&path, folder.path().join("log.1")).unwrap();
        file.write_all(b" and more").unwrap();
        std::fs::write(
            &path, "new
",
        )
        .unwrap();
        assert_eq!(available(&mut lines), [line("last words and more", 4), line("new", 1)]);

        std::fs::write(
            &path, "x
",
        )
        .unwrap();
        let Next::Line { text: b"x", number: 1, offset, origin, .. } = lines.next().unwrap() else { panic!("a line") };
        assert_eq!((offset, origin), (38, 38), "places ascend, whatever happens to the file");
        assert_eq!(available(&mut lines), []);

        std::fs::write(&path, "y\nlonger than before\n").unwrap();
        assert_eq!(available(&mut lines), [line("y", 1), line("longer than before", 2)]);
    }

    #[test]
    fn only_files_can_be_followed() {
        let mut source = Source::open(&Input::File("/dev/null".into())).unwrap();
        assert!(matches!(source.follow(), Err(InputError::NotFollowed(_))));
    }

    #[test]
    fn reports_when_it_would_have_to_wait() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut lines = Lines::new(Source {
            input: Input::Stdin,
            file: OwnedFd::from(reader).into(),
            modified: None,
            identity: None,
            followed: false,
            later: VecDeque::new(),
            absent: false,
        });
        assert!(matches!(lines.next().unwrap(), Next::Idle));
        writer.write_all(b"one\ntw").unwrap();
        assert!(matches!(lines.next().unwrap(), Next::Line { text: b"one", .. }));
        assert!(matches!(lines.next().unwrap(), Next::Idle));
        writer.write_all(b"o\n").unwrap();
        assert!(matches!(lines.next().unwrap(), Next::Line { text: b"two", offset: 4, .. }));
        drop(writer);
        assert_eq!(lines.next().unwrap(), Next::End);
    }
}
