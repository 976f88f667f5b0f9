//! The input: files and standard input, read line by line.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;

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
    #[error("{input}, behind line {line}: reading failed: {error}")]
    Read { input: Input, line: u64, error: io::Error },
    #[error(
        "{input}, line {line}: longer than {} MiB, the most a processor can be sent in one message; nothing from this line on was delivered",
        LONGEST_LINE >> 20
    )]
    TooLong { input: Input, line: u64 },
    #[error("{input}, line {line}: {problem}; nothing from this line on was delivered. The line is `{excerpt}`")]
    Key { input: Input, line: u64, problem: super::key::KeyError, excerpt: String },
}

/// An input that was opened.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) input: Input,
    file: File,
    /// When a regular file was last written, in milliseconds since 1970.
    modified: Option<i64>,
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
        Ok(Self { input: input.clone(), file, modified })
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
    /// repeated; what is piped in, now.
    pub(crate) fn arrival(&self) -> i64 {
        self.modified.unwrap_or_else(|| millis(SystemTime::now()))
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
        /// Where it starts, in bytes.
        offset: u64,
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
    number: u64,
    idle: bool,
}

impl Lines {
    pub(crate) fn new(source: Source) -> Self {
        Self { source, buffer: vec![0; READ], start: 0, end: 0, offset: 0, number: 0, idle: false }
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
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
                if searched > LONGEST_LINE {
                    return Err(InputError::TooLong { input: self.source.input.clone(), line: self.number + 1 });
                }
                if !self.idle && self.source.would_wait() {
                    self.idle = true;
                    return Ok(Next::Idle);
                }
                self.idle = false;
                if self.fill()? == 0 {
                    if searched == 0 {
                        return Ok(Next::End);
                    }
                    break (searched, 0);
                }
            };
            let (start, offset) = (self.start, self.offset);
            self.start += length + end;
            self.offset += (length + end) as u64;
            self.number += 1;
            if length > LONGEST_LINE {
                return Err(InputError::TooLong { input: self.source.input.clone(), line: self.number });
            }
            if length > 0 {
                return Ok(Next::Line { text: &self.buffer[start..start + length], number: self.number, offset });
            }
        }
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
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(InputError::Read { input: self.source.input.clone(), line: self.number, error });
                }
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
        Lines::new(Source { input: Input::Stdin, file: OwnedFd::from(reader).into(), modified: None })
    }

    fn all(mut lines: Lines) -> Result<Vec<(Vec<u8>, u64, u64)>, InputError> {
        let mut all = Vec::new();
        loop {
            match lines.next()? {
                Next::Line { text, number, offset } => all.push((text.to_vec(), number, offset)),
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

    #[test]
    fn says_when_it_would_have_to_wait() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut lines = Lines::new(Source { input: Input::Stdin, file: OwnedFd::from(reader).into(), modified: None });
        assert_eq!(lines.next().unwrap(), Next::Idle);
        writer.write_all(b"one\ntw").unwrap();
        assert!(matches!(lines.next().unwrap(), Next::Line { text: b"one", .. }));
        assert_eq!(lines.next().unwrap(), Next::Idle);
        writer.write_all(b"o\n").unwrap();
        assert!(matches!(lines.next().unwrap(), Next::Line { text: b"two", offset: 4, .. }));
        drop(writer);
        assert_eq!(lines.next().unwrap(), Next::End);
    }
}
