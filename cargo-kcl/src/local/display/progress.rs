//! Shows people the progress of a run: lines at the bottom of a terminal that are redrawn, or else one line every few seconds.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use kcl::SequenceNumber;

use super::bottom::{self, ECHO};
use crate::local::place::Place;
use crate::local::shard::Outcome;
use crate::local::source::Supply;
use crate::report;

/// How often to write a progress line if lines cannot be redrawn.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
/// How often to redraw the lines at the bottom of a terminal.
const DRAW_INTERVAL: Duration = Duration::from_millis(200);
/// The most redraws a second, including those after lines that were written above them.
const HZ: u8 = 20;
/// The age of a run before it shows lines at the bottom; a shorter run does not need them.
const SHOW_AFTER: Duration = Duration::from_millis(400);
/// The time after which a past rate counts half.
const HALF_LIFE: Duration = Duration::from_millis(1_500);
/// The most shards with their own line; fewer on a terminal with few rows.
const MOST_SHARDS: usize = 24;
/// The terminal rows left for output above and for the lines about all shards.
const OTHER_LINES: usize = 8;
/// The terminal size to assume if it is unknown.
const DEFAULT_SIZE: (u16, u16) = (24, 80);

/// The progress of one shard.
#[derive(Debug)]
pub(crate) struct ShardProgress {
    pub(crate) number: u32,
    pub(crate) state: ShardState,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    /// The record up to which all records are done.
    pub(crate) reached: Option<SequenceNumber>,
    pub(crate) restarts: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShardState {
    Running,
    Waiting,
    /// The shard restarts after this time.
    Again(Duration),
    Done(Outcome),
}

/// Shows how far a run is, in a form that suits the output.
#[derive(Debug)]
pub(crate) struct Progress {
    how: How,
    started: Instant,
    shown: Instant,
    /// The offset at which each input ends, counted as if they were concatenated; `None` if unknown.
    ends: Option<Vec<u64>>,
    all: Rate,
    by_shard: BTreeMap<u32, Rate>,
}

#[derive(Debug)]
enum How {
    Hidden,
    Lines,
    Bottom { term: Term, bar: ProgressBar },
}

/// Records and bytes so far, and per second.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    records: u64,
    bytes: u64,
    records_per_second: f64,
    bytes_per_second: f64,
}

impl Rate {
    fn update(&mut self, records: u64, bytes: u64, elapsed: Duration, half_life: Duration) {
        let seconds = elapsed.as_secs_f64().max(1e-3);
        let old = 0.5_f64.powf(seconds / half_life.as_secs_f64().max(1e-3));
        let blend = |rate: f64, more: u64| rate * old + more as f64 / seconds * (1.0 - old);
        self.records_per_second = blend(self.records_per_second, records.saturating_sub(self.records));
        self.bytes_per_second = blend(self.bytes_per_second, bytes.saturating_sub(self.bytes));
        (self.records, self.bytes) = (records, bytes);
    }
}

impl Progress {
    /// Shows nothing until it is [due](Self::is_due).
    pub(crate) fn new(quiet: bool, supply: &dyn Supply) -> Self {
        let how = if quiet {
            How::Hidden
        } else if report::redraws() && !supply.is_typed() {
            // The bar is drawn only on request.
            let target = ProgressDrawTarget::term_like_with_hz(Box::new(bottom::Bottom::new()), HZ);
            How::Bottom { term: Term::stderr(), bar: ProgressBar::with_draw_target(None, target) }
        } else {
            How::Lines
        };
        let now = Instant::now();
        let ends = supply.ends();
        Self { how, started: now, shown: now, ends, all: Rate::default(), by_shard: BTreeMap::new() }
    }

    /// The longest time to wait before the next check.
    pub(crate) fn patience(&self) -> Duration {
        match self.how {
            How::Hidden => Duration::MAX,
            How::Lines => LINE_INTERVAL,
            How::Bottom { .. } => DRAW_INTERVAL,
        }
    }

    /// Whether it is time to [show](Self::show) the progress.
    pub(crate) fn is_due(&self) -> bool {
        let too_soon = matches!(self.how, How::Bottom { .. }) && self.started.elapsed() < SHOW_AFTER;
        !matches!(self.how, How::Hidden) && !too_soon && self.shown.elapsed() >= self.patience()
    }

    /// Shows the progress of each shard, in order.
    pub(crate) fn show(&mut self, shards: &[ShardProgress]) {
        let elapsed = self.shown.elapsed();
        self.shown = Instant::now();
        let (records, bytes) = shards.iter().fold((0, 0), |sum, shard| (sum.0 + shard.records, sum.1 + shard.bytes));
        let running = shards.iter().filter(|shard| shard.state == ShardState::Running).count() as u64;
        let running = report::count(running, "processor");
        let How::Bottom { term, bar } = &self.how else {
            // With a half-life of zero, this is the rate since the last line.
            self.all.update(records, bytes, elapsed, Duration::ZERO);
            report::line(format_args!(
                "{} ({}) in {}, now {}/s; {running} running",
                report::count(records, "record"),
                report::bytes(bytes),
                report::duration(Duration::from_secs(self.started.elapsed().as_secs())),
                report::count(self.all.records_per_second.round() as u64, "record"),
            ));
            return;
        };
        self.all.update(records, bytes, elapsed, HALF_LIFE);
        for shard in shards {
            let rate = self.by_shard.entry(shard.number).or_default();
            rate.update(shard.records, shard.bytes, elapsed, HALF_LIFE);
        }
        let (height, width) = term.size_checked().unwrap_or(DEFAULT_SIZE);
        let (height, width) = (usize::from(height), usize::from(width));
        let room = height.saturating_sub(OTHER_LINES).clamp(1, MOST_SHARDS);
        let table = table(shards, &self.by_shard, self.ends.as_deref(), room, width);
        let sum = format!(
            "{}  {}/s  {}/s  {running}",
            report::count(records, "record"),
            report::count(self.all.records_per_second.round() as u64, "record"),
            report::bytes(self.all.bytes_per_second as u64),
        );
        let done = self.ends.as_deref().and_then(|ends| done(shards, ends));
        draw(bar, &table, &sum, done, width);
    }

    /// Stops, and removes its lines from the terminal.
    pub(crate) fn end(&mut self) {
        self.how = How::Hidden;
        report::clear_bottom();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

/// The bytes of the input that are done, averaged over the shards, and the total.
fn done(shards: &[ShardProgress], ends: &[u64]) -> Option<(u64, u64)> {
    let all = *ends.last()?;
    let sum: f64 = shards.iter().map(|shard| (all - shard.behind(ends)) as f64).sum();
    Some(((sum / shards.len().max(1) as f64) as u64, all))
}

impl ShardProgress {
    /// The bytes of the input that are not done yet.
    fn behind(&self, ends: &[u64]) -> u64 {
        let all = ends.last().copied().unwrap_or(0);
        if matches!(self.state, ShardState::Done(Outcome::Ended | Outcome::EndedBefore)) {
            return 0;
        }
        let place = self.reached.as_ref().and_then(Place::from_sequence_number);
        let start = |input: u16| usize::from(input).checked_sub(1).and_then(|before| ends.get(before).copied());
        all.saturating_sub(place.map_or(0, |place| start(place.input).unwrap_or(0) + place.offset))
    }

    fn line(&self, rate: &Rate, ends: Option<&[u64]>) -> String {
        let behind = ends.map_or("-".to_owned(), |ends| report::bytes(self.behind(ends)));
        let state = match self.state {
            ShardState::Running => String::new(),
            ShardState::Waiting => "waiting".to_owned(),
            ShardState::Again(wait) => format!("restarts in {}", report::elapsed(wait)),
            ShardState::Done(outcome) => outcome.to_string(),
        };
        let label = format!("[{}]", self.number);
        format!(
            "{label:<6} {:>10} {:>9.0} {:>7.1} {behind:>9} {:>8}  {state}",
            self.records,
            rate.records_per_second,
            rate.bytes_per_second / 1e6,
            self.restarts,
        )
    }
}

/// One line each for at most `room` shards, unfinished shards first. Lines are cut to `width`.
fn table(
    shards: &[ShardProgress],
    rates: &BTreeMap<u32, Rate>,
    ends: Option<&[u64]>,
    room: usize,
    width: usize,
) -> String {
    let mut table =
        format!("{:<6} {:>10} {:>9} {:>7} {:>9} {:>8}", "", "records", "records/s", "MB/s", "behind", "restarts");
    let mut shown: Vec<_> = shards.iter().collect();
    if shards.len() > room {
        let rank = |state| match state {
            ShardState::Again(_) => 0,
            ShardState::Running => 1,
            ShardState::Waiting => 2,
            ShardState::Done(_) => 3,
        };
        shown.sort_by_key(|shard| (rank(shard.state), shard.number));
        shown.truncate(room);
        shown.sort_by_key(|shard| shard.number);
    }
    for shard in &shown {
        let rate = rates.get(&shard.number).copied().unwrap_or_default();
        let line = shard.line(&rate, ends);
        _ = write!(table, "\n{}", line.trim_end());
    }
    if shown.len() < shards.len() {
        let count = |is: fn(ShardState) -> bool| shards.iter().filter(|shard| is(shard.state)).count();
        _ = write!(
            table,
            "\n… of {} shards: {} running, {} waiting, {} done",
            shards.len(),
            count(|state| state == ShardState::Running),
            count(|state| matches!(state, ShardState::Waiting | ShardState::Again(_))),
            count(|state| matches!(state, ShardState::Done(_))),
        );
    }
    table.lines().map(|line| cut(line, width)).collect::<Vec<_>>().join("\n")
}

/// The part of a line that fits.
fn cut(line: &str, width: usize) -> String {
    line.chars().take(width.saturating_sub(1)).collect()
}

/// Draws the table and, below it, the bar for the whole run, in one go.
fn draw(bar: &ProgressBar, table: &str, sum: &str, done: Option<(u64, u64)>, width: usize) {
    const AROUND: usize = "[] 100 %  ".len();
    let width = width.saturating_sub(ECHO);
    let sum = cut(sum, if done.is_some() { width.saturating_sub(AROUND) } else { width });
    let whole = match (done, width.saturating_sub(AROUND + sum.len() + 1)) {
        (None, _) => sum,
        (Some(_), room @ 10..) => format!("[{{bar:{}}}] {{percent:>3}} %  {sum}", room.min(30)),
        (Some(_), _) => format!("{{percent:>3}} %  {sum}"),
    };
    let style = ProgressStyle::with_template(&format!("{table}\n{whole}"));
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
    report::write_above(bar);
    bar.update(|state| {
        if let Some((done, all)) = done {
            state.set_len(all);
            state.set_pos(done);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(number: u32, state: ShardState, offset: u64) -> ShardProgress {
        let reached = Some(Place { offset, line: 1, record: 1, input: 0 }.sequence_number());
        ShardProgress { number, state, records: 7, bytes: 70, reached, restarts: 0 }
    }

    #[test]
    fn the_run_is_done_when_its_shards_are() {
        let ended = ShardState::Done(Outcome::Ended);
        assert_eq!(done(&[shard(0, ended, 50), shard(1, ShardState::Running, 50)], &[100]), Some((75, 100)));
        assert_eq!(done(&[shard(0, ended, 50), shard(1, ended, 90)], &[100]), Some((100, 100)));
        let mut second = shard(0, ShardState::Running, 0);
        second.reached = Some(Place { offset: 10, line: 1, record: 1, input: 1 }.sequence_number());
        assert_eq!(done(&[second], &[100, 200]), Some((110, 200)));
        assert_eq!(done(&[shard(0, ended, 0)], &[0]), Some((0, 0)), "an empty file");
    }

    #[test]
    fn many_shards_take_no_more_lines_than_there_is_room_for() {
        let state = |number| match number {
            0..100 => ShardState::Done(Outcome::Ended),
            100..150 => ShardState::Running,
            _ => ShardState::Waiting,
        };
        let shards: Vec<_> = (0..200).map(|number| shard(number, state(number), 10)).collect();
        let text = table(&shards, &BTreeMap::new(), Some(&[100]), 3, 80);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 5, "{text}");
        assert!(lines[1].starts_with("[100]") && lines[3].starts_with("[102]"), "{text}");
        assert_eq!(lines[4], "… of 200 shards: 50 running, 50 waiting, 100 done");
        let narrow = table(&shards, &BTreeMap::new(), Some(&[100]), 3, 20);
        assert!(narrow.lines().all(|line| line.chars().count() < 20), "{narrow}");
    }

    #[test]
    fn a_rate_follows_recent_counts() {
        let mut rate = Rate::default();
        for second in 1..=60 {
            rate.update(second * 100, second * 1_000, Duration::from_secs(1), HALF_LIFE);
        }
        assert!((rate.records_per_second - 100.0).abs() < 1.0 && (rate.bytes_per_second - 1_000.0).abs() < 1.0);
        rate.update(6_500, 60_000, Duration::from_secs(5), Duration::ZERO);
        assert_eq!(rate.records_per_second, 100.0, "the last five seconds only");
    }
}
