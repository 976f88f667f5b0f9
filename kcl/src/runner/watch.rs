//! A watch over handlers, which reports a long-running handler on stderr while it runs.
//!
//! A thread checks from time to time which call is running. For the calls themselves, the watch costs one store for
//! each record and two uncontended locks for each batch. They do not read the clock. Whoever wants to read it now and then
//! asks the watch when to do so. With a virtual clock there is no thread: the watch checks at each event, which misses
//! nothing, because virtual time passes between events only.

use std::cell::Cell;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::error::At;
use crate::io::stderr::Report;
use crate::measure::{Gauge, Look};
use crate::record::{Record, WeakRecords};
use crate::runner::events::{Event, Step};
use crate::runner::oldest::{Oldest, Running};
use crate::shard::Shard;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::thread::{self, Thread};
use crate::sync::{Mutex, MutexGuard};

/// The number of checks in the time after which the thread warns, or in the interval between checkpoints.
const CHECKS: u32 = 8;
/// The longest time between two checks.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The shortest time between two warnings.
pub(super) const SHORTEST: Duration = Duration::from_millis(1);

/// From this time on, a snapshot says where a call is. Finding that out for each of the fast ones would disturb them.
const SLOW: Duration = Duration::from_secs(1);

/// Without a thread, the number of records after which the clock may be read again.
const RECORDS: u32 = 16;

/// A watch over the handlers of one processor.
#[derive(Debug)]
pub(crate) struct Watch {
    calls: Arc<Calls>,
    checker: Checker,
    /// The number of the last call. The numbers of its records follow it.
    number: u64,
    /// The last number that was assigned.
    last: u64,
    /// Without a thread, the number of records after which the clock may be read again; otherwise 0.
    stride: u32,
    /// Without a thread, the number of records until then.
    left: Cell<u32>,
}

/// Checks which call is running.
#[derive(Debug)]
enum Checker {
    None,
    Thread(Thread),
    /// The caller of the handlers, at each event.
    Caller(Box<ByCaller>),
}

#[derive(Debug, Default)]
struct Calls {
    /// The number of the call or record that is running, or 0. Every call and every record has its own number.
    running: AtomicU64,
    call: Mutex<Call>,
    /// The records that are handled at once.
    at_once: Mutex<Running>,
    /// The thread has checked since [`Watch::may_look`] last returned true.
    ticked: AtomicBool,
    over: AtomicBool,
}

/// A call of a handler.
#[derive(Clone, Debug, Default)]
struct Call {
    action: &'static str,
    number: u64,
    records: WeakRecords,
}

impl Calls {
    fn call(&self) -> MutexGuard<'_, Call> {
        self.call.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at_once(&self) -> MutexGuard<'_, Running> {
        self.at_once.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Watch {
    /// A watch that does not report anything.
    fn default() -> Self {
        Self {
            calls: Arc::default(),
            checker: Checker::None,
            number: 0,
            last: 0,
            stride: RECORDS,
            left: Cell::new(RECORDS),
        }
    }
}

impl Watch {
    /// Starts a watch that warns of handlers of this shard's processor that run for at least `after`, and that lets the
    /// clock be read eight times within `interval`. Its thread sends the snapshots of `gauge`.
    pub(crate) fn start(
        shard: &Shard,
        after: Duration,
        interval: Duration,
        clock: &Arc<dyn Clock>,
        report: &Report,
        gauge: Gauge,
    ) -> Self {
        let mut watch = Self::default();
        watch.look_again();
        let warnings = Warnings { shard: shard.clone(), report: report.clone(), clock: Arc::clone(clock) };
        if clock.is_virtual() {
            let (began, check) = (clock.now(), Check::new(after));
            watch.checker = Checker::Caller(Box::new(ByCaller { began, check, warnings }));
            // Reading a virtual clock costs nothing.
            watch.stride = 1;
            return watch;
        }
        if after == Duration::MAX && interval == Duration::MAX && !gauge.is_wanted() {
            return watch;
        }
        let calls = Arc::clone(&watch.calls);
        let thread = thread::Builder::new().name("kcl-watch".to_owned());
        match thread.spawn(move || check(&calls, after, interval, &warnings, &gauge)) {
            Ok(handle) => {
                watch.checker = Checker::Thread(handle.thread().clone());
                watch.stride = 0;
            }
            Err(error) => report.line(format_args!("long-running handlers will not be reported: {error}")),
        }
        watch
    }

    /// Notes which handler is running, and with which record.
    #[inline(always)]
    pub(super) fn observe(&mut self, event: &Event<'_>) {
        match *event {
            Event::Called { action, records } => self.enter(action, records),
            Event::At(None) => self.turn(self.number),
            Event::At(Some(place)) | Event::Record(place) => self.turn(self.number + 1 + place as u64),
            Event::Among { at, record, ref step } => self.follow(at, record, step),
            Event::Returned => {
                self.turn(0);
                if !matches!(self.checker, Checker::None) {
                    self.calls.call().records = WeakRecords::default();
                }
            }
            _ => {}
        }
    }

    /// Follows the records that are handled at once.
    fn follow(&mut self, at: u64, record: &Record, step: &Step<'_>) {
        if matches!(self.checker, Checker::None) {
            return;
        }
        self.turn(self.calls.running.load(Ordering::Relaxed));
        match *step {
            Step::Started { since, .. } => self.calls.at_once().begin(since, at, record),
            Step::Settled { since } | Step::Dropped { since } => self.calls.at_once().end(since, at),
            _ => {}
        }
    }

    fn enter(&mut self, action: &'static str, records: Option<&[Record]>) {
        self.number = self.last + 1;
        self.last = self.number + records.map_or(0, |records| records.len() as u64);
        if !matches!(self.checker, Checker::None) {
            *self.calls.call() =
                Call { action, number: self.number, records: WeakRecords::of(records.unwrap_or_default()) };
        }
        self.turn(self.number);
    }

    #[inline]
    fn turn(&mut self, to: u64) {
        if let Checker::Caller(by_caller) = &mut self.checker {
            by_caller.look(&self.calls);
        }
        self.calls.running.store(to, Ordering::Relaxed);
    }

    /// Whether a look at the clock is worth its price: only if the thread has checked since the last look. Without a
    /// thread, at the first record and at one of every few after it.
    pub(crate) fn may_look(&self) -> bool {
        if self.stride == 0 {
            let ticked = &self.calls.ticked;
            return ticked.load(Ordering::Relaxed) && ticked.swap(false, Ordering::Relaxed);
        }
        let left = self.left.get().checked_sub(1);
        self.left.set(left.unwrap_or(self.stride - 1));
        left.is_none()
    }

    /// Makes [`may_look`](Self::may_look) return true next time if there is no thread.
    pub(crate) fn look_again(&self) {
        self.left.set(0);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.calls.over.store(true, Ordering::Relaxed);
        if let Checker::Thread(thread) = &self.checker {
            thread.unpark();
        }
    }
}

/// Where the warnings go.
#[derive(Debug)]
struct Warnings {
    shard: Shard,
    report: Report,
    clock: Arc<dyn Clock>,
}

impl Warnings {
    fn warn(&self, calls: &Calls, running: u64, elapsed: Duration) {
        let call = calls.call().clone();
        // Unless the call has just ended.
        if let Some(place) = running.checked_sub(call.number) {
            if let Some(line) = line(&self.shard, &call, place, elapsed) {
                self.report.line(line);
            }
        }
    }
}

/// The call or record that a check saw last, and when to warn of it.
#[derive(Debug)]
struct Check {
    after: Duration,
    seen: u64,
    since: Duration,
    next: Duration,
    oldest: Oldest,
}

impl Check {
    fn new(after: Duration) -> Self {
        Self { after, seen: 0, since: Duration::ZERO, next: after, oldest: Oldest::new(after) }
    }

    /// Looks at the records that are handled at once, and warns of the oldest one if it is time.
    fn look_at_oldest(&mut self, calls: &Calls, warnings: &Warnings, now: Duration) {
        let line = self.oldest.look(&calls.at_once(), now, &warnings.shard);
        if let Some(line) = line {
            warnings.report.line(line);
        }
    }

    /// Looks at the running call, which began at `began` unless it was seen before. If a warning is due, returns after
    /// which time it is. The next warning is due after twice that time.
    fn look(&mut self, running: u64, began: Duration, now: Duration) -> Option<Duration> {
        if running != self.seen {
            (self.seen, self.since, self.next) = (running, began, self.after);
        }
        let is_due = running != 0 && now.saturating_sub(self.since) >= self.next;
        let time = self.next;
        is_due.then(|| {
            self.next = time.saturating_mul(2).max(SHORTEST);
            time
        })
    }
}

/// The checks of a watch without a thread.
#[derive(Debug)]
struct ByCaller {
    /// The time of the last event, at which the running call began.
    began: Duration,
    check: Check,
    warnings: Warnings,
}

impl ByCaller {
    /// Looks at the call that has been running since the last event.
    fn look(&mut self, calls: &Calls) {
        let now = self.warnings.clock.now();
        if now == self.began {
            return;
        }
        let running = calls.running.load(Ordering::Relaxed);
        while let Some(elapsed) = self.check.look(running, self.began, now) {
            self.warnings.warn(calls, running, elapsed);
        }
        self.check.look_at_oldest(calls, &self.warnings, now);
        self.began = now;
    }
}

/// Checks until the watch is over.
fn check(calls: &Calls, after: Duration, interval: Duration, warnings: &Warnings, gauge: &Gauge) {
    let pause = (after.min(interval) / CHECKS).clamp(SHORTEST, LONGEST_PAUSE);
    // A warning at once, and then all the time, would be useless.
    let mut check = Check::new(after.max(pause));
    let mut until_snapshot = gauge.tick(&Look::default());
    loop {
        thread::park_timeout(pause.min(until_snapshot));
        if calls.over.load(Ordering::Relaxed) {
            return;
        }
        calls.ticked.store(true, Ordering::Relaxed);
        let (running, now) = (calls.running.load(Ordering::Relaxed), warnings.clock.now());
        if check.look(running, now, now).is_some() {
            warnings.warn(calls, running, now.saturating_sub(check.since));
        }
        check.look_at_oldest(calls, warnings, now);
        if gauge.is_wanted() {
            until_snapshot = gauge.tick(&look(calls, running, check.since, now));
        }
    }
}

/// The running call or record, which began at `since`, as a snapshot shows it.
fn look(calls: &Calls, running: u64, since: Duration, now: Duration) -> Look {
    let is_slow = |since: Duration| now.saturating_sub(since) >= SLOW;
    let place = running.checked_sub(calls.call().number + 1);
    let oldest = calls
        .at_once()
        .oldest()
        .map(|((since, _), record)| (since, is_slow(since).then(|| At::new(&[], Some(record), false).to_string())));
    let (oldest, at) = match oldest {
        Some((since, at)) => (Some(since), at),
        None if running > 0 && is_slow(since) => {
            let call = calls.call().clone();
            (None, running.checked_sub(call.number).and_then(|place| at(&call, place, false)))
        }
        None => (None, None),
    };
    Look { now, running: now.saturating_sub(since), place, oldest, at }
}

/// The warning.
fn line(shard: &Shard, call: &Call, place: u64, elapsed: Duration) -> Option<String> {
    let at = at(call, place, shard.log_payloads)?;
    let comma = if place > 0 { "," } else { "" };
    let elapsed = Duration::from_millis(elapsed.as_millis().try_into().unwrap_or(u64::MAX));
    Some(format!("shard {}: {}{at}{comma} has been running for {elapsed:.0?}", shard.id(), call.action))
}

/// Where a call is. `place` is 0 for the whole batch, or else the place of a record, counted from 1. `None` if the call is over.
fn at(call: &Call, place: u64, log_payloads: bool) -> Option<String> {
    let records = call.records.upgrade();
    let one = match place {
        0 => None,
        place => Some(records.get(usize::try_from(place - 1).ok()?)?),
    };
    let at = At::new(&records, one, log_payloads);
    // A record's place also shows how far the batch has come.
    let of = one.map(|_| format!(", number {place} of {} in its batch", records.len())).unwrap_or_default();
    Some(format!("{at}{of}"))
}

#[cfg(all(test, loom))]
mod models;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::shard::Position;

    #[test]
    fn without_a_thread_the_clock_is_read_now_and_then() {
        let watch = Watch::default();
        watch.look_again();
        let looks: Vec<_> = (0..40).filter(|_| watch.may_look()).collect();
        assert_eq!(looks, [0, 16, 32]);
        watch.look_again();
        assert!(watch.may_look() && !watch.may_look());
    }

    #[test]
    fn with_a_thread_the_clock_is_read_once_after_each_check() {
        let shard = Shard::new("shard", Position::TrimHorizon);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let watch =
            Watch::start(&shard, Duration::MAX, Duration::from_millis(80), &clock, &Report::Printed, Gauge::default());
        let start = clock.now();
        let mut looks = 0;
        while looks < 5 {
            looks += u128::from(watch.may_look());
        }
        let elapsed = clock.now() - start;
        assert!(elapsed.as_millis() >= 40, "{elapsed:?}");
    }

    /// A clock that passes only when it is set.
    struct Set(AtomicU64);

    impl Clock for Set {
        fn now(&self) -> Duration {
            Duration::from_secs(self.0.load(Ordering::Relaxed))
        }

        fn sleep(&self, time: Duration, _: Option<std::os::fd::BorrowedFd<'_>>) -> bool {
            self.0.fetch_add(time.as_secs(), Ordering::Relaxed);
            false
        }

        fn jitter(&self, limit: Duration) -> Duration {
            limit
        }

        fn is_virtual(&self) -> bool {
            true
        }
    }

    #[test]
    fn with_a_virtual_clock_every_warning_is_given_at_its_time() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let report = Report::callback({
            let lines = Arc::clone(&lines);
            move |line: &str| lines.lock().expect("no panic").push(line.to_owned())
        });
        let clock: Arc<dyn Clock> = Arc::new(Set(AtomicU64::new(7)));
        let shard = Shard::new("shard", Position::TrimHorizon);
        let mut watch = Watch::start(&shard, Duration::from_secs(60), Duration::MAX, &clock, &report, Gauge::default());
        let pass = |seconds| _ = clock.sleep(Duration::from_secs(seconds), None);
        watch.observe(&Event::Called { action: "leaseLost", records: None });
        pass(59);
        watch.observe(&Event::Returned);
        pass(1000);
        assert_eq!(lines.lock().expect("no panic").len(), 0);
        watch.observe(&Event::Called { action: "shardEnded", records: None });
        pass(59);
        // An event without a change does not begin the time anew.
        watch.observe(&Event::At(None));
        pass(200);
        watch.observe(&Event::Returned);
        let expected = [60, 120, 240].map(|time| format!("shard shard: shardEnded has been running for {time}s"));
        assert_eq!(*lines.lock().expect("no panic"), expected);
        // With no time at all, the warnings have an end, too.
        let mut watch = Watch::start(&shard, Duration::ZERO, Duration::MAX, &clock, &report, Gauge::default());
        watch.observe(&Event::Called { action: "shardEnded", records: None });
        pass(1);
        watch.observe(&Event::Returned);
        assert!(lines.lock().expect("no panic").len() < 20);
    }
}
