//! The state of a run: its daemon and its shards.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use kcl::__private::Histogram;
use kcl::metrics::Snapshot;

use super::shard::{Shard, View, Watcher};
use super::state::{DaemonState, ShardState, State, Times};
use super::{About, DaemonEvent, Site, Stage};
use crate::report;

/// The most shards that are kept. No machine runs more processors.
const MOST_SHARDS: usize = 20_000;
/// The longest id of a shard that is kept. Those of Kinesis have up to 128 characters.
const LONGEST_ID: usize = 256;
/// How long a shard is shown after a daemon has given it up.
const SHOWN: Duration = Duration::from_secs(600);

/// The state of a run, as far as it is known.
pub(super) struct Board {
    about: About,
    /// The name under which the daemon holds leases, if the tool knows it.
    worker: Option<String>,
    /// Where the daemon keeps its leases.
    site: Option<Site>,
    started: Instant,
    daemon: Option<Daemon>,
    shards: BTreeMap<String, Shard>,
    /// Whether any processor has received its first message; under a daemon, of the present one.
    has_begun: bool,
    /// Whether to say so if the processors send no metrics: they were asked for, and nobody has said it yet.
    hints: bool,
}

#[derive(Debug, Default)]
struct Daemon {
    /// Its process, while it runs.
    pid: Option<u32>,
    is_up: bool,
    /// Whether it held no lease when it last said so.
    is_idle: bool,
    starts: u64,
    exits: BTreeMap<String, u64>,
}

impl Board {
    /// The state of a run that has just begun. `hints` is set if its metrics were asked for.
    pub(super) fn new(about: About, hints: bool) -> Self {
        let daemon = (about.verb == "daemon").then(Daemon::default);
        let (worker, site, started) = (None, None, Instant::now());
        Self { about, worker, site, started, daemon, shards: BTreeMap::new(), has_begun: false, hints }
    }

    pub(super) fn about(&self) -> &About {
        &self.about
    }

    pub(super) fn work_as(&mut self, worker: Option<&str>, site: &Site) {
        self.worker = worker.map(str::to_owned);
        self.site = Some(site.clone());
    }

    pub(super) fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// The shard of this id, unless there are too many.
    fn shard(&mut self, id: &str) -> Option<&mut Shard> {
        if id.len() > LONGEST_ID || (self.shards.len() >= MOST_SHARDS && !self.shards.contains_key(id)) {
            return None;
        }
        if !self.shards.contains_key(id) {
            self.shards.insert(id.to_owned(), Shard::new(Stage::Waiting, Instant::now()));
        }
        self.shards.get_mut(id)
    }

    pub(super) fn reach(&mut self, id: &str, stage: Stage) {
        let is_daemons = self.daemon.is_some();
        match self.shard(id) {
            Some(shard) if is_daemons => shard.answer_last(stage, Instant::now()),
            Some(shard) => shard.reach(stage, Instant::now()),
            None => {}
        }
    }

    pub(super) fn started(&mut self, id: &str) {
        let is_daemons = self.daemon.is_some();
        match self.shard(id) {
            Some(shard) if is_daemons => shard.answer_first(Instant::now()),
            Some(shard) => shard.start(Instant::now()),
            None => {}
        }
        if let Some(daemon) = &mut self.daemon {
            daemon.is_idle = false;
            // The daemon's log reports a start once the processor has answered.
            self.has_begun = true;
        }
    }

    pub(super) fn exited(&mut self, id: &str, code: Option<i32>) {
        if let Some(shard) = self.shard(id) {
            shard.exit(code.map_or("unknown".to_owned(), |code| code.to_string()), Instant::now());
        }
    }

    pub(super) fn watch(&mut self, id: &str, watcher: Watcher) {
        if let Some(shard) = self.shard(id) {
            shard.watch(watcher);
        }
    }

    pub(super) fn take(&mut self, snapshot: Snapshot) {
        // The last snapshots may arrive after the daemon's end.
        self.has_begun = self.has_begun || self.daemon.as_ref().is_none_or(|daemon| daemon.pid.is_some());
        let is_daemons = self.daemon.is_some();
        match self.shard(&snapshot.shard) {
            Some(shard) if is_daemons => shard.take_from_daemon(snapshot, Instant::now()),
            Some(shard) => shard.take(snapshot, Instant::now()),
            None => {}
        }
    }

    pub(super) fn daemon(&mut self, event: DaemonEvent) {
        let Some(daemon) = &mut self.daemon else { return };
        match event {
            DaemonEvent::Started(pid) => {
                daemon.starts += 1;
                daemon.pid = Some(pid);
            }
            DaemonEvent::Up => daemon.is_up = true,
            DaemonEvent::Idle => daemon.is_idle = true,
            DaemonEvent::Ended(code) => {
                (daemon.pid, daemon.is_up, daemon.is_idle) = (None, false, false);
                *daemon.exits.entry(code.to_string()).or_default() += 1;
                let now = Instant::now();
                self.shards.values_mut().for_each(|shard| shard.stop(now));
                // The next daemon is not ready before one of its processors is.
                self.has_begun = false;
            }
        }
    }

    /// Updates what depends on the time. Called at intervals.
    pub(super) fn tick(&mut self) {
        let now = Instant::now();
        for shard in self.shards.values_mut() {
            shard.check_processes(self.daemon.is_some(), now);
            shard.keep(now);
        }
        let is_over = |stage| !matches!(stage, Stage::Waiting | Stage::Running | Stage::Restarting);
        if self.daemon.is_some() {
            self.shards.retain(|_, shard| !is_over(shard.stage) || now.duration_since(shard.since) < SHOWN);
        }
        if self.daemon.is_none() {
            let has_ended = self.shards.values().all(|shard| is_over(shard.stage)) && !self.shards.is_empty();
            self.has_begun = self.has_begun || has_ended || self.shards.values().any(Shard::has_batches);
        }
        if self.hints && self.is_silent(now) {
            self.hints = false;
            report::warning(
                "the processors send no metrics, so only the tool's own observations are served; build them with the feature `metrics` of \
                 `kcl`, for example with --features kcl/metrics",
            );
        }
    }

    /// Whether processors are running, and none of them sends metrics.
    fn is_silent(&self, now: Instant) -> bool {
        let none_reports = self.shards.values().all(|shard| !shard.reports);
        none_reports && self.shards.values().any(|shard| shard.is_silent(now))
    }

    /// The problems of the run, a sentence each.
    pub(super) fn problems(&self) -> Vec<String> {
        let now = Instant::now();
        let down = self.daemon.as_ref().is_some_and(|daemon| daemon.starts > 0 && daemon.pid.is_none());
        let stuck =
            self.shards.iter().filter_map(|(id, shard)| Some((id, shard.problem(self.about.stuck_after, now)?)));
        let stuck = stuck.map(|(id, problem)| format!("shard {id}: {problem}"));
        down.then(|| "the daemon is not running".to_owned()).into_iter().chain(stuck).collect()
    }

    /// The reason why the run is not ready, if it is not.
    pub(super) fn unready(&self) -> Option<&'static str> {
        match &self.daemon {
            Some(daemon) if !daemon.is_up => Some("the daemon is not up yet"),
            Some(daemon) if daemon.is_idle => None,
            _ if self.has_begun => None,
            _ => Some("no processor has received a message yet"),
        }
    }

    /// Every shard at this moment.
    pub(super) fn views(&self) -> impl Iterator<Item = (&String, &Shard, View)> {
        let now = Instant::now();
        self.shards.iter().map(move |(id, shard)| (id, shard, shard.view(now)))
    }

    pub(super) fn daemon_state(&self) -> Option<DaemonState> {
        let daemon = self.daemon.as_ref()?;
        Some(DaemonState {
            pid: daemon.pid,
            is_up: daemon.is_up,
            restarts: daemon.starts.saturating_sub(1),
            exits: daemon.exits.clone(),
            memory_bytes: daemon.pid.and_then(resident_memory),
        })
    }

    /// The description of the run, without its shards.
    pub(super) fn about_state(&self) -> State {
        let About { verb, application, stream, .. } = &self.about;
        State {
            verb: (*verb).to_owned(),
            application: application.clone(),
            stream: stream.clone(),
            worker: self.worker.clone(),
            site: self.site.clone(),
            pid: std::process::id(),
            uptime_ms: self.uptime().as_millis().try_into().unwrap_or(u64::MAX),
            ..State::default()
        }
    }

    pub(super) fn state(&self) -> State {
        let now = Instant::now();
        let mut recent = [Histogram::default(), Histogram::default()];
        let mut shards = Vec::with_capacity(self.shards.len());
        for (id, shard, view) in self.views() {
            recent.iter_mut().zip(&view.recent).for_each(|(sum, times)| sum.merge(times));
            shards.push(ShardState::new(id, shard, view, now));
        }
        State {
            problems: self.problems(),
            unready: self.unready().map(str::to_owned),
            silent: self.is_silent(now),
            daemon: self.daemon_state(),
            handler: Times::from(&recent[0]),
            record: Times::from(&recent[1]),
            shards,
            ..self.about_state()
        }
    }
}

/// The memory of a process that is in use, if the system shows it.
fn resident_memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_that_starts_again_is_not_ready_before_its_processors() {
        let (application, stuck_after) = ("revenue".to_owned(), Duration::MAX);
        let mut board = Board::new(About { verb: "daemon", application, stream: None, stuck_after }, false);
        for _ in 0..2 {
            board.daemon(DaemonEvent::Started(std::process::id()));
            assert_eq!(board.unready(), Some("the daemon is not up yet"));
            board.daemon(DaemonEvent::Up);
            assert_eq!(board.unready(), Some("no processor has received a message yet"));
            board.started("shardId-000000000000");
            assert_eq!(board.unready(), None);
            board.daemon(DaemonEvent::Ended(1));
            // The last snapshot of a processor that ended with the daemon.
            board.take(Snapshot::default());
            board.tick();
        }
    }
}
