//! The history of a shard for `--report`: counts in periods of time, in memory that is bounded whatever the length of the run.

pub(crate) mod letters;
pub(crate) mod periods;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kcl::FailureAction;

use self::letters::Letters;
use self::periods::{Period, Periods};

/// The number of slowest batches that are kept for each shard.
const SLOWEST: usize = 5;
/// The number of classes of latency: two for each power of two of microseconds.
pub(crate) const CLASSES: usize = 80;

/// A history, which several shards may share.
#[derive(Clone, Debug)]
pub(crate) struct History(Arc<Mutex<Timeline>>);

impl History {
    /// The history of shards in a run that began at `epoch`.
    pub(crate) fn new(epoch: Instant) -> Self {
        Self(Arc::new(Mutex::new(Timeline::new(epoch))))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Timeline> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// The history of one shard, or of several ones together.
#[derive(Clone, Debug)]
pub(crate) struct Timeline {
    epoch: Instant,
    pub(crate) periods: Periods,
    /// The number of batches in each class of latency.
    pub(crate) latencies: Vec<u64>,
    /// The slowest batches, the slowest first: how long each took, and how long after the start of the run it ended.
    pub(crate) slowest: Vec<(Duration, Duration)>,
    pub(crate) letters: Letters,
    /// The refused checkpoints by exception.
    pub(crate) refused: BTreeMap<String, u64>,
    /// The time from the end of a processor to the start of the next one.
    pub(crate) at_restarts: Duration,
    /// Whether the processors count their retries themselves.
    counts_retries: bool,
}

impl Timeline {
    fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            periods: Periods::default(),
            latencies: vec![0; CLASSES],
            slowest: Vec::new(),
            letters: Letters::default(),
            refused: BTreeMap::new(),
            at_restarts: Duration::ZERO,
            counts_retries: false,
        }
    }

    fn now(&mut self) -> &mut Period {
        self.periods.at(self.epoch.elapsed())
    }

    /// Notes that a processor has started, this long after the end of the last one.
    pub(crate) fn started(&mut self, pause: Duration) {
        self.at_restarts += pause;
        self.now().starts += 1;
    }

    /// Notes that a processor has failed.
    pub(crate) fn failed(&mut self) {
        self.now().failures += 1;
    }

    /// Notes that a processor reports this many retries since its last report.
    pub(crate) fn retried(&mut self, times: u64) {
        self.counts_retries = true;
        if times > 0 {
            self.now().retries += times;
        }
    }

    /// Notes that a batch with records was answered after this time.
    pub(crate) fn answered(&mut self, time: Duration) {
        let now = self.now();
        now.batches += 1;
        now.busy += time;
        now.slowest = now.slowest.max(time);
        self.latencies[class_of(time)] += 1;
        if self.slowest.len() < SLOWEST || self.slowest.last().is_some_and(|(least, _)| time > *least) {
            let before = self.slowest.partition_point(|(slower, _)| *slower >= time);
            self.slowest.insert(before, (time, self.epoch.elapsed()));
            self.slowest.truncate(SLOWEST);
        }
    }

    pub(crate) fn processed(&mut self, records: u64) {
        self.now().records += records;
    }

    pub(crate) fn checkpointed(&mut self) {
        self.now().checkpoints += 1;
    }

    /// Notes that a checkpoint was refused with this exception.
    pub(crate) fn refused(&mut self, exception: &str) {
        self.now().refused += 1;
        // The names come from the tool, so there are few.
        *self.refused.entry(exception.to_owned()).or_default() += 1;
    }

    /// Notes a fault that chaos injected, described by the number of its message, its name, and details.
    pub(crate) fn fault(&mut self, note: &str) {
        let name = note.split(' ').nth(1).unwrap_or(note).to_owned();
        *self.now().faults.entry(name).or_default() += 1;
    }

    /// Notes a record that was passed over, which this line on the processor's stderr reports.
    pub(crate) fn passed_over(&mut self, action: FailureAction, line: &[u8]) {
        let retries = self.letters.add(action, line);
        let counts_retries = self.counts_retries;
        let now = self.now();
        if !counts_retries {
            now.retries += retries;
        }
        match action {
            FailureAction::DeadLetter => now.dead_lettered += 1,
            _ => now.skipped += 1,
        }
    }
}

/// The class of a latency.
fn class_of(time: Duration) -> usize {
    let micros = (time.as_micros() as f64).max(1.0);
    ((2.0 * micros.log2()) as usize).min(CLASSES - 1)
}

/// The shortest latency of a class.
pub(crate) fn start_of(class: usize) -> Duration {
    Duration::from_secs_f64(2f64.powf(class as f64 / 2.0) / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_fall_into_their_classes() {
        for (micros, class) in [(0, 0), (1, 0), (2, 2), (3, 3), (1_000, 19), (1_000_000, 39), (u64::MAX, CLASSES - 1)] {
            let time = Duration::from_micros(micros);
            assert_eq!(class_of(time), class, "{micros}");
            assert!(micros == 0 || class == CLASSES - 1 || (start_of(class)..start_of(class + 1)).contains(&time));
        }
    }

    #[test]
    fn retries_are_counted_once() {
        let line = b"kcl: shard s: skipped a record: e; record 1/0, after 3 attempts";
        let mut timeline = Timeline::new(Instant::now());
        let retries = |timeline: &Timeline| timeline.periods.iter().map(|period| period.retries).sum::<u64>();
        timeline.passed_over(FailureAction::Skip, line);
        assert_eq!(retries(&timeline), 2);
        let mut timeline = Timeline::new(Instant::now());
        timeline.retried(0);
        timeline.passed_over(FailureAction::Skip, line);
        timeline.retried(5);
        assert_eq!(retries(&timeline), 5);
    }

    #[test]
    fn the_slowest_batches_are_kept_in_order() {
        let mut timeline = Timeline::new(Instant::now());
        for millis in [3, 9, 1, 7, 5, 8, 2, 6] {
            timeline.answered(Duration::from_millis(millis));
        }
        let slowest: Vec<_> = timeline.slowest.iter().map(|(time, _)| time.as_millis()).collect();
        assert_eq!(slowest, [9, 8, 7, 6, 5]);
    }
}
