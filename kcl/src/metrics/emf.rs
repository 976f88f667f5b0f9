//! A snapshot in CloudWatch's embedded metric format: a line of JSON that CloudWatch Logs turns into metrics.
//!
//! The dimensions are the application and the stream. The shard is a property of the line, because AWS charges for each value of a
//! dimension.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::metrics::line::{Period, Spread, one_line};
use crate::metrics::snapshot::Snapshot;

/// A line. Launchers recognize it by its first field, and pass it on unchanged.
#[derive(Serialize)]
struct Line {
    #[serde(rename = "_aws")]
    aws: Value,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

/// The metrics of a line: their names, units and values.
#[derive(Default)]
struct Metrics {
    names: Vec<Value>,
    fields: Map<String, Value>,
}

impl Metrics {
    fn add(&mut self, name: &str, unit: &str, value: impl Into<Value>) {
        self.names.push(json!({ "Name": name, "Unit": unit }));
        self.fields.insert(name.to_owned(), value.into());
    }

    fn add_known(&mut self, name: &str, unit: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.add(name, unit, value);
        }
    }

    fn add_spread(&mut self, name: &str, unit: &str, spread: Spread) {
        if let Some(values) = spread {
            for (part, value) in [("P50", values.p50), ("P99", values.p99), ("Max", values.max)] {
                self.add(&format!("{name}{part}"), unit, value);
            }
        }
    }
}

/// The line about the time between two snapshots.
pub(super) fn json(namespace: &str, now: &Snapshot, before: &Snapshot) -> String {
    let period = Period::new(now, before);
    let mut metrics = Metrics::default();
    const MILLIS: &str = "Milliseconds";
    metrics.add_known("MillisBehindLatest", MILLIS, now.now.millis_behind_latest);
    metrics.add_known("OldestUnsettledAge", MILLIS, now.now.oldest_unsettled_ms);
    metrics.add_known("LastMessageAge", MILLIS, now.now.last_message_ms);
    metrics.add_known("LastCheckpointAge", MILLIS, now.now.last_checkpoint_ms);
    metrics.add_spread("HandlerTime", MILLIS, period.handler);
    metrics.add_spread("RecordTime", MILLIS, period.record);
    metrics.add_spread("BatchRecords", "Count", period.batch);
    metrics.add("RecordBytes", "Bytes", period.count(|totals| totals.bytes));
    let sum = |classes: std::collections::BTreeMap<&str, u64>| classes.values().sum::<u64>();
    for (name, count) in [
        ("Records", period.count(|totals| totals.settled)),
        ("Batches", period.count(|totals| totals.batches)),
        ("Retries", period.count(|totals| totals.retries)),
        ("Failures", sum(period.classes(|totals| &totals.failures))),
        ("Skipped", sum(period.classes(|totals| &totals.skipped))),
        ("DeadLettered", sum(period.classes(|totals| &totals.dead_lettered))),
        ("Checkpoints", period.count(|totals| totals.checkpoints)),
        ("CheckpointsRefused", sum(period.classes(|totals| &totals.refused))),
        ("Unsettled", now.now.unsettled),
        ("InFlight", now.now.in_flight),
        ("BlockedKeys", now.now.blocked_keys),
    ] {
        metrics.add(name, "Count", count);
    }
    let dimensions = [("application", &now.application), ("stream", &now.stream)];
    let dimensions: Vec<_> = dimensions.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))).collect();
    let names: Vec<_> = dimensions.iter().map(|(name, _)| *name).collect();
    let directive = json!({ "Namespace": namespace, "Dimensions": [names], "Metrics": metrics.names });
    let mut fields = metrics.fields;
    fields.extend(dimensions.into_iter().map(|(name, value)| (name.to_owned(), json!(value))));
    for (name, property) in [
        ("shard", json!(now.shard)),
        ("pid", json!(now.pid)),
        ("failuresByClass", json!(period.classes(|totals| &totals.failures))),
        ("deadLetteredByClass", json!(period.classes(|totals| &totals.dead_lettered))),
        ("skippedByClass", json!(period.classes(|totals| &totals.skipped))),
        ("checkpointsRefusedByReason", json!(period.classes(|totals| &totals.refused))),
        ("running", json!(now.now.running)),
        ("isLast", json!(now.is_last)),
        ("exitCode", json!(now.exit_code)),
    ] {
        fields.insert(name.to_owned(), property);
    }
    one_line(&Line { aws: json!({ "Timestamp": now.time, "CloudWatchMetrics": [directive] }), fields })
}
