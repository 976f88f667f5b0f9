//! The sections of a page, from the result at the top to the table at its end.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use super::html::{Text, counted, grouped, time};
use super::lanes::{Axis, lanes, pill};
use super::{Drawn, Histories};
use crate::exit::INTERRUPTED;
use crate::local::display::summary::{ShardSummary, Summary};
use crate::local::shard::Outcome;
use crate::local::timeline::letters::{Letters, without_numbers, without_quotations};
use crate::local::timeline::periods::Period;
use crate::local::timeline::{CLASSES, start_of};
use crate::report;

const STYLE: &str = include_str!("style.css");
/// The most rows of a table.
const MOST_ROWS: usize = 1_000;
/// The most failures that are shown.
const MOST_FAILURES: usize = 100;
/// The number of slowest batches that are listed.
const SLOWEST: usize = 4;

/// The whole page. The last `hidden` arguments of the command are left out.
pub(super) fn page(summary: &Summary, histories: &Histories<'_>, hidden: usize) -> String {
    let axis = Axis::new(summary.total.seconds);
    let mut html = format!(
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport content=\"width=device-width,initial-scale=1\">\
         <meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <meta name=referrer content=no-referrer><title>Run of cargo kcl local</title><style>{STYLE}</style></head><body><main>"
    );
    html += &header(summary, hidden);
    html += &tiles(summary, histories);
    html += &failures(&summary.shards);
    html += &throughput(histories, &axis);
    html += &lanes(summary, histories.drawn, &axis);
    _ = write!(html, "<div class=pair>{}{}</div>", latencies(summary, histories), time_spent(summary, histories));
    html += &letters(histories);
    html += &refused(histories);
    html += &chaos(summary);
    html += &table(summary);
    _ = writeln!(
        html,
        "<footer>Written by cargo-kcl {}. The page contains no records. Of the errors of records and the lines on stderr it contains the words, without numbers and quoted parts.</footer></main></body></html>",
        env!("CARGO_PKG_VERSION"),
    );
    html
}

fn header(summary: &Summary, hidden: usize) -> String {
    let total = &summary.total;
    let (class, outcome) = match total.exit_code {
        0 => ("ok", "succeeded"),
        INTERRUPTED => ("open", "interrupted"),
        _ => ("bad", "failed"),
    };
    let arguments = std::env::args_os().skip(1).skip_while(|argument| argument == "kcl");
    let command = command(arguments.map(|argument| argument.to_string_lossy().into_owned()).collect(), hidden);
    format!(
        "<header><p class=over>cargo kcl local<h1>{} in {}</h1><p class=soft><span class=\"pill {class}\">{outcome}</span> &nbsp;{} \
         UTC, {}</p><code class=command>cargo kcl {}</code></header>",
        counted(total.records, "record"),
        time(total.seconds),
        humantime::format_rfc3339_seconds(SystemTime::now()).to_string().replace('T', " ").trim_end_matches('Z'),
        report::count(summary.shards.len() as u64, "shard"),
        Text(&command),
    )
}

/// The command without its last `hidden` arguments. They are those of the processor, which may be secrets.
fn command(mut arguments: Vec<String>, hidden: usize) -> String {
    arguments.truncate(arguments.len().saturating_sub(hidden));
    let shown = arguments.iter().map(|argument| report::quoted(argument));
    let rest = (hidden > 0).then(|| "…".to_owned());
    shown.chain(rest).collect::<Vec<_>>().join(" ")
}

fn tiles(summary: &Summary, histories: &Histories<'_>) -> String {
    let total = &summary.total;
    let restarts: u64 = summary.shards.iter().map(|shard| u64::from(shard.restarts)).sum();
    let checkpoints: u64 = summary.shards.iter().map(|shard| shard.checkpoints).sum();
    let retries = histories.iter().flat_map(|timeline| timeline.periods.iter()).map(|period| period.retries).sum();
    let millis = |millis: f64| time(millis / 1e3);
    let tiles = [
        ("records / s", grouped(total.records_per_second.round() as u64)),
        ("data", report::bytes(total.bytes).replace(' ', "\u{a0}")),
        ("batch, median", millis(total.batch_millis.p50)),
        ("batch, 99 %", millis(total.batch_millis.p99)),
        ("checkpoints", grouped(checkpoints)),
        ("restarts", grouped(restarts)),
        ("retries", grouped(retries)),
        ("skipped", grouped(total.skipped)),
        ("dead letters", grouped(total.dead_lettered)),
    ];
    let tiles = tiles.map(|(name, value)| format!("<div class=tile><dt>{name}</dt><dd>{value}</dd></div>"));
    format!("<dl class=tiles>{}</dl>", tiles.concat())
}

/// The reasons why shards failed.
fn failures(shards: &[ShardSummary]) -> String {
    let failed: Vec<_> = shards.iter().filter(|shard| shard.outcome == Outcome::Failed).collect();
    if failed.is_empty() {
        return String::new();
    }
    let lines = |lines: Vec<String>| {
        let lines: Vec<_> = lines.iter().map(|line| format!("<code>{}</code>", Text(line))).collect();
        lines.join("<br>")
    };
    let mut html = String::from(
        "<section><h2>Failures</h2><p class=soft>Why the last processor of a shard failed, and its last lines on stderr. A quoted part is \
         shown as …, and a number on stderr as N.</p><div class=wide><table><thead><tr><th>shard<th>failure<th>last on stderr</thead><tbody>",
    );
    for shard in failed.iter().take(MOST_FAILURES) {
        let (what, more) = shard.failure.split_at(shard.failure.len().min(1));
        // Only the first line quotes what the processor wrote.
        let failure = what.iter().map(|line| without_quotations(line)).chain(more.iter().cloned());
        let last_words = shard.last_words.iter().map(|line| words(line));
        let [failure, last_words] = [lines(failure.collect()), lines(last_words.collect())];
        let shard = Text(&shard.shard_id);
        _ = write!(html, "<tr><td>{shard}<td class=text>{failure}<td class=text>{last_words}");
    }
    html += "</tbody></table></div>";
    if let Some(more) = failed.len().checked_sub(MOST_FAILURES).filter(|more| *more > 0) {
        _ = write!(html, "<p class=note>{} not listed.", report::count(more as u64, "further failure"));
    }
    html + "</section>"
}

/// A line of stderr without numbers and quoted parts. Where it was cut, a quotation may have lost its start, so the rest is left out.
fn words(line: &str) -> String {
    match line.split_once("… (") {
        Some((start, _)) => without_numbers(&without_quotations(start)) + "…",
        None => without_numbers(&without_quotations(line)),
    }
}

fn throughput(histories: &Histories<'_>, axis: &Axis) -> String {
    let mut all: Vec<Period> = axis.fit(Default::default());
    for timeline in histories.iter() {
        for (sum, period) in all.iter_mut().zip(axis.fit(timeline.periods.clone())) {
            sum.add(&period);
        }
    }
    format!(
        "<section><h2>Throughput</h2><p class=soft>Records that the processors acknowledged or checkpointed, all shards together.</p>\
         <figure>{}</figure></section>",
        axis.throughput(&all)
    )
}

/// How long the batches took.
fn latencies(summary: &Summary, histories: &Histories<'_>) -> String {
    let mut counts = vec![0; CLASSES];
    for timeline in histories.iter() {
        counts.iter_mut().zip(&timeline.latencies).for_each(|(sum, count)| *sum += count);
    }
    let batches = &summary.total.batch_millis;
    let head = format!(
        "<section><h2>Latency of batches</h2><p class=soft>{}; the slowest took {}.</p>",
        counted(batches.count, "batch"),
        time(batches.max / 1e3)
    );
    let first = counts.iter().position(|count| *count > 0);
    let last = counts.iter().rposition(|count| *count > 0);
    let (Some(first), Some(last)) = (first, last) else { return head + "</section>" };
    // A few empty classes on both sides keep a narrow distribution readable.
    let (first, last) = (first.saturating_sub(1), (last + 1).min(CLASSES - 1).max(first + 5));
    let shown = last + 1 - first;
    let most = counts.iter().max().copied().unwrap_or_default().max(1);
    let mut bars = String::new();
    for (x, class) in (first..=last).enumerate() {
        let count = counts.get(class).copied().unwrap_or_default();
        if count > 0 {
            let height = (100.0 * count as f64 / most as f64).max(1.5);
            let (from, to) = (time(start_of(class).as_secs_f64()), time(start_of(class + 1).as_secs_f64()));
            _ = write!(
                bars,
                "<rect x={x}.06 y={:.1} width=.88 height={height:.1}><title>{from} to {to}: {}</title></rect>",
                100.0 - height,
                counted(count, "batch")
            );
        }
    }
    let place =
        |millis: f64| 100.0 * ((2.0 * (millis * 1e3).max(1.0).log2() - first as f64) / shown as f64).clamp(0.0, 1.0);
    let rule = |name: &str, millis: f64, low: &str| {
        let left = place(millis);
        let side = if left > 60.0 { "left" } else { "" };
        format!(
            "<span class=\"rule {side} {low}\" style=\"left:{left:.1}%\"><b>{name} {}</b></span>",
            time(millis / 1e3)
        )
    };
    let tick = |part: usize| time(start_of(first + shown * part / 3).as_secs_f64());
    format!(
        "{head}<figure><div class=lines><svg class=\"chart bars\" viewBox=\"0 0 {shown} 100\" preserveAspectRatio=none role=img \
         aria-label=\"Distribution of the latency of batches: median {}, 99 % within {}\">{bars}</svg>{}{}</div>\
         <div class=axis aria-hidden=true><span>{}</span><span>{}</span><span>{}</span><span>{}</span></div></figure></section>",
        time(batches.p50 / 1e3),
        time(batches.p99 / 1e3),
        rule("50 %", batches.p50, ""),
        rule("99 %", batches.p99, "low"),
        tick(0),
        tick(1),
        tick(2),
        tick(3),
    )
}

/// The parts of the time of the run.
fn time_spent(summary: &Summary, histories: &Histories<'_>) -> String {
    let at = &summary.total.seconds_at;
    let at_restarts: Duration = histories.iter().map(|timeline| timeline.at_restarts).sum();
    let parts = [
        ("handlers, in the processors", at.processor),
        ("saving checkpoints", at.checkpoints),
        ("waiting for input", at.input),
        ("waiting for a restart", at_restarts.as_secs_f64()),
    ];
    let all: f64 = parts.iter().map(|(_, seconds)| seconds).sum::<f64>().max(f64::MIN_POSITIVE);
    let mut html = String::from(
        "<section><h2>What took the time</h2><p class=soft>The time of all shards, added up.</p><div class=spent aria-hidden=true>",
    );
    for (index, (_, seconds)) in parts.iter().enumerate().filter(|(_, (_, seconds))| *seconds > 0.0) {
        _ = write!(html, "<i class=f{index} style=\"width:{:.2}%\"></i>", 100.0 * seconds / all);
    }
    html += "</div><ul class=legend>";
    for (index, (name, seconds)) in parts.iter().enumerate() {
        let percent = 100.0 * seconds / all;
        _ = write!(html, "<li><span class=\"key f{index}\"></span>{name}: {} ({percent:.0} %)", time(*seconds));
    }
    html += "</ul><ul class=says>";
    for sentence in findings(summary, histories) {
        _ = write!(html, "<li>{}", Text(&sentence));
    }
    html + "</ul></section>"
}

/// Sentences about what slowed the run.
fn findings(summary: &Summary, histories: &Histories<'_>) -> Vec<String> {
    let mut findings = Vec::new();
    let busy = |drawn: &Drawn| drawn.counts.at_processor.as_secs_f64();
    let pairs = || summary.shards.iter().zip(histories.drawn);
    // Shards without a processor did not take any time.
    let at_work = || pairs().filter(|(_, drawn)| drawn.counts.at_processor > Duration::ZERO);
    let (sum, count) = (at_work().map(|(_, drawn)| busy(drawn)).sum::<f64>(), at_work().count());
    if let Some((shard, most)) = at_work().max_by(|a, b| busy(a.1).total_cmp(&busy(b.1))).filter(|_| count > 1) {
        let (most, mean) = (busy(most), sum / count as f64);
        if most > 1.5 * mean {
            findings.push(format!(
                "{} was busy for {}, {:.1} times as long as the average shard. Partition keys that are spread better, or a split, \
                 would shorten the run.",
                shard.shard_id,
                time(most),
                most / mean
            ));
        }
    }
    let own = pairs().filter_map(|(shard, drawn)| Some((&*shard.shard_id, drawn.timeline.as_ref()?)));
    let shared = histories.rest.iter().map(|timeline| ("a shard without a timeline", timeline));
    let mut slowest: Vec<_> = own
        .chain(shared)
        .flat_map(|(shard, timeline)| timeline.slowest.iter().map(move |(took, at)| (*took, *at, shard)))
        .collect();
    slowest.sort_by(|a, b| b.cmp(a));
    let median = summary.total.batch_millis.p50 / 1e3;
    slowest.retain(|(took, ..)| took.as_secs_f64() > 3.0 * median);
    for (took, at, shard) in slowest.into_iter().take(SLOWEST) {
        let (took, at) = (took.as_secs_f64(), at.as_secs_f64());
        findings.push(format!(
            "A batch of {shard} took {}, {:.0} times the median, and ended {} after the start.",
            time(took),
            took / median.max(1e-6),
            time(at)
        ));
    }
    findings
}

/// The records that were passed over, by class of error.
fn letters(histories: &Histories<'_>) -> String {
    let mut all = Letters::default();
    histories.iter().for_each(|timeline| all.add_all(&timeline.letters));
    if all.0.is_empty() {
        return String::new();
    }
    let mut rows: Vec<_> = all.0.iter().collect();
    rows.sort_by_key(|(_, count)| std::cmp::Reverse(count.dead_lettered + count.skipped));
    let rows: String = rows
        .into_iter()
        .map(|(class, count)| {
            let (dead_lettered, skipped) = (grouped(count.dead_lettered), grouped(count.skipped));
            format!("<tr><td class=text><code>{}</code><td class=n>{dead_lettered}<td class=n>{skipped}", Text(class))
        })
        .collect();
    format!(
        "<section><h2>Dead letters and skipped records</h2><p class=soft>By error. A number is shown as N, and a quoted part as ….</p>\
         <div class=wide><table><thead><tr><th>error<th class=n>dead-lettered<th class=n>skipped</thead><tbody>{rows}</tbody></table></div>\
         </section>"
    )
}

/// The refused checkpoints by exception.
fn refused(histories: &Histories<'_>) -> String {
    let mut all = std::collections::BTreeMap::new();
    for (exception, count) in histories.iter().flat_map(|timeline| &timeline.refused) {
        *all.entry(exception).or_insert(0) += count;
    }
    if all.is_empty() {
        return String::new();
    }
    let rows =
        all.iter().map(|(exception, count)| format!("<tr><td>{}<td class=n>{}", Text(exception), grouped(*count)));
    let rows: String = rows.collect();
    format!(
        "<section><h2>Refused checkpoints</h2><div class=wide><table><thead><tr><th>exception<th class=n>checkpoints</thead>\
         <tbody>{rows}</tbody></table></div></section>"
    )
}

/// The verdict of chaos.
fn chaos(summary: &Summary) -> String {
    let Some(verdict) = &summary.chaos else { return String::new() };
    let mut rows = String::new();
    for (promise, held, breaches) in verdict.promises() {
        let (class, word) = match held {
            Some(true) => ("ok", "held".to_owned()),
            Some(false) => ("bad", format!("broken × {breaches}")),
            None => ("open", "open".to_owned()),
        };
        _ = write!(rows, "<tr><td><span class=\"pill {class}\">{word}</span><td class=text>{}", Text(promise));
    }
    let faults: Vec<_> = verdict.faults().map(|(fault, hits)| format!("{fault} × {}", grouped(hits))).collect();
    let faults = if faults.is_empty() { "no fault occurred".to_owned() } else { faults.join(", ") };
    format!(
        "<section><h2>Chaos</h2><p class=soft>Seed {}: {}</p><div class=wide><table><thead><tr><th><th>promise</thead>\
         <tbody>{rows}</tbody></table></div></section>",
        verdict.seed(),
        Text(&faults)
    )
}

/// The numbers of all shards.
fn table(summary: &Summary) -> String {
    let mut html = String::from(
        "<section><h2>All shards</h2><div class=wide><table><thead><tr><th>shard<th>outcome<th class=n>records<th class=n>data\
         <th class=n>batch, median<th class=n>99 %<th class=n>slowest<th class=n>checkpoints<th class=n>restarts<th class=n>skipped\
         <th class=n>dead letters</thead><tbody>",
    );
    for shard in summary.shards.iter().take(MOST_ROWS) {
        let (class, outcome) = pill(shard.outcome);
        let batches = &shard.batch_millis;
        _ = write!(html, "<tr><td>{}<td><span class=\"pill {class}\">{outcome}</span>", Text(&shard.shard_id));
        let cells = [
            grouped(shard.records),
            report::bytes(shard.bytes),
            time(batches.p50 / 1e3),
            time(batches.p99 / 1e3),
            time(batches.max / 1e3),
            grouped(shard.checkpoints),
            grouped(shard.restarts.into()),
            grouped(shard.skipped),
            grouped(shard.dead_lettered),
        ];
        cells.iter().for_each(|cell| _ = write!(html, "<td class=n>{cell}"));
    }
    html += "</tbody></table></div>";
    if let Some(more) = summary.shards.len().checked_sub(MOST_ROWS).filter(|more| *more > 0) {
        _ = write!(html, "<p class=note>{more} more shards are not listed.");
    }
    html + "</section>"
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::local::shard::pulse::Counts;
    use crate::process::program::ProgramOptions;

    #[derive(clap::Parser)]
    struct Local {
        #[command(flatten)]
        program: ProgramOptions,
    }

    #[test]
    fn failures_are_shown_without_payloads_and_are_bounded() {
        let failed = |number: usize| {
            let mut shard = ShardSummary::new(format!("s{number}"), Outcome::Failed, &Counts::default());
            shard.failure = vec!["invalid reply `secret` (status 3)".to_owned(), "fix: send `action` <b>".to_owned()];
            shard.last_words =
                vec!["no order \"secret\" at 4711".to_owned(), "it's cut… (7 more bytes) … cret\"".to_owned()];
            shard
        };
        assert_eq!(failures(&[]), "");
        let html = failures(&[failed(1)]);
        let cells = "<tr><td>s1<td class=text><code>invalid reply … (status 3)</code><br><code>fix: send `action` &lt;b&gt;</code>\
                     <td class=text><code>no order … at N</code><br><code>it&#39;s cut…</code></tbody>";
        assert!(html.contains(cells), "{html}");
        let html = failures(&(0..MOST_FAILURES + 2).map(failed).collect::<Vec<_>>());
        assert_eq!(html.matches("<tr><td>").count(), MOST_FAILURES);
        assert!(html.contains("2 further failures not listed."), "{html}");
    }

    #[test]
    fn arguments_of_the_processor_are_left_out() {
        for (arguments, shown) in [
            ("local --example sum", "local --example sum"),
            ("local --example sum -- --password=x", "local --example sum -- …"),
            ("local --bin sum -- --password x", "local --bin sum -- …"),
            ("local --package sum -- x", "local --package sum -- …"),
            ("local -- ./sum", "local -- ./sum"),
            ("local -- ./sum --password x", "local -- ./sum …"),
            ("local -- ./sum -- x", "local -- ./sum …"),
        ] {
            let Local { program } = Local::parse_from(arguments.split(' '));
            let arguments = arguments.split(' ').map(str::to_owned).collect();
            assert_eq!(command(arguments, program.arguments().len()), shown);
        }
    }
}
