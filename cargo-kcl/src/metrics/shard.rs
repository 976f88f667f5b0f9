//! The state of one shard, from the tool and from the snapshots of its processors, one after the other.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kcl::__private::Histogram;
use kcl::metrics::{Now, Running, Snapshot};

use super::life::{Life, handling, is_long, millis};
use super::recent::Recent;
use super::sums::{Counts, Sums};
use super::{Seen, Stage};

/// The least age of the counts that rates are computed from, once the shard is old enough.
const RATE: Duration = Duration::from_secs(5);
/// The same for the distribution of recent durations.
const TIMES: Duration = Duration::from_secs(30);
/// The least time that a rate is about. A processor sends its numbers once a second.
const SHORTEST: Duration = Duration::from_secs(1);
/// The time after its first answer in which a processor announces that it sends snapshots. It does so before its first record. The
/// time before that answer does not count, because a program may do anything before it runs its processor.
const SILENT_START: Duration = Duration::from_secs(2);
/// How long a process that ended is kept, so that a datagram that is late does not count twice.
const KEPT: Duration = Duration::from_secs(5);
/// The most processes that are kept. A daemon runs one or two for each shard.
const LIVES: usize = 16;

/// The part of the tool that runs a shard's processors.
pub(super) struct Watcher {
    /// Its own observations of them.
    pub(super) seen: Box<dyn Fn() -> Seen + Send>,
    /// Takes the number of retries that a snapshot adds.
    pub(super) retried: Box<dyn Fn(u64) + Send>,
}

/// One shard.
pub(super) struct Shard {
    pub(super) stage: Stage,
    pub(super) since: Instant,
    /// The processors that were started.
    starts: u64,
    /// Under a daemon, when one of them first answered.
    answered: Option<Instant>,
    /// Under a daemon, the processors that have answered their first message and not yet the last one, as its log says.
    answering: u64,
    /// Under a daemon, the stage that follows when the last process ends.
    next: Option<Stage>,
    /// The number of processors that ended with each exit code.
    pub(super) exits: BTreeMap<String, u64>,
    /// The processes that send snapshots, in the order of their first ones. A daemon may start a processor before the last one ends.
    lives: Vec<Life>,
    /// The sums of the processes that ended a while ago.
    before: Sums,
    /// What was reported and seen when the present processor started. The one before it may have reported records that it did not
    /// acknowledge.
    at_start: [Counts; 2],
    /// Whether any processor has sent a snapshot.
    pub(super) reports: bool,
    watcher: Option<Watcher>,
    rates: Recent<[u64; 2]>,
    times: Recent<[Histogram; 2]>,
}

/// A shard at one moment.
pub(super) struct View {
    pub(super) sums: Sums,
    pub(super) now: Now,
    /// The process that sends snapshots, if one does.
    pub(super) pid: Option<u32>,
    /// When that process last sent a snapshot.
    pub(super) heard: Option<Instant>,
    /// The processors that were started.
    pub(super) starts: u64,
    pub(super) restarts: u64,
    /// Settled records and bytes in each second.
    pub(super) rates: [f64; 2],
    /// The durations of the last half minute or more: of attempts of the handler, and of single records.
    pub(super) recent: [Histogram; 2],
    /// The number of attempts of the handler that were running in that time, on average.
    pub(super) busy: f64,
    pub(super) source: Source,
    /// Whether processors have answered that do not send snapshots.
    pub(super) is_silent: bool,
}

/// The best source of a shard's numbers. Each one knows more than those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// Nobody: the log of a daemon has no numbers, and the shard may not have started.
    Log,
    /// The tool, which sees the messages and the replies.
    Tool,
    /// The processors, which send snapshots.
    Processors,
}

impl Shard {
    pub(super) fn new(stage: Stage, now: Instant) -> Self {
        Self {
            stage,
            since: now,
            starts: 0,
            answered: None,
            answering: 0,
            next: None,
            exits: BTreeMap::new(),
            lives: Vec::new(),
            before: Sums::default(),
            at_start: Default::default(),
            reports: false,
            watcher: None,
            rates: Recent::new(RATE, now, Default::default()),
            times: Recent::new(TIMES, now, Default::default()),
        }
    }

    pub(super) fn reach(&mut self, stage: Stage, now: Instant) {
        if self.stage != stage {
            (self.stage, self.since) = (stage, now);
        }
    }

    /// Notes that a processor starts.
    pub(super) fn start(&mut self, now: Instant) {
        let seen = self.seen().map_or_else(Counts::default, |seen| Counts::seen(&seen));
        self.at_start = [Counts::reported(&self.reported().totals), seen];
        self.starts += 1;
        self.reach(Stage::Running, now);
    }

    /// Notes that the only processor has ended, whose snapshots have all arrived.
    pub(super) fn exit(&mut self, code: impl ToString, now: Instant) {
        if self.reports
            && let Some(seen) = self.seen()
        {
            let [reported, seen_before] = self.at_start;
            let reported = Counts::reported(&self.reported().totals).since(reported);
            self.before.add_missing(reported, Counts::seen(&seen).since(seen_before));
        }
        *self.exits.entry(code.to_string()).or_default() += 1;
        self.lives.iter_mut().for_each(|life| _ = life.ended.get_or_insert(now));
    }

    /// Notes that a processor of a daemon has answered its first message.
    pub(super) fn answer_first(&mut self, now: Instant) {
        self.answering += 1;
        self.next = None;
        self.answered.get_or_insert(now);
        self.start(now);
    }

    /// Notes that a processor of a daemon has answered a message after which it is done with the shard. The log does not say which
    /// processor it was, so the shard stays where it is while another one may be working on it.
    pub(super) fn answer_last(&mut self, stage: Stage, now: Instant) {
        // The last message follows.
        if stage != Stage::Stopped {
            self.answering = self.answering.saturating_sub(1);
        }
        self.next = Some(stage);
        let others = if stage == Stage::Stopped { 1 } else { 0 };
        if self.lives.iter().all(Life::is_over) && self.answering <= others {
            self.reach(stage, now);
        }
    }

    /// Notes that the daemon has ended. Its processors end with it.
    pub(super) fn stop(&mut self, now: Instant) {
        self.answering = 0;
        if self.stage == Stage::Running {
            self.reach(self.next.unwrap_or(Stage::Stopped), now);
        }
    }

    pub(super) fn watch(&mut self, watcher: Watcher) {
        self.watcher = Some(watcher);
    }

    /// Takes a snapshot of one of the shard's processors.
    pub(super) fn take(&mut self, snapshot: Snapshot, now: Instant) {
        self.reports = true;
        let ended = snapshot.is_last.then_some(now);
        let (pid, retries) = (snapshot.pid, snapshot.totals.retries);
        let known = self.lives.iter().find(|life| life.snapshot.pid == pid);
        let before = known.map_or(0, |life| life.snapshot.totals.retries);
        if let Some(watcher) = &self.watcher {
            (watcher.retried)(retries.saturating_sub(before));
        }
        let life = Life { snapshot, at: now, ended, is_missed: false };
        match self.lives.iter_mut().find(|life| life.snapshot.pid == pid) {
            // A datagram that is late.
            Some(known) if known.snapshot.is_last => {}
            Some(known) => *known = Life { ended: known.ended.or(ended), ..life },
            None => {
                self.make_room();
                if self.lives.len() < LIVES {
                    self.lives.push(life);
                }
            }
        }
    }

    /// Forgets a process that ended, if there are many.
    fn make_room(&mut self) {
        if self.lives.len() >= LIVES
            && let Some(oldest) = self.lives.iter().position(Life::is_over)
        {
            self.before.add(&self.lives.remove(oldest).snapshot);
        }
    }

    /// Takes a snapshot of a processor of a daemon. The log may report its start and its end later, or not at all.
    pub(super) fn take_from_daemon(&mut self, snapshot: Snapshot, now: Instant) {
        if self.lives.iter().any(|life| life.snapshot.pid == snapshot.pid && life.is_over()) {
            return;
        }
        let last = snapshot.is_last.then_some(snapshot.exit_code);
        self.take(snapshot, now);
        match last {
            Some(code) => self.end(code, now),
            None => self.reach(Stage::Running, now),
        }
    }

    /// Notes that a process of a daemon has ended, with this exit code if it is known.
    fn end(&mut self, code: Option<u8>, now: Instant) {
        *self.exits.entry(code.map_or("unknown".to_owned(), |code| code.to_string())).or_default() += 1;
        if self.lives.iter().all(Life::is_over) {
            self.reach(if code == Some(0) { self.next.unwrap_or(Stage::Stopped) } else { Stage::Failed }, now);
        }
    }

    /// Notices processes that were killed. Nothing else reports those of a daemon.
    pub(super) fn check_processes(&mut self, is_daemons: bool, now: Instant) {
        let mut killed = 0;
        for life in self.lives.iter_mut().filter(|life| life.is_gone()) {
            // The last snapshot of a process that has just ended is on its way.
            if std::mem::replace(&mut life.is_missed, true) {
                life.ended = Some(now);
                killed += 1;
            }
        }
        for _ in 0..if is_daemons { killed } else { 0 } {
            self.end(None, now);
        }
    }

    /// Keeps what rates and recent durations are computed from, and forgets processes that ended a while ago.
    pub(super) fn keep(&mut self, now: Instant) {
        let is_old = |life: &mut Life| life.ended.is_some_and(|ended| now.saturating_duration_since(ended) >= KEPT);
        let before = &mut self.before;
        self.lives.extract_if(.., is_old).for_each(|life| before.add(&life.snapshot));
        let sums = self.sums(self.seen().as_ref());
        let Sums { totals, handler, record, .. } = sums;
        self.rates.keep(now, || [totals.settled, totals.bytes]);
        self.times.keep(now, || [handler, record]);
    }

    /// The newest of the processes that are working on the shard.
    fn present(&self) -> Option<&Life> {
        self.lives.iter().rfind(|life| self.stage == Stage::Running && !life.is_over())
    }

    /// Whether a batch with records was processed.
    pub(super) fn has_batches(&self) -> bool {
        let by_tool = || self.seen().is_some_and(|seen| seen.batches.count() > 0);
        self.before.totals.batches > 0 || self.lives.iter().any(|life| life.snapshot.totals.batches > 0) || by_tool()
    }

    /// The tool's own observations of the shard's processors.
    fn seen(&self) -> Option<Seen> {
        self.watcher.as_ref().map(|watcher| (watcher.seen)())
    }

    /// Whether processors have answered that do not send snapshots.
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        let by_daemon = || self.answered.map(|answered| now.saturating_duration_since(answered));
        let answered = || by_daemon().or_else(|| self.seen()?.answered);
        !self.reports && answered().is_some_and(|age| age >= SILENT_START)
    }

    /// The sums of the snapshots.
    fn reported(&self) -> Sums {
        let mut sums = self.before.clone();
        self.lives.iter().for_each(|life| sums.add(&life.snapshot));
        sums
    }

    fn sums(&self, seen: Option<&Seen>) -> Sums {
        if self.reports {
            return self.reported();
        }
        let mut sums = Sums::default();
        // The first snapshot precedes the first record, so counters do not fall.
        if let Some(seen) = seen {
            let one = |count: u64| (count > 0).then(|| ("unknown".to_owned(), count)).into_iter().collect();
            sums.add_missing(Counts::default(), Counts::seen(seen));
            (sums.totals.skipped, sums.totals.dead_lettered) = (one(seen.skipped), one(seen.dead_lettered));
            sums.handler.clone_from(&seen.batches);
        }
        sums
    }

    /// The present values.
    fn now(&self, seen: Option<&Seen>, now: Instant) -> Now {
        let running = |(action, time): (&str, Duration)| {
            let mut running = Running::default();
            (running.action, running.ms) = (action.to_owned(), millis(time));
            running
        };
        if self.stage != Stage::Running {
            return Now::default();
        }
        let Some(life) = self.present() else {
            let mut now = Now::default();
            now.running = seen.and_then(|seen| seen.running).map(running);
            now.in_flight = now.running.as_ref().is_some_and(|running| running.action == "processRecords").into();
            return now;
        };
        life.now(now)
    }

    pub(super) fn view(&self, now: Instant) -> View {
        let seen = self.seen();
        let sums = self.sums(seen.as_ref());
        let (age, [records, bytes]) = self.rates.before(now);
        let rate = |now: u64, before: &u64| now.saturating_sub(*before) as f64 / age.max(SHORTEST).as_secs_f64();
        let rates = [rate(sums.totals.settled, records), rate(sums.totals.bytes, bytes)];
        let (age, [handler, record]) = self.times.before(now);
        let recent = [sums.handler.since(handler), sums.record.since(record)];
        let present = self.now(seen.as_ref(), now);
        View {
            busy: busy(&recent[0], age, &present),
            now: present,
            pid: self.present().map(|life| life.snapshot.pid),
            heard: self.present().map(|life| life.at),
            // A daemon may not have logged the start of a processor that sends snapshots.
            starts: self.starts.max(self.reports.into()),
            restarts: self.starts.saturating_sub(1),
            rates,
            recent,
            source: match (self.reports, &self.watcher) {
                (true, _) => Source::Processors,
                (false, Some(_)) => Source::Tool,
                (false, None) => Source::Log,
            },
            is_silent: self.is_silent(now),
            sums,
        }
    }

    /// The problem of one of the shard's processors, if there is one. A processor that hangs after its lease went elsewhere, or came
    /// back for another one, is a problem, too.
    pub(super) fn problem(&self, stuck_after: Duration, now: Instant) -> Option<String> {
        if self.stage != Stage::Running {
            return None;
        }
        if let Some(problem) =
            self.lives.iter().filter(|life| !life.is_over()).find_map(|life| life.problem(stuck_after, now))
        {
            return Some(problem);
        }
        let running = self.now(self.seen().as_ref(), now).running;
        running.filter(|running| is_long(running, stuck_after)).map(|running| handling(&running))
    }
}

/// The number of attempts that were running within this time, on average: those that ended in it, and the present one.
fn busy(ended: &Histogram, age: Duration, now: &Now) -> f64 {
    if age.is_zero() {
        return 0.0;
    }
    let age = age.as_secs_f64();
    let present = now.running.as_ref().filter(|_| now.in_flight > 0).map_or(0, |running| running.ms);
    // It may have begun before that time.
    let seconds = ended.sum() as f64 / 1e9 + (present as f64 / 1e3).min(age);
    // So may one of those that ended. Without the longest of them, only attempts that ran at once exceed that time.
    let are_at_once = seconds - ended.max() as f64 / 1e9 > age;
    if are_at_once { seconds / age } else { (seconds / age).min(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

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
        shard.start(now);
        shard.take(snapshot(1, 10, 0), now);
        shard.take(snapshot(1, 12, 0), now);
        shard.exit(1, now);
        shard.reach(Stage::Restarting, now);
        shard.start(now);
        assert_eq!((shard.view(now).sums.totals.settled, shard.view(now).pid), (12, None));
        shard.take(snapshot(own, 5, 0), now);
        // A datagram that is late.
        shard.take(snapshot(1, 12, 0), now);
        shard.keep(now + KEPT);
        let view = shard.view(now);
        assert_eq!((view.sums.totals.settled, view.restarts, view.pid), (17, 1, Some(own)));
        assert_eq!((view.sums.totals.dead_lettered["error"], view.sums.handler.count()), (17, 2));
        assert_eq!((shard.exits["1"], shard.lives.len()), (1, 1));
    }

    #[test]
    fn rates_and_recent_times_include_the_first_second() {
        let now = Instant::now();
        let later = |millis| now + Duration::from_millis(millis);
        let mut shard = Shard::new(Stage::Waiting, now);
        shard.take(snapshot(1, 600, 0), later(500));
        assert_eq!(shard.view(later(500)).rates[0], 600.0);
        shard.keep(later(900));
        let view = shard.view(later(4_000));
        assert_eq!((view.rates[0], view.recent[0].count(), view.recent[0].max()), (150.0, 1, 7));
        // They are not recent any more.
        for second in 5..=60 {
            shard.keep(later(second * 1_000));
        }
        let view = shard.view(later(60_000));
        assert_eq!((view.rates[0], view.recent[0].count()), (0.0, 0));
    }

    #[test]
    fn a_killed_processor_has_done_what_the_tool_has_seen() {
        let now = Instant::now();
        let mut shard = Shard::new(Stage::Waiting, now);
        let records = Arc::new(AtomicU64::new(0));
        let seen = {
            let records = Arc::clone(&records);
            move || {
                let records = records.load(Ordering::Relaxed);
                let mut batches = Histogram::default();
                (0..records / 10).for_each(|_| batches.add(1));
                Seen { records, bytes: 10 * records, checkpoints: records / 10, batches, ..Seen::default() }
            }
        };
        shard.start(now);
        shard.watch(Watcher { seen: Box::new(seen), retried: Box::new(drop) });
        shard.take(snapshot(1, 10, 0), now);
        records.store(30, Ordering::Relaxed);
        shard.exit(137, now);
        let totals = shard.view(now).sums.totals;
        assert_eq!((totals.settled, totals.delivered, totals.bytes), (30, 30, 300));
        assert_eq!((totals.batches, totals.checkpoints), (3, 3));
        // This one is killed within a batch.
        shard.start(now);
        shard.take(snapshot(2, 25, 0), now);
        shard.exit(137, now);
        assert_eq!(shard.view(now).sums.totals.settled, 55);
        shard.start(now);
        shard.take(snapshot(3, 15, 0), now);
        records.store(50, Ordering::Relaxed);
        shard.exit(137, now);
        let totals = shard.view(now).sums.totals;
        assert_eq!((totals.settled, totals.delivered), (55 + 20, 50));
    }

    /// The last snapshot of a process that ended as the daemon wished.
    fn last(pid: u32, settled: u64) -> Snapshot {
        let mut last = snapshot(pid, settled, 0);
        (last.is_last, last.exit_code, last.now) = (true, Some(0), Now::default());
        last
    }

    #[test]
    fn a_processor_that_ends_after_the_next_one_has_started_hides_nothing() {
        let now = Instant::now();
        let minute = Duration::from_secs(60);
        // The log is read at once, or late.
        for is_late in [false, true] {
            let mut shard = Shard::new(Stage::Waiting, now);
            shard.take_from_daemon(snapshot(1, 10, 0), now);
            shard.answer_first(now);
            shard.take_from_daemon(snapshot(2, 1, 0), now);
            if !is_late {
                shard.answer_first(now);
            }
            shard.answer_last(Stage::Lost, now);
            if is_late {
                shard.answer_first(now);
            }
            shard.take_from_daemon(last(1, 12), now);
            assert_eq!((shard.stage, shard.view(now).pid, shard.view(now).restarts), (Stage::Running, Some(2), 1));
            assert_eq!(shard.view(now).sums.totals.settled, 13);
            shard.take_from_daemon(snapshot(2, 3, 60_000), now);
            assert!(shard.problem(minute, now).is_some(), "the new processor is seen to hang");
            shard.answer_last(Stage::Ended, now);
            shard.take_from_daemon(last(2, 4), now);
            assert_eq!((shard.stage, shard.view(now).sums.totals.settled), (Stage::Ended, 16));
            assert_eq!(shard.exits["0"], 2);
        }
    }

    #[test]
    fn an_old_processor_that_hangs_is_a_problem_too() {
        let now = Instant::now();
        let mut shard = Shard::new(Stage::Waiting, now);
        shard.take_from_daemon(snapshot(1, 10, 70_000), now);
        shard.take_from_daemon(snapshot(2, 1, 0), now);
        assert_eq!(shard.view(now).pid, Some(2));
        assert!(shard.problem(Duration::from_secs(60), now).is_some());
    }

    #[test]
    fn processors_without_metrics_are_counted_by_their_answers() {
        let now = Instant::now();
        let mut shard = Shard::new(Stage::Waiting, now);
        shard.answer_first(now);
        shard.answer_first(now);
        for (stage, expected) in
            [(Stage::Lost, Stage::Running), (Stage::Stopped, Stage::Stopped), (Stage::Lost, Stage::Lost)]
        {
            shard.answer_last(stage, now);
            assert_eq!(shard.stage, expected);
        }
    }

    #[test]
    fn a_processor_that_starts_slowly_is_not_silent() {
        let now = Instant::now();
        for (answered, is_silent) in [(None, false), (Some(Duration::ZERO), false), (Some(SILENT_START), true)] {
            let mut shard = Shard::new(Stage::Waiting, now);
            let seen = Box::new(move || Seen { answered, ..Seen::default() });
            shard.watch(Watcher { seen, retried: Box::new(drop) });
            shard.start(now);
            assert_eq!(shard.is_silent(now + Duration::from_secs(60)), is_silent, "{answered:?}");
        }
        let mut shard = Shard::new(Stage::Waiting, now);
        shard.answer_first(now);
        assert_eq!([now, now + SILENT_START].map(|now| shard.is_silent(now)), [false, true]);
    }

    #[test]
    fn a_processor_is_stuck_or_silent() {
        let now = Instant::now();
        let later = |seconds| now + Duration::from_secs(seconds);
        let mut shard = Shard::new(Stage::Waiting, now);
        shard.take_from_daemon(snapshot(1, 0, 4_000), now);
        let minute = Duration::from_secs(60);
        assert_eq!((shard.stage, shard.problem(minute, now)), (Stage::Running, None));
        let stuck = shard.problem(Duration::from_secs(4), now);
        assert_eq!(stuck.as_deref(), Some("the processor has been handling processRecords for 4.0 s"));
        // A process that is stopped sends nothing, so the time of its last call grows.
        assert!(shard.problem(minute, later(57)).is_some());
        let mut idle = snapshot(1, 0, 0);
        idle.now.running = None;
        shard.take_from_daemon(idle, now);
        assert_eq!(shard.problem(minute, later(59)), None);
        assert_eq!(shard.problem(minute, later(60)).as_deref(), Some("the processor has not sent metrics for 1 min"));
        assert_eq!(shard.view(later(2)).now.oldest_unsettled_ms, Some(2_005));
        shard.answer_last(Stage::Lost, now);
        shard.take_from_daemon(last(1, 0), now);
        assert_eq!((shard.stage, shard.problem(minute, later(99))), (Stage::Lost, None));
        assert_eq!(shard.view(now).now, Now::default());
    }

    #[test]
    fn a_handler_is_busy_for_a_part_of_the_time() {
        let mut ended = Histogram::default();
        ended.add(4_000_000_000);
        let mut now = Now::default();
        let ten = Duration::from_secs(10);
        assert_eq!([Duration::ZERO, ten].map(|age| busy(&ended, age, &now)), [0.0, 0.4]);
        now.running = Some(serde_json::from_value(serde_json::json!({ "ms": 2_000 })).expect("a call"));
        assert_eq!(busy(&ended, ten, &now), 0.4, "it is not a call of the record handler");
        now.in_flight = 1;
        assert_eq!(busy(&ended, ten, &now), 0.6);
        assert_eq!(busy(&ended, Duration::from_secs(1), &now), 1.0, "both began before");
        (0..3).for_each(|_| ended.add(4_000_000_000));
        assert_eq!(busy(&ended, ten, &now), 1.8, "attempts ran at once");
        now.in_flight = 0;
        assert_eq!(busy(&ended, ten, &now), 1.6, "none is running at this moment");
    }

    #[test]
    fn a_process_that_was_killed_is_noticed() {
        let now = Instant::now();
        let mut shard = Shard::new(Stage::Waiting, now);
        shard.take_from_daemon(snapshot(std::process::id(), 1, 0), now);
        shard.check_processes(true, now);
        assert_eq!(shard.stage, Stage::Running);
        let mut shard = Shard::new(Stage::Waiting, now);
        let mut child = std::process::Command::new("true").spawn().expect("it starts");
        child.wait().expect("it ends");
        shard.take_from_daemon(snapshot(child.id(), 1, 0), now);
        shard.check_processes(true, now);
        assert_eq!(shard.stage, Stage::Running, "its last snapshot may arrive");
        shard.check_processes(true, now);
        assert_eq!((shard.stage, shard.exits["unknown"]), (Stage::Failed, 1));
    }
}
