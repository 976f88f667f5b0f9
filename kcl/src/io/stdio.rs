//! The process's own stdin, stdout and stderr, which the protocol owns while a processor runs.
//!
//! The daemon expects only replies on a processor's stdout. After the last reply, it waits until every process that
//! holds stdout or stderr has closed them. User code therefore gets replacements: its output goes through an inner pipe
//! to the real stderr, and the processes that it starts inherit that pipe, never the daemon's.

use std::cell::Cell;
use std::fmt::{self, Display};
use std::io::{self, IsTerminal, Read, Write};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::{Errno, fcntl_dupfd_cloexec, ioctl_fionread};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout, stderr, stdin, stdout};

use crate::error::RunError;
use crate::io::stderr::{Report, write_all, write_line};

/// The size of the daemon's pipe, which limits how much one write can bring. Linux allows an unprivileged process this
/// much.
const PIPE_SIZE: usize = 1 << 20;

/// The lowest descriptor for the real ends: above the standard three, so that nothing confuses them.
const LOWEST_FD: i32 = 3;

/// Calls `converse` with the real stdin, stdout and stderr, while all other code has replacements.
pub(crate) fn with_protocol(
    converse: impl FnOnce(RealEnd, RealEnd, &Report) -> Result<(), RunError>,
) -> Result<(), RunError> {
    if io::stdin().is_terminal() {
        return Err(RunError::Terminal);
    }
    let guard = Guard::set_up().map_err(|error| RunError::Stdio(error.into()))?;
    leave_signals_to_the_daemon(&guard.report);
    INNER_PIPE.set(Some(guard.inner));
    let result = converse(guard.input, guard.output, &guard.report);
    drop(INNER_PIPE.take());
    result
}

/// Catches SIGTERM and SIGINT. They often go to a whole process group, but the daemon's processors must live until it
/// ends their input. The signals are caught rather than ignored, because processes that user code starts would inherit
/// the latter.
fn leave_signals_to_the_daemon(report: &Report) {
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        if let Err(error) = signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false))) {
            report.line(format_args!("signal {signal} cannot be caught: {error}"));
        }
    }
}

struct Guard {
    input: RealEnd,
    output: RealEnd,
    report: Report,
    inner: InnerPipe,
}

impl Guard {
    fn set_up() -> Result<Self, Errno> {
        let input = fcntl_dupfd_cloexec(stdin(), LOWEST_FD)?;
        let output = fcntl_dupfd_cloexec(stdout(), LOWEST_FD)?;
        let error = fcntl_dupfd_cloexec(stderr(), LOWEST_FD)?;
        enlarge_pipe(&input);
        dup2_stdin(rustix::fs::open("/dev/null", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty())?)?;
        let inner = InnerPipe::set_up(error)?;
        Ok(Self {
            input: RealEnd(Arc::new(input)),
            output: RealEnd(Arc::new(output)),
            report: Report::Direct(Arc::clone(&inner.relay)),
            inner,
        })
    }
}

/// The real stdin or stdout. The process that started this one may have made it non-blocking. Both processes share that
/// setting, so it is not changed.
#[derive(Clone)]
pub(crate) struct RealEnd(Arc<OwnedFd>);

impl RealEnd {
    /// Waits for `time`, or until every writer is gone and nothing is left to read. Returns whether the latter is the
    /// case.
    pub(crate) fn ends_within(&self, time: Duration) -> bool {
        let start = Instant::now();
        loop {
            let left = time.saturating_sub(start.elapsed());
            // No events are requested, so only the end of the other side is reported.
            let mut end = [PollFd::new(&*self.0, PollFlags::empty())];
            match poll(&mut end, Timespec::try_from(left).ok().as_ref()) {
                Ok(0) => return false,
                Ok(_) if ioctl_fionread(&*self.0) == Ok(0) => return true,
                Err(Errno::INTR) => {}
                _ => {
                    thread::sleep(left);
                    return false;
                }
            }
        }
    }
}

impl Read for RealEnd {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match retry_until_ready(&self.0, PollFlags::IN, || rustix::io::read(&self.0, &mut *to)) {
            // A socket reports this if the other side went away before it had read everything.
            Err(Errno::CONNRESET) => Ok(0),
            result => Ok(result?),
        }
    }
}

impl Write for RealEnd {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match retry_until_ready(&self.0, PollFlags::OUT, || rustix::io::write(&self.0, bytes)) {
            Err(Errno::CONNRESET) => Err(io::ErrorKind::BrokenPipe.into()),
            result => Ok(result?),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Retries after an interruption, and after a wait if a non-blocking descriptor is not ready.
pub(crate) fn retry_until_ready<T>(
    fd: impl AsFd,
    ready: PollFlags,
    mut attempt: impl FnMut() -> Result<T, Errno>,
) -> Result<T, Errno> {
    loop {
        match attempt() {
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => _ = poll(&mut [PollFd::new(&fd, ready)], None),
            result => return result,
        }
    }
}

/// Enlarges the pipe, for fewer and larger reads. This is best effort: it fails if `input` is not a pipe, or if the
/// user has too many pipes.
fn enlarge_pipe(input: &OwnedFd) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = rustix::pipe::fcntl_setpipe_size(input, PIPE_SIZE);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = (input, PIPE_SIZE);
}

thread_local! {
    /// The inner pipe. It is kept here so that it ends, and its output reaches stderr, even if a handler calls
    /// [`std::process::exit`]: on platforms such as Linux and macOS, that runs the destructors of the calling thread.
    static INNER_PIPE: Cell<Option<InnerPipe>> = const { Cell::new(None) };
}

/// The pipe that user code prints to. A thread copies its output to the real stderr.
struct InnerPipe {
    relay: Arc<Relay>,
    active: Arc<AtomicBool>,
    /// The end of a pipe that is closed to stop the pump.
    stop: Option<OwnedFd>,
    pump: Option<JoinHandle<()>>,
}

impl InnerPipe {
    fn set_up(error: OwnedFd) -> Result<Self, Errno> {
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
