//! A run at one moment, as `cargo kcl top` reads it.

use std::collections::BTreeMap;
use std::time::Instant;

use kcl::__private::Histogram;
use kcl::metrics::{Now, Totals};
use serde::{Deserialize, Serialize};

use super::life::millis;
use super::shard::{Shard, Source, View};
use super::sums::{self, Sums};
use super::{Site, Stage};

/// A run at one moment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct State {
    pub(crate) verb: String,
    pub(crate) application: String,
    pub(crate) stream: Option<String>,
    /// The name under which the daemon holds leases, if the tool knows it.
    pub(crate) worker: Option<String>,
    /// Where the daemon keeps its leases.
    pub(crate) site: Option<Site>,
    pub(crate) pid: u32,
    pub(crate) uptime_ms: u64,
    /// The problems of the run.
    pub(crate) problems: Vec<String>,
    /// The reason why it is not ready, if it is not.
    pub(crate) unready: Option<String>,
    /// Whether processors are running, and none of them sends metrics.
    pub(crate) silent: bool,
    pub(crate) daemon: Option<DaemonState>,
    /// The durations of recent attempts of the record handler, of all shards.
    pub(crate) handler: Times,
    /// The same for single records.
    pub(crate) record: Times,
    pub(crate) shards: Vec<ShardState>,
}

/// The daemon of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DaemonState {
    pub(crate) pid: Option<u32>,
    pub(crate) is_up: bool,
    pub(crate) restarts: u64,
    pub(crate) exits: BTreeMap<String, u64>,
    pub(crate) memory_bytes: Option<u64>,
}

/// One shard of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ShardState {
    pub(crate) shard: String,
    pub(crate) stage: Stage,
    pub(crate) stage_ms: u64,
    pub(crate) pid: Option<u32>,
    /// Milliseconds since this process sent metrics.
    pub(crate) heard_ms: Option<u64>,
    /// Whether its processors send metrics.
    pub(crate) reports: bool,
    /// The processors that were started.
    pub(crate) starts: u64,
    pub(crate) restarts: u64,
    pub(crate) exits: BTreeMap<String, u64>,
    pub(crate) records_per_second: f64,
    pub(crate) bytes_per_second: f64,
    /// The number of attempts of the record handler that were running recently, on average.
    pub(crate) busy: f64,
    /// The durations of recent attempts of the record handler.
    pub(crate) handler: Times,
    /// The same for single records.
    pub(crate) record: Times,
    pub(crate) totals: Totals,
    pub(crate) now: Now,
}

/// A distribution of durations, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Times {
    pub(crate) count: u64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
    /// The number of durations below each power of two of nanoseconds, and not below the power before it: the exponents and the
    /// numbers, without those that are 0.
    pub(crate) powers: Vec<(u32, u64)>,
}

impl From<&Histogram> for Times {
    fn from(nanos: &Histogram) -> Self {
        let millis = |nanos: u64| nanos as f64 / 1e6;
        let powers = (0..=u64::BITS).map(|power| {
            let below = power.checked_sub(1).map_or(0, |before| nanos.below_power(before));
            (power, nanos.below_power(power).saturating_sub(below))
        });
        Self {
            count: nanos.count(),
            p50: millis(nanos.quantile(0.5)),
            p99: millis(nanos.quantile(0.99)),
            max: millis(nanos.max()),
            powers: powers.filter(|(_, count)| *count > 0).collect(),
        }
    }
}

impl State {
    /// All shards together: the sums of their counts, and the largest of their ages.
    pub(crate) fn all(&self) -> ShardState {
        let mut all = ShardState { shard: "all shards".to_owned(), stage: Stage::Running, ..ShardState::default() };
        (all.handler, all.record) = (self.handler.clone(), self.record.clone());
        for shard in &self.shards {
            all.reports |= shard.reports;
            all.starts = all.starts.saturating_add(shard.starts);
            all.restarts = all.restarts.saturating_add(shard.restarts);
            for (code, times) in &shard.exits {
                let sum = all.exits.entry(code.clone()).or_default();
                *sum = sum.saturating_add(*times);
            }
            all.records_per_second += shard.records_per_second;
            all.bytes_per_second += shard.bytes_per_second;
            sums::add_totals(&mut all.totals, &shard.totals);
            let (sum, now) = (&mut all.now, &shard.now);
            sum.unsettled = sum.unsettled.saturating_add(now.unsettled);
            sum.in_flight = sum.in_flight.saturating_add(now.in_flight);
            sum.blocked_keys = sum.blocked_keys.saturating_add(now.blocked_keys);
            sum.millis_behind_latest = sum.millis_behind_latest.max(now.millis_behind_latest);
            sum.oldest_unsettled_ms = sum.oldest_unsettled_ms.max(now.oldest_unsettled_ms);
            sum.last_checkpoint_ms = sum.last_checkpoint_ms.max(now.last_checkpoint_ms);
        }
        all
    }
}

impl ShardState {
    pub(super) fn new(id: &str, shard: &Shard, view: View, now: Instant) -> Self {
        let View {
            sums: Sums { totals, .. },
            now: present,
            pid,
            heard,
            starts,
            restarts,
            rates,
            recent,
            busy,
            source,
            ..
        } = view;
        Self {
            shard: id.to_owned(),
            stage: shard.stage,
            stage_ms: millis(now.saturating_duration_since(shard.since)),
            pid,
            heard_ms: heard.map(|heard| millis(now.saturating_duration_since(heard))),
            reports: source == Source::Processors,
            starts,
            restarts,
            exits: shard.exits.clone(),
            records_per_second: rates[0],
            bytes_per_second: rates[1],
            busy,
            handler: Times::from(&recent[0]),
            record: Times::from(&recent[1]),
            totals,
            now: present,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_counted_by_powers_of_two() {
        let mut nanos = Histogram::default();
        [0, 1, 2, 3, 1_000, 1_023].iter().for_each(|value| nanos.add(*value));
        assert_eq!(Times::from(&nanos).powers, [(0, 1), (1, 1), (2, 2), (10, 2)]);
    }

    #[test]
    fn all_shards_are_one_with_the_sums_and_the_largest_ages() {
        let mut state = State { shards: vec![ShardState::default(); 3], ..State::default() };
        for (at, shard) in (1..).zip(&mut state.shards) {
            (shard.starts, shard.restarts) = (at + 1, at);
            (shard.totals.settled, shard.now.unsettled) = (at, u64::MAX);
            shard.exits.insert("7".to_owned(), at);
            shard.now.oldest_unsettled_ms = Some(at);
        }
        let all = state.all();
        assert_eq!((all.starts, all.restarts, all.totals.settled, all.exits["7"]), (9, 6, 6, 6));
        assert_eq!((all.now.unsettled, all.now.oldest_unsettled_ms), (u64::MAX, Some(3)));
    }
}
