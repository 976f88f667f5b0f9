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

/// The columns of a terminal, which the lines fit.
const WIDTH: usize = 80;
const HEADER: [&str; 6] = ["shard", "outcome", "records", "data", "checkpoints", "restarts"];

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

    /// The cells of its row in the table.
    fn cells(&self) -> [String; HEADER.len()] {
        [
            self.shard_id.clone(),
            self.outcome.to_string(),
            self.records.to_string(),
            report::bytes(self.bytes),
            self.checkpoints.to_string(),
            self.restarts.to_string(),
        ]
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
        self.write_shards(f)?;
        let total = format!(
            "{} ({}) in {}:",
            report::count(self.records, "record"),
            report::bytes(self.bytes),
            report::elapsed(Duration::try_from_secs_f64(self.seconds).unwrap_or_default()),
        );
        let rate = format!(
            "{}/s, {}/s",
            report::count(self.records_per_second.round() as u64, "record"),
            report::bytes(self.bytes_per_second as u64),
        );
        let gap = if total.len() + 1 + rate.len() > WIDTH { "\n  " } else { " " };
        writeln!(f, "{total}{gap}{rate}")?;
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
    /// Writes the table of the shards. A column is as wide as its longest cell, and restarts are a column only if there were any.
    fn write_shards(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let restarted = self.shards.iter().any(|shard| shard.restarts > 0);
        let columns = 5 + usize::from(restarted);
        let rows: Vec<_> = self.shards.iter().map(ShardSummary::cells).collect();
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row[column].len());
            cells.chain([HEADER[column].len()]).max().unwrap_or_default()
        };
        let widths: Vec<_> = (0..columns).map(width).collect();
        let line = |row: [&str; HEADER.len()]| {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
                0 | 1 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            cells.collect::<Vec<_>>().join("  ")
        };
        if !rows.is_empty() {
            writeln!(f, "{}", line(HEADER))?;
        }
        for (row, shard) in rows.iter().zip(&self.shards) {
            writeln!(f, "{}", line(row.each_ref().map(String::as_str)))?;
            // With one shard, these lines are right above the summary already.
            if self.shards.len() > 1 {
                shard.last_words.iter().try_for_each(|line| writeln!(f, "    last on stderr: {line}"))?;
            }
        }
        Ok(())
    }

    fn write_times(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Batches { count, p50, p99, max } = self.batch_millis;
        let SecondsAt { processor, input, checkpoints } = self.seconds_at;
        let percent = |part: f64| 100.0 * part / (processor + input + checkpoints).max(f64::MIN_POSITIVE);
        writeln!(
            f,
            "{}: {p50:.1} ms (p50), {p99:.1} ms (p99), {max:.1} ms (max)\n\
             time spent: processors {:.0} %, input {:.0} %, checkpoints {:.0} %",
            report::count(count, "batch"),
            percent(processor),
            percent(input),
            percent(checkpoints),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::shard_id;

    /// A run of this many shards, each with these counts.
    fn summary(shards: u32, counts: &Counts, restarts: u32, elapsed: Duration) -> Summary {
        let shard = |number| {
            let mut shard = ShardSummary::new(shard_id(number), Outcome::EndedBefore, counts);
            shard.restarts = restarts;
            shard
        };
        Summary::new(0, elapsed, (0..shards).map(shard).collect(), std::slice::from_ref(counts))
    }

    #[test]
    fn the_summary_of_a_large_and_long_run_fits_a_terminal() {
        let mut batches = Times::default();
        batches.add(Duration::from_secs(86_399));
        let counts = Counts {
            records: 99_999_999_999,
            bytes: 999_949_000_000_000,
            checkpoints: 9_999_999_999,
            batches,
            at_processor: Duration::from_secs(86_399),
            ..Counts::default()
        };
        let text = summary(64, &counts, 99_999, Duration::from_secs(11 * 86_400 - 1)).to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 1 + 64 + 4, "{text}");
        assert!(lines.iter().all(|line| line.len() <= WIDTH), "{text}");
    }

    #[test]
    fn the_columns_of_a_small_run_are_narrow() {
        let counts = Counts { records: 115, bytes: 4_790, checkpoints: 2, ..Counts::default() };
        let text = summary(2, &counts, 0, Duration::from_millis(500)).to_string();
        let expected = "\
shard                 outcome       records    data  checkpoints
shardId-000000000000  ended before      115  4.8 kB            2
shardId-000000000001  ended before      115  4.8 kB            2
115 records (4.8 kB) in 0.5 s: 230 records/s, 9.6 kB/s
";
        assert_eq!(text, expected);
        let restarted = summary(1, &counts, 1, Duration::from_millis(500)).to_string();
        assert!(restarted.starts_with("shard                 outcome       records    data  checkpoints  restarts\n"));
        assert!(restarted.contains("  4.8 kB            2         1\n"), "{restarted}");
    }
}
