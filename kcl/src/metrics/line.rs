//! A snapshot as a line of JSON about one period.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::excerpt::is_harmful;
use crate::histogram::Histogram;
use crate::metrics::snapshot::{Running, Snapshot, Totals};

/// A period: the differences of two snapshots, and the later one.
pub(super) struct Period<'s> {
    pub(super) now: &'s Snapshot,
    before: &'s Snapshot,
    pub(super) seconds: f64,
    pub(super) handler: Spread,
    pub(super) record: Spread,
    pub(super) batch: Spread,
}

/// The distribution of a period's numbers, in milliseconds or in records; `None` without any.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Values {
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

pub(super) type Spread = Option<Values>;

impl<'s> Period<'s> {
    pub(super) fn new(now: &'s Snapshot, before: &'s Snapshot) -> Self {
        const NANOS_IN_A_MILLI: f64 = 1e6;
        Self {
            now,
            before,
            seconds: now.uptime_ms.saturating_sub(before.uptime_ms) as f64 / 1e3,
            handler: spread(&now.handler, &before.handler, NANOS_IN_A_MILLI),
            record: spread(&now.record, &before.record, NANOS_IN_A_MILLI),
            batch: spread(&now.batch, &before.batch, 1.0),
        }
    }

    /// The growth of a total.
    pub(super) fn count(&self, total: impl Fn(&Totals) -> u64) -> u64 {
        total(&self.now.totals).saturating_sub(total(&self.before.totals))
    }

    /// The growth of the total of each class, without the classes that did not grow.
    pub(super) fn classes(&self, totals: impl Fn(&Totals) -> &BTreeMap<String, u64>) -> BTreeMap<&'s str, u64>
    where
        Self: 's,
    {
        let (now, before) = (self.now, self.before);
        let mut grown = BTreeMap::new();
        for class in classes_of(now) {
            let of = |snapshot: &Snapshot| totals(&snapshot.totals).get(class).copied().unwrap_or(0);
            let count = of(now).saturating_sub(of(before));
            if count > 0 {
                grown.insert(class, count);
            }
        }
        grown
    }

    /// A count divided by the seconds of the period.
    fn rate(&self, count: u64) -> f64 {
        if self.seconds > 0.0 { rounded(count as f64 / self.seconds, 10.0) } else { 0.0 }
    }
}

/// Every class that a snapshot names.
fn classes_of(snapshot: &Snapshot) -> impl Iterator<Item = &str> {
    let Totals { failures, skipped, dead_lettered, refused, .. } = &snapshot.totals;
    [failures, skipped, dead_lettered, refused].into_iter().flat_map(|classes| classes.keys().map(String::as_str))
}

fn spread(now: &Histogram, before: &Histogram, unit: f64) -> Spread {
    let period = now.since(before);
    let value = |number: u64| rounded(number as f64 / unit, 1e4);
    (period.count() > 0).then(|| Values {
        p50: value(period.quantile(0.5)),
        p99: value(period.quantile(0.99)),
        max: value(period.max()),
    })
}

/// The number without digits that have no meaning.
fn rounded(number: f64, parts: f64) -> f64 {
    (number * parts).round() / parts
}

/// The fields of a line, in their order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    event: &'static str,
    timestamp: u64,
    application: Option<&'a str>,
    stream: Option<&'a str>,
    shard: &'a str,
    pid: u32,
    period_seconds: f64,
    is_last: bool,
    exit_code: Option<u8>,
    millis_behind_latest: Option<u64>,
    oldest_unsettled_ms: Option<u64>,
    last_message_ms: Option<u64>,
    last_checkpoint_ms: Option<u64>,
    records: u64,
    records_per_second: f64,
    bytes: u64,
    bytes_per_second: f64,
    batches: u64,
    empty_batches: u64,
    batch_records: Spread,
    handler_ms: Spread,
    record_ms: Spread,
    retries: u64,
    failures: BTreeMap<&'a str, u64>,
    skipped: BTreeMap<&'a str, u64>,
    dead_lettered: BTreeMap<&'a str, u64>,
    checkpoints: u64,
    checkpoints_refused: BTreeMap<&'a str, u64>,
    unsettled: u64,
    in_flight: u64,
    blocked_keys: u64,
    running: Option<&'a Running>,
}

/// The line about the time between two snapshots.
pub(super) fn json(now: &Snapshot, before: &Snapshot) -> String {
    let period = Period::new(now, before);
    let [records, bytes] = [period.count(|totals| totals.settled), period.count(|totals| totals.bytes)];
    one_line(&Line {
        event: "kcl.metrics",
        timestamp: now.time,
        application: now.application.as_deref(),
        stream: now.stream.as_deref(),
        shard: &now.shard,
        pid: now.pid,
        period_seconds: period.seconds,
        is_last: now.is_last,
        exit_code: now.exit_code,
        millis_behind_latest: now.now.millis_behind_latest,
        oldest_unsettled_ms: now.now.oldest_unsettled_ms,
        last_message_ms: now.now.last_message_ms,
        last_checkpoint_ms: now.now.last_checkpoint_ms,
        records,
        records_per_second: period.rate(records),
        bytes,
        bytes_per_second: period.rate(bytes),
        batches: period.count(|totals| totals.batches),
        empty_batches: period.count(|totals| totals.empty_batches),
        batch_records: period.batch,
        handler_ms: period.handler,
        record_ms: period.record,
        retries: period.count(|totals| totals.retries),
        failures: period.classes(|totals| &totals.failures),
        skipped: period.classes(|totals| &totals.skipped),
        dead_lettered: period.classes(|totals| &totals.dead_lettered),
        checkpoints: period.count(|totals| totals.checkpoints),
        checkpoints_refused: period.classes(|totals| &totals.refused),
        unsettled: now.now.unsettled,
        in_flight: now.now.in_flight,
        blocked_keys: now.now.blocked_keys,
        running: now.now.running.as_ref(),
    })
}

/// The value as JSON, with an escape for every character that could break a line or a terminal. Such a character comes from outside,
/// and is within a string.
pub(super) fn one_line(value: &impl Serialize) -> String {
    let json = serde_json::to_string(value).unwrap_or_default();
    if !json.contains(is_harmful) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for char in json.chars() {
        match char {
            char if is_harmful(char) => _ = write!(escaped, "\\u{:04x}", u32::from(char)),
            char => escaped.push(char),
        }
    }
    escaped
}
