//! The pipe that user code prints to while the protocol owns the real stdout and stderr.

use std::fmt;
use std::panic::{self, PanicHookInfo};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{io, mem, process};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::io::{Errno, ioctl_fionread};
use rustix::stdio::{dup2_stderr, dup2_stdout};

use crate::io::fd::write_all;
use crate::panics::message;
use crate::redact::quotations;

/// The time between two copies if the pump cannot wait for output.
const PAUSE: Duration = Duration::from_millis(10);

/// The pipe that user code prints to. A thread copies its output to the real stderr.
pub(crate) struct InnerPipe {
    pub(crate) relay: Arc<Relay>,
    active: Arc<AtomicBool>,
    /// The end of a pipe that wakes the pump, so that it sees that the pipe is no longer active. Closing it would not
    /// do: a process that user code forked has a copy.
    wake: OwnedFd,
    pump: Option<JoinHandle<()>>,
    /// The process that set up the pipe. In a fork of it, the pump does not exist, and stderr is not ours.
    process: u32,
}

impl InnerPipe {
    /// Replaces stdout and stderr. `error` is the real stderr. If payloads are not logged, they are left out of the messages of
    /// panics.
    pub(crate) fn set_up(error: OwnedFd, log_payloads: bool) -> io::Result<Self> {
        let (printed, inlet) = pipe().map_err(failed("creating a pipe"))?;
        let (woken, wake) = pipe().map_err(failed("creating a pipe"))?;
        rustix::io::ioctl_fionbio(&printed, true).map_err(failed("preparing a pipe"))?;
        let relay = Arc::new(Relay { printed, error, copied: Mutex::default() });
        let active = Arc::new(AtomicBool::new(true));
        let pump = thread::Builder::new().name("kcl-stderr".to_owned()).spawn({
            let (relay, active) = (Arc::clone(&relay), Arc::clone(&active));
            move || pump(&relay, &woken, &active)
        });
        let pump = pump.map_err(failed("starting the thread that copies printed text to stderr"))?;
        let inner = Self { relay, active, wake, pump: Some(pump), process: process::id() };
        dup2_stdout(&inlet).map_err(failed("replacing stdout"))?;
        dup2_stderr(&inlet).map_err(failed("replacing stderr"))?;
        inner.show_panics_directly(inlet, log_payloads);
        Ok(inner)
    }

    /// Makes panic messages go directly to the real stderr, because a panic may be the last output of the process.
    fn show_panics_directly(&self, inlet: OwnedFd, log_payloads: bool) {
        let (relay, active, process) = (Arc::clone(&self.relay), Arc::clone(&self.active), self.process);
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let is_active = || active.load(Ordering::SeqCst) && process::id() == process;
            if is_active() {
                relay.pass_on();
                _ = dup2_stderr(&relay.error);
            }
            match redacted(info).filter(|_| !log_payloads) {
                // The previous hook would print the message whole.
                Some(text) => write_all(&relay.error, text.as_bytes()),
                None => previous(info),
            }
            if is_active() {
                _ = dup2_stderr(&inlet);
                // Messages of panics are whole lines.
                relay.lock().is_within_line = false;
            }
        }));
    }
}

/// The message of a panic without the payloads that serde quotes in it; `None` if it has none. The wording is that of Rust's
/// own hook.
fn redacted(info: &PanicHookInfo<'_>) -> Option<String> {
    let message = message(info.payload())?;
    let redacted = quotations(message);
    let thread = thread::current();
    let (name, place) = (thread.name().unwrap_or("<unnamed>"), info.location()?);
    (redacted != message).then(|| format!("\nthread '{name}' panicked at {place}:\n{redacted}\n"))
}

/// Names the step that failed.
pub(crate) fn failed<E: Into<io::Error>>(step: &'static str) -> impl FnOnce(E) -> io::Error {
    move |error| {
        let error = error.into();
        io::Error::new(error.kind(), format!("{step} failed: {error}"))
    }
}

impl Drop for InnerPipe {
    /// Copies the output so far, without waiting for processes that still hold the pipe. Later output goes directly to
    /// the real stderr.
    fn drop(&mut self) {
        if process::id() != self.process {
            mem::forget(self.pump.take());
            return;
        }
        self.active.store(false, Ordering::SeqCst);
        _ = dup2_stdout(&self.relay.error);
        _ = dup2_stderr(&self.relay.error);
        write_all(&self.wake, b"\n");
        if let Some(pump) = self.pump.take() {
            _ = pump.join();
        }
    }
}

/// The way from the pipe that user code prints to, to the real stderr.
pub(crate) struct Relay {
    printed: OwnedFd,
    error: OwnedFd,
    /// The thread that holds it is the only one that writes to the real stderr. It runs no user code meanwhile: user code that panics, or
    /// that fills the pipe, would wait for this lock.
    copied: Mutex<Copied>,
}

/// The output that was copied last.
struct Copied {
    buffer: Box<[u8]>,
    /// Whether the line that it ends in may go on.
    is_within_line: bool,
}

impl Default for Copied {
    fn default() -> Self {
        Self { buffer: vec![0; 64 << 10].into(), is_within_line: false }
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").finish_non_exhaustive()
    }
}

impl Relay {
    /// Writes a line of kcl's own, after the output that was printed before.
    pub(crate) fn line(&self, line: &str) {
        let mut copied = self.lock();
        self.copy(&mut copied);
        self.end_line_of(&mut copied);
        write_all(&self.error, format!("{line}\n").as_bytes());
    }

    /// Ends a line that user code has begun, so that the next one is not a part of it.
    pub(crate) fn end_line(&self) {
        self.end_line_of(&mut self.lock());
    }

    fn end_line_of(&self, copied: &mut Copied) {
        if mem::take(&mut copied.is_within_line) {
            write_all(&self.error, b"\n");
        }
    }

    /// Copies the output so far.
    fn pass_on(&self) {
        self.copy(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, Copied> {
        self.copied.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Copies only the output that is available now: a process that outlives this one may continue to print forever. If
    /// nobody reads the real stderr, the output is still read, so that no process that prints has to wait.
    fn copy(&self, Copied { buffer, is_within_line }: &mut Copied) {
        let mut left = ioctl_fionread(&self.printed).unwrap_or(0);
        while left > 0 {
            let read = rustix::io::read(&self.printed, &mut **buffer).unwrap_or(0);
            let text = &buffer[..read];
            let Some(last) = text.last() else { return };
            *is_within_line = *last != b'\n';
            write_all(&self.error, text);
            left = left.saturating_sub(read as u64);
        }
    }
}

/// Makes a pipe whose ends are closed in processes that are started.
pub(crate) fn pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
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

/// Copies output until the pipe is no longer active. `woken` becomes readable then.
fn pump(relay: &Relay, woken: &OwnedFd, active: &AtomicBool) {
    loop {
        let mut ready = [PollFd::new(&relay.printed, PollFlags::IN), PollFd::new(woken, PollFlags::IN)];
        match poll(&mut ready, None) {
            Ok(_) | Err(Errno::INTR) => {}
            // A lack of memory, or a limit: without a pump, whoever prints would wait forever.
            Err(_) => thread::sleep(PAUSE),
        }
        let is_over = !active.load(Ordering::SeqCst);
        relay.pass_on();
        if is_over {
            return;
        }
    }
}
