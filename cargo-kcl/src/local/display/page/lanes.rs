//! The timelines of a page: what happened in each period, drawn without text, so that it fits any width.

use std::fmt::Write as _;
use std::time::Duration;

use super::Drawn;
use super::html::{Text, counted, grouped, time};
use crate::local::display::summary::{ShardSummary, Summary};
use crate::local::shard::Outcome;
use crate::local::timeline::periods::{Period, Periods};

/// The kinds of events that are marked: the class of the mark, and its name.
const MARKS: [(&str, &str); 6] = [
    ("m0", "processor started again"),
    ("m1", "processor failed"),
    ("m2", "chaos"),
    ("m3", "checkpoint refused"),
    ("m4", "record skipped or dead-lettered"),
    ("m5", "tried again after a failure"),
];
/// The height of the drawings, in their own units.
const HEIGHT: f64 = 100.0;

/// The periods of a run, which all its timelines share.
pub(super) struct Axis {
    length: Duration,
    count: usize,
}

impl Axis {
    pub(super) fn new(seconds: f64) -> Self {
        let elapsed = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let length = Periods::length_for(elapsed);
        let count = elapsed.as_nanos() / length.as_nanos() + 1;
        Self { length, count: count.try_into().unwrap_or(1) }
    }

    /// The periods of a shard, with the length that all shards share.
    pub(super) fn fit(&self, mut periods: Periods) -> Vec<Period> {
        periods.lengthen(self.length);
        // The history of a processor may end a moment after the clock of the summary was read.
        let last = periods.iter().skip(self.count).cloned().collect::<Vec<_>>();
        let mut fitted: Vec<_> = (0..self.count).map(|index| periods.get(index).cloned().unwrap_or_default()).collect();
        if let Some(end) = fitted.last_mut() {
            last.iter().for_each(|period| end.add(period));
        }
        fitted
    }

    /// The labels of the axis, which span its whole width.
    pub(super) fn labels(&self) -> String {
        let mut html = String::from("<div class=axis aria-hidden=true>");
        let whole = self.length.as_secs_f64() * self.count as f64;
        for quarter in 0..=4 {
            _ = write!(html, "<span>{}</span>", time(whole * f64::from(quarter) / 4.0));
        }
        html + "</div>"
    }

    pub(super) fn length(&self) -> f64 {
        self.length.as_secs_f64()
    }

    fn start_of(&self, index: usize) -> String {
        time(self.length() * index as f64)
    }

    fn open(&self, class: &str, label: &str) -> String {
        let count = self.count;
        let label = Text(label);
        format!(
            "<svg class={class} viewBox=\"0 0 {count} {HEIGHT}\" preserveAspectRatio=none role=img aria-label=\"{label}\">"
        )
    }

    /// The records of all shards over time.
    pub(super) fn throughput(&self, all: &[Period]) -> String {
        let most = all.iter().map(|period| period.records).max().unwrap_or_default();
        let peak = most as f64 / self.length();
        let label = format!("Records processed over time, at most {} a second", grouped(peak as u64));
        let mut points = String::new();
        for (index, period) in all.iter().enumerate() {
            let y = HEIGHT - HEIGHT * period.records as f64 / most.max(1) as f64;
            _ = write!(points, "{} {y:.1} {} {y:.1} ", index, index + 1);
        }
        format!(
            "<div class=plot><span class=top>peak {} records/s</span>{}<polygon class=area points=\"0 {HEIGHT} {points}{} {HEIGHT}\"/>\
             <polyline class=edge points=\"{points}\"/></svg></div>{}",
            grouped(peak as u64),
            self.open("chart", &label),
            self.count,
            self.labels(),
        )
    }

    /// The timeline of one shard.
    fn lane(&self, periods: &[Period], name: &str, scale: &Scale) -> String {
        let records: u64 = periods.iter().map(|period| period.records).sum();
        let mut html = self.open("bars", &format!("{name}: {} over time", counted(records, "record")));
        for (index, period) in periods.iter().enumerate().filter(|(_, period)| period.records > 0) {
            let height = (HEIGHT * period.records as f64 / scale.records.max(1) as f64).max(3.0);
            let (y, start) = (HEIGHT - height, self.start_of(index));
            let what = format!("{}, {}", counted(period.records, "record"), counted(period.batches, "batch"));
            _ = write!(
                html,
                "<rect x={index} y={y:.1} width=.88 height={height:.1}><title>{start}: {what}</title></rect>"
            );
        }
        html += "</svg>";
        html += &self.open("heat", &format!("{name}: the slowest batch of each period"));
        for (index, period) in periods.iter().enumerate().filter(|(_, period)| period.batches > 0) {
            let shade = scale.shade(period.slowest);
            let mean = time(period.busy.as_secs_f64() / period.batches as f64);
            let (start, slowest) = (self.start_of(index), time(period.slowest.as_secs_f64()));
            _ = write!(
                html,
                "<rect x={index} y=0 width=1 height={HEIGHT} fill-opacity={shade:.2}><title>{start}: slowest batch {slowest}, mean \
                 {mean}</title></rect>"
            );
        }
        html += "</svg>";
        let checkpoints: u64 = periods.iter().map(|period| period.checkpoints).sum();
        html += &self.open("ticks", &format!("{name}: {} checkpoints", grouped(checkpoints)));
        for (index, period) in periods.iter().enumerate().filter(|(_, period)| period.checkpoints > 0) {
            let (count, start) = (period.checkpoints, self.start_of(index));
            _ = write!(
                html,
                "<rect x={index}.2 y=0 width=.6 height={HEIGHT}><title>{start}: saved checkpoints: {count}</title></rect>"
            );
        }
        html += "</svg>";
        for (kind, (class, _)) in MARKS.iter().enumerate() {
            html += &self.marks(periods, kind, class);
        }
        html
    }

    /// The row of marks of one kind, if there are any.
    fn marks(&self, periods: &[Period], kind: usize, class: &str) -> String {
        let mut html = String::new();
        let mut has_started = false;
        for (index, period) in periods.iter().enumerate() {
            let what = mark(period, kind, &mut has_started);
            if what.is_empty() {
                continue;
            }
            let left = 100.0 * (index as f64 + 0.5) / self.count as f64;
            let label = format!("{}: {what}", self.start_of(index));
            let label = Text(&label);
            _ = write!(
                html,
                "<i class=\"mark {class}\" style=\"left:{left:.2}%\" role=img aria-label=\"{label}\" title=\"{label}\"></i>"
            );
        }
        if html.is_empty() { html } else { format!("<div class=marks>{html}</div>") }
    }
}

/// The text of the mark of this kind in a period; empty if there is nothing to mark.
fn mark(period: &Period, kind: usize, has_started: &mut bool) -> String {
    let counted = |count: u64, what: &str| if count > 0 { format!("{what}: {count}") } else { String::new() };
    match kind {
        0 => {
            let first =
                u64::from(period.starts > 0 && !std::mem::replace(has_started, *has_started || period.starts > 0));
            counted(period.starts - first, MARKS[0].1)
        }
        1 => counted(period.failures, MARKS[1].1),
        2 => period.faults.iter().map(|(name, count)| format!("{name} × {count}")).collect::<Vec<_>>().join(", "),
        3 => counted(period.refused, MARKS[3].1),
        5 => counted(period.retries, MARKS[5].1),
        _ => {
            let all = [(period.skipped, "skipped"), (period.dead_lettered, "dead-lettered")];
            let all = all.map(|(count, what)| counted(count, what));
            all.iter().filter(|text| !text.is_empty()).cloned().collect::<Vec<_>>().join(", ")
        }
    }
}

/// The scale that all timelines share.
struct Scale {
    records: u64,
    slowest: Duration,
}

impl Scale {
    /// How dark a latency is, from 0 to 1, on a logarithmic scale down to a thousandth of the slowest one.
    fn shade(&self, time: Duration) -> f64 {
        let part = time.as_secs_f64() / self.slowest.as_secs_f64().max(1e-9);
        (1.0 + part.max(1e-3).log10() / 3.0).clamp(0.0, 1.0) * 0.9 + 0.1
    }
}

/// The timelines of all shards that have one.
pub(super) fn lanes(summary: &Summary, drawn: &[Drawn], axis: &Axis) -> String {
    let fitted: Vec<_> = summary
        .shards
        .iter()
        .zip(drawn)
        .filter_map(|(shard, drawn)| Some((shard, axis.fit(drawn.timeline.as_ref()?.periods.clone()))))
        .collect();
    if fitted.is_empty() {
        return String::new();
    }
    let all = || fitted.iter().flat_map(|(_, periods)| periods);
    let scale = Scale {
        records: all().map(|period| period.records).max().unwrap_or_default(),
        slowest: all().map(|period| period.slowest).max().unwrap_or_default(),
    };
    let mut html = format!(
        "<section><h2>Shards</h2><p class=soft>Each column is {}. The bars of all shards have the same scale: the highest one is {} \
         records. Batches of up to {} are the darkest.</p>",
        time(axis.length()),
        grouped(scale.records),
        time(scale.slowest.as_secs_f64()),
    );
    html += "<ul class=legend><li><span class=key style=\"background:var(--blue)\"></span>records<li><span class=key \
             style=\"background:var(--amber)\"></span>slowest batch<li><span class=key style=\"background:var(--green)\"></span>checkpoint";
    for (kind, (class, name)) in MARKS.iter().enumerate() {
        let occurs = |(_, periods): &(&ShardSummary, Vec<Period>)| !axis.marks(periods, kind, class).is_empty();
        if fitted.iter().any(occurs) {
            _ = write!(html, "<li><i class=\"mark {class}\"></i>{name}");
        }
    }
    html += "</ul>";
    for (shard, periods) in &fitted {
        let (kind, outcome) = pill(shard.outcome);
        _ = write!(
            html,
            "<div class=lane><div><h3>{}</h3><span class=\"pill {kind}\">{outcome}</span><p class=note>{}</div><div>{}</div></div>",
            Text(&shard.shard_id),
            counted(shard.records, "record"),
            axis.lane(periods, &shard.shard_id, &scale),
        );
    }
    _ = write!(html, "<div class=lane style=\"padding:0;border:0\"><div></div>{}</div>", axis.labels());
    let hidden = summary.shards.len() - fitted.len();
    if hidden > 0 {
        _ = write!(
            html,
            "<p class=note>{} more shards are not drawn: a page has at most 200 timelines, and a shard without a processor has none. The other sections count all shards.",
            grouped(hidden as u64)
        );
    }
    html + "</section>"
}

/// The class and the text of an outcome.
pub(super) fn pill(outcome: Outcome) -> (&'static str, Outcome) {
    let class = match outcome {
        Outcome::Ended | Outcome::EndedBefore => "ok",
        Outcome::Failed => "bad",
        Outcome::Stopped | Outcome::HandedOver => "open",
        Outcome::Waiting => "none",
    };
    (class, outcome)
}
