//! Running the daemon: starting it, reading its output, and stopping it. The first request stops it gracefully, the second kills
//! it. No process is left over.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};

use super::log::Log;
use crate::backoff::Backoff;
use crate::emulate::Emulators;
use crate::exit::INTERRUPTED;
use crate::metrics::{DaemonEvent, Metrics};
use crate::process::exec::Death;
use crate::process::spawn::{bound, code};
use crate::report;
use crate::signals::{Request, Signals};

/// The exit code that the daemon itself uses when a processor fails.
const GAVE_UP: u8 = 1;
/// The interval at which the daemon and the emulators are checked for their end.
const TICK: Duration = Duration::from_millis(100);
/// The time that processors may take to end after the daemon, which ends their input.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The wait before the daemon is restarted.
const BACKOFF: Backoff = Backoff { first: Duration::from_secs(1), most: Duration::from_secs(60) };
/// A daemon that ran for this long did not fail at its start: the restarts are counted anew.
const STEADY: Duration = Duration::from_secs(600);
/// The exit code of a daemon that SIGTERM ended.
const TERMINATED: u8 = 143;

/// Runs the daemon, restarts it up to this many times in a row if it ends by itself, and returns the tool's exit code. Call it on a
/// thread that lives as long as the tool, because the daemon is asked to stop when that thread ends.
pub(crate) fn supervise(
    command: &[OsString],
    mut log: Log,
    mut emulators: Option<Emulators>,
    mut signals: Signals,
    restarts: u32,
    metrics: &Metrics,
) -> io::Result<u8> {
    let mut done = 0;
    loop {
        let started = Instant::now();
        let Run { status, lost_emulator } = run(command, &mut log, &mut emulators, &mut signals, metrics)?;
        log.finish(status);
        let code = u8::try_from(code(status)).unwrap_or(GAVE_UP);
        metrics.daemon(DaemonEvent::Ended(code));
        let code = match code {
            _ if signals.interrupted() => INTERRUPTED,
            // The daemon was asked to stop for this, and does not see it as a failure.
            _ if lost_emulator => GAVE_UP,
            // The daemon also exits with 0 if it cannot initialize. It never ends by itself unless something is wrong.
            0 if !signals.stops() => GAVE_UP,
            code => code,
        };
        if started.elapsed() >= STEADY {
            done = 0;
        }
        if signals.stops() || restarts == 0 {
            return Ok(code);
        }
        if done == restarts {
            report::error(format_args!("the daemon was restarted {}; giving up", times(done)));
            return Ok(code);
        }
        done += 1;
        let pause = BACKOFF.longest(done);
        report::warning(format_args!(
            "restarting the daemon in {} (restart {done} of {restarts})",
            report::duration(pause)
        ));
        if !wait_for(pause, &mut signals)? {
            return Ok(if signals.interrupted() { INTERRUPTED } else { TERMINATED });
        }
        log.restarted();
    }
}

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times in a row") }
}

/// Waits for some time. Returns false if a signal comes first.
fn wait_for(pause: Duration, signals: &mut Signals) -> io::Result<bool> {
    let end = Instant::now() + pause;
    while signals.take()?.is_none() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(true);
        }
        let mut fds = signals.fds().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        let limit = Timespec { tv_sec: 0, tv_nsec: left.min(TICK).subsec_nanos().into() };
        match poll(&mut fds, Some(&limit)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
}

/// How the daemon ended.
struct Run {
    status: ExitStatus,
    /// Whether it was stopped because an emulator had ended.
    lost_emulator: bool,
}

/// Runs the daemon to its end.
fn run(
    command: &[OsString],
    log: &mut Log,
    emulators: &mut Option<Emulators>,
    signals: &mut Signals,
    metrics: &Metrics,
) -> io::Result<Run> {
    let mut bound = bound(command, Death::Terminate)?;
    bound.envs(metrics.variables()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = bound.spawn()?;
    metrics.daemon(DaemonEvent::Started(child.id()));
    let missing = || io::Error::other("the pipes from the daemon are missing");
    let mut output = Pipe::new(child.stdout.take().ok_or_else(missing)?)?;
    let mut error = Pipe::new(child.stderr.take().ok_or_else(missing)?)?;
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or_else(missing)?;

    let mut lost_emulator = false;
    let status = loop {
        wait(&output, &error, signals)?;
        listen(&mut output, &mut error, log)?;
        if let Some(request) = signals.take()? {
            log.stopping();
            match request {
                Request::Stop => {
                    report::line("stopping the daemon: processors may checkpoint now; a second request kills them");
                    _ = kill_process(group, Signal::TERM);
                }
                Request::Kill => _ = kill_process_group(group, Signal::KILL),
            }
        }
        // After the daemon's end, its remaining output is read.
        if let Some(status) = child.try_wait()? {
            listen(&mut output, &mut error, log)?;
            break status;
        }
        if let Some(Err(error)) = emulators.as_mut().map(Emulators::check)
            && !signals.stops()
        {
            report::error(format_args!("{error}; the daemon cannot continue"));
            lost_emulator = true;
            signals.stop();
            _ = kill_process(group, Signal::TERM);
        }
    };
    end_processors(group);
    Ok(Run { status, lost_emulator })
}

/// Waits for the processors, which are in the daemon's process group, and kills those that do not end. Their input ended with the
/// daemon.
fn end_processors(group: Pid) {
    let deadline = Instant::now() + LAST_WORDS;
    while test_kill_process_group(group).is_ok() {
        if Instant::now() >= deadline {
            report::warning("a processor is still running although its input has ended; killing it");
            _ = kill_process_group(group, Signal::KILL);
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn wait(output: &Pipe, error: &Pipe, signals: &Signals) -> io::Result<()> {
    let open = [output, error].into_iter().filter(|pipe| pipe.open).map(|pipe| pipe.from.as_fd());
    let fds = signals.fds().into_iter().chain(open);
    let mut fds: Vec<_> = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
    let tick = Timespec { tv_sec: 0, tv_nsec: TICK.subsec_nanos().into() };
    match poll(&mut fds, Some(&tick)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Reads the available output. A processor's line comes twice, first in the log and then on stderr. Reading stderr before the log
/// ensures that every line read from stderr has been read from the log, too.
fn listen(output: &mut Pipe, error: &mut Pipe, log: &mut Log) -> io::Result<()> {
    error.read()?;
    output.read()?;
    output.lines(|line| log.output(line));
    error.lines(|line| log.error(line));
    Ok(())
}

/// A pipe that is read without waiting.
struct Pipe {
    from: File,
    held: Vec<u8>,
    open: bool,
}

impl Pipe {
    fn new(from: impl Into<OwnedFd>) -> io::Result<Self> {
        let from = from.into();
        let flags = rustix::fs::fcntl_getfl(&from)?;
        rustix::fs::fcntl_setfl(&from, flags | rustix::fs::OFlags::NONBLOCK)?;
        Ok(Self { from: from.into(), held: Vec::new(), open: true })
    }

    fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 << 10];
        while self.open {
            match self.from.read(&mut buffer) {
                Ok(0) => self.open = false,
                Ok(read) => self.held.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Passes on the complete lines, and at the end of the pipe the rest.
    fn lines(&mut self, mut line: impl FnMut(&str)) {
        let complete = match memchr::memrchr(b'\n', &self.held) {
            _ if !self.open => self.held.len(),
            Some(last) => last + 1,
            None => return,
        };
        for text in self.held[..complete].split_inclusive(|&byte| byte == b'\n') {
            line(String::from_utf8_lossy(text).trim_end_matches(['\n', '\r']));
        }
        self.held.drain(..complete);
    }
}
