//! The two ends of a conversation in which a task waits for messages.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::task::{Context, Poll, ready};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::io::lent_io::Lent;
use crate::io::lines::{Io, Lines, Received, Watcher};
use crate::io::stdio::RealEnd;
use crate::protocol::scanner::Scanner;
use crate::runtime::poll_unconstrained;
use crate::runtime::reading::Reading;
use crate::runtime::watcher::EndWatcher;

/// A reader that lets the thread or the task wait.
pub(super) trait PollRead: Read + Send {
    /// Reads while the task waits. Between two polls, no byte is lost.
    fn poll_read(&mut self, cx: &mut Context<'_>, to: &mut [u8]) -> Poll<io::Result<usize>>;
}

impl PollRead for Lent {
    fn poll_read(&mut self, cx: &mut Context<'_>, to: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_read(cx, to)
    }
}

/// A reader and a writer. A task waits for the reader, and the thread for the writer, because the daemon reads every reply at once.
pub(super) struct Ends<R, W> {
    lines: Lines<R, W>,
    /// The real stdin and stdout, if their other ends are watched.
    real: Option<(RealEnd, RealEnd)>,
}

impl<R: PollRead, W: Write + Send> Ends<R, W> {
    pub(super) fn new(reader: R, writer: W) -> Self {
        Self { lines: Lines::new(reader, writer), real: None }
    }
}

impl Ends<Source, RealEnd> {
    /// The real stdin and stdout. The call must be within the runtime.
    ///
    /// # Errors
    ///
    /// If a thread is needed that cannot be started.
    pub(super) fn real(input: RealEnd, output: RealEnd) -> io::Result<Self> {
        let real = Some((input.clone(), output.clone()));
        Ok(Self { lines: Lines::new(Source::of(input.clone())?, output).watching(input), real })
    }
}

impl<R: PollRead, W: Write + Send> Io for Ends<R, W> {
    fn receive(&mut self, scanner: &mut Scanner) -> Received {
        self.lines.receive(scanner)
    }

    fn send(&mut self, line: &[u8]) -> io::Result<()> {
        self.lines.send(line)
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>, scanner: &mut Scanner) -> Poll<Received> {
        self.lines.input.poll_next(scanner, |reader, to| reader.poll_read(cx, to))
    }

    fn has_unread(&self) -> bool {
        self.lines.has_unread()
    }

    fn watcher(&self) -> Option<Box<dyn Watcher>> {
        let (input, output) = self.real.as_ref()?;
        Some(Box::new(EndWatcher::new(input, output)))
    }

    fn watched(&self) -> Option<BorrowedFd<'_>> {
        self.lines.watched()
    }
}

/// The real stdin.
pub(super) enum Source {
    /// The runtime reports when the descriptor can be read.
    Watched(AsyncFd<RealEnd>),
    /// A thread reads it, because the system cannot report that: it is a file, for example.
    Read(Reading),
}

impl Source {
    fn of(input: RealEnd) -> io::Result<Self> {
        match register(input.clone(), Interest::READABLE) {
            Ok(input) => Ok(Self::Watched(input)),
            Err(_) => Reading::start(input).map(Self::Read),
        }
    }
}

impl Read for Source {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Watched(input) => input.get_mut().read(to),
            Self::Read(reading) => reading.read(to),
        }
    }
}

impl PollRead for Source {
    fn poll_read(&mut self, cx: &mut Context<'_>, to: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Watched(input) => poll_read(input, cx, to),
            Self::Read(reading) => reading.poll_read(cx, to),
        }
    }
}

/// Reads a descriptor that may be in blocking mode. Other processes share the descriptor, so its mode is not changed. Instead, it is
/// read only when a read cannot wait.
fn poll_read(input: &AsyncFd<RealEnd>, cx: &mut Context<'_>, to: &mut [u8]) -> Poll<io::Result<usize>> {
    loop {
        let mut ready = ready!(poll_unconstrained(cx, |cx| input.poll_read_ready(cx)))?;
        if !returned(input.get_ref(), PollFlags::IN).is_empty() {
            match rustix::io::read(input.get_ref(), &mut *to) {
                Ok(read) => {
                    // A read that returns less than it was asked for has taken every byte.
                    if 0 < read && read < to.len() {
                        ready.clear_ready();
                    }
                    return Poll::Ready(Ok(read));
                }
                // A socket reports this if the other side went away before it had read everything.
                Err(Errno::CONNRESET) => return Poll::Ready(Ok(0)),
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
        ready.clear_ready();
    }
}

/// Registers a descriptor at the runtime.
///
/// # Errors
///
/// If the system cannot report when the descriptor is ready: it is a file, for example.
pub(super) fn register(end: RealEnd, interest: Interest) -> io::Result<AsyncFd<RealEnd>> {
    #[allow(
        deprecated,
        reason = "its successor is `unsafe`, and a `RealEnd` keeps its one descriptor open, as that requires"
    )]
    AsyncFd::with_interest(end, interest)
}

/// The present report of `poll` on a descriptor: some of these flags, or an error, or the end of the other side.
pub(super) fn returned(fd: impl AsFd, flags: PollFlags) -> PollFlags {
    let mut polled = [PollFd::new(&fd, flags)];
    match poll(&mut polled, Some(&Timespec::default())) {
        Ok(_) => polled[0].revents(),
        Err(_) => PollFlags::empty(),
    }
}
