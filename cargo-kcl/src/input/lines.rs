//! The input: files and standard input, read line by line, or document by document.

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

use super::documents::{self, DocumentError, LONGEST_DOCUMENT, Scanner};
use super::follow::{self, FileId, Moved, Trace};
use super::start::{self, Foreign};
use crate::disk;
use crate::report;

/// The most data in one `processRecords` message; a longer line cannot be delivered.
pub(crate) const LONGEST_LINE: usize = 10 << 20;
const READ: usize = 256 << 10;

pub(crate) use super::start::BYTE_ORDER_MARK;

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
    /// Whether it was read before, so that nothing needs to be said about it.
    again: bool,
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

    fn new(input: Input, file: File) -> Self {
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

/// How the bytes of an input become records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// A record is a line.
    Lines {
        /// The most bytes of a line, without its end.
        longest: usize,
        /// Whether to warn of a first line that looks like the start of JSON on several lines.
        warns: bool,
    },
    /// A record is an object in a document of JSON, which may have several lines.
    Documents,
}

/// The next event of an input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<'a> {
    /// A line that is not empty, without its end, or a record of a document.
    Line {
        text: &'a [u8],
        /// The line on which it starts, counted from 1.
        number: u64,
        /// The offset of its start, in bytes; in a followed file, counted over everything read under the input's name.
        offset: u64,
        /// The arrival time, in milliseconds since 1970.
        arrival: i64,
        /// The offset at which its file starts; not 0 if the file replaced another.
        origin: u64,
        /// The first line so far that earlier versions of this tool read in another way. They took `\r` before the line feed, and a
        /// byte order mark, for parts of the record.
        altered: Option<u64>,
    },
    /// No line for now; the next call waits for one.
    Idle,
    End,
}

/// The lines of a source, read through one buffer that grows to the longest line.
#[derive(Debug)]
pub(crate) struct Lines {
    source: Source,
    framing: Framing,
    buffer: Vec<u8>,
    /// The unread part of the buffer.
    start: usize,
    end: usize,
    /// The offset in the input at which the unread part starts.
    offset: u64,
    origin: u64,
    number: u64,
    idle: bool,
    arrival: i64,
    /// Whether nothing of the file has been read yet.
    at_start: bool,
    /// Whether a line that was not empty was found.
    has_lines: bool,
    /// The first line that earlier versions of this tool read in another way.
    altered: Option<u64>,
    /// The records of the last document that were not returned yet.
    records: VecDeque<Located>,
    /// What was read of a followed file.
    trace: Trace,
}

/// A line or a record in the buffer.
#[derive(Clone, Copy, Debug)]
struct Located {
    start: usize,
    end: usize,
    number: u64,
    offset: u64,
}

/// The search for the end of a line or a document, over several reads.
enum Search {
    /// In this many bytes, there is no end of a line.
    Line(usize),
    Document(Scanner),
}

/// What was found in the input.
enum Found {
    /// A line or a document of this length, and the length of its end.
    Whole(usize, usize),
    Idle,
    End,
}

impl Search {
    fn new(framing: Framing) -> Self {
        match framing {
            Framing::Lines { .. } => Self::Line(0),
            Framing::Documents => Self::Document(Scanner::default()),
        }
    }

    /// The length of the first line or document in this text, and of its end.
    fn find(&mut self, unread: &[u8]) -> Result<Option<(usize, usize)>, DocumentError> {
        match self {
            Self::Line(searched) => {
                let found = memchr::memchr(b'\n', &unread[*searched..]).map(|found| (*searched + found, 1));
                *searched = unread.len();
                Ok(found)
            }
            Self::Document(scanner) => Ok(scanner.find_end(unread)?.map(|end| (end, 0))),
        }
    }
}

impl Lines {
    /// Reads lines of at most `longest` bytes.
    #[cfg(test)]
    pub(crate) fn with_longest(source: Source, longest: usize) -> Self {
        Self::new(source, Framing::Lines { longest, warns: false })
    }

    pub(crate) fn new(source: Source, framing: Framing) -> Self {
        let arrival = source.arrival();
        Self {
            source,
            framing,
            buffer: vec![0; READ],
            start: 0,
            end: 0,
            offset: 0,
            origin: 0,
            number: 0,
            idle: false,
            arrival,
            at_start: true,
            has_lines: false,
            altered: None,
            records: VecDeque::new(),
            trace: Trace::default(),
        }
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
        let located = loop {
            if let Some(record) = self.records.pop_front() {
                break record;
            }
            let (length, end) = match self.find()? {
                Found::Whole(length, end) => (length, end),
                Found::Idle => return Ok(Next::Idle),
                Found::End => return Ok(Next::End),
            };
            match self.framing {
                Framing::Lines { longest, warns } => {
                    if let Some(line) = self.take_line((length, end), longest, warns)? {
                        break line;
                    }
                }
                Framing::Documents => self.take_document(length)?,
            }
        };
        let Located { start, end, number, offset } = located;
        let text = &self.buffer[start..end];
        let Self { arrival, origin, altered, .. } = *self;
        Ok(Next::Line { text, number, offset, arrival, origin, altered })
    }

    /// Reads up to the end of a line or a document.
    fn find(&mut self) -> Result<Found, InputError> {
        let mut search = Search::new(self.framing);
        loop {
            let unread = &self.buffer[self.start..self.end];
            if let Some((length, end)) = search.find(unread).map_err(|problem| self.bad_document(problem))? {
                return Ok(Found::Whole(length, end));
            }
            let searched = self.end - self.start;
            match self.framing {
                // The last byte may belong to the end of the line.
                Framing::Lines { longest, .. } if searched > longest + 1 => return Err(self.too_long(self.number + 1)),
                Framing::Documents if searched > LONGEST_DOCUMENT => {
                    return Err(self.bad_document(DocumentError::TooLong));
                }
                _ => {}
            }
            if !self.idle && self.source.would_wait() {
                self.idle = true;
                return Ok(Found::Idle);
            }
            if self.fill()? > 0 {
                self.idle = false;
                if self.check_start()? {
                    search = Search::new(self.framing);
                }
                continue;
            }
            if !self.source.followed {
                self.check_length(searched)?;
                return if searched == 0 { Ok(Found::End) } else { self.last(searched) };
            }
            match self.moved()? {
                Moved::Not if self.idle => thread::sleep(follow::POLL),
                Moved::Not => {
                    self.idle = true;
                    return Ok(Found::Idle);
                }
                // The old file may have grown between the read and the check.
                Moved::Replaced(_) if self.fill()? > 0 => {}
                // The last text of a replaced file is a line, with or without a line feed.
                _ if searched > 0 => return self.last(searched),
                moved => self.switch(moved)?,
            }
        }
    }

    /// The last text of a file: a line without an end, or what is left after the last document.
    fn last(&mut self, length: usize) -> Result<Found, InputError> {
        let is_space = self.buffer[self.start..self.end].trim_ascii().is_empty();
        match self.framing {
            Framing::Lines { .. } => Ok(Found::Whole(length, 0)),
            Framing::Documents if is_space => Ok(Found::Whole(length, 0)),
            Framing::Documents => Err(self.bad_document(DocumentError::Unfinished)),
        }
    }

    /// Checks the first bytes of a file. Returns whether it dropped a byte order mark.
    fn check_start(&mut self) -> Result<bool, InputError> {
        let unread = &self.buffer[self.start..self.end];
        if !self.at_start {
            return Ok(false);
        }
        if let Some(format) = Foreign::of(unread) {
            return Err(InputError::Foreign(self.source.input.clone(), format));
        }
        let is_marked = unread.starts_with(BYTE_ORDER_MARK);
        self.at_start = !is_marked && unread.len() < start::LONGEST;
        if is_marked {
            self.start += BYTE_ORDER_MARK.len();
            self.offset += BYTE_ORDER_MARK.len() as u64;
            self.altered.get_or_insert(1);
            if !self.source.again {
                report::line(format_args!("{} starts with a byte order mark, which is dropped", self.source.input));
            }
        }
        Ok(is_marked)
    }

    /// Takes a line out of the unread part, unless it is empty.
    fn take_line(
        &mut self,
        (length, end): (usize, usize),
        longest: usize,
        warns: bool,
    ) -> Result<Option<Located>, InputError> {
        let (start, offset) = (self.start, self.offset);
        self.consume(length + end);
        self.number += 1;
        let is_windows = end > 0 && self.buffer[start..start + length].ends_with(b"\r");
        if is_windows {
            self.altered.get_or_insert(self.number);
        }
        let length = length - usize::from(is_windows);
        if length > longest {
            return Err(self.too_long(self.number));
        }
        if length == 0 {
            return Ok(None);
        }
        let text = &self.buffer[start..start + length];
        if warns && !self.has_lines && !self.source.again && matches!(text.trim_ascii(), b"{" | b"[") {
            report::line(format_args!(
                "{}, line {}: only `{}`, as in JSON that was printed on several lines; each line becomes a record. `jq -c .` writes \
                 one value per line",
                self.source.input,
                self.number,
                String::from_utf8_lossy(text.trim_ascii())
            ));
        }
        self.has_lines = true;
        Ok(Some(Located { start, end: start + length, number: self.number, offset }))
    }

    /// Takes a document out of the unread part, and finds its records.
    fn take_document(&mut self, length: usize) -> Result<(), InputError> {
        let (start, mut number, mut offset) = (self.start, self.number + 1, self.offset);
        let text = &self.buffer[start..start + length];
        let lines = |text: &[u8]| memchr::memchr_iter(b'\n', text).count() as u64;
        let document = text.trim_ascii_start();
        let space = length - document.len();
        if !document.is_empty() {
            let records = documents::records(document).map_err(|problem| self.bad_document(problem))?;
            let mut known = 0;
            self.records.extend(records.map(|(from, to)| {
                let (from, to) = (space + from, space + to);
                number += lines(&text[known..from]);
                offset += (from - known) as u64;
                known = from;
                Located { start: start + from, end: start + to, number, offset }
            }));
        }
        self.number += lines(text);
        self.consume(length);
        Ok(())
    }

    fn consume(&mut self, length: usize) {
        self.start += length;
        self.offset += length as u64;
        self.at_start = false;
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
        (self.at_start, self.has_lines) = (true, false);
        Ok(())
    }

    fn failed(&self, error: io::Error) -> InputError {
        InputError::Read { input: self.source.input.clone(), line: self.number, error }
    }

    fn too_long(&self, line: u64) -> InputError {
        let longest = if let Framing::Lines { longest, .. } = self.framing { longest } else { LONGEST_DOCUMENT };
        InputError::TooLong { input: self.source.input.clone(), line, longest }
    }

    /// An error in the document that is next in the unread part.
    fn bad_document(&self, problem: DocumentError) -> InputError {
        let unread = &self.buffer[self.start..self.end];
        let space = unread.len() - unread.trim_ascii_start().len();
        let line = self.number + 1 + memchr::memchr_iter(b'\n', &unread[..space]).count() as u64;
        InputError::Document { input: self.source.input.clone(), line, problem }
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

    /// A pipe, which is not a regular file; standard input is often a pipe.
    fn pipe(text: &[u8]) -> Source {
        let (reader, writer) = io::pipe().unwrap();
        let text = text.to_vec();
        std::thread::spawn(move || io::PipeWriter::write_all(&mut { writer }, &text));
        Source::new(Input::Stdin, OwnedFd::from(reader).into())
    }

    fn piped(text: &[u8]) -> Lines {
        Lines::with_longest(pipe(text), LONGEST_LINE)
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
        let lines = all(piped(b"one\n\n\xff\0\nlast")).unwrap();
        assert_eq!(lines, [(b"one".to_vec(), 1, 0), (b"\xff\0".to_vec(), 3, 5), (b"last".to_vec(), 4, 8)]);
        assert_eq!(all(piped(b"")).unwrap(), []);
        assert_eq!(all(piped(b"\n\n")).unwrap(), []);
    }

    #[test]
    fn a_carriage_return_before_the_line_feed_is_part_of_the_end() {
        let lines = all(piped(b"o\rne\r\n\r\ntwo\r\r\n\nlast\r")).unwrap();
        assert_eq!(lines, [(b"o\rne".to_vec(), 1, 0), (b"two\r".to_vec(), 3, 8), (b"last\r".to_vec(), 5, 15)]);
        let mut lines = piped(b"one\ntwo\r\nthree\n");
        for expected in [None, Some(2), Some(2)] {
            while lines.next().unwrap() == Next::Idle {}
            assert_eq!(lines.altered, expected);
        }
    }

    #[test]
    fn a_byte_order_mark_is_dropped_at_the_start_only() {
        let mut lines = piped(b"\xef\xbb\xbfone\n\xef\xbb\xbftwo\n");
        while lines.next().unwrap() == Next::Idle {}
        assert_eq!((lines.altered, lines.offset()), (Some(1), 7));
        assert_eq!(all(lines).unwrap(), [(b"\xef\xbb\xbftwo".to_vec(), 2, 7)]);
        assert_eq!(all(piped(b"\xef\xbb\xbf")).unwrap(), []);
        assert_eq!(all(piped(b"\xef\xbb\n")).unwrap(), [(b"\xef\xbb".to_vec(), 1, 0)]);
    }

    #[test]
    fn foreign_formats_are_refused_as_soon_as_they_are_known() {
        for text in [&b"\x1f\x8b\x08\0"[..], b"\xff\xfe{\0", b"BZh91AY&SY", b"\x28\xb5\x2f\xfd\n"] {
            assert!(matches!(all(piped(text)), Err(InputError::Foreign(Input::Stdin, _))), "{}", text.escape_ascii());
        }
        // They may arrive byte by byte, and the end of a line need not arrive.
        let (reader, mut writer) = io::pipe().unwrap();
        let source = Source::new(Input::Stdin, OwnedFd::from(reader).into());
        let mut lines = Lines::with_longest(source, LONGEST_LINE);
        for byte in b"\x1f\x8b" {
            writer.write_all(&[*byte]).unwrap();
            assert_eq!(lines.next().unwrap(), Next::Idle);
        }
        writer.write_all(b"\x08").unwrap();
        assert!(matches!(lines.next(), Err(InputError::Foreign(_, Foreign::Gzip))));
        // Not at the start.
        assert_eq!(all(piped(b"x\n\x1f\x8b\x08\n")).unwrap().len(), 2);
    }

    #[test]
    fn records_of_documents_have_their_own_places() {
        let text = b"\n{\"Records\":[{\"a\":1},\n {\"b\":2}]} {\"Records\":[]}\n\n{\n\"Records\": [\n3]\n}\n\n";
        let read = |text: &[u8]| all(Lines::new(pipe(text), Framing::Documents));
        let records = read(text).unwrap();
        assert_eq!(records, [(b"{\"a\":1}".to_vec(), 2, 13), (b"{\"b\":2}".to_vec(), 3, 23), (b"3".to_vec(), 7, 64)]);
        for (record, number, offset) in records {
            assert!(text[offset as usize..].starts_with(&record));
            assert_eq!(text[..offset as usize].iter().filter(|&&byte| byte == b'\n').count() as u64 + 1, number);
        }
        assert_eq!(read(b"").unwrap(), []);
        let broken = |text: &[u8]| match read(text) {
            Err(InputError::Document { line, problem, .. }) => (line, problem.to_string()),
            other => panic!("{other:?}"),
        };
        let (line, problem) = broken(b"{\"Records\":[]}\n\n {\"Records\":[");
        assert_eq!((line, &*problem), (3, "the document that starts here does not end"));
        assert_eq!(broken(b"{\"Records\":[]}\n[1]").0, 2);
        assert_eq!(broken(b"\n{}\n").0, 2);
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
        let mut lines = Lines::with_longest(source, LONGEST_LINE);
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
        let source = Source::new(Input::Stdin, OwnedFd::from(reader).into());
        let mut lines = Lines::with_longest(source, LONGEST_LINE);
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
