//! The text that `cargo kcl top` shows of a run: a few lines about all of it, and a line for each shard, which fit 80 columns.

use std::cmp::Ordering;

use kcl::metrics::Running;

use crate::metrics::Stage;
use crate::metrics::state::{ShardState, State, Times};
use crate::report;

/// The lines above the shards: what the run is, its problems, and the header.
pub(super) const FIRST_LINES: usize = 3;
/// From this many milliseconds on, a delay or a call stands out.
const LONG: u64 = 60_000;

/// A column, by which shards can be sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Column {
    #[default]
    Shard,
    Rate,
    Behind,
    P50,
    P99,
    InFlight,
    Retries,
    Checkpoint,
    Restarts,
}

/// The columns in their order, with their headers and widths.
const COLUMNS: [(Column, &str, usize); 9] = [
    (Column::Shard, "shard", 20),
    (Column::Rate, "rec/s", 7),
    (Column::Behind, "behind", 7),
    (Column::P50, "p50", 7),
    (Column::P99, "p99", 7),
    (Column::InFlight, "fly", 5),
    (Column::Retries, "retries", 7),
    (Column::Checkpoint, "ckpt", 6),
    (Column::Restarts, "starts", 6),
];

/// The order of the shards: by a column, the largest first, or by name in ascending order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Order {
    column: Column,
    reversed: bool,
}

impl Order {
    /// The order by the next column.
    pub(super) fn next(self) -> Self {
        let at = COLUMNS.iter().position(|(column, ..)| *column == self.column).unwrap_or_default();
        Self { column: COLUMNS[(at + 1) % COLUMNS.len()].0, reversed: false }
    }

    pub(super) fn reversed(self) -> Self {
        Self { reversed: !self.reversed, ..self }
    }

    fn compare(self, a: &ShardState, b: &ShardState) -> Ordering {
        let key = |shard: &ShardState| match self.column {
            Column::Shard => 0.0,
            Column::Rate => shard.records_per_second,
            Column::Behind => shard.now.millis_behind_latest.unwrap_or(0) as f64,
            Column::P50 => times(shard).p50,
            Column::P99 => times(shard).p99,
            Column::InFlight => shard.now.in_flight as f64,
            Column::Retries => shard.totals.retries as f64,
            Column::Checkpoint => shard.now.last_checkpoint_ms.unwrap_or(0) as f64,
            Column::Restarts => shard.restarts as f64,
        };
        let order = key(b).total_cmp(&key(a)).then_with(|| a.shard.cmp(&b.shard));
        if self.reversed { order.reverse() } else { order }
    }
}

/// The times of single records, which say more, or else those of batches.
fn times(shard: &ShardState) -> Times {
    if shard.record.count > 0 { shard.record } else { shard.handler }
}

/// A run as lines.
pub(super) struct Table<'s> {
    pub(super) state: &'s State,
    pub(super) order: Order,
    pub(super) width: usize,
    pub(super) coloured: bool,
}

impl Table<'_> {
    /// The lines, the first [`FIRST_LINES`] of which do not scroll.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        let mut shards: Vec<_> = self.state.shards.iter().collect();
        shards.sort_by(|a, b| self.order.compare(a, b));
        let shards = shards.into_iter().map(|shard| self.shard(shard)).collect::<Vec<_>>();
        [self.about(), self.problems(), self.header()].into_iter().chain(shards)
    }

    fn fitted(&self, text: &str) -> String {
        console::truncate_str(text, self.width, "…").into_owned()
    }

    fn styled(&self, text: String, code: &str) -> String {
        if self.coloured { format!("\x1b[{code}m{text}\x1b[0m") } else { text }
    }

    fn about(&self) -> String {
        let State { verb, application, stream, shards, daemon, uptime_ms, .. } = self.state;
        let running = shards.iter().filter(|shard| shard.stage == Stage::Running).count();
        let [records, bytes] = shards.iter().fold([0.0, 0.0], |[records, bytes], shard| {
            [records + shard.records_per_second, bytes + shard.bytes_per_second]
        });
        let mut text = report::excerpt(application);
        if let Some(stream) = stream.as_ref().filter(|stream| *stream != application) {
            text += &format!(" on {}", report::excerpt(stream));
        }
        text += &format!(" ({verb} {}): ", short(*uptime_ms));
        text += &format!("{running}/{}, ", report::count(shards.len() as u64, "shard"));
        text += &format!("{}/s, {}/s", number(records), report::bytes(bytes.round() as u64));
        if let Some(daemon) = daemon {
            text += if daemon.is_up { ", daemon up" } else { ", daemon down" };
        }
        self.fitted(&text)
    }

    fn problems(&self) -> String {
        let State { problems, unready, silent, .. } = self.state;
        match (&problems[..], unready) {
            ([], None) if *silent => {
                self.fitted("the processors send no metrics: build them with --features kcl/metrics")
            }
            ([], None) => self.fitted(&self.daemon().unwrap_or_default()),
            ([], Some(unready)) => self.fitted(&format!("not ready: {}", report::escaped(unready))),
            ([problem], _) => self.styled(self.fitted(&report::escaped(problem)), "31"),
            ([first, more @ ..], _) => {
                let text =
                    format!("{} (and {})", report::escaped(first), report::count(more.len() as u64, "more problem"));
                self.styled(self.fitted(&text), "31")
            }
        }
    }

    /// The daemon in more detail, which is left out when something is wrong.
    fn daemon(&self) -> Option<String> {
        let daemon = self.state.daemon.as_ref()?;
        let memory = daemon.memory_bytes.map(|bytes| format!(", {} of memory", report::bytes(bytes)));
        Some(format!("daemon: {}{}", report::count(daemon.restarts, "restart"), memory.unwrap_or_default()))
    }

    fn header(&self) -> String {
        let mut line = String::new();
        for (column, name, width) in COLUMNS {
            let (is_first, is_sorted) = (column == Column::Shard, column == self.order.column && self.coloured);
            line += &match (is_first, is_sorted) {
                (true, true) => cell(&format!("{name}{}", self.mark()), width, true),
                // In the place of the blank, because a name may fill its column.
                (false, true) => right(&format!("{}{name}", self.mark()), width + 1),
                _ => cell(name, width, is_first),
            };
        }
        self.styled(self.fitted(line.trim_end()), "1")
    }

    fn mark(&self) -> char {
        if self.order.reversed == (self.order.column == Column::Shard) { '▾' } else { '▴' }
    }

    fn shard(&self, shard: &ShardState) -> String {
        let name = shown_name(&shard.shard);
        let mut line = cell(&name, COLUMNS[0].2, true);
        if shard.stage != Stage::Running {
            let more = match shard.stage {
                Stage::Failed | Stage::Restarting if !shard.exits.is_empty() => {
                    let codes: Vec<_> = shard.exits.iter().map(|(code, times)| format!("{code} ({times}×)")).collect();
                    format!(", exit codes {}", report::escaped(&codes.join(", ")))
                }
                _ => String::new(),
            };
            let text = format!(
                "{line} {} for {}, {}{more}",
                stage(shard.stage),
                short(shard.stage_ms),
                report::count(shard.totals.settled, "record")
            );
            return self.styled(self.fitted(&text), if shard.stage == Stage::Failed { "31" } else { "2" });
        }
        let times = times(shard);
        let time = |millis: f64| if times.count > 0 { latency(millis) } else { "-".to_owned() };
        let age = |millis: Option<u64>| millis.map_or("-".to_owned(), short);
        for (at, value) in [
            number(shard.records_per_second),
            age(shard.now.millis_behind_latest),
            time(times.p50),
            time(times.p99),
            number(shard.now.in_flight as f64),
            number(shard.totals.retries as f64),
            age(shard.now.last_checkpoint_ms),
            number((shard.restarts + 1) as f64),
        ]
        .into_iter()
        .enumerate()
        {
            line += &cell(&value, COLUMNS[at + 1].2, false);
        }
        let long = shard.now.running.as_ref().filter(|running| running.ms >= LONG);
        if let Some(Running { action, ms, .. }) = long {
            line += &format!("  {} for {}", report::excerpt(action), short(*ms));
        }
        let line = self.fitted(&line);
        let is_late = shard.now.millis_behind_latest.is_some_and(|millis| millis >= LONG);
        if long.is_some() || is_late { self.styled(line, "33") } else { line }
    }
}

/// A text in a column, with a blank before it unless it is the first.
fn cell(text: &str, width: usize, is_first: bool) -> String {
    if is_first {
        return console::pad_str(text, width, console::Alignment::Left, Some("…")).into_owned();
    }
    format!(" {}", right(text, width))
}

fn right(text: &str, width: usize) -> String {
    console::pad_str(text, width, console::Alignment::Right, Some("…")).into_owned()
}

/// A shard's name in a column: without the zeros of those that Kinesis names.
fn shown_name(shard: &str) -> String {
    match shard.strip_prefix("shardId-").filter(|number| number.len() == 12) {
        Some(number) => format!("shardId-{:0>4}", number.trim_start_matches('0')),
        None => report::excerpt(shard),
    }
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Waiting => "waiting",
        Stage::Running => "running",
        Stage::Restarting => "restarting",
        Stage::Ended => "ended",
        Stage::Lost => "lease lost",
        Stage::Stopped => "stopped",
        Stage::Failed => "failed",
    }
}

/// A number in up to five characters.
fn number(number: f64) -> String {
    match number.round() {
        number if number < 100_000.0 => format!("{number}"),
        number if number < 1e7 => format!("{:.0}k", number / 1e3),
        number if number < 1e10 => format!("{:.0}M", number / 1e6),
        number => format!("{:.0}G", number / 1e9),
    }
}

/// Milliseconds in up to six characters.
fn latency(millis: f64) -> String {
    match millis {
        millis if millis < 0.000_999_5 => format!("{:.0}ns", millis * 1e6),
        millis if millis < 0.999_5 => format!("{:.0}µs", millis * 1e3),
        millis if millis < 99.95 => format!("{millis:.1}ms"),
        millis if millis < 999.5 => format!("{millis:.0}ms"),
        millis => short(millis.round() as u64),
    }
}

/// A time in up to six characters.
fn short(millis: u64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0 if millis == 0 => "0".to_owned(),
        0..=9 => format!("{:.1}s", millis as f64 / 1e3),
        10..=99 => format!("{seconds}s"),
        100..=5_999 => format!("{}m{:02}", seconds / 60, seconds % 60),
        6_000..=359_999 => format!("{}h{:02}", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::state::DaemonState;

    fn state() -> State {
        let mut state = State { verb: "local".to_owned(), application: "revenue".to_owned(), ..State::default() };
        for (at, rate) in [(1, 12.4), (3, 99_000.0), (2, 1_234_567.0)] {
            let mut shard =
                ShardState { shard: format!("shardId-{at:012}"), stage: Stage::Running, ..ShardState::default() };
            (shard.records_per_second, shard.restarts) = (rate, at);
            shard.handler = Times { count: 1, p50: 0.012, p99: 1234.0, max: 2000.0 };
            shard.now.millis_behind_latest = Some(at * 100_000);
            state.shards.push(shard);
        }
        state
    }

    fn shown(state: &State, order: Order, width: usize) -> Vec<String> {
        Table { state, order, width, coloured: false }.lines().collect()
    }

    #[test]
    fn shards_are_sorted_and_fit_80_columns() {
        let state = state();
        let lines = shown(&state, Order::default(), 80);
        assert_eq!(
            lines,
            [
                "revenue (local 0): 3/3 shards, 1334k/s, 0 B/s",
                "",
                "shard                  rec/s  behind     p50     p99   fly retries   ckpt starts",
                "shardId-0001              12    1m40    12µs    1.2s     0       0      -      2",
                "shardId-0002           1235k    3m20    12µs    1.2s     0       0      -      3",
                "shardId-0003           99000    5m00    12µs    1.2s     0       0      -      4",
            ]
        );
        assert!(lines.iter().all(|line| line.chars().count() <= 80));
        let by_rate = shown(&state, Order::default().next(), 30);
        let names: Vec<_> = by_rate.iter().skip(FIRST_LINES).map(|line| &line[..12]).collect();
        assert_eq!(names, ["shardId-0002", "shardId-0003", "shardId-0001"]);
        assert!(by_rate.iter().all(|line| line.chars().count() <= 30), "{by_rate:?}");
        let mut order = Order::default();
        for (_, name, _) in COLUMNS {
            let header = Table { state: &state, order, width: 80, coloured: true }.header();
            assert!(header.contains(name) && console::measure_text_width(&header) <= 80, "{header}");
            order = order.next();
        }
        let slowest = shown(&state, Order::default().next().reversed(), 80);
        assert!(slowest[FIRST_LINES].starts_with("shardId-0001"));
    }

    #[test]
    fn a_daemon_is_shown_in_80_columns() {
        let mut state = State { verb: "daemon".to_owned(), stream: Some("quickstart".to_owned()), ..state() };
        state.uptime_ms = 727_000;
        state.daemon = Some(DaemonState { is_up: true, memory_bytes: Some(402_100_000), ..DaemonState::default() });
        let lines = shown(&state, Order::default(), 80);
        let about = "revenue on quickstart (daemon 12m07): 3/3 shards, 1334k/s, 0 B/s, daemon up";
        assert_eq!(lines[..2], [about, "daemon: 0 restarts, 402.1 MB of memory"]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let mut state = state();
        state.problems = vec!["shard \u{1b}[2J: stuck".to_owned(), "b".to_owned()];
        state.shards[0].stage = Stage::Failed;
        state.shards[0].exits.insert("137".to_owned(), 2);
        state.shards[1].now.running = Some({
            let mut running = Running::default();
            (running.action, running.ms) = ("processRecords".to_owned(), 75_000);
            running
        });
        let lines = shown(&state, Order::default(), 120);
        assert_eq!(lines[1], "shard \\u{1b}[2J: stuck (and 1 more problem)");
        assert_eq!(lines[3], "shardId-0001         failed for 0, 0 records, exit codes 137 (2×)");
        assert!(lines[5].ends_with("  processRecords for 75s"), "{}", lines[5]);
    }

    #[test]
    fn values_fit_their_columns() {
        for (value, shown) in [(0.0, "0"), (99_999.4, "99999"), (100_000.0, "100k"), (1e9, "1000M")] {
            assert_eq!(number(value), shown);
        }
        for (millis, shown) in
            [(0.0, "0ns"), (0.000_4, "400ns"), (0.05, "50µs"), (9.96, "10.0ms"), (512.3, "512ms"), (61_000.0, "61s")]
        {
            assert_eq!(latency(millis), shown);
        }
        for (millis, shown) in
            [(900, "0.9s"), (99_000, "99s"), (100_000, "1m40"), (7_200_000, "2h00"), (864_000_000, "10d")]
        {
            assert_eq!(short(millis), shown);
        }
    }
}
