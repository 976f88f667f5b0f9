//! The summary of a run, for people and for scripts.

use std::time::Duration;

use serde::Serialize;

use crate::input::kpl;
use crate::local::chaos::Verdict;
use crate::local::shard::Outcome;
use crate::local::shard::pulse::Counts;
use crate::local::shard::times::Times;
use crate::report::{self, Level, LogFormat, Message};

/// The number of last lines that the table repeats below a shard that failed.
const LAST_WORDS: usize = 3;
/// The columns of a terminal, which the lines fit.
const WIDTH: usize = 80;
const HEADER: [&str; 8] = ["shard", "outcome", "records", "data", "checkpoints", "skipped", "letters", "restarts"];

/// How long the processor took for batches, in milliseconds.
#[derive(Debug, Serialize)]
pub(super) struct Batches {
    pub(super) count: u64,
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
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
    pub(super) skipped: u64,
    pub(super) dead_lettered: u64,
    pub(crate) restarts: u32,
    pub(crate) position: String,
    pub(super) batch_millis: Batches,
    /// The lines that were printed about a processor that failed.
    pub(crate) failure: Vec<String>,
    /// The last lines on the stderr of a processor that failed.
    pub(crate) last_words: Vec<String>,
}

/// The result of the whole run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    #[serde(flatten)]
    pub(super) total: Total,
    pub(super) shards: Vec<ShardSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) chaos: Option<Verdict>,
}

/// The result of all shards together.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Total {
    pub(super) exit_code: u8,
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) skipped: u64,
    pub(super) dead_lettered: u64,
    pub(super) seconds: f64,
    pub(super) records_per_second: f64,
    pub(super) bytes_per_second: f64,
    pub(super) batch_millis: Batches,
    pub(super) seconds_at: SecondsAt,
    /// The aggregates that were dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dropped_aggregates: Option<u64>,
}

/// How all shards together spent their time.
#[derive(Debug, Serialize)]
pub(super) struct SecondsAt {
    pub(super) processor: f64,
    pub(super) input: f64,
    pub(super) checkpoints: f64,
}

impl ShardSummary {
    pub(crate) fn new(shard_id: String, outcome: Outcome, counts: &Counts) -> Self {
        Self {
            shard_id,
            outcome,
            records: counts.records,
            bytes: counts.bytes,
            checkpoints: counts.checkpoints,
            skipped: counts.skipped,
            dead_lettered: counts.dead_lettered,
            restarts: 0,
            position: String::new(),
            batch_millis: Batches::from(&counts.batches),
            failure: Vec::new(),
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
            self.skipped.to_string(),
            self.dead_lettered.to_string(),
            self.restarts.to_string(),
        ]
    }
}

impl ShardSummary {
    /// Its row of the table, and the last words of a processor that failed.
    fn message(&self, row: &str, shows_last_words: bool) -> Message {
        let level = if self.outcome == Outcome::Failed { Level::Error } else { Level::Info };
        let from = self.last_words.len().saturating_sub(LAST_WORDS);
        let last_words = self.last_words[from..].iter().filter(|_| shows_last_words);
        Message::result(level, row)
            .of(&*self.shard_id)
            .with(last_words.map(|line| format!("  last on stderr: {line}")))
            .with_fields(self)
    }
}

/// `1 skipped` and `2 dead-lettered`, without what did not happen.
fn passed_over(skipped: u64, dead_lettered: u64) -> impl Iterator<Item = String> {
    let counts = [(skipped, "skipped"), (dead_lettered, "dead-lettered")];
    counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, how)| format!("{count} {how}"))
}

impl Summary {
    pub(crate) fn new(exit_code: u8, elapsed: Duration, shards: Vec<ShardSummary>, counts: &[Counts]) -> Self {
        let mut all = Counts::default();
        for one in counts {
            all.records += one.records;
            all.bytes += one.bytes;
            all.skipped += one.skipped;
            all.dead_lettered += one.dead_lettered;
            all.at_processor += one.at_processor;
            all.at_input += one.at_input;
            all.at_checkpoints += one.at_checkpoints;
            all.batches.add_all(&one.batches);
        }
        let seconds = elapsed.as_secs_f64();
        let total = Total {
            exit_code,
            records: all.records,
            bytes: all.bytes,
            skipped: all.skipped,
            dead_lettered: all.dead_lettered,
            seconds,
            records_per_second: all.records as f64 / seconds,
            bytes_per_second: all.bytes as f64 / seconds,
            batch_millis: Batches::from(&all.batches),
            seconds_at: SecondsAt {
                processor: all.at_processor.saturating_sub(all.at_checkpoints).as_secs_f64(),
                input: all.at_input.as_secs_f64(),
                checkpoints: all.at_checkpoints.as_secs_f64(),
            },
            dropped_aggregates: None,
        };
        Self { total, shards, chaos: None }
    }

    /// Adds the number of aggregates that were dropped.
    pub(crate) fn with_dropped(mut self, aggregates: u64) -> Self {
        self.total.dropped_aggregates = Some(aggregates).filter(|dropped| *dropped > 0);
        self
    }

    /// Changes the exit code, if something goes wrong after the run.
    pub(crate) fn set_exit_code(&mut self, code: u8) {
        self.total.exit_code = code;
    }

    /// Adds the verdict of chaos.
    pub(crate) fn under(self, chaos: Option<Verdict>) -> Self {
        Self { chaos, ..self }
    }

    /// Prints the table, and the sum below it.
    pub(crate) fn print(&self) {
        let mut rows = self.rows().into_iter();
        // JSON names the columns in each row.
        if let Some(header) = rows.next().filter(|_| !self.shards.is_empty() && report::format() != LogFormat::Json) {
            report::result(header);
        }
        // With one shard, its last lines are right above the summary already.
        let shows_last_words = self.shards.len() > 1;
        for (shard, row) in self.shards.iter().zip(rows) {
            shard.message(&row, shows_last_words).print();
        }
        self.total.messages().iter().for_each(Message::print);
        if let Some(chaos) = &self.chaos {
            chaos.message().print();
        }
    }

    /// The lines of the table. A column is as wide as its longest cell. A rare result has a column only if it occurred.
    fn rows(&self) -> Vec<String> {
        let any = |count: fn(&ShardSummary) -> u64| self.shards.iter().any(|shard| count(shard) > 0);
        let seldom = [any(|shard| shard.skipped), any(|shard| shard.dead_lettered), any(|shard| shard.restarts.into())];
        let is_shown =
            |column: usize| column.checked_sub(HEADER.len() - seldom.len()).is_none_or(|place| seldom[place]);
        let header = HEADER.map(str::to_owned);
        let rows: Vec<_> = [header].into_iter().chain(self.shards.iter().map(ShardSummary::cells)).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
        let widths: Vec<_> = (0..HEADER.len()).map(width).collect();
        let line = |row: &[String; HEADER.len()]| {
            let cells = row.iter().zip(&widths).enumerate().filter(|(column, _)| is_shown(*column));
            let cells = cells.map(|(column, (cell, width))| match column {
                0 | 1 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            cells.collect::<Vec<_>>().join("  ")
        };
        rows.iter().map(line).collect()
    }
}

impl Total {
    fn messages(&self) -> Vec<Message> {
        let mut total = format!("{} ({})", report::count(self.records, "record"), report::bytes(self.bytes));
        for passed_over in passed_over(self.skipped, self.dead_lettered) {
            total += &format!(", {passed_over}");
        }
        total += &format!(" in {}:", report::elapsed(Duration::try_from_secs_f64(self.seconds).unwrap_or_default()));
        let rate = format!(
            "{}/s, {}/s",
            report::count(self.records_per_second.round() as u64, "record"),
            report::bytes(self.bytes_per_second as u64),
        );
        let fits = total.len() + 1 + rate.len() <= WIDTH;
        let text = if fits { format!("{total} {rate}") } else { total };
        let mut messages = vec![Message::result(Level::Info, text).with((!fits).then_some(rate)).with_fields(self)];
        if self.batch_millis.count > 0 {
            messages.extend(self.times().iter().map(|text| Message::result(Level::Info, text)));
        }
        if let Some(dropped) = self.dropped_aggregates {
            messages.push(Message::result(Level::Warn, kpl::sentence(dropped)));
        }
        messages
    }

    fn times(&self) -> [String; 2] {
        let Batches { count, p50, p99, max } = self.batch_millis;
        let SecondsAt { processor, input, checkpoints } = self.seconds_at;
        let percent = |part: f64| 100.0 * part / (processor + input + checkpoints).max(f64::MIN_POSITIVE);
        [
            format!("{}: {p50:.1} ms (p50), {p99:.1} ms (p99), {max:.1} ms (max)", report::count(count, "batch")),
            format!(
                "time spent: processors {:.0} %, input {:.0} %, checkpoints {:.0} %",
                percent(processor),
                percent(input),
                percent(checkpoints),
            ),
        ]
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

    /// The lines for people.
    fn text(summary: &Summary) -> String {
        let rows = summary.rows().into_iter().map(|row| row + "\n");
        rows.chain(summary.total.messages().iter().map(|message| message.text(false))).collect()
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
        let text = text(&summary(64, &counts, 99_999, Duration::from_secs(11 * 86_400 - 1)));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 1 + 64 + 4, "{text}");
        assert!(lines.iter().all(|line| line.len() <= WIDTH), "{text}");
    }

    #[test]
    fn the_columns_of_a_small_run_are_narrow() {
        let counts = Counts { records: 115, bytes: 4_790, checkpoints: 2, ..Counts::default() };
        let text_of = |shards, restarts, counts| text(&summary(shards, counts, restarts, Duration::from_millis(500)));
        let text = text_of(2, 0, &counts);
        let expected = "\
shard                 outcome       records    data  checkpoints
shardId-000000000000  ended before      115  4.8 kB            2
shardId-000000000001  ended before      115  4.8 kB            2
115 records (4.8 kB) in 0.5 s: 230 records/s, 9.6 kB/s
";
        assert_eq!(text, expected);
        let restarted = text_of(1, 1, &counts);
        assert!(restarted.starts_with("shard                 outcome       records    data  checkpoints  restarts\n"));
        assert!(restarted.contains("  4.8 kB            2         1\n"), "{restarted}");
        let passed_over = text_of(1, 0, &Counts { skipped: 3, dead_lettered: 4, ..counts.clone() });
        assert!(
            passed_over.contains("  data  checkpoints  skipped  letters\n")
                && passed_over.contains("  2        3        4\n")
        );
        assert!(
            passed_over.contains("115 records (4.8 kB), 3 skipped, 4 dead-lettered in 0.5 s:\n  230 "),
            "{passed_over}"
        );
    }
}
