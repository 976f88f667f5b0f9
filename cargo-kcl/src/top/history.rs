//! The last minutes of a run, as the answers of its socket show them. Memory is bounded, whatever the number of shards.

use std::collections::{BTreeMap, VecDeque};

use super::table::times;
use crate::metrics::state::{ShardState, State};

/// The most samples that are kept of a shard.
const MOST: usize = 300;
/// The fewest.
const LEAST: usize = 60;
/// The most samples of all shards together, unless each keeps the fewest.
const ALL: usize = 300_000;

/// The changes between two answers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sample {
    /// The time between them, in milliseconds.
    pub(super) ms: u32,
    /// Settled records a second, as the run reports it: an average of the last seconds.
    pub(super) rate: f32,
    /// Milliseconds, if anything was timed.
    pub(super) p99: Option<f32>,
    pub(super) retries: u32,
    pub(super) checkpoints: u32,
    pub(super) refused: u32,
    /// Records that were skipped or dead-lettered.
    pub(super) passed_over: u32,
    pub(super) restarts: u32,
}

/// The counts of an answer that a sample is computed from.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    retries: u64,
    checkpoints: u64,
    refused: u64,
    passed_over: u64,
    restarts: u64,
}

impl Counts {
    fn of(shard: &ShardState) -> Self {
        let sum =
            |classes: &BTreeMap<String, u64>| classes.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
        let totals = &shard.totals;
        Self {
            retries: totals.retries,
            checkpoints: totals.checkpoints,
            refused: sum(&totals.refused),
            passed_over: sum(&totals.skipped).saturating_add(sum(&totals.dead_lettered)),
            restarts: shard.restarts,
        }
    }
}

/// The samples of one shard, or of all.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace {
    last: Counts,
    samples: VecDeque<Sample>,
}

impl Trace {
    fn begin(shard: &ShardState) -> Self {
        Self { last: Counts::of(shard), samples: VecDeque::new() }
    }

    fn add(&mut self, shard: &ShardState, ms: u64, most: usize) {
        let (now, last) = (Counts::of(shard), self.last);
        let more = |now: u64, last: u64| now.saturating_sub(last).try_into().unwrap_or(u32::MAX);
        let times = times(shard);
        self.samples.push_back(Sample {
            ms: ms.try_into().unwrap_or(u32::MAX),
            rate: shard.records_per_second as f32,
            p99: (times.count > 0).then_some(times.p99 as f32),
            retries: more(now.retries, last.retries),
            checkpoints: more(now.checkpoints, last.checkpoints),
            refused: more(now.refused, last.refused),
            passed_over: more(now.passed_over, last.passed_over),
            restarts: more(now.restarts, last.restarts),
        });
        self.last = now;
        let old = self.samples.len().saturating_sub(most);
        self.samples.drain(..old);
    }

    /// This many of the newest samples, the newest first.
    pub(super) fn newest(&self, most: usize) -> impl Iterator<Item = &Sample> {
        self.samples.iter().rev().take(most)
    }

    /// The sum of a count over all samples.
    pub(super) fn sum(&self, count: impl Fn(&Sample) -> u32) -> u64 {
        self.samples.iter().map(|sample| u64::from(count(sample))).sum()
    }
}

/// The samples of a run.
#[derive(Debug, Default)]
pub(super) struct History {
    /// The process that runs it, and its age in the last answer.
    last: Option<(u32, u64)>,
    all: Trace,
    shards: BTreeMap<String, Trace>,
}

impl History {
    /// Takes an answer into account.
    pub(super) fn add(&mut self, state: &State, all: &ShardState) {
        // Another run of the same name starts at 0.
        let ms = match self.last.replace((state.pid, state.uptime_ms)) {
            Some((pid, before)) if pid == state.pid => state.uptime_ms.checked_sub(before),
            _ => None,
        };
        let Some(ms) = ms else {
            self.all = Trace::begin(all);
            self.shards = state.shards.iter().map(|shard| (shard.shard.clone(), Trace::begin(shard))).collect();
            return;
        };
        // The run may give the same answer twice.
        if ms == 0 {
            return;
        }
        let most = most(state.shards.len());
        self.all.add(all, ms, MOST);
        let mut before = std::mem::take(&mut self.shards);
        for shard in &state.shards {
            let mut trace = before.remove(&shard.shard).unwrap_or_default();
            trace.add(shard, ms, most);
            self.shards.insert(shard.shard.clone(), trace);
        }
    }

    /// The samples of a shard, or of all.
    pub(super) fn of(&self, shard: Option<&str>) -> Option<&Trace> {
        shard.map_or(Some(&self.all), |shard| self.shards.get(shard))
    }
}

/// The most samples that are kept of each of this many shards.
fn most(shards: usize) -> usize {
    (ALL / shards.max(1)).clamp(LEAST, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(pid: u32, uptime_ms: u64, shards: &[(&str, u64)]) -> State {
        let shards = shards.iter().map(|(id, count)| {
            let mut shard = ShardState { shard: (*id).to_owned(), restarts: *count, ..ShardState::default() };
            shard.records_per_second = *count as f64;
            shard.totals.dead_lettered.insert("error".to_owned(), *count);
            shard
        });
        State { pid, uptime_ms, shards: shards.collect(), ..State::default() }
    }

    fn add(history: &mut History, state: &State) {
        history.add(state, &state.all());
    }

    fn rates(history: &History, shard: Option<&str>) -> Vec<f32> {
        history.of(shard).map_or(Vec::new(), |trace| trace.newest(usize::MAX).map(|sample| sample.rate).collect())
    }

    #[test]
    fn samples_are_rates_and_changes() {
        let mut history = History::default();
        add(&mut history, &state(1, 5_000, &[("a", 10), ("b", 0)]));
        assert!(rates(&history, None).is_empty());
        add(&mut history, &state(1, 7_000, &[("a", 14), ("b", 0)]));
        add(&mut history, &state(1, 7_000, &[("a", 15), ("b", 0)]));
        add(&mut history, &state(1, 7_500, &[("a", 15), ("c", 1)]));
        assert_eq!(rates(&history, None), [16.0, 14.0]);
        assert_eq!(rates(&history, Some("a")), [15.0, 14.0]);
        assert_eq!((rates(&history, Some("b")), rates(&history, Some("c"))), (vec![], vec![1.0]));
        let all = history.of(None).expect("samples");
        assert_eq!(all.newest(1).map(|sample| (sample.ms, sample.restarts)).collect::<Vec<_>>(), [(500, 2)]);
        assert_eq!((all.sum(|sample| sample.passed_over), all.sum(|sample| sample.restarts)), (6, 6));
        // Another run has the name now.
        add(&mut history, &state(2, 9_000, &[("a", 1)]));
        assert!(rates(&history, Some("a")).is_empty());
    }

    #[test]
    fn the_number_of_samples_is_bounded() {
        let mut history = History::default();
        for second in 0..1_000 {
            add(&mut history, &state(1, second * 1_000, &[("a", second)]));
        }
        assert_eq!(rates(&history, Some("a")).len(), MOST);
        assert_eq!([0, 1_000, 2_000, 20_000].map(most), [MOST, MOST, 150, LEAST]);
    }
}
