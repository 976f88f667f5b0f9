//! The message that a shard's processor is handling and its counts so far, readable from other threads.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kcl::{FailureAction, SequenceNumber};

use super::times::Times;
use crate::local::timeline::{History, Timeline};
use crate::metrics::Seen;

/// State shared between the thread that converses with a shard's processors and the threads that observe it.
#[derive(Debug, Default)]
pub(crate) struct Pulse(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    counts: Counts,
    /// The last record that was acknowledged.
    reached: Option<SequenceNumber>,
    pending: Option<Pending>,
    /// When a processor first answered `initialize`.
    initialized: Option<Instant>,
    /// The history of the shard, if the run is to be reported.
    history: Option<History>,
    /// When the last processor ended.
    ended: Option<Instant>,
}

/// A message that is not acknowledged yet.
#[derive(Debug)]
struct Pending {
    action: &'static str,
    /// Whether it carries records.
    is_batch: bool,
    since: Instant,
    /// Whether it was already reported as slow.
    reported: bool,
}

/// The counts and times of a shard's processors.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// Records acknowledged or checkpointed by the processor.
    pub(crate) records: u64,
    /// The size of their data.
    pub(crate) bytes: u64,
    pub(crate) checkpoints: u64,
    /// Records that failed permanently, and that the processor skipped.
    pub(crate) skipped: u64,
    /// Records that failed permanently, and that the processor put aside.
    pub(crate) dead_lettered: u64,
    /// The durations of batches with records.
    pub(crate) batches: Times,
    /// The time spent in the processor, including checkpoints that it requested meanwhile.
    pub(crate) at_processor: Duration,
    pub(crate) at_checkpoints: Duration,
    /// The time spent waiting for records.
    pub(crate) at_input: Duration,
}

impl State {
    fn note(&self, event: impl FnOnce(&mut Timeline)) {
        if let Some(history) = &self.history {
            event(&mut history.lock());
        }
    }
}

impl Pulse {
    /// Notes that a message is being sent to the processor, and whether it carries records.
    pub(crate) fn ask(&self, action: &'static str, is_batch: bool) {
        self.lock().pending = Some(Pending { action, is_batch, since: Instant::now(), reported: false });
    }

    /// Notes that the message was acknowledged, or never will be.
    pub(crate) fn answered(&self) {
        let mut state = self.lock();
        if let Some(pending) = state.pending.take() {
            let time = pending.since.elapsed();
            state.counts.at_processor += time;
            if pending.is_batch {
                state.counts.batches.add(time);
                state.note(|timeline| timeline.answered(time));
            }
        }
    }

    /// Notes that a processor has answered `initialize`.
    pub(crate) fn initialized(&self) {
        self.lock().initialized.get_or_insert_with(Instant::now);
    }

    pub(crate) fn processed(&self, records: u64, bytes: u64) {
        let mut state = self.lock();
        state.counts.records += records;
        state.counts.bytes += bytes;
        state.note(|timeline| timeline.processed(records));
    }

    /// Counts a record that the processor reports as skipped or dead-lettered, with this line.
    pub(crate) fn passed_over(&self, action: FailureAction, line: &[u8]) {
        let mut state = self.lock();
        match action {
            FailureAction::Skip => state.counts.skipped += 1,
            FailureAction::DeadLetter => state.counts.dead_lettered += 1,
            _ => return,
        }
        state.note(|timeline| timeline.passed_over(action, line));
    }

    /// Keeps the history of the shard from now on.
    pub(crate) fn draw(&self, history: History) {
        self.lock().history = Some(history);
    }

    /// Adds an event to the history of the shard, if it is kept.
    pub(crate) fn note(&self, event: impl FnOnce(&mut Timeline)) {
        self.lock().note(event);
    }

    /// Notes that a processor has started.
    pub(crate) fn started(&self) {
        let mut state = self.lock();
        let pause = state.ended.take().map_or(Duration::ZERO, |ended| ended.elapsed());
        state.note(|timeline| timeline.started(pause));
    }

    /// Notes that the processor has ended.
    pub(crate) fn ended(&self, failed: bool) {
        let mut state = self.lock();
        state.ended = Some(Instant::now());
        if failed {
            state.note(Timeline::failed);
        }
    }

    /// The history of the shard, if it is kept.
    pub(crate) fn history(&self) -> Option<History> {
        self.lock().history.clone()
    }

    /// Notes that all records up to this one were acknowledged.
    pub(crate) fn reached(&self, record: SequenceNumber) {
        self.lock().reached = Some(record);
    }

    /// The number of records, their bytes, and the last record that was acknowledged.
    pub(crate) fn progress(&self) -> (u64, u64, Option<SequenceNumber>) {
        let state = self.lock();
        (state.counts.records, state.counts.bytes, state.reached)
    }

    /// Counts a saved checkpoint, and the time it took.
    pub(crate) fn checkpointed(&self, time: Duration) {
        let mut state = self.lock();
        state.counts.checkpoints += 1;
        state.counts.at_checkpoints += time;
        state.note(Timeline::checkpointed);
    }

    /// Counts the time until records, or their end, arrived.
    pub(crate) fn waited(&self, time: Duration) {
        self.lock().counts.at_input += time;
    }

    pub(crate) fn counts(&self) -> Counts {
        self.lock().counts.clone()
    }

    /// The state of the shard's processors for the metrics of the run.
    pub(crate) fn seen(&self) -> Seen {
        let State { counts, pending, initialized, .. } = &*self.lock();
        Seen {
            records: counts.records,
            bytes: counts.bytes,
            checkpoints: counts.checkpoints,
            skipped: counts.skipped,
            dead_lettered: counts.dead_lettered,
            batches: counts.batches.nanos().clone(),
            answered: initialized.map(|at| at.elapsed()),
            running: pending.as_ref().map(|pending| (pending.action, pending.since.elapsed())),
        }
    }

    /// The message that the processor has been handling for at least `patience`; reported once for each message.
    pub(crate) fn stuck(&self, patience: Duration) -> Option<&'static str> {
        let mut state = self.lock();
        let is_stuck = |pending: &&mut Pending| !pending.reported && pending.since.elapsed() >= patience;
        let pending = state.pending.as_mut().filter(is_stuck)?;
        pending.reported = true;
        Some(pending.action)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stuck_processor_is_reported_once() {
        let pulse = Pulse::default();
        assert_eq!(pulse.stuck(Duration::ZERO), None);
        pulse.ask("initialize", false);
        assert_eq!(pulse.stuck(Duration::from_secs(60)), None);
        assert_eq!(pulse.stuck(Duration::ZERO), Some("initialize"));
        assert_eq!(pulse.stuck(Duration::ZERO), None);
        pulse.answered();
        pulse.ask("processRecords", true);
        assert_eq!(pulse.stuck(Duration::ZERO), Some("processRecords"));
    }
}
