//! The signals that ask the tool to end.

use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;
use signal_hook::low_level::pipe;

#[cfg(feature = "aws")]
use crate::exit::INTERRUPTED;
use crate::threads;

/// How long after the first signal other signals belong to the same request.
///
/// One request often arrives as several signals. `timeout` signals its command and then the process group, systemd sends SIGHUP after
/// SIGTERM, and a wrapper passes on the Ctrl-C that the terminal has sent to both. On a busy machine such signals arrive apart from each
/// other. Their senders cannot tell them from two requests, because a shell that runs `kill` twice is a single sender, too. A person who
/// answers to what the tool prints after the first signal takes longer than this.
const SAME: Duration = Duration::from_millis(500);

/// Whether no [`Signals`] were caught so far.
static IS_EARLY: OnceLock<Arc<AtomicBool>> = OnceLock::new();

fn is_early() -> &'static Arc<AtomicBool> {
    IS_EARLY.get_or_init(|| Arc::new(AtomicBool::new(true)))
}

/// Makes SIGINT and SIGTERM end the tool at once, with the exit code of an interruption, until [`Signals`] are caught.
#[cfg(feature = "aws")]
pub(crate) fn end_until_caught() -> io::Result<()> {
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, INTERRUPTED.into(), Arc::clone(is_early()))?;
    }
    Ok(())
}

/// The request that a signal makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// The first signal, with those that belong to it, asks for an orderly end.
    Stop,
    /// Every later signal asks for an end at once.
    Kill,
}

/// The effect of closing the terminal, which SIGHUP reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hangup {
    /// The tool is killed, as programs are by default.
    Kills,
    /// It is a request, as SIGTERM is.
    Asks,
}

/// SIGINT, SIGTERM and SIGHUP, caught until the tool ends.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: UnixStream,
    terminate: UnixStream,
    stops: bool,
    interrupted: bool,
    /// When the first signal was seen.
    first: Option<Instant>,
}

impl Signals {
    /// Catches the signals from now on.
    pub(crate) fn catch(hangup: Hangup) -> io::Result<Self> {
        let (interrupt, on_interrupt) = UnixStream::pair()?;
        let (terminate, on_terminate) = UnixStream::pair()?;
        pipe::register(SIGINT, on_interrupt)?;
        if hangup == Hangup::Asks {
            pipe::register(SIGHUP, on_terminate.try_clone()?)?;
        }
        pipe::register(SIGTERM, on_terminate)?;
        is_early().store(false, Ordering::SeqCst);
        interrupt.set_nonblocking(true)?;
        terminate.set_nonblocking(true)?;
        Ok(Self { interrupt, terminate, stops: false, interrupted: false, first: None })
    }

    /// Catches SIGINT and SIGTERM, and passes the requests to a function, on a thread of its own, until it returns false.
    pub(crate) fn forward(mut to: impl FnMut(Request) -> bool + Send + 'static) -> io::Result<()> {
        let mut signals = Self::catch(Hangup::Kills)?;
        let forward = move || {
            while let Ok(request) = signals.wait() {
                if !to(request) {
                    return;
                }
            }
        };
        threads::spawn(forward).map(|_| ())
    }

    /// Waits for the next request.
    pub(crate) fn wait(&mut self) -> io::Result<Request> {
        loop {
            if let Some(request) = self.take()? {
                return Ok(request);
            }
            match poll(&mut self.fds().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)), None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The descriptors that can be read once a signal has arrived.
    pub(crate) fn fds(&self) -> [BorrowedFd<'_>; 2] {
        [self.interrupt.as_fd(), self.terminate.as_fd()]
    }

    /// The request of the signals that have arrived since the last call.
    pub(crate) fn take(&mut self) -> io::Result<Option<Request>> {
        let interrupts = drain(&self.interrupt)?;
        self.interrupted |= interrupts > 0;
        let arrived = interrupts + drain(&self.terminate)?;
        Ok(if arrived > 0 { self.request_at(Instant::now()) } else { None })
    }

    /// The request of signals that are seen at this time.
    fn request_at(&mut self, now: Instant) -> Option<Request> {
        if !std::mem::replace(&mut self.stops, true) {
            self.first = Some(now);
            return Some(Request::Stop);
        }
        let is_same = self.first.is_some_and(|first| now.duration_since(first) < SAME);
        (!is_same).then_some(Request::Kill)
    }

    /// Whether a request to stop was made.
    pub(crate) fn stops(&self) -> bool {
        self.stops
    }

    /// Makes a request to stop without a signal, so that the next signal kills.
    pub(crate) fn stop(&mut self) {
        self.stops = true;
    }

    /// Whether one of the signals was SIGINT, as from Ctrl-C.
    pub(crate) fn interrupted(&self) -> bool {
        self.interrupted
    }
}

/// Reads how many signals were written.
fn drain(mut from: &UnixStream) -> io::Result<usize> {
    let mut arrived = 0;
    let mut bytes = [0; 16];
    loop {
        match from.read(&mut bytes) {
            Ok(0) => return Ok(arrived),
            Ok(read) => arrived += read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(arrived),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Makes a write beyond the file size limit an error, as on a full disk, instead of killing the tool.
pub(crate) fn survive_file_size_limit() -> io::Result<()> {
    flag::register(SIGXFSZ, Arc::default()).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Signal, getpid, kill_process};

    /// The tests of this process share its signals, so this is the only test that sends any.
    #[test]
    fn the_first_signal_stops_and_later_ones_kill() {
        let mut signals = Signals::catch(Hangup::Asks).unwrap();
        let mut other = Signals::catch(Hangup::Asks).unwrap();
        assert_eq!(signals.take().unwrap(), None);
        kill_process(getpid(), Signal::TERM).unwrap();
        assert_eq!(signals.wait().unwrap(), Request::Stop);
        assert!(signals.stops() && !signals.interrupted());
        assert_eq!(signals.take().unwrap(), None);
        for signal in [Signal::HUP, Signal::INT] {
            signals.first = None;
            kill_process(getpid(), signal).unwrap();
            assert_eq!(signals.wait().unwrap(), Request::Kill);
        }
        assert!(signals.interrupted());
        assert_eq!(other.wait().unwrap(), Request::Stop, "several signals that are seen at once");
        // The last one may have reached the first of both only.
        while !other.interrupted() {
            _ = other.take().unwrap();
        }

        let mut stopping = Signals::catch(Hangup::Kills).unwrap();
        stopping.stop();
        kill_process(getpid(), Signal::INT).unwrap();
        assert_eq!(stopping.wait().unwrap(), Request::Kill);
    }

    #[test]
    fn signals_that_follow_at_once_belong_to_the_first() {
        let mut signals = Signals::catch(Hangup::Kills).unwrap();
        let start = Instant::now();
        let mut request_after = |millis| signals.request_at(start + Duration::from_millis(millis));
        assert_eq!(request_after(0), Some(Request::Stop));
        assert_eq!([1, 499].map(&mut request_after), [None, None]);
        assert_eq!([500, 501].map(&mut request_after), [Some(Request::Kill); 2]);
    }
}
