//! The process's own stdin, stdout and stderr, which the protocol owns while a processor runs.
//!
//! The daemon reads a processor's stdout only for replies, and after the last one waits until stdout and stderr are closed
//! by everyone who holds them. So user code gets other ones: what it prints goes through a pipe of our own to the real
//! stderr, and the processes it starts inherit that pipe, never the daemon's.

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
use crate::report::{Report, write_all, write_line};

/// What a write to the pipe of a daemon can bring at once; Linux allows an unprivileged process as much.
const PIPE_SIZE: usize = 1 << 20;

/// Where the real ends are kept: above the three, so that nothing takes them for those.
const LOWEST_FD: i32 = 3;

/// Calls `converse` with the real stdin, the real stdout and the real stderr, while everyone else has other ones.
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

/// SIGTERM and SIGINT often go to a whole process group: the daemon's processors are to live until it ends their input. Caught
/// rather than ignored, as processes that user code starts would inherit that.
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
            report: Report::Direct(Arc::clone(&inner.way)),
            inner,
        })
    }
}

/// The real stdin or stdout. Whoever started the process may have made it non-blocking; that is a property of what both sides
/// share, so it is lived with rather than changed.
#[derive(Clone)]
pub(crate) struct RealEnd(Arc<OwnedFd>);

impl RealEnd {
    /// Waits for as long, or until everyone who could write is gone and has left nothing to read; whether that is so.
    pub(crate) fn ends_within(&self, time: Duration) -> bool {
        let start = Instant::now();
        loop {
            let left = time.saturating_sub(start.elapsed());
            // No event is asked for, so it is the other side's end that is reported.
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
        match patiently(&self.0, PollFlags::IN, || rustix::io::read(&self.0, &mut *to)) {
            // A socket says so when the other side went away without having read everything.
            Err(Errno::CONNRESET) => Ok(0),
            result => Ok(result?),
        }
    }
}

impl Write for RealEnd {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match patiently(&self.0, PollFlags::OUT, || rustix::io::write(&self.0, bytes)) {
            Err(Errno::CONNRESET) => Err(io::ErrorKind::BrokenPipe.into()),
            result => Ok(result?),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Tries again after an interruption, and after waiting where a non-blocking descriptor would have its owner try later.
pub(crate) fn patiently<T>(
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

/// Fewer, larger reads; best effort, as it fails for what is no pipe and for a user who has many.
fn enlarge_pipe(input: &OwnedFd) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = rustix::pipe::fcntl_setpipe_size(input, PIPE_SIZE);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = (input, PIPE_SIZE);
}

thread_local! {
    /// Kept here so that it ends, and what was printed comes out, even if a handler calls [`std::process::exit`]: that runs the
    /// destructors of the thread that calls it, where the platform has it so (as Linux and macOS do).
    static INNER_PIPE: Cell<Option<InnerPipe>> = const { Cell::new(None) };
}

/// The pipe that user code prints to, pumped to the real stderr by a thread.
struct InnerPipe {
    way: Arc<WayOut>,
    active: Arc<AtomicBool>,
    /// Closed to stop the pump.
    stop: Option<OwnedFd>,
    pump: Option<JoinHandle<()>>,
}

impl InnerPipe {
    fn set_up(error: OwnedFd) -> Result<Self, Errno> {
        let (printed, inlet) = pipe()?;
        let (stopped, stop) = pipe()?;
        rustix::io::ioctl_fionbio(&printed, true)?;
        let way = Arc::new(WayOut { printed, error, buffer: Mutex::new(vec![0; 64 << 10]) });
        let pump = thread::Builder::new().name("kcl-stderr".to_owned()).spawn({
            let way = Arc::clone(&way);
            move || pump(&way, &stopped)
        });
        let pump = pump.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::AGAIN))?;
        dup2_stdout(&inlet)?;
        dup2_stderr(&inlet)?;
        let active = Arc::new(AtomicBool::new(true));
        show_panics_directly(Arc::clone(&way), inlet, Arc::clone(&active));
        Ok(Self { way, active, stop: Some(stop), pump: Some(pump) })
    }
}

impl Drop for InnerPipe {
    /// Passes on what was printed so far, without waiting for processes that still hold the pipe, and lets what is printed
    /// from here on go to the real stderr.
    fn drop(&mut self) {
        self.active.store(false, Ordering::SeqCst);
        _ = dup2_stdout(&self.way.error);
        _ = dup2_stderr(&self.way.error);
        self.stop = None;
        if let Some(pump) = self.pump.take() {
            _ = pump.join();
        }
    }
}

/// A panic may be the last that is heard of the process, so its message takes no detour.
fn show_panics_directly(way: Arc<WayOut>, inlet: OwnedFd, active: Arc<AtomicBool>) {
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if active.load(Ordering::SeqCst) {
            way.pass_on();
            _ = dup2_stderr(&way.error);
        }
        previous(info);
        if active.load(Ordering::SeqCst) {
            _ = dup2_stderr(&inlet);
        }
    }));
}

/// From the pipe that user code prints to, to the real stderr.
pub(crate) struct WayOut {
    printed: OwnedFd,
    error: OwnedFd,
    /// Whoever has it is the one who writes to the real stderr.
    buffer: Mutex<Vec<u8>>,
}

impl fmt::Debug for WayOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WayOut").finish_non_exhaustive()
    }
}

impl WayOut {
    /// Writes a line of kcl's own, behind all that was printed before.
    pub(crate) fn line(&self, text: impl Display) {
        let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        self.copy(&mut buffer);
        write_line(&self.error, text);
    }

    /// Passes on what was printed so far.
    fn pass_on(&self) {
        self.copy(&mut self.buffer.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Only what is there now: a process that outlives this one may go on printing for ever. If nobody reads the real stderr it
    /// is read all the same, so that nobody who prints has to wait.
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

/// Both ends are closed in processes that are started.
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

/// Passes on what is printed until `stopped` is closed at its other end.
fn pump(way: &WayOut, stopped: &OwnedFd) {
    loop {
        let mut ready = [PollFd::new(&way.printed, PollFlags::IN), PollFd::new(stopped, PollFlags::IN)];
        match poll(&mut ready, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
        let is_over = !ready[1].revents().is_empty();
        way.pass_on();
        if is_over {
            return;
        }
    }
}
