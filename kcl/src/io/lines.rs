//! The two ends of a conversation, as lines.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

use crate::io::line_reader::{CAPACITY, LineReader};
use crate::io::stdio::RealEnd;

/// The two ends of a conversation.
pub trait Io: Send {
    /// The next line without its line feed; `None` at the end of the input.
    ///
    /// # Errors
    ///
    /// If reading fails.
    fn receive(&mut self) -> io::Result<Option<&[u8]>>;

    /// Sends a line, which includes its line feed.
    ///
    /// # Errors
    ///
    /// If writing fails; [`io::ErrorKind::BrokenPipe`] if nobody reads it.
    fn send(&mut self, line: &[u8]) -> io::Result<()>;

    /// The input, if a wait must end early once nobody writes to it; see [`Clock::sleep`](crate::clock::Clock::sleep).
    fn watched(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// A reader and a writer.
#[derive(Debug)]
pub struct Lines<R, W> {
    lines: LineReader<R>,
    writer: W,
    /// The reader's descriptor, if its end is noticed during waits.
    input: Option<RealEnd>,
}

impl<R: Read, W: Write> Lines<R, W> {
    pub(crate) fn new(reader: R, writer: W) -> Self {
        Self::with_capacity(CAPACITY, reader, writer)
    }

    /// Lines with a buffer of this capacity at first: a small one suits simulations, which are many.
    pub fn with_capacity(capacity: usize, reader: R, writer: W) -> Self {
        Self { lines: LineReader::with_capacity(capacity, reader), writer, input: None }
    }
}

impl Lines<RealEnd, RealEnd> {
    /// The real stdin and stdout.
    pub(crate) fn real(input: RealEnd, output: RealEnd) -> Self {
        Self { input: Some(input.clone()), ..Self::new(input, output) }
    }
}

impl<R: Read + Send, W: Write + Send> Io for Lines<R, W> {
    fn receive(&mut self) -> io::Result<Option<&[u8]>> {
        self.lines.next_line()
    }

    fn send(&mut self, line: &[u8]) -> io::Result<()> {
        self.writer.write_all(line)?;
        self.writer.flush()
    }

    fn watched(&self) -> Option<BorrowedFd<'_>> {
        // Messages that were read ahead still need answers.
        self.input.as_ref().filter(|_| !self.lines.has_unread()).map(AsFd::as_fd)
    }
}
