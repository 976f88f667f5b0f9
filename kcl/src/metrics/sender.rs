//! Sends snapshots to the outputs of the settings.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;
use std::{io, process};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::clock::{Clock, unix_millis};
use crate::io::stderr::Report;
use crate::metrics::settings::{Output, Settings};
use crate::metrics::snapshot::Snapshot;
use crate::metrics::{emf, line};

/// How long the last snapshot waits for a listener whose queue is full.
const LAST_WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// The longest time between two datagrams to a socket. Its listener shows the present state, which lines do not.
const SOCKET_PERIOD: Duration = Duration::from_secs(1);

/// Sends a snapshot once a period: to sockets more often than as lines.
pub(super) struct Sender {
    settings: Settings,
    report: Report,
    /// For each output that is a socket, the socket that its datagrams are sent from, once it is needed.
    sockets: Vec<Option<UnixDatagram>>,
    /// The snapshot of the last lines, where their next period starts.
    before: Snapshot,
    lines: Timer,
    datagrams: Timer,
}

/// Says when snapshots are due.
struct Timer {
    period: Duration,
    /// Whether any output needs them.
    is_needed: bool,
    /// When the next one is due; `None` before the first message and after the last snapshot.
    due: Option<Duration>,
}

impl Timer {
    fn new(period: Duration, is_needed: bool) -> Self {
        Self { period, is_needed, due: None }
    }

    /// Starts with a first period that is shorter by a random part, so that shards that started together do not send together.
    fn begin(&mut self, clock: &dyn Clock) {
        let half = self.period / 2;
        self.due = self.is_needed.then(|| clock.now() + half + clock.jitter(half));
    }

    fn is_due(&self, now: Duration) -> bool {
        self.due.is_some_and(|due| now >= due)
    }

    /// Waits for the next period. One that was missed is not made up for.
    fn advance(&mut self, now: Duration) {
        self.due = self.due.map(|due| {
            let missed = now.saturating_sub(due).as_nanos() / self.period.as_nanos().max(1);
            due + self.period.saturating_mul(u32::try_from(missed).unwrap_or(u32::MAX).saturating_add(1))
        });
    }

    fn until_due(&self, now: Duration) -> Duration {
        self.due.map_or(Duration::MAX, |due| due.saturating_sub(now))
    }
}

impl Sender {
    pub(super) fn new(settings: Settings, report: Report) -> Self {
        let sockets = settings.outputs.iter().map(|_| None).collect();
        let is_socket = |output: &Output| matches!(output, Output::Unix(_));
        let has_sockets = settings.outputs.iter().any(is_socket);
        let has_lines = !settings.outputs.iter().all(is_socket);
        Self {
            lines: Timer::new(settings.period, has_lines),
            datagrams: Timer::new(settings.period.min(SOCKET_PERIOD), has_sockets),
            settings,
            report,
            sockets,
            before: Snapshot::default(),
        }
    }

    pub(super) fn begin(&mut self, clock: &dyn Clock) {
        self.lines.begin(clock);
        self.datagrams.begin(clock);
    }

    pub(super) fn has_begun(&self) -> bool {
        self.lines.due.is_some() || self.datagrams.due.is_some()
    }

    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.lines.is_due(now) || self.datagrams.is_due(now)
    }

    pub(super) fn until_due(&self, now: Duration) -> Duration {
        self.lines.until_due(now).min(self.datagrams.until_due(now))
    }

    /// Announces this processor to the listeners at sockets, so that they know before its first record that it sends snapshots.
    pub(super) fn announce(&mut self, snapshot: &Snapshot) {
        let snapshot = self.complete(snapshot.clone());
        self.send_datagrams(&snapshot);
    }

    fn complete(&self, snapshot: Snapshot) -> Snapshot {
        let Settings { application, stream, .. } = &self.settings;
        Snapshot {
            application: application.clone(),
            stream: stream.clone(),
            pid: process::id(),
            time: unix_millis(),
            period_ms: self.datagrams.period.as_millis().try_into().unwrap_or(u64::MAX),
            ..snapshot
        }
    }

    /// Sends a snapshot to the outputs for which it is due.
    pub(super) fn send(&mut self, snapshot: Snapshot, now: Duration) {
        let snapshot = self.complete(snapshot);
        if self.datagrams.is_due(now) {
            self.send_datagrams(&snapshot);
            self.datagrams.advance(now);
        }
        if self.lines.is_due(now) {
            self.write_lines(snapshot);
            self.lines.advance(now);
        }
    }

    /// Sends the last snapshot, to every output.
    pub(super) fn end(&mut self, snapshot: Snapshot) {
        let snapshot = self.complete(snapshot);
        self.send_datagrams(&snapshot);
        self.write_lines(snapshot);
        (self.lines.due, self.datagrams.due) = (None, None);
    }

    /// Waits for a listener only with the last snapshot, and only for a moment.
    fn send_datagrams(&mut self, snapshot: &Snapshot) {
        for (output, socket) in self.settings.outputs.iter().zip(&mut self.sockets) {
            if let Output::Unix(path) = output {
                send_to(socket, path, snapshot);
            }
        }
    }

    /// Writes the period up to this snapshot. The thread waits for stderr, as for every line there.
    fn write_lines(&mut self, snapshot: Snapshot) {
        for output in &self.settings.outputs {
            match output {
                Output::Json => self.report.raw(&line::json(&snapshot, &self.before)),
                Output::Emf(namespace) => self.report.raw(&emf::json(namespace, &snapshot, &self.before)),
                Output::Unix(_) => {}
            }
        }
        self.before = snapshot;
    }
}

/// Sends a datagram. It may be lost if nobody listens, or if the listener is too slow: the next snapshot contains everything that this
/// one does. No snapshot follows the last one, so the last one may wait for a moment.
fn send_to(socket: &mut Option<UnixDatagram>, path: &Path, snapshot: &Snapshot) {
    let Ok(datagram) = serde_json::to_vec(snapshot) else { return };
    if socket.as_ref().is_some_and(|connected| send(connected, &datagram, snapshot.is_last).is_ok()) {
        return;
    }
    // Nobody was listening, or the listener is another one now.
    *socket = connect(path).ok();
    if let Some(connected) = socket {
        _ = send(connected, &datagram, snapshot.is_last);
    }
}

fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(path).map(|()| socket)
}

/// Sends a datagram, or drops it if the listener's queue is full. Fails if nobody listens.
fn send(socket: &UnixDatagram, datagram: &[u8], is_last: bool) -> io::Result<()> {
    let mut sent = socket.send(datagram);
    if is_last && is_full(&sent) {
        _ = poll(&mut [PollFd::new(socket, PollFlags::OUT)], Some(&LAST_WAIT));
        sent = socket.send(datagram);
    }
    if is_full(&sent) { Ok(()) } else { sent.map(drop) }
}

fn is_full(sent: &io::Result<usize>) -> bool {
    sent.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}
