//! The summary of a run, for people and for scripts.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::local::chaos::Verdict;
use crate::local::shard::Outcome;
use crate::local::shard::pulse::Counts;
use crate::report;

/// The number of buckets for each power of two.
const PARTS: usize = 16;

/// A distribution of durations, accurate to a sixteenth of each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times {
    /// The number of durations in each bucket of microseconds.
    buckets: Vec<u64>,
    count: u64,
    most: Duration,
}

impl Times {
    pub(crate) fn add(&mut self, time: Duration) {
        let bucket = bucket(time.as_micros().try_into().unwrap_or(u64::MAX));
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
        self.count += 1;
        self.most = self.most.max(time);
    }

    fn add_all(&mut self, other: &Self) {
        if self.buckets.len() < other.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (own, other) in self.buckets.iter_mut().zip(&other.buckets) {
            *own += other;
        }
        self.count += other.count;
        self.most = self.most.max(other.most);
    }

    /// The duration that this percentage of durations did not exceed, in milliseconds.
    fn percentile(&self, percent: u64) -> f64 {
        let rank = (self.count * percent).div_ceil(100);
        let mut below = 0;
        let found = self.buckets.iter().position(|count| {
            below += count;
            below >= rank
        });
        let most = millis(self.most);
        found.map_or(0.0, |bucket| (last_of(bucket) as f64 / 1e3).min(most))
    }

    fn report(&self) -> Batches {
        Batches { count: self.count, p50: self.percentile(50), p99: self.percentile(99), max: millis(self.most) }
    }
}

fn bucket(micros: u64) -> usize {
    if micros < PARTS as u64 {
        return micros as usize;
    }
    let exponent = micros.ilog2() as usize;
    let part = (micros >> (exponent - 4)) as usize % PARTS;
    (exponent - 3) * PARTS + part
}

/// The most microseconds that fall into a bucket.
fn last_of(bucket: usize) -> u64 {
    if bucket < PARTS {
        return bucket as u64;
    }
    let exponent = bucket / PARTS + 3;
    let part = (bucket % PARTS) as u128;
    u64::try_from(((PARTS as u128 + part + 1) << (exponent - 4)) - 1).unwrap_or(u64::MAX)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// How long the processor took for batches, in milliseconds.
#[derive(Debug, Serialize)]
struct Batches {
    count: u64,
    p50: f64,
    p99: f64,
    max: f64,
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
            batch_millis: counts.batches.report(),
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
            batch_millis: all.batches.report(),
            seconds_at: SecondsAt {
                processor: all.at_processor.saturating_sub(all.at_checkpoints).as_secs_f64(),
                input: all.at_input.as_secs_f64(),
                checkpoints: all.at_checkpoints.as_secs_f64(),
            },
            shards,
            chaos: None,
        }
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
                if shard.records == 1 { "record" } else { "records" },
                report::bytes(shard.bytes),
                shard.checkpoints,
                if shard.checkpoints == 1 { "checkpoint" } else { "checkpoints" },
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
            "{} ({}) in {:.1} s: {}/s, {}/s",
            report::count(self.records, "record"),
            report::bytes(self.bytes),
            self.seconds,
            report::count(self.records_per_second.round() as u64, "record"),
            report::bytes(self.bytes_per_second as u64),
        )?;
        let count = self.batch_millis.count;
        if count > 0 {
            self.write_times(f)?;
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
            "{count} {}: {p50:.1} ms (p50), {p99:.1} ms (p99), {max:.1} ms (max); time spent in processors {:.0} %, input \
             {:.0} %, checkpoints {:.0} %",
            if count == 1 { "batch" } else { "batches" },
            percent(processor),
            percent(input),
            percent(checkpoints),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_falls_into_its_bucket() {
        let mut last = 0;
        for bucket_number in 1..PARTS * 60 {
            let most = last_of(bucket_number);
            assert!(most > last, "{bucket_number}");
            assert_eq!([bucket(last + 1), bucket(most)], [bucket_number; 2]);
            last = most;
        }
        assert!(last_of(bucket(u64::MAX)) == u64::MAX);
    }

    #[test]
    fn percentiles_are_right_to_a_sixteenth() {
        let mut times = Times::default();
        assert_eq!(times.percentile(50), 0.0);
        (1..=1_000).for_each(|millis| times.add(Duration::from_millis(millis)));
        for (percent, expected) in [(50, 500.0), (99, 990.0), (100, 1_000.0)] {
            let found = times.percentile(percent);
            assert!((expected..=expected * 17.0 / 16.0).contains(&found), "{percent}: {found}");
        }
        let mut both = Times::default();
        both.add_all(&times);
        assert_eq!((both.report().count, both.report().max), (1_000, 1_000.0));
    }
}
