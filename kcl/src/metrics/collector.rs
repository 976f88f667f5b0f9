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
/// The time of a record after which the next one is timed, too: this costs less than a hundredth of that time.
pub(super) const SLOW: Duration = Duration::from_micros(50);

/// Collects the numbers of one conversation.
pub(crate) struct Collector {
    shared: Arc<Shared>,
    /// The number of records until the next one that is timed; 0 while one is timed.
    left: u32,
    /// The number of records that the next timed one stands for.
    stride: u32,
    /// The start of the record that is timed.
    began: Duration,
    /// The start of the attempt of the record handler.
    attempt: Option<Duration>,
    at_once: AtOnce,
}

impl Collector {
    pub(crate) fn new(settings: Settings, clock: &Arc<dyn Clock>, report: &Report) -> Self {
        let sender = Mutex::new(Sender::new(settings, report.clone()));
        let shared = Shared { clock: Arc::clone(clock), state: Mutex::default(), at_once: Gauges::default(), sender };
        let at_once = AtOnce::default();
        Self { shared: Arc::new(shared), left: 1, stride: 1, began: Duration::ZERO, attempt: None, at_once }
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
            Event::Record(_) => {
                self.left = self.left.wrapping_sub(1);
                if self.left == 0 {
                    self.began = self.shared.clock.now();
                }
            }
            Event::Handled(_) => {
                if self.left == 0 {
                    self.end_record();
                }
            }
            Event::Among { at, step, .. } => self.follow(*at, step),
            Event::At(_) | Event::Named(_) | Event::Failed(_) | Event::Checkpoint { result: Ok(()), .. } => {}
            event => self.observe_rare(event),
        }
    }

    #[cold]
    fn end_record(&mut self) {
        let time = self.shared.clock.now().saturating_sub(self.began);
        self.shared.state().record.add_times(nanos(time), self.stride.into());
        self.stride = if time >= SLOW { 1 } else { STRIDE };
        self.left = self.stride;
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
        if let Step::Ended(Err(failure)) | Step::Taken(Err(failure)) = step {
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
        let attempt = match event {
            Event::Attempt(_) => {
                self.attempt = Some(now);
                None
            }
            Event::Attempted(_) => self.attempt.take(),
            _ => None,
        };
        self.shared.state().observe(event, now, attempt);
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
        if sender.is_due(look.now) {
            let snapshot = self.state().snapshot(look, &self.at_once);
            sender.send(snapshot, look.now);
        }
        sender.until_due(self.clock.now())
    }

    /// Sends the last snapshot, unless no shard was ever named.
    pub(crate) fn finish(&self, exit_code: u8) {
        let mut sender = self.sender();
        if sender.has_begun() {
            let snapshot = self.state().snapshot(&Look { now: self.clock.now(), ..Look::default() }, &self.at_once);
            sender.end(Snapshot { is_last: true, exit_code: Some(exit_code), ..snapshot });
        }
    }
}

#[derive(Debug, Default)]
struct State {
    shard: String,
    began: Duration,
    totals: Totals,
    handler: Histogram,
    record: Histogram,
    batch: Histogram,
    behind: Option<Duration>,
    /// Whether the present batch has records.
    has_records: bool,
    /// The batches with records that are not settled: when each arrived, and the number of these records.
    unsettled: VecDeque<(Duration, u64)>,
    /// Whether the record handler gets the records of the whole batch in order, so that the ones before the present one are done.
    is_in_order: bool,
    /// The number of settled records in the last snapshot. The next snapshot must not show fewer.
    shown: u64,
    running: Option<(&'static str, Duration)>,
    in_flight: u64,
    last_message: Option<Duration>,
    last_checkpoint: Option<Duration>,
}

impl State {
    /// Takes an event at this time into account. `attempt` is the start of the attempt of the record handler that has ended.
    fn observe(&mut self, event: &Event<'_>, now: Duration, attempt: Option<Duration>) {
        let totals = &mut self.totals;
        match event {
            Event::Batch(records) => {
                self.last_message = Some(now);
                let count = records.len() as u64;
                self.has_records = count > 0;
                if count == 0 {
                    totals.empty_batches += 1;
                    return;
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
                self.in_flight = 1;
                self.is_in_order = places.is_none();
            }
            Event::Attempted(result) => {
                self.is_in_order = false;
                self.in_flight = 0;
                // The times of empty batches would hide those of the others.
                if let Some(began) = attempt.filter(|_| self.has_records) {
                    self.handler.add(nanos(now.saturating_sub(began)));
                }
                if let Err(failure) = result {
                    count(&mut totals.failures, class_of_failure(failure));
                }
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
                in_flight: self.in_flight + at_once.in_flight(),
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
