//! The two ends of a conversation.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::task::{Context, Poll};

use crate::io::input::{CAPACITY, Input};
use crate::io::pipe_input::PipeInput;
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
    fn receive(&mut self, scanner: &mut Scanner) -> Received;

    /// Sends a line, which includes its line feed.
    ///
    /// # Errors
    ///
    /// If writing fails; [`io::ErrorKind::BrokenPipe`] if nobody reads it.
    fn send(&mut self, line: &[u8]) -> io::Result<()>;

    /// Does the same as [`receive`](Self::receive), but lets the task wait instead of the thread. The future may be dropped between two
    /// polls; no byte is lost.
    ///
    /// # Errors
    ///
    /// If reading fails.
    fn poll_receive(&mut self, cx: &mut Context<'_>, scanner: &mut Scanner) -> Poll<Received> {
        let _ = cx;
        Poll::Ready(self.receive(scanner))
    }

    /// Whether more was read than the messages that were returned.
    fn has_unread(&self) -> bool {
        false
    }

    /// Another watcher of the daemon's end; `None` if it cannot be seen while nothing is received.
    fn watcher(&self) -> Option<Box<dyn Watcher>> {
        None
    }

    /// The input, if a wait must end early once nobody writes to it; see [`Clock::sleep`](crate::clock::Clock::sleep).
    fn watched(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// A message, or an error of the input or of a line; `None` at the end of the input.
pub type Received = io::Result<Option<Result<Message, MessageError>>>;

/// Sees the end of the daemon while a task waits for something else.
pub trait Watcher: Send {
    /// Waits until nobody writes to the input and nothing is left to read there.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Waits until nobody writes to the input, and nobody reads the output: no reply can reach the daemon any more.
    fn poll_both(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// A reader and a writer.
#[derive(Debug)]
pub struct Lines<R, W> {
    pub(crate) input: Input<R>,
    writer: W,
    /// The reader's descriptor, if its end is noticed during waits.
    real: Option<RealEnd>,
}

impl<R, W> Lines<R, W> {
    pub(crate) fn new(reader: R, writer: W) -> Self {
        Self::with_capacity(CAPACITY, reader, writer)
    }

    /// Lines with a buffer of this capacity at first: a small one suits simulations, which are many.
    pub fn with_capacity(capacity: usize, reader: R, writer: W) -> Self {
        Self { input: Input::with_capacity(capacity, reader), writer, real: None }
    }

    /// Notices the end of `input` during waits.
    #[cfg(feature = "tokio")]
    pub(crate) fn watching(self, input: RealEnd) -> Self {
        Self { real: Some(input), ..self }
    }
}

impl Lines<PipeInput, RealEnd> {
    /// The real stdin and stdout.
    pub(crate) fn real(input: RealEnd, output: RealEnd) -> Self {
        Self { real: Some(input.clone()), ..Self::new(PipeInput::new(input), output) }
    }
}

impl<R: Read + Send, W: Write + Send> Io for Lines<R, W> {
    fn receive(&mut self, scanner: &mut Scanner) -> Received {
        self.input.next(scanner)
    }

    fn send(&mut self, line: &[u8]) -> io::Result<()> {
        self.writer.write_all(line)?;
        self.writer.flush()
    }

    fn has_unread(&self) -> bool {
        self.input.has_unread()
    }

    fn watched(&self) -> Option<BorrowedFd<'_>> {
        // Messages that were read ahead still need answers.
        self.real.as_ref().filter(|_| !self.input.has_unread()).map(AsFd::as_fd)
    }
}
