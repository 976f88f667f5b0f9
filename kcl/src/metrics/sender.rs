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

/// Sends one snapshot a period.
pub(super) struct Sender {
    settings: Settings,
    report: Report,
    /// For each output that is a socket, the socket that its datagrams are sent from, once it is needed.
    sockets: Vec<Option<UnixDatagram>>,
    /// The last snapshot that was sent, where the next period starts.
    before: Snapshot,
    /// When the next snapshot is due; `None` before the first message and after the last snapshot.
    due: Option<Duration>,
}

impl Sender {
    pub(super) fn new(settings: Settings, report: Report) -> Self {
        let sockets = settings.outputs.iter().map(|_| None).collect();
        Self { settings, report, sockets, before: Snapshot::default(), due: None }
    }

    /// Starts with a first period that is shorter by a random part, so that shards that started together do not send together.
    pub(super) fn begin(&mut self, clock: &dyn Clock) {
        let half = self.settings.period / 2;
        self.due = Some(clock.now() + half + clock.jitter(half));
    }

    pub(super) fn has_begun(&self) -> bool {
        self.due.is_some()
    }

    pub(super) fn end(&mut self) {
        self.due = None;
    }

    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.due.is_some_and(|due| now >= due)
    }

    pub(super) fn until_due(&self, now: Duration) -> Duration {
        self.due.map_or(Duration::MAX, |due| due.saturating_sub(now))
    }

    /// Announces this processor to the listeners at sockets, so that they know before its first record that it sends snapshots.
    pub(super) fn announce(&mut self, snapshot: &Snapshot) {
        let snapshot = self.complete(snapshot.clone());
        for (output, socket) in self.settings.outputs.iter().zip(&mut self.sockets) {
            if let Output::Unix(path) = output {
                send_to(socket, path, &snapshot);
            }
        }
    }

    fn complete(&self, snapshot: Snapshot) -> Snapshot {
        let Settings { period, application, stream, .. } = &self.settings;
        Snapshot {
            application: application.clone(),
            stream: stream.clone(),
            pid: process::id(),
            time: unix_millis(),
            period_ms: period.as_millis().try_into().unwrap_or(u64::MAX),
            ..snapshot
        }
    }

    /// Sends a snapshot to every output. The thread waits for stderr, as for every line there. It waits for a socket only with the last
    /// snapshot, and only for a moment.
    pub(super) fn send(&mut self, snapshot: Snapshot) {
        let snapshot = self.complete(snapshot);
        let Settings { outputs, period, .. } = &self.settings;
        for (output, socket) in outputs.iter().zip(&mut self.sockets) {
            match output {
                Output::Json => self.report.raw(&line::json(&snapshot, &self.before)),
                Output::Emf(namespace) => self.report.raw(&emf::json(namespace, &snapshot, &self.before)),
                Output::Unix(path) => send_to(socket, path, &snapshot),
            }
        }
        // A period that was missed is not made up for.
        self.due = self.due.map(|due| due + *period * periods(&self.before, &snapshot, *period));
        self.before = snapshot;
    }
}

/// The number of periods, at least one, that have begun since the last snapshot was due.
fn periods(before: &Snapshot, now: &Snapshot, period: Duration) -> u32 {
    let passed = u128::from(now.uptime_ms.saturating_sub(before.uptime_ms));
    (passed / period.as_millis().max(1)).clamp(1, u32::MAX.into()).try_into().unwrap_or(1)
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
