//! The page that Prometheus scrapes, in its text format 0.0.4.
//!
//! Names and labels follow the messaging conventions of OpenTelemetry where they have one. `docs/metrics.md` lists them.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::ops::RangeInclusive;

use kcl::__private::Histogram;
use kcl::metrics::Totals;

use super::Stage;
use super::board::Board;
use super::shard::{Source, View};

/// The powers of two whose nanoseconds are bounds of buckets: from 65 µs to 68 s.
const TIMES: RangeInclusive<u32> = 16..=36;
/// The powers of two that bound buckets of numbers of records: fewer than 2, 4, and so on, up to the 10,000 of a message.
const RECORDS: RangeInclusive<u32> = 1..=14;
const NANOS: f64 = 1e9;

/// A text between quotes.
struct Label<'a>(&'a str);

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| match char {
            '\\' => f.write_str("\\\\"),
            '"' => f.write_str("\\\""),
            '\n' => f.write_str("\\n"),
            char => f.write_char(char),
        })
    }
}

/// The page while it is written. Writing to a string does not fail.
struct Page(String);

impl Page {
    /// Starts a family of samples.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl fmt::Display) {
        _ = writeln!(self.0, "{name}{{{labels}}} {value}");
    }

    /// A sample for each class. Those that are known have one before their first event, because the increase of a counter that
    /// does not start at 0 lacks its first value.
    fn classes(&mut self, name: &str, labels: &str, of: &str, known: &[&str], classes: &BTreeMap<String, u64>) {
        let others = classes.keys().map(String::as_str).filter(|class| !known.contains(class));
        for class in known.iter().copied().chain(others) {
            let count = classes.get(class).copied().unwrap_or_default();
            _ = writeln!(self.0, "{name}{{{labels},{of}=\"{}\"}} {count}", Label(class));
        }
    }

    /// The samples of a histogram whose buckets end below powers of two, in this unit.
    fn histogram(&mut self, name: &str, labels: &str, histogram: &Histogram, powers: RangeInclusive<u32>, unit: f64) {
        for power in powers {
            // The largest whole number below a power is the power less one.
            let last = if unit == 1.0 { 1.0 } else { 0.0 };
            let bound = ((1_u64 << power) as f64 - last) / unit;
            _ = writeln!(self.0, "{name}_bucket{{{labels},le=\"{bound}\"}} {}", histogram.below_power(power));
        }
        let (count, sum) = (histogram.count(), histogram.sum() as f64 / unit);
        _ = writeln!(
            self.0,
            "{name}_bucket{{{labels},le=\"+Inf\"}} {count}\n{name}_sum{{{labels}}} {sum}\n{name}_count{{{labels}}} {count}"
        );
    }
}

/// The labels of a shard, and its state.
struct Row {
    labels: String,
    stage: Stage,
    exits: BTreeMap<String, u64>,
    view: View,
}

impl Row {
    /// The number of processors that ended with an exit code other than 0.
    fn crashes(&self) -> u64 {
        self.exits.iter().filter(|(code, _)| *code != "0").fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}

/// Writes the page about a run.
pub(super) fn page(board: &Board) -> String {
    let mut page = Page(String::new());
    let about = board.about();
    let mut labels =
        format!("messaging_system=\"aws_kinesis\",messaging_consumer_group_name=\"{}\"", Label(&about.application));
    if let Some(stream) = &about.stream {
        _ = write!(labels, ",messaging_destination_name=\"{}\"", Label(stream));
    }
    let rows = board.views().map(|(id, shard, view)| Row {
        labels: format!("{labels},messaging_destination_partition_id=\"{}\"", Label(id)),
        stage: shard.stage,
        exits: shard.exits.clone(),
        view,
    });
    let rows: Vec<_> = rows.collect();
    run(&mut page, board, &labels, &rows);
    counters(&mut page, &rows);
    gauges(&mut page, &rows);
    histograms(&mut page, &rows);
    page.0
}

/// The metrics of the whole run.
fn run(page: &mut Page, board: &Board, labels: &str, rows: &[Row]) {
    let held = rows.iter().filter(|row| row.stage == Stage::Running).count();
    for (name, help, value) in [
        ("kcl_uptime_seconds", "Time since the tool started.", board.uptime().as_secs_f64()),
        ("kcl_shards_held", "Shards that processors of this run are working on.", held as f64),
        ("kcl_ready", "Whether the run is ready (1) or not (0), as /readyz says.", flag(board.unready().is_none())),
        ("kcl_problems", "Problems that /livez names.", board.problems().len() as f64),
    ] {
        page.family(name, "gauge", help);
        page.sample(name, labels, value);
    }
    let Some(daemon) = board.daemon_state() else { return };
    page.family("kcl_daemon_up", "gauge", "Whether the MultiLangDaemon is running and initialized (1) or not (0).");
    page.sample("kcl_daemon_up", labels, flag(daemon.is_up));
    page.family("kcl_daemon_restarts_total", "counter", "How often the tool restarted the MultiLangDaemon.");
    page.sample("kcl_daemon_restarts_total", labels, daemon.restarts);
    page.family("kcl_daemon_exits_total", "counter", "How often the MultiLangDaemon ended, by its exit code.");
    page.classes("kcl_daemon_exits_total", labels, "exit_code", &[], &daemon.exits);
    if let Some(bytes) = daemon.memory_bytes {
        page.family("kcl_daemon_resident_memory_bytes", "gauge", "Memory of the MultiLangDaemon's JVM that is in use.");
        page.sample("kcl_daemon_resident_memory_bytes", labels, bytes);
    }
}

fn flag(is_set: bool) -> f64 {
    if is_set { 1.0 } else { 0.0 }
}

fn counters(page: &mut Page, rows: &[Row]) {
    type Count = fn(&Row) -> u64;
    // Each of them with the first source that knows it.
    let counts: [(&str, &str, Source, Count); 9] = [
        ("messaging_client_consumed_messages_total", "Records that were delivered.", Source::Tool, |row| {
            row.view.sums.totals.delivered
        }),
        ("kcl_consumed_bytes_total", "Size of the data of these records.", Source::Tool, |row| {
            row.view.sums.totals.bytes
        }),
        (
            "kcl_settled_records_total",
            "Records that were processed, skipped or dead-lettered, as were all before them.",
            Source::Tool,
            |row| row.view.sums.totals.settled,
        ),
        ("kcl_batches_total", "Batches with records.", Source::Tool, |row| row.view.sums.totals.batches),
        ("kcl_empty_batches_total", "Batches without records.", Source::Processors, |row| {
            row.view.sums.totals.empty_batches
        }),
        ("kcl_retries_total", "How often a handler was called again after a failure.", Source::Processors, |row| {
            row.view.sums.totals.retries
        }),
        ("kcl_checkpoints_total", "Checkpoints that were accepted.", Source::Tool, |row| {
            row.view.sums.totals.checkpoints
        }),
        ("kcl_restarts_total", "Processors of the shard that were started after the first one.", Source::Log, |row| {
            row.view.restarts
        }),
        ("kcl_crashes_total", "Processors that ended with an exit code other than 0.", Source::Tool, Row::crashes),
    ];
    for (name, help, source, count) in counts {
        page.family(name, "counter", help);
        known_by(rows, source).for_each(|row| page.sample(name, &row.labels, count(row)));
    }
    classes(page, rows);
}

/// The shards whose numbers come from this source, or from a better one.
fn known_by(rows: &[Row], source: Source) -> impl Iterator<Item = &Row> {
    rows.iter().filter(move |row| row.view.source >= source)
}

/// The counters of a shard that have a class.
fn classes(page: &mut Page, rows: &[Row]) {
    type Classes = fn(&Totals) -> &BTreeMap<String, u64>;
    // The classes that processors tell apart, and those that the tool does.
    let passed = [Totals::FAILURE_CLASSES, &["unknown"]];
    let families: [(&str, &str, [&[&str]; 2], Classes); 4] = [
        (
            "kcl_failures_total",
            "Failed attempts of handlers, by the class of the error.",
            [Totals::FAILURE_CLASSES, &[]],
            |totals| &totals.failures,
        ),
        ("kcl_skipped_records_total", "Records that were skipped, by the class of their error.", passed, |totals| {
            &totals.skipped
        }),
        ("kcl_dead_letters_total", "Records that were dead-lettered, by the class of their error.", passed, |totals| {
            &totals.dead_lettered
        }),
        (
            "kcl_refused_checkpoints_total",
            "Checkpoints that were refused after all retries, by the reason.",
            [Totals::REFUSAL_REASONS, &[]],
            |totals| &totals.refused,
        ),
    ];
    for (name, help, [by_processors, by_tool], classes) in families {
        page.family(name, "counter", help);
        for row in rows {
            let known = match row.view.source {
                Source::Processors => by_processors,
                // The processors may still announce themselves.
                Source::Tool if row.view.is_silent => by_tool,
                Source::Tool | Source::Log => &[],
            };
            page.classes(name, &row.labels, "error_type", known, classes(&row.view.sums.totals));
        }
    }
    let name = "kcl_exits_total";
    page.family(name, "counter", "Processors that ended, by their exit code.");
    rows.iter().for_each(|row| page.classes(name, &row.labels, "exit_code", &[], &row.exits));
}

fn gauges(page: &mut Page, rows: &[Row]) {
    type Gauge = fn(&View) -> Option<f64>;
    /// Seconds.
    fn seconds(millis: Option<u64>) -> Option<f64> {
        millis.map(|millis| millis as f64 / 1e3)
    }
    let gauges: [(&str, &str, Gauge); 8] = [
        ("kcl_behind_latest_seconds", "How far the last batch was behind the newest record of the shard.", |view| {
            seconds(view.now.millis_behind_latest)
        }),
        ("kcl_oldest_unsettled_age_seconds", "Time since the oldest unsettled record was delivered.", |view| {
            seconds(view.now.oldest_unsettled_ms)
        }),
        ("kcl_last_checkpoint_age_seconds", "Time since the last checkpoint was accepted.", |view| {
            seconds(view.now.last_checkpoint_ms)
        }),
        ("kcl_last_message_age_seconds", "Time since the last message arrived from the daemon.", |view| {
            seconds(view.now.last_message_ms)
        }),
        (
            "kcl_handler_running_seconds",
            "How long the present call, or the handling of the present record, has been running.",
            |view| seconds(view.now.running.as_ref().map(|running| running.ms)),
        ),
        ("kcl_unsettled_records", "Records that were delivered and are not settled.", |view| {
            view.pid.map(|_| view.now.unsettled as f64)
        }),
        ("kcl_in_flight", "Attempts of the record handler that are running.", |view| {
            (view.pid.is_some() || view.source == Source::Tool).then_some(view.now.in_flight as f64)
        }),
        ("kcl_blocked_keys", "Partition keys whose next record waits for another attempt.", |view| {
            view.pid.map(|_| view.now.blocked_keys as f64)
        }),
    ];
    let running: Vec<_> = rows.iter().filter(|row| row.stage == Stage::Running).collect();
    for (name, help, gauge) in gauges {
        page.family(name, "gauge", help);
        for (row, value) in running.iter().filter_map(|row| Some((row, gauge(&row.view)?))) {
            page.sample(name, &row.labels, value);
        }
    }
    let name = "kcl_recent_process_duration_seconds";
    page.family(name, "gauge", "Duration of attempts of the record handler in the last 30 to 60 s, by quantile.");
    for row in running.iter().filter(|row| row.view.recent[0].count() > 0) {
        for share in [0.5, 0.99, 1.0] {
            let value = row.view.recent[0].quantile(share) as f64 / NANOS;
            page.sample(name, &format!("{},quantile=\"{share}\"", row.labels), value);
        }
    }
}

fn histograms(page: &mut Page, rows: &[Row]) {
    let name = "messaging_process_duration_seconds";
    page.family(name, "histogram", "Duration of attempts of the record handler.");
    for row in known_by(rows, Source::Tool) {
        let labels = format!("{},messaging_operation_name=\"process\"", row.labels);
        page.histogram(name, &labels, &row.view.sums.handler, TIMES, NANOS);
    }
    let reporting: Vec<_> = known_by(rows, Source::Processors).collect();
    let name = "kcl_record_duration_seconds";
    page.family(name, "histogram", "Duration of the handling of single records: a sample, with more of the slow ones.");
    reporting.iter().for_each(|row| page.histogram(name, &row.labels, &row.view.sums.record, TIMES, NANOS));
    let name = "kcl_batch_records";
    page.family(name, "histogram", "Records of batches that have any.");
    reporting.iter().for_each(|row| page.histogram(name, &row.labels, &row.view.sums.batch, RECORDS, 1.0));
}
