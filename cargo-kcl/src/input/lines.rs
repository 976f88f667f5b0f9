//! The input: files and standard input, read line by line.

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

use super::follow::{self, Moved};
use crate::report;

/// The most a call brings, so nothing longer can be delivered.
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

/// What is wrong with the input.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    #[error("{0} cannot be opened: {1}")]
    Open(Input, io::Error),
    #[error("{0} is a directory; name the files in it, each with an --input of its own")]
    Directory(Input),
    #[error("standard input can only be read once; give `--input -` once")]
    StdinTwice,
    #[error("{0} is no file that can be followed; with --follow the last --input is a file")]
    NotFollowed(Input),
    #[error(
        "{input} was cut short while it was read, from {was} to {now} bytes: what stood behind line {line} is not delivered, and no shard ends. Run again over all of it"
    )]
    CutShort { input: Input, line: u64, was: u64, now: u64 },
    #[error(
        "{0} is another file than when the run began, and cannot be read again; what was read of it is delivered, and no shard ends"
    )]
    Replaced(Input),
    #[error("{input}, behind line {line}: reading failed: {error}")]
    Read { input: Input, line: u64, error: io::Error },
    #[error(
        "{input}, line {line}: longer than {} MiB; nothing from this line on was delivered. A record of Kinesis has 1 MiB at most, and 10 MiB on a stream that allows it (--large-records)",
        longest >> 20
    )]
    TooLong { input: Input, line: u64, longest: usize },
    #[error("{input}, line {line}: {problem}; nothing from this line on was delivered. The line is `{excerpt}`")]
    Key { input: Input, line: u64, problem: super::key::KeyError, excerpt: String },
    #[error(
        "{input} has changed since it was processed: up to line {line} it is not what it was. Run over what it was, or start anew with --fresh"
    )]
    Changed { input: Input, line: u64 },
    #[error(
        "{what} had {was} bytes when {shards} ended, and has {now} now: what was added is for nobody. Put it into a file of its own, for a run of its own, or start anew with --fresh"
    )]
    Grown { what: String, shards: String, was: u64, now: u64 },
    #[error("what is known of the input cannot be kept: {0}")]
    Unkept(Box<dyn std::error::Error + Send + Sync>),
    #[error("{input}, line {line}: {problem}; nothing from this line on was delivered. The line is `{excerpt}`")]
    Record { input: Input, line: u64, problem: Box<super::record::RecordError>, excerpt: String },
}

/// An input that was opened.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) input: Input,
    pub(crate) file: File,
    /// When a regular file was last written, in milliseconds since 1970.
    modified: Option<i64>,
    /// What a regular file was when it was opened.
    identity: Option<FileIdentity>,
    followed: bool,
}

/// An input that was opened before.
#[derive(Clone, Debug)]
pub(crate) struct SourceIdentity {
    input: Input,
    file: Option<FileIdentity>,
}

/// Which file it is, and how long it was.
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
        Ok(Self { input: input.clone(), file, modified, identity, followed: false })
    }

    /// Opens it once more, to be read from its start.
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

    /// What it takes to open it once more.
    pub(crate) fn identity_now(&self) -> SourceIdentity {
        SourceIdentity { input: self.input.clone(), file: self.identity }
    }

    /// Goes on reading behind the end, as `tail -F` does.
    pub(crate) fn follow(&mut self) -> Result<(), InputError> {
        if self.modified.is_none() {
            return Err(InputError::NotFollowed(self.input.clone()));
        }
        self.followed = true;
        Ok(())
    }

    /// Where the last line that is complete ends, in bytes.
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

    /// Whether it is there to be read again. A file that is standard input has one place where it is read, shared by all.
    pub(crate) fn is_file(&self) -> bool {
        self.modified.is_some() && self.input != Input::Stdin
    }

    pub(crate) fn is_followed(&self) -> bool {
        self.followed
    }

    /// How long it is, in bytes, if it has an end that is known.
    pub(crate) fn length(&self) -> Option<u64> {
        self.identity.filter(|_| !self.followed).map(|file| file.length)
    }

    /// Whether a person types it.
    pub(crate) fn is_terminal(&self) -> bool {
        self.file.is_terminal()
    }

    /// What the input is to a later run: the same path is the same input.
    pub(crate) fn identity(input: &Input) -> String {
        match input {
            Input::Stdin => "-".to_owned(),
            Input::File(path) => absolute(path).display().to_string(),
        }
    }

    /// When its records arrived, in milliseconds since 1970: a file's when it was last written, so that a run over it can be
    /// repeated; what is piped in or followed, now.
    fn arrival(&self) -> i64 {
        self.modified.filter(|_| !self.followed).unwrap_or_else(|| millis(SystemTime::now()))
    }

    /// Whether a read would have to wait for someone who writes.
    fn would_wait(&self) -> bool {
        if self.modified.is_some() {
            return false;
        }
        let mut ready = [PollFd::new(&self.file, PollFlags::IN)];
        matches!(poll(&mut ready, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(0))
    }
}

fn absolute(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn millis(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).ok().and_then(|since| since.as_millis().try_into().ok()).unwrap_or(0)
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<'a> {
    /// A line that is not empty, without its end.
    Line {
        text: &'a [u8],
        /// From 1.
        number: u64,
        /// Where it starts, in bytes: of all that was read under the input's name, if that is followed.
        offset: u64,
        /// When it arrived, in milliseconds since 1970.
        arrival: i64,
        /// Where its file starts: not at 0 if that took the place of another.
        origin: u64,
    },
    /// Nothing, for now: the next call waits for more.
    Idle,
    End,
}

/// The lines of a source. What is held is one buffer, as long as the longest line.
#[derive(Debug)]
pub(crate) struct Lines {
    source: Source,
    buffer: Vec<u8>,
    /// The unread part of the buffer.
    start: usize,
    end: usize,
    /// Where in the input that part starts.
    offset: u64,
    origin: u64,
    number: u64,
    idle: bool,
    longest: usize,
    arrival: i64,
}

impl Lines {
    /// Lines as long as a call can bring.
    pub(crate) fn new(source: Source) -> Self {
        Self::with_longest(source, LONGEST_LINE)
    }

    /// Lines of so many bytes at most.
    pub(crate) fn with_longest(source: Source, longest: usize) -> Self {
        let arrival = source.arrival();
        let buffer = vec![0; READ];
        Self { source, buffer, start: 0, end: 0, offset: 0, origin: 0, number: 0, idle: false, longest, arrival }
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// How far it was read, in bytes.
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
                    // Something may have been written to the old file between the two looks.
                    Moved::Replaced(_) if self.fill()? > 0 => {}
                    // What a file ends with when another takes its place is a line, with or without a line feed.
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

    /// Whether a file that was read to its end, the last line included, ends there because others cut it short.
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

    /// Lets the file start here, as it did in an earlier run.
    pub(crate) fn start_at(&mut self, origin: u64) {
        self.origin = origin;
        self.offset = origin;
    }

    fn moved(&self) -> Result<Moved, InputError> {
        let Input::File(path) = &self.source.input else { return Ok(Moved::Not) };
        follow::look(&self.source.file, path).map_err(|error| self.failed(error))
    }

    /// Goes on with the file that is there now, from its start.
    fn switch(&mut self, moved: Moved) -> Result<(), InputError> {
        let what = match moved {
            Moved::Replaced(file) => {
                self.source.file = file;
                "is another file now"
            }
            Moved::Truncated | Moved::Not => {
                self.source.file.rewind().map_err(|error| self.failed(error))?;
                "was cut short"
            }
        };
        report::line(format_args!("{} {what}; it is read from its start", self.source.input));
        self.origin = self.offset;
        self.number = 0;
        Ok(())
    }

    fn failed(&self, error: io::Error) -> InputError {
        InputError::Read { input: self.source.input.clone(), line: self.number, error }
    }

    fn too_long(&self, line: u64) -> InputError {
        InputError::TooLong { input: self.source.input.clone(), line, longest: self.longest }
    }

    /// Reads more behind what is unread.
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
                    self.end += read;
                    if self.source.followed && read > 0 {
                        self.arrival = self.source.arrival();
                    }
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

    /// A pipe's reading end is not a regular file, as standard input often is.
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
    fn a_record_is_what_stands_before_a_line_feed() {
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
    fn a_line_that_no_message_can_bring_is_an_error() {
        let longest = [b"1\n", &vec![b'x'; LONGEST_LINE][..], b"\n"].concat();
        assert_eq!(all(piped(&longest)).unwrap().len(), 2);
        for end in [&b"\n"[..], b"", b"xxxx"] {
            let longer = [b"1\n", &vec![b'x'; LONGEST_LINE + 1][..], end].concat();
            assert!(matches!(all(piped(&longer)), Err(InputError::TooLong { line: 2, .. })), "{end:?}");
        }
    }

    /// What is read from a followed file until there is nothing more for now.
    fn available(lines: &mut Lines) -> Vec<(String, u64)> {
        let mut read = Vec::new();
        loop {
            match lines.next().unwrap() {
                Next::Line { text, number, .. } => read.push((String::from_utf8_lossy(text).into_owned(), number)),
                Next::Idle => return read,
                Next::End => panic!("what is followed has no end"),
            }
        }
    }

    #[test]
    fn a_followed_file_may_grow_be_replaced_and_be_cut_short() {
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
        assert_eq!((offset, origin), (38, 38), "places ascend whatever becomes of the file");
    }

    #[test]
    fn only_files_can_be_followed() {
        let mut source = Source::open(&Input::File("/dev/null".into())).unwrap();
        assert!(matches!(source.follow(), Err(InputError::NotFollowed(_))));
    }

    #[test]
    fn says_when_it_would_have_to_wait() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut lines = Lines::new(Source {
            input: Input::Stdin,
            file: OwnedFd::from(reader).into(),
            modified: None,
            identity: None,
            followed: false,
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
