//! The two ends of a conversation.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

use crate::io::input::{CAPACITY, Input};
use crate::io::stdio::RealEnd;
use crate::protocol::scanner::Scanner;
use crate::protocol::{Message, MessageError};

/// The two ends of a conversation.
pub trait Io: Send {
    /// The next message, which `scanner` reads from what arrives; `None` at the end of the input.
    ///
    /// # Errors
    ///
    /// If reading fails.
    fn receive(&mut self, scanner: &mut Scanner) -> io::Result<Option<Result<Message, MessageError>>>;

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
    input: Input<R>,
    writer: W,
    /// The reader's descriptor, if its end is noticed during waits.
    real: Option<RealEnd>,
}

impl<R: Read, W: Write> Lines<R, W> {
    pub(crate) fn new(reader: R, writer: W) -> Self {
        Self::with_capacity(CAPACITY, reader, writer)
    }

    /// Lines with a buffer of this capacity at first: a small one suits simulations, which are many.
    pub fn with_capacity(capacity: usize, reader: R, writer: W) -> Self {
        Self { input: Input::with_capacity(capacity, reader), writer, real: None }
    }
}

impl Lines<RealEnd, RealEnd> {
    /// The real stdin and stdout.
    pub(crate) fn real(input: RealEnd, output: RealEnd) -> Self {
        Self { real: Some(input.clone()), ..Self::new(input, output) }
    }
}

impl<R: Read + Send, W: Write + Send> Io for Lines<R, W> {
    fn receive(&mut self, scanner: &mut Scanner) -> io::Result<Option<Result<Message, MessageError>>> {
        self.input.next(scanner)
    }

    fn send(&mut self, line: &[u8]) -> io::Result<()> {
        self.writer.write_all(line)?;
        self.writer.flush()
    }

    fn watched(&self) -> Option<BorrowedFd<'_>> {
        // Messages that were read ahead still need answers.
        self.real.as_ref().filter(|_| !self.input.has_unread()).map(AsFd::as_fd)
    }
}
