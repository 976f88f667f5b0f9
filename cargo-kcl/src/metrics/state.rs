//! A run at one moment, as `cargo kcl top` reads it.

use std::collections::BTreeMap;
use std::time::Instant;

use kcl::__private::Histogram;
use kcl::metrics::{Now, Totals};
use serde::{Deserialize, Serialize};

use super::Stage;
use super::shard::{Shard, View};
use super::sums::Sums;

/// A run at one moment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct State {
    pub(crate) verb: String,
    pub(crate) application: String,
    pub(crate) stream: Option<String>,
    /// The name under which the daemon holds leases, if the tool knows it.
    pub(crate) worker: Option<String>,
    pub(crate) pid: u32,
    pub(crate) uptime_ms: u64,
    /// The problems of the run.
    pub(crate) problems: Vec<String>,
    /// The reason why it is not ready, if it is not.
    pub(crate) unready: Option<String>,
    /// Whether processors are running, and none of them sends metrics.
    pub(crate) silent: bool,
    pub(crate) daemon: Option<DaemonState>,
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
    /// Whether its processors send metrics.
    pub(crate) reports: bool,
    pub(crate) restarts: u64,
    pub(crate) exits: BTreeMap<String, u64>,
    pub(crate) records_per_second: f64,
    pub(crate) bytes_per_second: f64,
    /// The durations of recent attempts of the record handler.
    pub(crate) handler: Times,
    /// The same for single records.
    pub(crate) record: Times,
    pub(crate) totals: Totals,
    pub(crate) now: Now,
}

/// A distribution of durations, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Times {
    pub(crate) count: u64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl From<&Histogram> for Times {
    fn from(nanos: &Histogram) -> Self {
        let millis = |nanos: u64| nanos as f64 / 1e6;
        Self {
            count: nanos.count(),
            p50: millis(nanos.quantile(0.5)),
            p99: millis(nanos.quantile(0.99)),
            max: millis(nanos.max()),
        }
    }
}

impl ShardState {
    pub(super) fn new(id: &str, shard: &Shard, view: View, now: Instant) -> Self {
        let View { sums: Sums { totals, .. }, now: present, pid, restarts, rates, recent, reports } = view;
        Self {
            shard: id.to_owned(),
            stage: shard.stage,
            stage_ms: now.duration_since(shard.since).as_millis().try_into().unwrap_or(u64::MAX),
            pid,
            reports,
            restarts,
            exits: shard.exits.clone(),
            records_per_second: rates[0],
            bytes_per_second: rates[1],
            handler: Times::from(&recent[0]),
            record: Times::from(&recent[1]),
            totals,
            now: present,
        }
    }
}
