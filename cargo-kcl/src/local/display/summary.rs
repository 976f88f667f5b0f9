//! The summary of a run, for people and for scripts.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::input::kpl;
use crate::local::chaos::Verdict;
use crate::local::shard::Outcome;
use crate::local::shard::pulse::Counts;
use crate::local::shard::times::Times;
use crate::report;

/// How long the processor took for batches, in milliseconds.
#[derive(Debug, Serialize)]
struct Batches {
    count: u64,
    p50: f64,
    p99: f64,
    max: f64,
}

impl From<&Times> for Batches {
    fn from(times: &Times) -> Self {
        Self { count: times.count(), p50: times.percentile(50), p99: times.percentile(99), max: times.max() }
    }
}

/// The result of one shard.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShardSummary {
    pub(crate) shard_id: String,
    pub(crate) outcome: Outcome,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) checkpoints: u64,
    pub(crate) restarts: u32,
    pub(crate) position: String,
    batch_millis: Batches,
    /// The last lines on the stderr of a processor that failed.
    pub(crate) last_words: Vec<String>,
}

/// The result of the whole run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    exit_code: u8,
    records: u64,
    bytes: u64,
    seconds: f64,
    records_per_second: f64,
    bytes_per_second: f64,
    batch_millis: Batches,
    seconds_at: SecondsAt,
    shards: Vec<ShardSummary>,
    /// The aggregates that were dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    dropped_aggregates: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chaos: Option<Verdict>,
}

/// How all shards together spent their time.
#[derive(Debug, Serialize)]
struct SecondsAt {
    processor: f64,
    input: f64,
    checkpoints: f64,
}

impl ShardSummary {
    pub(crate) fn new(shard_id: String, outcome: Outcome, counts: &Counts) -> Self {
        Self {
            shard_id,
            outcome,
            records: counts.records,
            bytes: counts.bytes,
            checkpoints: counts.checkpoints,
            restarts: 0,
            position: String::new(),
            batch_millis: Batches::from(&counts.batches),
            last_words: Vec::new(),
        }
    }
}

impl Summary {
    pub(crate) fn new(exit_code: u8, elapsed: Duration, shards: Vec<ShardSummary>, counts: &[Counts]) -> Self {
        let mut all = Counts::default();
        for one in counts {
            all.records += one.records;
            all.bytes += one.bytes;
            all.at_processor += one.at_processor;
            all.at_input += one.at_input;
            all.at_checkpoints += one.at_checkpoints;
            all.batches.add_all(&one.batches);
        }
        let seconds = elapsed.as_secs_f64();
        Self {
            exit_code,
            records: all.records,
            bytes: all.bytes,
            seconds,
            records_per_second: all.records as f64 / seconds,
            bytes_per_second: all.bytes as f64 / seconds,
            batch_millis: Batches::from(&all.batches),
            seconds_at: SecondsAt {
                processor: all.at_processor.saturating_sub(all.at_checkpoints).as_secs_f64(),
                input: all.at_input.as_secs_f64(),
                checkpoints: all.at_checkpoints.as_secs_f64(),
            },
            shards,
            dropped_aggregates: None,
            chaos: None,
        }
    }

    /// Adds the number of aggregates that were dropped.
    pub(crate) fn with_dropped(self, aggregates: u64) -> Self {
        Self { dropped_aggregates: Some(aggregates).filter(|dropped| *dropped > 0), ..self }
    }

    /// Adds the verdict of chaos.
    pub(crate) fn under(self, chaos: Option<Verdict>) -> Self {
        Self { chaos, ..self }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for shard in &self.shards {
            write!(
                f,
                "{}  {:<12}  {:>10} {:<7}  {:>9}  {:>6} {}",
                shard.shard_id,
                shard.outcome,
                shard.records,
                report::noun(shard.records, "record"),
                report::bytes(shard.bytes),
                shard.checkpoints,
                report::noun(shard.checkpoints, "checkpoint"),
            )?;
            if shard.restarts > 0 {
                write!(f, "  {}", report::count(shard.restarts.into(), "restart"))?;
            }
            writeln!(f)?;
            // With one shard, these lines are right above the summary already.
            if self.shards.len() > 1 {
                shard.last_words.iter().try_for_each(|line| writeln!(f, "    last on stderr: {line}"))?;
            }
        }
        writeln!(
            f,
            "{} ({}) in {}: {}/s, {}/s",
            report::count(self.records, "record"),
            report::bytes(self.bytes),
            report::elapsed(Duration::try_from_secs_f64(self.seconds).unwrap_or_default()),
            report::count(self.records_per_second.round() as u64, "record"),
            report::bytes(self.bytes_per_second as u64),
        )?;
        let count = self.batch_millis.count;
        if count > 0 {
            self.write_times(f)?;
        }
        if let Some(dropped) = self.dropped_aggregates {
            writeln!(f, "{}", kpl::sentence(dropped))?;
        }
        self.chaos.as_ref().map_or(Ok(()), |chaos| chaos.fmt(f))
    }
}

impl Summary {
    fn write_times(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Batches { count, p50, p99, max } = self.batch_millis;
        let SecondsAt { processor, input, checkpoints } = self.seconds_at;
        let percent = |part: f64| 100.0 * part / (processor + input + checkpoints).max(f64::MIN_POSITIVE);
        writeln!(
            f,
            "{}: {p50:.1} ms (p50), {p99:.1} ms (p99), {max:.1} ms (max); time spent in processors {:.0} %, input \
             {:.0} %, checkpoints {:.0} %",
            report::count(count, "batch"),
            percent(processor),
            percent(input),
            percent(checkpoints),
        )
    }
}
