//! The lines that `cargo kcl top` shows of a run: two about all of it, a header, and a line for each shard.

use std::cmp::Ordering;

use kcl::metrics::Running;

use super::units::{latency, number, short, shown_name, stage};
use crate::metrics::Stage;
use crate::metrics::state::{ShardState, State, Times};
use crate::report;

/// The least milliseconds of a delay or a call that stands out.
pub(super) const LONG: u64 = 60_000;
/// The least width with all columns.
const ALL: usize = 80;
/// The width of the first column in a narrower table: the short name of a shard of Kinesis.
const NARROW: usize = 12;

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
    Starts,
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
    (Column::Starts, "starts", 6),
];

/// The columns that a narrow table drops, the first one first.
const LESS_IMPORTANT: [Column; 7] =
    [Column::InFlight, Column::P50, Column::Checkpoint, Column::Starts, Column::Retries, Column::P99, Column::Behind];

/// The way in which a line stands out, the most serious one last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tone {
    #[default]
    Plain,
    /// It does not change any more, or is not important.
    Quiet,
    /// Something may be wrong.
    Warning,
    Bad,
}

/// The order of the shards: by a column, the largest first, or by name in ascending order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Order {
    column: Column,
    reversed: bool,
}

impl Order {
    /// The order by the next column.
    pub(super) fn next(self) -> Self {
        self.after(1)
    }

    /// The order by the column before this one.
    pub(super) fn previous(self) -> Self {
        self.after(COLUMNS.len() - 1)
    }

    fn after(self, columns: usize) -> Self {
        let at = COLUMNS.iter().position(|(column, ..)| *column == self.column).unwrap_or_default();
        Self { column: COLUMNS[(at + columns) % COLUMNS.len()].0, reversed: false }
    }

    pub(super) fn reversed(self) -> Self {
        Self { reversed: !self.reversed, ..self }
    }

    /// The name of the column, and the direction.
    pub(super) fn name(self) -> String {
        let name = COLUMNS.iter().find(|(column, ..)| *column == self.column).map_or("", |(_, name, _)| name);
        format!("{name}{}", self.mark())
    }

    fn mark(self) -> char {
        if self.reversed == (self.column == Column::Shard) { '▾' } else { '▴' }
    }

    pub(super) fn compare(self, a: &ShardState, b: &ShardState) -> Ordering {
        let key = |shard: &ShardState| match self.column {
            Column::Shard => 0.0,
            Column::Rate => shard.records_per_second,
            Column::Behind => shard.now.millis_behind_latest.unwrap_or(0) as f64,
            Column::P50 => times(shard).p50,
            Column::P99 => times(shard).p99,
            Column::InFlight => shard.now.in_flight as f64,
            Column::Retries => shard.totals.retries as f64,
            Column::Checkpoint => shard.now.last_checkpoint_ms.unwrap_or(0) as f64,
            Column::Starts => shard.starts as f64,
        };
        let order = key(b).total_cmp(&key(a)).then_with(|| a.shard.cmp(&b.shard));
        if self.reversed { order.reverse() } else { order }
    }
}

/// The times of single records, which say more, or else those of batches.
pub(super) fn times(shard: &ShardState) -> &Times {
    if shard.record.count > 0 { &shard.record } else { &shard.handler }
}

/// The number of shards at a stage.
pub(super) fn count_at(state: &State, stage: Stage) -> usize {
    state.shards.iter().filter(|shard| shard.stage == stage).count()
}

/// The tone of all shards together: that of the worst one.
pub(super) fn worst(state: &State) -> Tone {
    let tones = state.shards.iter().map(|shard| tone(shard.stage)).filter(|tone| *tone >= Tone::Warning);
    tones.max().unwrap_or_default()
}

fn tone(stage: Stage) -> Tone {
    match stage {
        Stage::Running => Tone::Plain,
        Stage::Failed => Tone::Bad,
        Stage::Restarting => Tone::Warning,
        _ => Tone::Quiet,
    }
}

/// A run as lines.
pub(super) struct Table<'s> {
    pub(super) state: &'s State,
    pub(super) order: Order,
    pub(super) width: usize,
    /// Whether the header marks the column by which the shards are sorted.
    pub(super) marked: bool,
}

impl Table<'_> {
    /// All lines, without any distinction. Unless they must fit, the problems of the run are not shortened.
    pub(super) fn lines(&self, must_fit: bool) -> Vec<String> {
        let mut shards: Vec<_> = self.state.shards.iter().collect();
        shards.sort_by(|a, b| self.order.compare(a, b));
        let shards = shards.into_iter().map(|shard| self.shard(shard).0);
        let (problems, _) = if must_fit { self.problems() } else { self.whole_problems() };
        [self.about(), problems, self.header()].into_iter().chain(shards).collect()
    }

    /// The columns that the width has room for.
    fn columns(&self) -> Vec<(Column, &'static str, usize)> {
        let mut columns = COLUMNS.to_vec();
        if self.width < ALL {
            columns[0].2 = NARROW;
        }
        for column in LESS_IMPORTANT {
            let width: usize = columns.iter().map(|(_, _, width)| width + 1).sum();
            if width <= self.width + 1 {
                break;
            }
            columns.retain(|(other, ..)| *other != column);
        }
        columns
    }

    pub(super) fn fitted(&self, text: &str) -> String {
        console::truncate_str(text, self.width, "…").into_owned()
    }

    pub(super) fn about(&self) -> String {
        let State { verb, application, stream, shards, daemon, uptime_ms, .. } = self.state;
        let running = count_at(self.state, Stage::Running);
        let [records, bytes] = shards.iter().fold([0.0, 0.0], |[records, bytes], shard| {
            [records + shard.records_per_second, bytes + shard.bytes_per_second]
        });
        let mut text = report::excerpt(application);
        if let Some(stream) = stream.as_ref().filter(|stream| *stream != application) {
            text += &format!(" on {}", report::excerpt(stream));
        }
        text += &format!(" ({} {}): ", report::excerpt(verb), short(*uptime_ms));
        text += &format!("{running}/{}, ", report::count(shards.len() as u64, "shard"));
        text += &format!("{}/s, {}/s", number(records), report::bytes(bytes.round() as u64));
        if let Some(daemon) = daemon {
            text += if daemon.is_up { ", daemon up" } else { ", daemon down" };
        }
        self.fitted(&text)
    }

    /// The problems of the run, or else its daemon, as far as there is room.
    pub(super) fn problems(&self) -> (String, Tone) {
        let (text, tone) = self.whole_problems();
        (self.fitted(&text), tone)
    }

    fn whole_problems(&self) -> (String, Tone) {
        let State { problems, unready, silent, .. } = self.state;
        match (&problems[..], unready) {
            ([], None) if *silent => {
                ("the processors send no metrics: build them with --features kcl/metrics".to_owned(), Tone::Warning)
            }
            ([], None) => (self.daemon().unwrap_or_default(), Tone::Plain),
            ([], Some(unready)) => (format!("not ready: {}", report::escaped(unready)), Tone::Warning),
            ([problem], _) => (report::escaped(problem).into_owned(), Tone::Bad),
            ([first, more @ ..], _) => {
                let more = report::count(more.len() as u64, "more problem");
                (format!("{} (and {more})", report::escaped(first)), Tone::Bad)
            }
        }
    }

    /// The daemon in more detail, which is left out when something is wrong.
    fn daemon(&self) -> Option<String> {
        let daemon = self.state.daemon.as_ref()?;
        let memory = daemon.memory_bytes.map(|bytes| format!(", {} of memory", report::bytes(bytes)));
        Some(format!("daemon: {}{}", report::count(daemon.restarts, "restart"), memory.unwrap_or_default()))
    }

    pub(super) fn header(&self) -> String {
        let mut line = String::new();
        for (column, name, width) in self.columns() {
            let (is_first, is_sorted) = (column == Column::Shard, column == self.order.column && self.marked);
            line += &match (is_first, is_sorted) {
                (true, true) => cell(&format!("{name}{}", self.order.mark()), width, true),
                // In the place of the blank, because a name may fill its column.
                (false, true) => right(&format!("{}{name}", self.order.mark()), width + 1),
                _ => cell(name, width, is_first),
            };
        }
        self.fitted(line.trim_end())
    }

    /// The line of a shard.
    pub(super) fn shard(&self, shard: &ShardState) -> (String, Tone) {
        let columns = self.columns();
        if shard.stage != Stage::Running {
            let name = cell(&shown_name(&shard.shard), columns[0].2, true);
            return (self.fitted(&format!("{name} {}", at_rest(shard))), tone(shard.stage));
        }
        let times = times(shard);
        let time = |millis: f64| if times.count > 0 { latency(millis) } else { "-".to_owned() };
        let age = |millis: Option<u64>| millis.map_or("-".to_owned(), short);
        let value = |column| match column {
            Column::Shard => shown_name(&shard.shard),
            Column::Rate => number(shard.records_per_second),
            Column::Behind => age(shard.now.millis_behind_latest),
            Column::P50 => time(times.p50),
            Column::P99 => time(times.p99),
            Column::InFlight => number(shard.now.in_flight as f64),
            Column::Retries => number(shard.totals.retries as f64),
            Column::Checkpoint => age(shard.now.last_checkpoint_ms),
            Column::Starts => number(shard.starts as f64),
        };
        let mut line = String::new();
        for (column, _, width) in columns {
            line += &cell(&value(column), width, column == Column::Shard);
        }
        let long = shard.now.running.as_ref().filter(|running| running.ms >= LONG);
        if let Some(Running { action, ms, .. }) = long {
            let more = format!("  {} for {}", report::excerpt(action), short(*ms));
            let width = console::measure_text_width(&line) + console::measure_text_width(&more);
            // It must not replace the end of a column.
            line += if width <= self.width { &more } else { "" };
        }
        let is_late = shard.now.millis_behind_latest.is_some_and(|millis| millis >= LONG);
        (self.fitted(&line), if long.is_some() || is_late { Tone::Warning } else { Tone::Plain })
    }
}

/// The line of a shard whose processor is not running, after its name.
fn at_rest(shard: &ShardState) -> String {
    let more = match shard.stage {
        Stage::Failed | Stage::Restarting if !shard.exits.is_empty() => {
            format!(", exit codes {}", exit_codes(shard))
        }
        _ => String::new(),
    };
    let records = report::count(shard.totals.settled, "record");
    format!("{} for {}, {records}{more}", stage(shard.stage), short(shard.stage_ms))
}

/// The exit codes of a shard's processors, and how often each occurred.
pub(super) fn exit_codes(shard: &ShardState) -> String {
    let codes: Vec<_> = shard.exits.iter().map(|(code, times)| format!("{code} ({times}×)")).collect();
    report::escaped(&codes.join(", ")).into_owned()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::state::DaemonState;

    fn state() -> State {
        let mut state = State { verb: "local".to_owned(), application: "revenue".to_owned(), ..State::default() };
        for (at, rate) in [(1, 12.4), (3, 99_000.0), (2, 1_234_567.0)] {
            let mut shard =
                ShardState { shard: format!("shardId-{at:012}"), stage: Stage::Running, ..ShardState::default() };
            (shard.records_per_second, shard.starts) = (rate, at + 1);
            shard.handler = Times { count: 1, p50: 0.012, p99: 1234.0, max: 2000.0, powers: Vec::new() };
            shard.now.millis_behind_latest = Some(at * 100_000);
            state.shards.push(shard);
        }
        state
    }

    fn shown(state: &State, order: Order, width: usize) -> Vec<String> {
        Table { state, order, width, marked: false }.lines(true)
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
        let names: Vec<_> = by_rate.iter().skip(3).map(|line| &line[..12]).collect();
        assert_eq!(names, ["shardId-0002", "shardId-0003", "shardId-0001"]);
        assert!(by_rate.iter().all(|line| line.chars().count() <= 30), "{by_rate:?}");
        let mut order = Order::default();
        for (_, name, _) in COLUMNS {
            let header = Table { state: &state, order, width: 80, marked: true }.header();
            assert!(header.contains(name) && console::measure_text_width(&header) <= 80, "{header}");
            order = order.next();
        }
        let slowest = shown(&state, Order::default().next().reversed(), 80);
        assert!(slowest[3].starts_with("shardId-0001"));
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
        let lines = shown(&state, Order::default(), 80);
        assert!(lines[5].ends_with("      -      4"), "{}", lines[5]);
        assert_eq!(worst(&state), Tone::Bad);
        state.shards[0].stage = Stage::Restarting;
        assert_eq!(worst(&state), Tone::Warning);
        state.shards[0].stage = Stage::Ended;
        assert_eq!((worst(&state), count_at(&state, Stage::Running)), (Tone::Plain, 2));
    }
}
