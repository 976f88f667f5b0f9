//! The details of a shard, or of all shards together, as rows: the most important first, because a small screen cuts them off.

use std::collections::BTreeMap;

use super::history::{Sample, Trace};
use super::table::{LONG, Tone, exit_codes, times};
use super::units::{latency, number, short, shown_name, stage};
use crate::metrics::Stage;
use crate::metrics::state::{ShardState, State, Times};
use crate::report;

/// From this share of the time on, the handler limits the rate.
const BUSY: f64 = 0.8;

/// An event: its mark, how it stands out, its name, and how often it occurred in a sample.
type Mark = (char, Tone, &'static str, fn(&Sample) -> u32);

/// The events of a sample, of which the first one that occurred is shown, with their marks.
pub(super) const MARKS: [Mark; 5] = [
    ('S', Tone::Bad, "start of a processor", |sample| sample.starts),
    ('!', Tone::Warning, "refused checkpoint", |sample| sample.refused),
    ('x', Tone::Warning, "record skipped or dead-lettered", |sample| sample.passed_over),
    ('r', Tone::Warning, "retry", |sample| sample.retries),
    ('·', Tone::Quiet, "checkpoint", |sample| sample.checkpoints),
];

/// A row, after its label.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Row {
    /// Bars, the newest first, and a text about them.
    Bars(Vec<Option<u64>>, String),
    /// Marks, the newest first, and a text about them.
    Marks(Vec<(char, Tone)>, String),
    Text(String, Tone),
}

/// The subject of the details.
pub(super) struct Detail<'s> {
    pub(super) state: &'s State,
    pub(super) shard: &'s ShardState,
    pub(super) is_all: bool,
    pub(super) trace: &'s Trace,
}

impl Detail<'_> {
    pub(super) fn title(&self) -> String {
        let ShardState { shard, stage_ms, pid, .. } = self.shard;
        if self.is_all {
            return format!("all {}", report::count(self.state.shards.len() as u64, "shard"));
        }
        let pid = pid.map_or(String::new(), |pid| format!(", process {pid}"));
        format!("{}, {} for {}{pid}", shown_name(shard), stage(self.shard.stage), short(*stage_ms))
    }

    /// The rows with their labels.
    pub(super) fn rows(&self) -> Vec<(&'static str, Row)> {
        let ShardState { totals, exits, restarts, .. } = self.shard;
        let passed_over = list([(&totals.dead_lettered, "dead-lettered"), (&totals.skipped, "skipped")]);
        let failures = list([(&totals.failures, "")]);
        let retries = report::count(totals.retries, "retry");
        let failed = if failures.is_empty() { retries } else { format!("{failures}; {retries}") };
        let crashes = exits.iter().any(|(code, _)| code != "0");
        let starts = match exits.is_empty() {
            true => format!("{}", restarts.saturating_add(1)),
            false => format!("{}; exit codes {}", restarts.saturating_add(1), exit_codes(self.shard)),
        };
        let tone = |is_wrong: bool| if is_wrong { Tone::Warning } else { Tone::Plain };
        let or_none = |text: String| if text.is_empty() { "none".to_owned() } else { text };
        let size = report::bytes(totals.bytes);
        let batches = report::count(totals.batches, "batch");
        let records = format!("{} of {} settled, {size}, {batches}", totals.settled, totals.delivered);
        let mut rows = vec![
            ("records/s", self.rates()),
            ("p99", self.delays()),
            ("events", Row::Marks(self.trace.newest().map(mark).collect(), format!("in {}", short(self.trace.ms())))),
            ("now", self.now()),
            ("slowed by", self.slowed()),
            ("passed over", Row::Text(or_none(passed_over.clone()), tone(!passed_over.is_empty()))),
            ("checkpoints", self.checkpoints()),
            ("starts", Row::Text(starts, if crashes { Tone::Bad } else { Tone::Plain })),
            ("failures", Row::Text(failed, tone(totals.retries > 0 || !totals.failures.is_empty()))),
            ("records", Row::Text(records, Tone::Plain)),
            ("latency", self.latency()),
        ];
        if !self.shard.reports {
            // Only the processors know them.
            rows.retain(|(label, _)| *label != "failures");
        }
        rows
    }

    /// The records of each second.
    pub(super) fn rates(&self) -> Row {
        let samples = self.trace.newest();
        // In tenths, so that a slow shard is not drawn as an idle one.
        let rates: Vec<_> = samples.map(|sample| Some((sample.rate * 10.0).round() as u64)).collect();
        let most = self.trace.newest().map(|sample| sample.rate).fold(0.0, f32::max);
        Row::Bars(rates, format!("max {}", number(most.into())))
    }

    fn delays(&self) -> Row {
        let nanos = self.trace.newest().map(|sample| sample.p99.map(|millis| (millis * 1e6).round() as u64)).collect();
        let most = self.trace.newest().filter_map(|sample| sample.p99).reduce(f32::max);
        Row::Bars(nanos, most.map_or(String::new(), |millis| format!("max {}", latency(millis.into()))))
    }

    /// The present work.
    fn now(&self) -> Row {
        let ShardState { now, stage: at, .. } = self.shard;
        if *at != Stage::Running {
            return Row::Text(stage(*at).to_owned(), if *at == Stage::Failed { Tone::Bad } else { Tone::Quiet });
        }
        let mut parts = Vec::new();
        let mut tone = Tone::Plain;
        if let Some(running) = &now.running {
            let at = running.at.as_deref().map_or(String::new(), |at| format!(" {}", report::excerpt(at)));
            parts.push(format!("{}{at} for {}", report::excerpt(&running.action), short(running.ms)));
            tone = if running.ms >= LONG { Tone::Warning } else { tone };
        } else if self.is_all {
            let running = self.state.shards.iter().filter(|shard| shard.stage == Stage::Running).count();
            parts.push(format!("{running} running"));
        } else {
            parts.push("waiting for records".to_owned());
        }
        match (now.unsettled, now.oldest_unsettled_ms) {
            (0, _) => {}
            (unsettled, Some(ms)) => parts.push(format!("{} unsettled, the oldest for {}", unsettled, short(ms))),
            (unsettled, None) => parts.push(format!("{unsettled} unsettled")),
        }
        if now.in_flight > 1 {
            parts.push(format!("{} in flight", now.in_flight));
        }
        if now.blocked_keys > 0 {
            parts.push(format!("{} blocked", report::count(now.blocked_keys, "key")));
        }
        if let Some(ms) = now.millis_behind_latest.filter(|ms| *ms > 0) {
            parts.push(format!("{} behind", short(ms)));
            tone = if ms >= LONG { Tone::Warning } else { tone };
        }
        Row::Text(parts.join(", "), tone)
    }

    /// The reasons why the records are not processed faster: the busiest handler, and the events of the last minutes.
    fn slowed(&self) -> Row {
        let mut parts = Vec::new();
        let busiest = self.state.shards.iter().max_by(|a, b| a.busy.total_cmp(&b.busy)).filter(|_| self.is_all);
        let busy = busiest.map_or(self.shard.busy, |shard| shard.busy);
        if busy >= BUSY {
            let whose = busiest.map_or("handler".to_owned(), |shard| shown_name(&shard.shard));
            let how =
                if busy > 1.0 { format!("{busy:.1} attempts at once") } else { format!("{} busy", percent(busy)) };
            parts.push(format!("{whose} {how}"));
        }
        for (what, count) in [
            ("restart", self.trace.sum(|sample| sample.starts)),
            ("refused checkpoint", self.trace.sum(|sample| sample.refused)),
            ("retry", self.trace.sum(|sample| sample.retries)),
        ] {
            if count > 0 {
                parts.push(report::count(count, what));
            }
        }
        if parts.is_empty() {
            return Row::Text(format!("nothing: the handler is {} busy", percent(busy)), Tone::Plain);
        }
        Row::Text(parts.join(", "), Tone::Warning)
    }

    fn checkpoints(&self) -> Row {
        let ShardState { totals, now, .. } = self.shard;
        let mut text = totals.checkpoints.to_string();
        if let Some(ms) = now.last_checkpoint_ms {
            text += &format!(", the {} {} ago", if self.is_all { "oldest" } else { "last" }, short(ms));
        }
        let refused = list([(&totals.refused, "refused")]);
        if refused.is_empty() {
            return Row::Text(text, Tone::Plain);
        }
        Row::Text(format!("{text}; {refused}"), Tone::Warning)
    }

    fn latency(&self) -> Row {
        let (times, what) = self.times();
        let Times { p50, p99, max, .. } = *times;
        if times.count == 0 {
            return Row::Text("nothing was timed recently".to_owned(), Tone::Quiet);
        }
        let text = format!("p50 {}, p99 {}, longest {}, of {what}", latency(p50), latency(p99), latency(max));
        Row::Text(text, Tone::Plain)
    }

    fn times(&self) -> (&Times, &'static str) {
        let ShardState { record, handler, .. } = self.shard;
        (times(record, handler), if record.count > 0 { "records" } else { "batches" })
    }

    /// The distribution of recent times in this number of rows at most: the upper end of each, and its share of all.
    pub(super) fn distribution(&self, rows: usize) -> Vec<(String, f64)> {
        let powers = &self.times().0.powers;
        let (Some((first, _)), Some((last, _))) = (powers.first(), powers.last()) else { return Vec::new() };
        let all: f64 = powers.iter().map(|(_, count)| *count as f64).sum();
        // The answer may come from anywhere.
        let (first, last) = ((*first).min(u64::BITS), (*last).min(u64::BITS));
        // The shortest times share a row.
        let first = first.max(last.saturating_sub(u32::try_from(rows).unwrap_or(u32::MAX).saturating_sub(1)));
        let shares = (first..=last).map(|power| {
            let is_here = |other: u32| other == power || (power == first && other < first);
            let here = powers.iter().filter(|(other, _)| is_here(*other));
            let count = here.fold(0.0, |sum, (_, count)| sum + *count as f64);
            (latency((power as f64).exp2() / 1e6), count / all.max(1.0))
        });
        shares.collect()
    }
}

/// The mark of a sample.
fn mark(sample: &Sample) -> (char, Tone) {
    let found = MARKS.iter().find(|(.., count)| count(sample) > 0);
    found.map_or((' ', Tone::Plain), |(mark, tone, ..)| (*mark, *tone))
}

/// The counts of some classes with their sum, each followed by what happened to them.
fn list<const N: usize>(all: [(&BTreeMap<String, u64>, &str); N]) -> String {
    let texts = all.iter().filter(|(classes, _)| !classes.is_empty()).map(|(classes, what)| {
        let mut classes: Vec<_> = classes.iter().collect();
        classes.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let sum = classes.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(**count));
        let classes: Vec<_> =
            classes.into_iter().map(|(class, count)| format!("{} {count}", report::excerpt(class))).collect();
        format!("{sum} {what}").trim_end().to_owned() + &format!(" ({})", classes.join(", "))
    });
    texts.collect::<Vec<_>>().join("; ")
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(shard: &ShardState) -> BTreeMap<&'static str, Row> {
        let detail = Detail { state: &State::default(), shard, is_all: false, trace: &Trace::default() };
        detail.rows().into_iter().collect()
    }

    fn text(text: &str, tone: Tone) -> Row {
        Row::Text(text.to_owned(), tone)
    }

    #[test]
    fn a_busy_handler_slows_its_shard() {
        for (busy, said, tone) in [
            (0.03, "nothing: the handler is 3 % busy", Tone::Plain),
            (0.9, "handler 90 % busy", Tone::Warning),
            (12.34, "handler 12.3 attempts at once", Tone::Warning),
        ] {
            assert_eq!(rows(&ShardState { busy, ..ShardState::default() })["slowed by"], text(said, tone));
        }
    }

    #[test]
    fn only_what_is_known_is_shown() {
        let mut shard = ShardState { stage: Stage::Failed, ..ShardState::default() };
        shard.exits.insert("\u{1b}7".to_owned(), 2);
        let known = rows(&shard);
        assert!(!known.contains_key("failures"), "{known:?}");
        assert_eq!(known["now"], text("failed", Tone::Bad));
        assert_eq!(known["starts"], text("1; exit codes \\u{1b}7 (2×)", Tone::Bad));
        shard.reports = true;
        assert_eq!(rows(&shard)["failures"], text("0 retries", Tone::Plain));
    }

    #[test]
    fn the_shortest_times_share_a_row() {
        let mut shard = ShardState::default();
        shard.handler.powers = vec![(10, 1), (11, 1), (14, 2)];
        let detail = Detail { state: &State::default(), shard: &shard, is_all: false, trace: &Trace::default() };
        let shown = |rows| detail.distribution(rows).into_iter().map(|(end, share)| format!("{end} {share}")).collect();
        let [all, three]: [Vec<String>; 2] = [9, 3].map(shown);
        assert_eq!(all, ["1µs 0.25", "2µs 0.25", "4µs 0", "8µs 0", "16µs 0.5"]);
        assert_eq!(three, ["4µs 0.5", "8µs 0", "16µs 0.5"]);
        // Whatever an answer contains.
        shard.handler.powers = vec![(0, 1), (u32::MAX, u64::MAX)];
        let detail = Detail { state: &State::default(), shard: &shard, is_all: false, trace: &Trace::default() };
        assert_eq!((detail.distribution(5).len(), detail.distribution(0).len()), (5, 1));
    }
}
