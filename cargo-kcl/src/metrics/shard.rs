//! The state of one shard, from the tool and from the snapshots of its processors, one after the other.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kcl::__private::Histogram;
use kcl::metrics::{Now, Running, Snapshot, Totals};
use rustix::process::{Pid, test_kill_process};

use super::recent::Recent;
use super::{Seen, Stage};

/// The least age of the counts that rates are computed from.
const RATE: Duration = Duration::from_secs(5);
/// The same for the distribution of recent durations.
const TIMES: Duration = Duration::from_secs(30);
/// The most classes of errors that are counted, of each kind. A processor has a handful.
const CLASSES: usize = 32;
/// The time after its start in which a processor announces that it sends snapshots. It does so before its first record.
const SILENT_START: Duration = Duration::from_secs(2);
/// The number of periods without a snapshot after which a processor is not healthy.
const SILENT_PERIODS: u32 = 3;

/// The sums of a shard, over all of its processors.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    pub(super) totals: Totals,
    pub(super) handler: Histogram,
    pub(super) record: Histogram,
    pub(super) batch: Histogram,
}

impl Sums {
    fn add(&mut self, snapshot: &Snapshot) {
        let Totals { delivered, bytes, settled, batches, empty_batches, retries, checkpoints, .. } = &snapshot.totals;
        let totals = &mut self.totals;
        for (sum, number) in [
            (&mut totals.delivered, delivered),
            (&mut totals.bytes, bytes),
            (&mut totals.settled, settled),
            (&mut totals.batches, batches),
            (&mut totals.empty_batches, empty_batches),
            (&mut totals.retries, retries),
            (&mut totals.checkpoints, checkpoints),
        ] {
            *sum = sum.saturating_add(*number);
        }
        for (sums, classes) in [
            (&mut totals.failures, &snapshot.totals.failures),
            (&mut totals.skipped, &snapshot.totals.skipped),
            (&mut totals.dead_lettered, &snapshot.totals.dead_lettered),
            (&mut totals.refused, &snapshot.totals.refused),
        ] {
            for (class, number) in classes {
                if sums.contains_key(class) || sums.len() < CLASSES {
                    let sum = sums.entry(class.clone()).or_default();
                    *sum = sum.saturating_add(*number);
                }
            }
        }
        self.handler.merge(&snapshot.handler);
        self.record.merge(&snapshot.record);
        self.batch.merge(&snapshot.batch);
    }
}

/// One shard.
pub(super) struct Shard {
    pub(super) stage: Stage,
    pub(super) since: Instant,
    /// The processors that were started.
    starts: u64,
    /// The start of the first of them.
    started: Option<Instant>,
    /// The number of them that ended with each exit code.
    pub(super) exits: BTreeMap<String, u64>,
    /// The sums of the processors before the present one.
    before: Sums,
    /// The last snapshot, and when it arrived.
    current: Option<(Snapshot, Instant)>,
    /// The process before the present one. Its snapshots are ignored, because it is part of `before`.
    previous: Option<u32>,
    /// The process that is done with the shard, although it may still send snapshots.
    over: Option<u32>,
    seen: Option<Box<dyn Fn() -> Seen + Send>>,
    rates: Recent<[u64; 2]>,
    times: Recent<[Histogram; 2]>,
}

/// A shard at one moment.
pub(super) struct View {
    pub(super) sums: Sums,
    pub(super) now: Now,
    /// The process that sends snapshots, if one does.
    pub(super) pid: Option<u32>,
    pub(super) restarts: u64,
    /// Settled records and bytes in each second.
    pub(super) rates: [f64; 2],
    /// The durations of the last half minute or more: of attempts of the handler, and of single records.
    pub(super) recent: [Histogram; 2],
    /// Whether the processors send snapshots.
    pub(super) reports: bool,
}

impl Shard {
    pub(super) fn new(stage: Stage, now: Instant) -> Self {
        Self {
            stage,
            since: now,
            starts: 0,
            started: None,
            exits: BTreeMap::new(),
            before: Sums::default(),
            current: None,
            previous: None,
            over: None,
            seen: None,
            rates: Recent::new(RATE),
            times: Recent::new(TIMES),
        }
    }

    pub(super) fn reach(&mut self, stage: Stage, now: Instant) {
        if stage != Stage::Running {
            self.over = self.current.as_ref().map(|(snapshot, _)| snapshot.pid);
        }
        if self.stage != stage {
            (self.stage, self.since) = (stage, now);
        }
    }

    /// Notes that a processor starts. If this is `is_early`, none of its snapshots can have arrived yet.
    pub(super) fn start(&mut self, is_early: bool, now: Instant) {
        self.starts += 1;
        self.started.get_or_insert(now);
        if is_early {
            self.over = self.current.as_ref().map(|(snapshot, _)| snapshot.pid);
        }
        self.reach(Stage::Running, now);
    }

    pub(super) fn exit(&mut self, code: impl ToString) {
        *self.exits.entry(code.to_string()).or_default() += 1;
    }

    pub(super) fn watch(&mut self, seen: Box<dyn Fn() -> Seen + Send>) {
        self.seen = Some(seen);
    }

    /// Takes a snapshot of one of the shard's processors. If it is the only source, it also gives the stage of the shard.
    pub(super) fn take(&mut self, snapshot: Snapshot, is_only_source: bool, now: Instant) {
        if self.previous == Some(snapshot.pid) {
            return;
        }
        let earlier = self.current.take_if(|(current, _)| current.pid != snapshot.pid).map(|(snapshot, _)| snapshot);
        if let Some(earlier) = earlier {
            self.before.add(&earlier);
            self.previous = Some(earlier.pid);
        }
        if is_only_source && self.over != Some(snapshot.pid) {
            match snapshot.exit_code {
                _ if !snapshot.is_last => self.reach(Stage::Running, now),
                Some(0) => self.reach(Stage::Stopped, now),
                _ => self.reach(Stage::Failed, now),
            }
        }
        if let (true, true, Some(code)) = (is_only_source, snapshot.is_last, snapshot.exit_code) {
            self.exit(code);
        }
        if snapshot.is_last {
            self.over = Some(snapshot.pid);
        }
        self.current = Some((snapshot, now));
    }

    /// Notices a process that was killed, which nothing else reports.
    pub(super) fn check_process(&mut self, now: Instant) {
        let is_gone = |snapshot: &Snapshot| !snapshot.is_last && !is_alive(snapshot.pid);
        if self.stage == Stage::Running && self.current.as_ref().is_some_and(|(snapshot, _)| is_gone(snapshot)) {
            self.exit("unknown");
            self.reach(Stage::Failed, now);
        }
    }

    /// Keeps what rates and recent durations are computed from.
    pub(super) fn keep(&mut self, now: Instant) {
        let sums = self.sums(self.seen().as_ref(), now);
        let Sums { totals, handler, record, .. } = sums;
        self.rates.keep(now, || [totals.settled, totals.bytes]);
        self.times.keep(now, || [handler, record]);
    }

    /// The last snapshot of the process that is processing the shard, and when it arrived.
    fn present(&self) -> Option<&(Snapshot, Instant)> {
        self.current.as_ref().filter(|(snapshot, _)| self.stage == Stage::Running && self.over != Some(snapshot.pid))
    }

    /// Whether a batch with records was processed.
    pub(super) fn has_batches(&self) -> bool {
        let by_tool = || self.seen().is_some_and(|seen| seen.batches.count() > 0);
        self.current.as_ref().is_some_and(|(snapshot, _)| snapshot.totals.batches > 0) || by_tool()
    }

    /// The tool's own observations of the shard's processors.
    fn seen(&self) -> Option<Seen> {
        self.seen.as_ref().map(|seen| seen())
    }

    /// Whether processors were started that do not send snapshots.
    fn is_silent(&self, now: Instant) -> bool {
        let is_late = |started| now.saturating_duration_since(started) >= SILENT_START;
        self.current.is_none() && self.started.is_some_and(is_late)
    }

    fn sums(&self, seen: Option<&Seen>, now: Instant) -> Sums {
        if let Some((snapshot, _)) = &self.current {
            let mut sums = self.before.clone();
            sums.add(snapshot);
            return sums;
        }
        let mut sums = Sums::default();
        // Counters would fall if snapshots followed later.
        if let Some(seen) = seen.filter(|_| self.is_silent(now)) {
            let one = |count: u64| (count > 0).then(|| ("unknown".to_owned(), count)).into_iter().collect();
            (sums.totals.settled, sums.totals.delivered, sums.totals.bytes) = (seen.records, seen.records, seen.bytes);
            (sums.totals.checkpoints, sums.totals.batches) = (seen.checkpoints, seen.batches.count());
            (sums.totals.skipped, sums.totals.dead_lettered) = (one(seen.skipped), one(seen.dead_lettered));
            sums.handler.clone_from(&seen.batches);
        }
        sums
    }

    /// The present values, with ages that have grown since the last snapshot.
    fn now(&self, seen: Option<&Seen>, now: Instant) -> Now {
        let running = |(action, time): (&str, Duration)| {
            let mut running = Running::default();
            (running.action, running.ms) = (action.to_owned(), millis(time));
            running
        };
        if self.stage != Stage::Running {
            return Now::default();
        }
        let Some((snapshot, at)) = self.present() else {
            let mut now = Now::default();
            now.running = seen.and_then(|seen| seen.running).map(running);
            now.in_flight = u64::from(now.running.is_some());
            return now;
        };
        let since = millis(now.saturating_duration_since(*at));
        let mut now = snapshot.now.clone();
        for age in [&mut now.oldest_unsettled_ms, &mut now.last_message_ms, &mut now.last_checkpoint_ms] {
            *age = age.map(|age| age.saturating_add(since));
        }
        // An old snapshot means that the process is not healthy, so its call has not ended.
        if since > snapshot.period_ms
            && let Some(running) = &mut now.running
        {
            running.ms = running.ms.saturating_add(since);
        }
        now
    }

    pub(super) fn view(&self, now: Instant) -> View {
        let seen = self.seen();
        let sums = self.sums(seen.as_ref(), now);
        let rates = self.rates.before(now).filter(|(age, _)| !age.is_zero()).map(|(age, [records, bytes])| {
            let rate = |now: u64, before: &u64| now.saturating_sub(*before) as f64 / age.as_secs_f64();
            [rate(sums.totals.settled, records), rate(sums.totals.bytes, bytes)]
        });
        let recent = match self.times.before(now) {
            Some((_, [handler, record])) => [sums.handler.since(handler), sums.record.since(record)],
            None => Default::default(),
        };
        View {
            now: self.now(seen.as_ref(), now),
            pid: self.present().map(|(snapshot, _)| snapshot.pid),
            restarts: self.starts.saturating_sub(1),
            rates: rates.unwrap_or_default(),
            recent,
            reports: self.current.is_some(),
            sums,
        }
    }

    /// The problem of the shard's processor, if it has one.
    pub(super) fn problem(&self, stuck_after: Duration, now: Instant) -> Option<String> {
        if self.stage != Stage::Running {
            return None;
        }
        let seen = self.seen();
        let running = self.now(seen.as_ref(), now).running;
        if let Some(running) = running.filter(|running| u128::from(running.ms) >= stuck_after.as_millis()) {
            let time = crate::report::elapsed(Duration::from_millis(running.ms));
            return Some(format!("the processor has been handling {} for {time}", running.action));
        }
        let (snapshot, at) = self.present()?;
        let silent = now.saturating_duration_since(*at);
        let patience = Duration::from_millis(snapshot.period_ms).saturating_mul(SILENT_PERIODS).max(stuck_after);
        (silent >= patience)
            .then(|| format!("the processor has not sent metrics for {}", crate::report::elapsed(silent)))
    }
}

fn millis(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}

fn is_alive(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    !matches!(test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A snapshot of this process, with this many settled records, and this long in a call.
    fn snapshot(pid: u32, settled: u64, running_ms: u64) -> Snapshot {
        let running = serde_json::json!({ "action": "processRecords", "ms": running_ms });
        let snapshot = serde_json::json!({
            "pid": pid,
            "periodMs": 1000,
            "totals": { "settled": settled, "deadLettered": { "error": settled } },
            "now": { "running": running, "oldestUnsettledMs": 5 },
            "handler": { "count": 1, "sum": 7, "max": 7, "buckets": [[7, 1]] },
        });
        serde_json::from_value(snapshot).expect("a snapshot")
    }

    #[test]
    fn counts_go_on_when_a_processor_is_restarted() {
        let now = Instant::now();
        let own = std::process::id();
        let mut shard = Shard::new(Stage::Waiting, now);
        shard.start(true, now);
        shard.take(snapshot(1, 10, 0), false, now);
        shard.take(snapshot(1, 12, 0), false, now);
        shard.exit(1);
        shard.reach(Stage::Restarting, now);
        shard.start(true, now);
        assert_eq!((shard.view(now).sums.totals.settled, shard.view(now).pid), (12, None));
        shard.take(snapshot(own, 5, 0), false, now);
        // A datagram that is late.
        shard.take(snapshot(1, 12, 0), false, now);
        let view = shard.view(now);
        assert_eq!((view.sums.totals.settled, view.restarts, view.pid), (17, 1, Some(own)));
        assert_eq!((view.sums.totals.dead_lettered["error"], view.sums.handler.count()), (17, 2));
        assert_eq!(shard.exits["1"], 1);
    }

    #[test]
    fn a_processor_is_stuck_or_silent() {
        let now = Instant::now();
        let later = |seconds| now + Duration::from_secs(seconds);
        let mut shard = Shard::new(Stage::Waiting, now);
        shard.take(snapshot(1, 0, 4_000), true, now);
        let minute = Duration::from_secs(60);
        assert_eq!((shard.stage, shard.problem(minute, now)), (Stage::Running, None));
        let stuck = shard.problem(Duration::from_secs(4), now);
        assert_eq!(stuck.as_deref(), Some("the processor has been handling processRecords for 4.0 s"));
        // A process that is stopped sends nothing, so the time of its last call grows.
        assert!(shard.problem(minute, later(57)).is_some());
        let mut idle = snapshot(1, 0, 0);
        idle.now.running = None;
        shard.take(idle, true, now);
        assert_eq!(shard.problem(minute, later(59)), None);
        assert_eq!(shard.problem(minute, later(60)).as_deref(), Some("the processor has not sent metrics for 1 min"));
        assert_eq!(shard.view(later(2)).now.oldest_unsettled_ms, Some(2_005));
        shard.reach(Stage::Lost, now);
        assert_eq!((shard.problem(minute, later(99)), shard.view(now).now), (None, Now::default()));
    }

    #[test]
    fn the_number_of_classes_has_a_limit() {
        let mut sums = Sums::default();
        for number in 0..100 {
            let mut one = Snapshot::default();
            one.totals.failures.insert(number.to_string(), 1);
            sums.add(&one);
        }
        assert_eq!(sums.totals.failures.len(), CLASSES);
    }

    #[test]
    fn a_process_that_was_killed_is_noticed() {
        let now = Instant::now();
        let mut shard = Shard::new(Stage::Waiting, now);
        shard.take(snapshot(std::process::id(), 1, 0), true, now);
        shard.check_process(now);
        assert_eq!(shard.stage, Stage::Running);
        let mut child = std::process::Command::new("true").spawn().expect("it starts");
        child.wait().expect("it ends");
        shard.take(snapshot(child.id(), 1, 0), true, now);
        shard.check_process(now);
        assert_eq!((shard.stage, shard.exits["unknown"]), (Stage::Failed, 1));
    }
}
