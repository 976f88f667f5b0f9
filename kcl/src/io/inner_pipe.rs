//! The pipe that user code prints to while the protocol owns the real stdout and stderr.

use std::fmt::{self, Display};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::io::{Errno, ioctl_fionread};
use rustix::stdio::{dup2_stderr, dup2_stdout};

use crate::io::fd::{write_all, write_line};

/// The pipe that user code prints to. A thread copies its output to the real stderr.
pub(crate) struct InnerPipe {
    pub(crate) relay: Arc<Relay>,
    active: Arc<AtomicBool>,
    /// The end of a pipe that is closed to stop the pump.
    stop: Option<OwnedFd>,
    pump: Option<JoinHandle<()>>,
}

impl InnerPipe {
    /// Replaces stdout and stderr. `error` is the real stderr.
    pub(crate) fn set_up(error: OwnedFd) -> Result<Self, Errno> {
        let (printed, inlet) = pipe()?;
        let (stopped, stop) = pipe()?;
        rustix::io::ioctl_fionbio(&printed, true)?;
        let relay = Arc::new(Relay { printed, error, buffer: Mutex::new(vec![0; 64 << 10]) });
        let pump = thread::Builder::new().name("kcl-stderr".to_owned()).spawn({
            let relay = Arc::clone(&relay);
            move || pump(&relay, &stopped)
        });
        let pump = pump.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::AGAIN))?;
        dup2_stdout(&inlet)?;
        dup2_stderr(&inlet)?;
        let active = Arc::new(AtomicBool::new(true));
        show_panics_directly(Arc::clone(&relay), inlet, Arc::clone(&active));
        Ok(Self { relay, active, stop: Some(stop), pump: Some(pump) })
    }
}

impl Drop for InnerPipe {
    /// Copies the output so far, without waiting for processes that still hold the pipe. Later output goes directly to
    /// the real stderr.
    fn drop(&mut self) {
        self.active.store(false, Ordering::SeqCst);
        _ = dup2_stdout(&self.relay.error);
        _ = dup2_stderr(&self.relay.error);
        self.stop = None;
        if let Some(pump) = self.pump.take() {
            _ = pump.join();
        }
    }
}

/// Makes panic messages go directly to the real stderr, because a panic may be the last output of the process.
fn show_panics_directly(relay: Arc<Relay>, inlet: OwnedFd, active: Arc<AtomicBool>) {
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if active.load(Ordering::SeqCst) {
            relay.pass_on();
            _ = dup2_stderr(&relay.error);
        }
        previous(info);
        if active.load(Ordering::SeqCst) {
            _ = dup2_stderr(&inlet);
        }
    }));
}

/// The way from the pipe that user code prints to, to the real stderr.
pub(crate) struct Relay {
    printed: OwnedFd,
    error: OwnedFd,
    /// The copy buffer. The thread that holds it is the only one that writes to the real stderr.
    buffer: Mutex<Vec<u8>>,
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").finish_non_exhaustive()
    }
}

impl Relay {
    /// Writes one of kcl's own lines, after the output that was printed before.
    pub(crate) fn line(&self, text: impl Display) {
        let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        self.copy(&mut buffer);
        write_line(&self.error, text);
    }

    /// Copies the output so far.
    fn pass_on(&self) {
        self.copy(&mut self.buffer.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Copies only the output that is available now: a process that outlives this one may continue to print forever. If
    /// nobody reads the real stderr, the output is still read, so that no process that prints has to wait.
    fn copy(&self, buffer: &mut [u8]) {
        let mut left = ioctl_fionread(&self.printed).unwrap_or(0);
        while left > 0 {
            let read = rustix::io::read(&self.printed, &mut *buffer).unwrap_or(0);
            if read == 0 {
                return;
            }
            write_all(&self.error, &buffer[..read]);
            left = left.saturating_sub(read as u64);
        }
    }
}

/// Makes a pipe whose ends are closed in processes that are started.
fn pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    #[cfg(not(target_vendor = "apple"))]
    return rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
    #[cfg(target_vendor = "apple")]
    {
        let ends = rustix::pipe::pipe()?;
        rustix::io::fcntl_setfd(&ends.0, rustix::io::FdFlags::CLOEXEC)?;
        rustix::io::fcntl_setfd(&ends.1, rustix::io::FdFlags::CLOEXEC)?;
        Ok(ends)
    }
}

/// Copies output until the other end of `stopped` is closed.
fn pump(relay: &Relay, stopped: &OwnedFd) {
    loop {
        let mut ready = [PollFd::new(&relay.printed, PollFlags::IN), PollFd::new(stopped, PollFlags::IN)];
        match poll(&mut ready, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
        let is_over = !ready[1].revents().is_empty();
        relay.pass_on();
        if is_over {
            return;
        }
    }
}
