//! The process's own stdin, stdout and stderr, which the protocol owns while a processor runs.
//!
//! The daemon expects only replies on a processor's stdout. After the last reply, it waits until every process that
//! holds stdout or stderr has closed them. User code therefore gets replacements: its output goes through an inner pipe
//! to the real stderr, and the processes that it starts inherit that pipe, never the daemon's.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::event::PollFlags;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::stdio::{dup2_stdin, stderr, stdin, stdout};

use crate::error::RunError;
use crate::io::fd::retry_until_ready;
use crate::io::inner_pipe::{InnerPipe, failed, pipe};
use crate::io::stderr::Report;

/// The size of the daemon's pipe, which limits how much one write can bring. Linux allows an unprivileged process this
/// much.
pub(crate) const PIPE_SIZE: usize = 1 << 18;

/// The lowest descriptor for the real ends: above the standard three, so that nothing confuses them.
const LOWEST_FD: i32 = 3;

/// Calls `converse` with the real stdin, stdout and stderr, while all other code has replacements. If payloads are not
/// logged, they are left out of the messages of panics, too.
pub(crate) fn with_protocol(
    log_payloads: bool,
    converse: impl FnOnce(RealEnd, RealEnd, &Report) -> Result<(), RunError>,
) -> Result<(), RunError> {
    if io::stdin().is_terminal() {
        return Err(RunError::Terminal);
    }
    let guard = Guard::set_up(log_payloads).map_err(RunError::Stdio)?;
    leave_signals_to_the_daemon(&guard.report);
    let relay = Arc::clone(&guard.inner.relay);
    INNER_PIPE.set(Some(guard.inner));
    let result = converse(guard.input, guard.output, &guard.report);
    drop(INNER_PIPE.take());
    if result.is_err() {
        relay.end_line();
    }
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
    fn set_up(log_payloads: bool) -> io::Result<Self> {
        let input = fcntl_dupfd_cloexec(stdin(), LOWEST_FD).map_err(failed("moving stdin aside"))?;
        let output = fcntl_dupfd_cloexec(stdout(), LOWEST_FD).map_err(failed("moving stdout aside"))?;
        let error = fcntl_dupfd_cloexec(stderr(), LOWEST_FD).map_err(failed("moving stderr aside"))?;
        enlarge_pipe(&input);
        dup2_stdin(empty_input()?).map_err(failed("replacing stdin"))?;
        let inner = InnerPipe::set_up(error, log_payloads)?;
        Ok(Self {
            input: RealEnd(Arc::new(input)),
            output: RealEnd(Arc::new(output)),
            report: Report::Direct(Arc::clone(&inner.relay)),
            inner,
        })
    }
}

/// Input that has ended: a closed pipe where `/dev/null` does not exist.
fn empty_input() -> io::Result<OwnedFd> {
    let null = File::open("/dev/null").map(OwnedFd::from);
    null.or_else(|_| pipe().map(|(end, _)| end)).map_err(failed("opening an empty stdin"))
}

/// The real stdin or stdout. The process that started this one may have made it non-blocking. Both processes share that
/// setting, so it is not changed.
#[derive(Clone, Debug)]
pub(crate) struct RealEnd(Arc<OwnedFd>);

impl AsFd for RealEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(feature = "tokio")]
impl std::os::fd::AsRawFd for RealEnd {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.0.as_raw_fd()
    }
}

#[cfg(feature = "tokio")]
impl RealEnd {
    /// Another descriptor of the same end. A runtime can watch each descriptor for one purpose only.
    pub(crate) fn duplicate(&self) -> io::Result<Self> {
        Ok(Self(Arc::new(fcntl_dupfd_cloexec(&self.0, LOWEST_FD)?)))
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
