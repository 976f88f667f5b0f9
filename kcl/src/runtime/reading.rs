//! A thread that reads the real stdin, where the runtime cannot watch it.

use std::io::{self, Read};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;

use crate::io::fd::write_all;
use crate::io::inner_pipe::pipe;
use crate::io::lent_io::{Lent, ends, serve};
use crate::io::stdio::RealEnd;

/// A thread that reads the input, once for each request. It can be stopped before a read without losing a byte.
pub(super) struct Reading {
    /// Dropped first, because the thread waits for its requests.
    lent: Option<Lent>,
    stop: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

impl Reading {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// If it cannot be started, or a pipe cannot be made.
    pub(super) fn start(input: RealEnd) -> io::Result<Self> {
        let (stopped, stop) = pipe()?;
        let (lent, _, inbox) = ends();
        let reader = Stoppable { input, stopped };
        let thread = thread::Builder::new().name("kcl-input".to_owned());
        let thread = thread.spawn(move || serve(reader, io::sink(), inbox))?;
        Ok(Self { lent: Some(lent), stop, thread: Some(thread) })
    }

    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, to: &mut [u8]) -> Poll<io::Result<usize>> {
        match &mut self.lent {
            Some(lent) => lent.poll_read(cx, to),
            None => Poll::Ready(Ok(0)),
        }
    }
}

impl Read for Reading {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.lent.as_mut().map_or(Ok(0), |lent| lent.read(to))
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        drop(self.lent.take());
        write_all(&self.stop, b"\n");
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

/// The input, until the thread is stopped.
struct Stoppable {
    input: RealEnd,
    stopped: OwnedFd,
}

impl Read for Stoppable {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let mut ready = [PollFd::new(&self.input, PollFlags::IN), PollFd::new(&self.stopped, PollFlags::IN)];
        loop {
            match poll(&mut ready, None) {
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
                Ok(_) if !ready[1].revents().is_empty() => return Ok(0),
                Ok(_) => return self.input.read(to),
            }
        }
    }
}
