//! The numbers of a conversation, collected from its events.
//!
//! Only the clock and a lock cost anything. Both are therefore used only for the events of whole batches, and for the records that are
//! timed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::checkpoint::error::CheckpointError;
use crate::clock::Clock;
use crate::error::How;
use crate::histogram::Histogram;
use crate::io::stderr::Report;
use crate::measure::Look;
use crate::metrics::at_once::{AtOnce, Gauges};
use crate::metrics::classes::{class_of_failure, class_of_refusal};
use crate::metrics::sender::Sender;
use crate::metrics::settings::Settings;
use crate::metrics::snapshot::{Now, Running, Snapshot, Totals};
use crate::record::data_size;
use crate::runner::events::{Event, Step};

/// The number of records of which one is timed, while they are fast.
pub(super) const STRIDE: u32 = 256;
/// The time of a record from which on it is slow. Timing it costs less than a hundredth of that time.
pub(super) const SLOW: Duration = Duration::from_micros(50);

/// Collects the numbers of one conversation.
pub(crate) struct Collector {
    shared: Arc<Shared>,
    /// The number of records until the next one that is timed; 0 while one is timed.
    left: u32,
    /// The number of records that the next timed one stands for.
    stride: u32,
    /// The number of records of which one is timed, unless the one before them was slow.
    usual: u32,
    /// The start of the record that is timed, and its place in the batch.
    began: Duration,
    place: u64,
    at_once: AtOnce,
}

impl Collector {
    pub(crate) fn new(settings: Settings, clock: &Arc<dyn Clock>, report: &Report) -> Self {
        let sender = Mutex::new(Sender::new(settings, report.clone()));
        let shared = Shared { clock: Arc::clone(clock), state: Mutex::default(), at_once: Gauges::default(), sender };
        let at_once = AtOnce::default();
        Self { shared: Arc::new(shared), left: 1, stride: 1, usual: STRIDE, began: Duration::ZERO, place: 0, at_once }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Starts to collect for this shard.
    pub(crate) fn begin(&self, shard: &str) {
        let now = self.shared.clock.now();
        let mut state = self.shared.state();
        (state.began, state.shard) = (now, shard.to_owned());
        let snapshot = state.snapshot(&Look { now, ..Look::default() }, &self.shared.at_once);
        drop(state);
        let mut sender = self.shared.sender();
        sender.begin(&*self.shared.clock);
        sender.announce(&snapshot);
    }

    /// Takes an event into account.
    #[inline(always)]
    pub(crate) fn observe(&mut self, event: &Event<'_>) {
        match event {
            Event::Record(place) => {
                self.left = self.left.wrapping_sub(1);
                if self.left == 0 {
                    self.began = self.shared.clock.now();
                    self.place = *place as u64;
                }
            }
            Event::Handled(_) => {
                if self.left == 0 {
                    self.end_record();
                }
            }
            Event::Among { at, step, .. } => self.follow(*at, step),
            Event::At(_)
            | Event::Named(_)
            | Event::Failed { .. }
            | Event::Settled { in_order: 0, .. }
            | Event::Checkpoint { result: Ok(()), .. } => {}
            event => self.observe_rare(event),
        }
    }

    #[cold]
    fn end_record(&mut self) {
        let time = self.shared.clock.now().saturating_sub(self.began);
        let was_seen = self.shared.state().time_record(self.place, time, self.stride);
        self.left = if time >= SLOW { 1 } else { self.usual };
        // A record that the watch has seen stands for itself, and the next one for those before it, too.
        self.stride = self.left + if was_seen { self.stride - 1 } else { 0 };
    }

    /// Times each record if the records of a batch were slow on average, which only a few of them may have been.
    fn adapt(&mut self, mean: Duration) {
        self.usual = if mean >= SLOW { 1 } else { STRIDE };
        if self.usual < self.left {
            // The next record stands for those since the last one, too.
            self.stride -= self.left - self.usual;
            self.left = self.usual;
        }
    }

    /// Takes into account what happens to a record that is handled beside others.
    fn follow(&mut self, at: u64, step: &Step<'_>) {
        let shared = &*self.shared;
        if let Some((time, attempts)) = self.at_once.observe(at, step, &shared.at_once, || shared.clock.now()) {
            let mut state = shared.state();
            // Each attempt has one record.
            state.handler.add_times(nanos(time), attempts.into());
            state.record.add_times(nanos(time), attempts.into());
        }
        if let Step::Ended { result: Err(failure), .. } | Step::Taken(Err(failure)) = step {
            count(&mut shared.state().totals.failures, class_of_failure(failure));
        }
    }

    #[inline(never)]
    fn observe_rare(&mut self, event: &Event<'_>) {
        if let (Event::Attempted(_), 0) = (event, self.left) {
            // The record's handler panicked.
            self.end_record();
        }
        let is_timed = matches!(
            event,
            Event::Batch(_) | Event::Called { .. } | Event::Attempt(_) | Event::Attempted(_) | Event::Accepted
        );
        let now = if is_timed { self.shared.clock.now() } else { Duration::ZERO };
        let mean = self.shared.state().observe(event, now);
        if let Some(mean) = mean {
            self.adapt(mean);
        }
    }
}

/// The numbers, and the sender of their snapshots, which the watch's thread calls.
pub(crate) struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    at_once: Gauges,
    sender: Mutex<Sender>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sender(&self) -> MutexGuard<'_, Sender> {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a snapshot if it is due, and returns the time until the next one.
    pub(crate) fn tick(&self, look: &Look) -> Duration {
        let mut sender = self.sender();
        let mut state = self.state();
        state.see(look);
        let snapshot = sender.is_due(look.now).then(|| state.snapshot(look, &self.at_once));
        drop(state);
        if let Some(snapshot) = snapshot {
            sender.send(snapshot, look.now);
        }
        sender.until_due(self.clock.now())
    }

    /// Sends the last snapshot, unless no shard was ever named.
    pub(crate) fn finish(&self, exit_code: u8) {
        let mut sender = self.sender();
        if sender.has_begun() {
            let look = Look { now: self.clock.now(), ..Look::default() };
            let mut state = self.state();
            state.see(&look);
            let snapshot = state.snapshot(&look, &self.at_once);
            drop(state);
            sender.end(Snapshot { is_last: true, exit_code: Some(exit_code), ..snapshot });
        }
    }
}

/// The start of an attempt, and the place of a record in its batch.
type OneRecord = (Duration, u64);

#[derive(Debug, Default)]
struct State {
    shard: String,
    began: Duration,
    totals: Totals,
    handler: Histogram,
    record: Histogram,
    batch: Histogram,
    behind: Option<Duration>,
    /// The number of records of the present batch.
    records: u32,
    /// The batches with records that are not settled: when each arrived, and the number of these records.
    unsettled: VecDeque<(Duration, u64)>,
    /// Whether the record handler gets the records of the whole batch in order, so that the ones before the present one are done.
    is_in_order: bool,
    /// The number of settled records in the last snapshot. The next snapshot must not show fewer.
    shown: u64,
    running: Option<(&'static str, Duration)>,
    /// The start of the attempt of the record handler that is running.
    attempt: Option<Duration>,
    /// Whether the present attempt is the first one of its batch, which gets all records.
    is_first: bool,
    /// The single record that the watch saw at its last look, and how long it had been running.
    seen: Option<(OneRecord, Duration)>,
    /// The last record that was timed.
    timed: Option<OneRecord>,
    last_message: Option<Duration>,
    last_checkpoint: Option<Duration>,
}

impl State {
    /// Takes an event at this time into account. After the first attempt at a batch, returns the mean time of its records.
    fn observe(&mut self, event: &Event<'_>, now: Duration) -> Option<Duration> {
        let totals = &mut self.totals;
        match event {
            Event::Batch(records) => {
                self.last_message = Some(now);
                let count = records.len() as u64;
                self.records = count.try_into().unwrap_or(u32::MAX);
                self.is_first = true;
                if count == 0 {
                    totals.empty_batches += 1;
                    return None;
                }
                totals.batches += 1;
                totals.delivered += count;
                totals.bytes += data_size(records);
                self.batch.add(count);
                self.unsettled.push_back((now, count));
            }
            Event::Behind(behind) => self.behind = behind.0,
            Event::Called { action, records } => {
                self.running = Some((action, now));
                if records.is_none() && !matches!(*action, "tick" | "drop") {
                    self.last_message = Some(now);
                }
                // They belong to the lease's new owner.
                if matches!(*action, "leaseLost" | "shutdown") {
                    self.unsettled.clear();
                }
            }
            Event::Attempt(places) => {
                self.attempt = Some(now);
                self.is_in_order = places.is_none();
            }
            Event::Attempted(result) => {
                self.is_in_order = false;
                if let Err(failure) = result {
                    count(&mut totals.failures, class_of_failure(failure));
                }
                // The times of empty batches would hide those of the others.
                let time = self.attempt.take().filter(|_| self.records > 0).map(|began| now.saturating_sub(began))?;
                self.handler.add(nanos(time));
                // A later attempt gets only some of the records.
                return std::mem::take(&mut self.is_first).then(|| time / self.records);
            }
            Event::Returned => self.running = None,
            Event::Retried => totals.retries += 1,
            Event::Passed(passed) => {
                let class = class_of_failure(passed.failed.failure());
                count(
                    match passed.how {
                        How::Skipped => &mut totals.skipped,
                        How::DeadLettered => &mut totals.dead_lettered,
                    },
                    class,
                );
            }
            Event::Settled { in_order, .. } => self.settle(*in_order as u64),
            Event::Accepted => {
                totals.checkpoints += 1;
                self.last_checkpoint = Some(now);
            }
            Event::Checkpoint { result: Err(error), .. } => {
                count(&mut totals.refused, class_of_refusal(error));
                if matches!(error, CheckpointError::LeaseLost) {
                    self.unsettled.clear();
                }
            }
            _ => {}
        }
        None
    }

    /// Adds the time of the record at this place, which stands for several records, unless the watch has seen it. Returns whether it has.
    fn time_record(&mut self, place: u64, time: Duration, records: u32) -> bool {
        self.timed = self.attempt.map(|attempt| (attempt, place));
        let was_seen = self.seen.take_if(|(seen, _)| Some(*seen) == self.timed).is_some();
        self.record.add_times(nanos(time), if was_seen { 1 } else { records.into() });
        was_seen
    }

    /// Looks at the running record. When a record that was seen is no longer running, and was not timed, its time is counted as far as it
    /// was seen.
    fn see(&mut self, look: &Look) {
        let record = self.attempt.filter(|_| look.oldest.is_none()).zip(look.place);
        // The wait before an attempt belongs to the same place.
        let time = |(attempt, _): OneRecord| look.running.min(look.now.saturating_sub(attempt));
        let seen = record.filter(|record| Some(*record) != self.timed).map(|record| (record, time(record)));
        let before = std::mem::replace(&mut self.seen, seen);
        if let Some((before, time)) = before
            && time >= SLOW
            && seen.is_none_or(|(now, _)| now != before)
        {
            self.record.add(nanos(time));
        }
    }

    /// Counts records that are done, the oldest first.
    fn settle(&mut self, mut records: u64) {
        self.totals.settled += records;
        while let Some((_, count)) = self.unsettled.front_mut() {
            if *count > records {
                *count -= records;
                return;
            }
            records -= *count;
            self.unsettled.pop_front();
        }
    }

    fn snapshot(&mut self, look: &Look, at_once: &Gauges) -> Snapshot {
        let Look { now, running, place, oldest, ref at } = *look;
        let since = |then: Duration| millis(now.saturating_sub(then));
        let waiting: u64 = self.unsettled.iter().map(|(_, count)| count).sum();
        let handled = place.filter(|_| self.is_in_order).unwrap_or(0).min(waiting);
        self.shown = self.shown.max(self.totals.settled + handled);
        let running = match oldest {
            Some(oldest) => Some(("processRecords", since(oldest))),
            None => self.running.map(|(action, began)| (action, millis(running).min(since(began)))),
        };
        let at = at.as_ref().map(|at| at.trim_start().to_owned()).filter(|at| !at.is_empty());
        let running = running.map(|(action, ms)| Running { action: action.to_owned(), ms, at });
        Snapshot {
            shard: self.shard.clone(),
            uptime_ms: since(self.began),
            totals: Totals { settled: self.shown, ..self.totals.clone() },
            now: Now {
                millis_behind_latest: self.behind.map(millis),
                unsettled: waiting - handled,
                oldest_unsettled_ms: self.unsettled.front().map(|(arrived, _)| since(*arrived)),
                in_flight: u64::from(self.attempt.is_some()) + at_once.in_flight(),
                blocked_keys: at_once.blocked(),
                running,
                last_message_ms: self.last_message.map(since),
                last_checkpoint_ms: self.last_checkpoint.map(since),
            },
            handler: self.handler.clone(),
            record: self.record.clone(),
            batch: self.batch.clone(),
            ..Snapshot::default()
        }
    }
}

fn count(classes: &mut BTreeMap<String, u64>, class: &'static str) {
    match classes.get_mut(class) {
        Some(count) => *count += 1,
        None => _ = classes.insert(class.to_owned(), 1),
    }
}

fn nanos(time: Duration) -> u64 {
    time.as_nanos().try_into().unwrap_or(u64::MAX)
}

fn millis(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_slow_record_that_only_the_watch_sees_is_counted_once() {
        let mut state = State::default();
        let look = |state: &mut State, now: u64, running: u64, place| {
            state.see(&Look { now: millis(now), running: millis(running), place, ..Look::default() });
            (state.record.count(), state.record.max() / 1_000_000)
        };
        assert_eq!(look(&mut state, 900, 900, Some(0)), (0, 0), "it waits for its first attempt");
        state.attempt = Some(millis(1_000));
        assert_eq!(look(&mut state, 1_100, 1_100, Some(0)), (0, 0));
        assert_eq!(look(&mut state, 2_100, 2_100, Some(0)), (0, 0), "it is running");
        assert_eq!(look(&mut state, 3_100, 0, Some(7)), (1, 1_100));
        assert_eq!(look(&mut state, 4_100, 1_000, Some(7)), (1, 1_100));
        // The record handler has timed it.
        assert!(state.time_record(7, millis(1_500), 9));
        assert_eq!(look(&mut state, 5_100, 0, Some(8)), (2, 1_500));
        assert_eq!(look(&mut state, 7_100, 2_000, Some(8)), (2, 1_500));
        assert!(!state.time_record(9, Duration::ZERO, 1), "another one is timed");
        assert_eq!(look(&mut state, 8_100, 0, None), (4, 2_000));
        // Another attempt at the same record is timed, and the look at it comes late.
        state.attempt = Some(millis(9_000));
        assert_eq!(look(&mut state, 9_900, 900, Some(8)), (4, 2_000));
        assert!(state.time_record(8, millis(3_000), 1));
        state.attempt = Some(millis(12_000));
        assert_eq!(look(&mut state, 14_000, 5_000, Some(8)), (5, 3_000));
        assert!(state.time_record(8, millis(4_000), 1));
        assert_eq!(look(&mut state, 15_000, 6_000, Some(8)), (6, 4_000));
        assert_eq!(look(&mut state, 16_000, 0, None), (6, 4_000));
    }

    #[test]
    fn after_a_batch_that_is_slow_on_average_each_record_is_timed() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let settings = Settings::new(|name| (name == "KCL_METRICS").then(|| "json".into())).expect("valid");
        let mut collector = Collector::new(settings.expect("it is set"), &clock, &Report::Printed);
        let strides = |collector: &Collector| (collector.stride, collector.left);
        // No time passes.
        collector.began = Duration::MAX;
        collector.left = 0;
        collector.end_record();
        assert_eq!(strides(&collector), (STRIDE, STRIDE));
        collector.left -= 10;
        collector.adapt(SLOW);
        assert_eq!(strides(&collector), (11, 1), "the next one stands for those before it, too");
        for _ in 0..2 {
            collector.left = 0;
            collector.end_record();
            assert_eq!(strides(&collector), (1, 1));
        }
        collector.adapt(Duration::ZERO);
        collector.left = 0;
        collector.end_record();
        assert_eq!(strides(&collector), (STRIDE, STRIDE));
    }
}
