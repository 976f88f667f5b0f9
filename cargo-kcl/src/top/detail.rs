//! The details of a shard, or of all shards together, as rows: the most important first, because a small screen cuts them off.

use std::collections::BTreeMap;
use std::slice;

use super::history::{Sample, Trace};
use super::table::{LONG, Tone, count_at, exit_codes, times, worst};
use super::units::{latency, number, short, shown_name, stage};
use crate::metrics::Stage;
use crate::metrics::state::{ShardState, State, Times};
use crate::report;

/// The least share of the time in which a handler that limits the rate is busy.
const BUSY: f64 = 0.8;

/// An event: its mark, how it stands out, its name, and how often it occurred in a sample.
type Mark = (char, Tone, &'static str, fn(&Sample) -> u32);

/// The events of a sample, of which the first one that occurred is shown, with their marks.
pub(super) const MARKS: [Mark; 5] = [
    ('S', Tone::Bad, "restart of a processor", |sample| sample.restarts),
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

    /// The rows with their labels. The past has room for this many samples.
    pub(super) fn rows(&self, room: usize) -> Vec<(&'static str, Row)> {
        let ShardState { totals, exits, starts, .. } = self.shard;
        let passed_over = list([(&totals.dead_lettered, "dead-lettered"), (&totals.skipped, "skipped")]);
        let failures = list([(&totals.failures, "")]);
        let retries = report::count(totals.retries, "retry");
        let failed = if failures.is_empty() { retries } else { format!("{failures}; {retries}") };
        let crashes = exits.iter().any(|(code, _)| code != "0");
        let starts = match exits.is_empty() {
            true => starts.to_string(),
            false => format!("{starts}; exit codes {}", exit_codes(self.shard)),
        };
        let tone = |is_wrong: bool| if is_wrong { Tone::Warning } else { Tone::Plain };
        let or_none = |text: String| if text.is_empty() { "none".to_owned() } else { text };
        let size = report::bytes(totals.bytes);
        let batches = report::count(totals.batches, "batch");
        let records = format!("{} of {} settled, {size}, {batches}", totals.settled, totals.delivered);
        let mut rows = vec![
            ("records/s", self.rates(room)),
            ("p99", self.delays(room)),
            ("events", self.events(room)),
            ("now", self.now()),
        ];
        rows.extend(self.slowed().map(|row| ("slowed by", row)));
        rows.extend([
            ("passed over", Row::Text(or_none(passed_over.clone()), tone(!passed_over.is_empty()))),
            ("checkpoints", self.checkpoints()),
            ("starts", Row::Text(starts, if crashes { Tone::Bad } else { Tone::Plain })),
            ("failures", Row::Text(failed, tone(totals.retries > 0 || !totals.failures.is_empty()))),
            ("records", Row::Text(records, Tone::Plain)),
            ("latency", self.latency()),
        ]);
        if !self.shard.reports {
            // Only the processors know them.
            rows.retain(|(label, _)| *label != "failures");
        }
        rows
    }

    /// The rate of the past.
    pub(super) fn rates(&self, room: usize) -> Row {
        let samples = self.trace.newest(room);
        // In tenths, so that a slow shard is not drawn as an idle one.
        let rates: Vec<_> = samples.map(|sample| Some((sample.rate * 10.0).round() as u64)).collect();
        let most = self.trace.newest(room).map(|sample| sample.rate).fold(0.0, f32::max);
        Row::Bars(rates, format!("max {}", number(most.into())))
    }

    fn delays(&self, room: usize) -> Row {
        let samples = self.trace.newest(room);
        let nanos = samples.map(|sample| sample.p99.map(|millis| (millis * 1e6).round() as u64)).collect();
        let most = self.trace.newest(room).filter_map(|sample| sample.p99).reduce(f32::max);
        Row::Bars(nanos, most.map_or(String::new(), |millis| format!("max {}", latency(millis.into()))))
    }

    fn events(&self, room: usize) -> Row {
        let ms = self.trace.newest(room).map(|sample| u64::from(sample.ms)).sum();
        Row::Marks(self.trace.newest(room).map(mark).collect(), format!("in {}", short(ms)))
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
            // A shard that failed may be on a line that is not on the screen.
            tone = worst(self.state);
            for at in [Stage::Running, Stage::Failed, Stage::Restarting] {
                let count = count_at(self.state, at);
                if count > 0 || at == Stage::Running {
                    parts.push(format!("{count} {}", stage(at)));
                }
            }
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
            tone = if ms >= LONG { tone.max(Tone::Warning) } else { tone };
        }
        Row::Text(parts.join(", "), tone)
    }

    /// The reasons why the records are not processed faster: the busiest handler, and the events of the last minutes. `None` if
    /// no time of a handler is known.
    fn slowed(&self) -> Option<Row> {
        let shards = if self.is_all { &self.state.shards[..] } else { slice::from_ref(self.shard) };
        let known = shards
            .iter()
            .filter(|shard| shard.stage == Stage::Running && (times(shard).count > 0 || shard.now.running.is_some()));
        let busiest = known.max_by(|a, b| a.busy.total_cmp(&b.busy))?;
        let (busy, name) = (busiest.busy, shown_name(&busiest.shard));
        let whose = if self.is_all { &*name } else { "handler" };
        let mut parts = Vec::new();
        if (BUSY..=1.0).contains(&busy) {
            parts.push(format!("{whose} {} busy", percent(busy)));
        }
        for (what, count) in [
            ("restart", self.trace.sum(|sample| sample.restarts)),
            ("refused checkpoint", self.trace.sum(|sample| sample.refused)),
            ("retry", self.trace.sum(|sample| sample.retries)),
        ] {
            if count > 0 {
                parts.push(report::count(count, what));
            }
        }
        let tone = if parts.is_empty() { Tone::Plain } else { Tone::Warning };
        let mut text = parts.join(", ");
        if busy > 1.0 {
            // The limit of attempts at once is not known, so their number is a fact and not a reason.
            let place = if self.is_all { format!(" in {name}") } else { String::new() };
            text += if parts.is_empty() { "nothing known: " } else { "; " };
            text += &format!("{busy:.1} attempts at once{place}");
        } else if parts.is_empty() {
            text = format!("nothing: the handler is {} busy", percent(busy));
        }
        Some(Row::Text(text, tone))
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
        (times(self.shard), if self.shard.record.count > 0 { "records" } else { "batches" })
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
    use kcl::metrics::Running;

    use super::*;
    use crate::top::history::History;

    fn rows(shard: &ShardState) -> BTreeMap<&'static str, Row> {
        let detail = Detail { state: &State::default(), shard, is_all: false, trace: &Trace::default() };
        detail.rows(usize::MAX).into_iter().collect()
    }

    fn rows_of_all(state: &State) -> BTreeMap<&'static str, Row> {
        let detail = Detail { state, shard: &state.all(), is_all: true, trace: &Trace::default() };
        detail.rows(usize::MAX).into_iter().collect()
    }

    /// A shard whose handler was timed.
    fn timed(busy: f64) -> ShardState {
        let mut shard = ShardState { shard: "a".to_owned(), stage: Stage::Running, busy, ..ShardState::default() };
        shard.handler.count = 1;
        shard
    }

    fn text(text: &str, tone: Tone) -> Row {
        Row::Text(text.to_owned(), tone)
    }

    #[test]
    fn a_busy_handler_slows_its_shard() {
        for (busy, said, said_of_all, tone) in [
            (0.03, "nothing: the handler is 3 % busy", "nothing: the handler is 3 % busy", Tone::Plain),
            (0.9, "handler 90 % busy", "a 90 % busy", Tone::Warning),
            (12.34, "nothing known: 12.3 attempts at once", "nothing known: 12.3 attempts at once in a", Tone::Plain),
        ] {
            let mut shards = [0.01, busy].map(timed);
            assert_eq!(rows(&shards[1])["slowed by"], text(said, tone));
            shards[0].shard = "b".to_owned();
            let state = State { shards: shards.into(), ..State::default() };
            assert_eq!(rows_of_all(&state)["slowed by"], text(said_of_all, tone));
        }
    }

    #[test]
    fn nothing_is_said_of_a_handler_that_was_not_timed() {
        let untimed = ShardState { stage: Stage::Running, ..ShardState::default() };
        let restarting = ShardState { stage: Stage::Restarting, ..timed(0.9) };
        for mut shard in [untimed, restarting] {
            assert!(!rows(&shard).contains_key("slowed by"), "{shard:?}");
            let state = State { shards: vec![shard.clone()], ..State::default() };
            assert!(!rows_of_all(&state).contains_key("slowed by"), "{shard:?}");
            (shard.stage, shard.now.running) = (Stage::Running, Some(Running::default()));
            assert!(rows(&shard).contains_key("slowed by"), "{shard:?}");
        }
    }

    #[test]
    fn all_shards_stand_out_if_one_failed() {
        let mut state = State { shards: [0.1; 4].map(timed).into(), ..State::default() };
        assert_eq!(rows_of_all(&state)["now"], text("4 running", Tone::Plain));
        state.shards[3].stage = Stage::Restarting;
        assert_eq!(rows_of_all(&state)["now"], text("3 running, 1 restarting", Tone::Warning));
        state.shards[2].stage = Stage::Failed;
        state.shards[0].now.millis_behind_latest = Some(LONG);
        let now = "2 running, 1 failed, 1 restarting, 60s behind";
        assert_eq!(rows_of_all(&state)["now"], text(now, Tone::Bad));
    }

    #[test]
    fn the_past_is_what_there_is_room_for() {
        let mut history = History::default();
        for (at, rate) in [(0, 0.0), (1, 99.0), (3, 5.0), (4, 7.0)] {
            let mut shard = ShardState { records_per_second: rate, ..timed(0.1) };
            shard.handler.p99 = 10.0 * rate;
            let state = State { uptime_ms: at * 1000, shards: vec![shard], ..State::default() };
            history.add(&state, &state.all());
        }
        let (state, shard) = (State::default(), ShardState::default());
        let trace = history.of(Some("a")).expect("samples");
        let detail = Detail { state: &state, shard: &shard, is_all: false, trace };
        let rows: BTreeMap<_, _> = detail.rows(2).into_iter().collect();
        assert_eq!(rows["records/s"], Row::Bars(vec![Some(70), Some(50)], "max 7".to_owned()));
        assert_eq!(rows["p99"], Row::Bars(vec![Some(70_000_000), Some(50_000_000)], "max 70.0ms".to_owned()));
        assert_eq!(rows["events"], Row::Marks(vec![(' ', Tone::Plain); 2], "in 3.0s".to_owned()));
    }

    #[test]
    fn only_what_is_known_is_shown() {
        let mut shard = ShardState { stage: Stage::Failed, starts: 2, ..ShardState::default() };
        shard.exits.insert("\u{1b}7".to_owned(), 2);
        let known = rows(&shard);
        assert!(!known.contains_key("failures"), "{known:?}");
        assert_eq!(known["now"], text("failed", Tone::Bad));
        assert_eq!(known["starts"], text("2; exit codes \\u{1b}7 (2×)", Tone::Bad));
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
