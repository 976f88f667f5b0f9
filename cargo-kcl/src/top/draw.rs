//! The places of everything on the screen. A small screen leaves out the less important parts.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::{Constraint, Layout, Rect};
use ratatui_core::style::{Color, Modifier, Style};
use ratatui_core::text::{Line, Span};
use ratatui_core::widgets::Widget as _;
use ratatui_widgets::block::Block;
use ratatui_widgets::borders::Borders;
use ratatui_widgets::paragraph::Paragraph;
use ratatui_widgets::sparkline::{RenderDirection, Sparkline};

use super::detail::{Detail, MARKS, Row};
use super::history::Trace;
use super::table::{Tone, worst};
use super::view::{KEYS, View};

/// The least height of a screen with a line for the rate of the whole run.
const WITH_RATE: u16 = 12;
/// The least height with the details below the table.
const WITH_DETAILS: u16 = 20;
/// The fewest rows of the details below the table, with their title.
const LEAST_DETAILS: u16 = 8;
/// The least width with the distribution of latencies beside the other details.
const WIDE: u16 = 110;
/// The width of the distribution there.
const DISTRIBUTION: u16 = 40;
/// The most rows of the distribution, with its header.
const POWERS: u16 = 12;
/// The most rows by which bars are made higher where there is room.
const MORE_BARS: u16 = 3;
/// The width of the labels of details, with a blank.
const LABEL: u16 = 12;
/// The width of the text beside bars.
const NOTE: u16 = 11;

/// The columns, as the help explains them.
const COLUMNS: [(&str, &str); 7] = [
    ("rec/s", "settled records a second"),
    ("behind", "how far the last batch was behind the newest record"),
    ("p50, p99", "times of records or else batches, over the last 30 to 60 s"),
    ("fly", "attempts of the record handler that are running"),
    ("retries", "how often a handler was called again"),
    ("ckpt", "the time since the last checkpoint"),
    ("starts", "processors that were started"),
];

/// Draws the view.
pub(super) fn draw(view: &mut View, area: Rect, buffer: &mut Buffer) {
    if view.shows_help {
        return help(area, buffer);
    }
    let has = |height: u16| u16::from(area.height >= height);
    let [about, problems, rate, table, details, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(has(2)),
        Constraint::Length(has(WITH_RATE)),
        Constraint::Length(height_of_table(view, area.height)),
        Constraint::Fill(1),
        Constraint::Length(has(4)),
    ])
    .areas(area);
    view.fit(table.height.saturating_sub(1).into());
    let width = usize::from(area.width);
    line(&view.table(width).about(), bold(), about, buffer);
    let (text, tone) = view.problems(width);
    line(&text, style(tone, view.is_coloured), problems, buffer);
    let place = view.place();
    let trace = Trace::default();
    let detail = |place: usize| {
        let shard = place.checked_sub(1).map(|at| &view.state.shards[at]);
        Detail {
            state: &view.state,
            shard: shard.unwrap_or(&view.all),
            is_all: shard.is_none(),
            trace: view.history.of(shard.map(|shard| &*shard.shard)).unwrap_or(&trace),
        }
    };
    row("records/s", detail(0).rates(room_for_bars(rate)), rate, buffer, view.is_coloured);
    shards(view, place, table, buffer);
    details_of(&detail(place), place == 0 && !rate.is_empty(), details, buffer, view.is_coloured);
    footer(view, place, keys, buffer);
}

/// The height of the table with its header, on a screen of this height.
fn height_of_table(view: &View, height: u16) -> u16 {
    let room = height.saturating_sub(3 + u16::from(height >= WITH_RATE));
    if view.is_detailed {
        return 0;
    }
    if height < WITH_DETAILS {
        return room;
    }
    let wanted = u16::try_from(view.state.shards.len()).unwrap_or(u16::MAX).saturating_add(2);
    wanted.min(room.saturating_sub(LEAST_DETAILS))
}

fn shards(view: &View, place: usize, area: Rect, buffer: &mut Buffer) {
    let table = view.table(area.width.into());
    let shown = view.lines().enumerate().skip(view.scrolled).take(view.page).map(|(at, shard)| {
        let (text, tone) = table.shard(shard);
        // A shard that failed may be on a line that is not on the screen.
        let tone = if at == 0 { tone.max(worst(&view.state)) } else { tone };
        // The mark of the selected line goes on to the end of the line.
        let text = format!("{text:<width$}", width = usize::from(area.width));
        let style = style(tone, view.is_coloured);
        Line::styled(text, if at == place { style.add_modifier(Modifier::REVERSED) } else { style })
    });
    let header = Line::styled(table.header(), bold());
    Paragraph::new([header].into_iter().chain(shown).collect::<Vec<_>>()).render(area, buffer);
}

/// Draws the details, without the first row if it is above the table.
fn details_of(detail: &Detail<'_>, skips_rate: bool, area: Rect, buffer: &mut Buffer, is_coloured: bool) {
    if area.is_empty() {
        return;
    }
    let block = Block::new().borders(Borders::TOP).title(Line::styled(format!(" {} ", detail.title()), bold()));
    let inner = block.inner(area);
    block.render(area, buffer);
    let is_wide = area.width >= WIDE;
    let [gap, beside] = if is_wide { [2, DISTRIBUTION] } else { [0, 0] };
    let [left, _, right] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(gap), Constraint::Length(beside)]).areas(inner);
    let mut rows = detail.rows(room_for_bars(left));
    if skips_rate {
        rows.remove(0);
    }
    let count = u16::try_from(rows.len()).unwrap_or(u16::MAX);
    let spare = inner.height.saturating_sub(count).saturating_sub(if is_wide { 0 } else { POWERS });
    let bars = 1 + (spare / 2).min(MORE_BARS);
    let height = |row: &Row| if matches!(row, Row::Bars(..)) { bars } else { 1 };
    let mut y = left.y;
    for (label, content) in rows {
        let area = Rect { y, height: height(&content), ..left }.intersection(left);
        y = area.bottom();
        row(label, content, area, buffer, is_coloured);
    }
    let below = Rect { y: y.saturating_add(1), ..inner }.intersection(inner);
    distribution(detail, if is_wide { right } else { below }, buffer);
}

/// Draws the distribution of latencies: a bar for each power of two.
fn distribution(detail: &Detail<'_>, area: Rect, buffer: &mut Buffer) {
    // A single bar says less than the row with the latencies.
    if area.height < 3 {
        return;
    }
    let rows = detail.distribution(usize::from(area.height.min(POWERS)) - 1);
    if rows.is_empty() {
        return;
    }
    line("latency below      share", bold(), Rect { height: 1, ..area }, buffer);
    let most = rows.iter().map(|(_, share)| *share).fold(0.0, f64::max);
    let room = f64::from(area.width.saturating_sub(2 * LABEL + 1).min(60));
    for ((end, share), area) in rows.into_iter().zip(area.rows().skip(1)) {
        let bar = "█".repeat((room * share / most.max(f64::MIN_POSITIVE)).round() as usize);
        line(&format!("{end:>13} {:>8.1} % {bar}", share * 100.0), Style::new(), area, buffer);
    }
}

/// The number of bars that a row of details has room for, beside its label and its text.
fn room_for_bars(row: Rect) -> usize {
    row.width.saturating_sub(LABEL + NOTE).into()
}

/// Draws a row of details.
fn row(label: &str, content: Row, area: Rect, buffer: &mut Buffer, is_coloured: bool) {
    let [name, rest] = Layout::horizontal([Constraint::Length(LABEL), Constraint::Fill(1)]).areas(area);
    line(label, style(Tone::Quiet, is_coloured), name, buffer);
    let [past, beside] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(NOTE)]).areas(rest);
    match content {
        Row::Text(text, tone) => line(&fitted(&text, rest.width), style(tone, is_coloured), rest, buffer),
        Row::Bars(values, note) => {
            let bars = Sparkline::default().data(values).direction(RenderDirection::RightToLeft);
            let style = if is_coloured { Style::new().fg(Color::Cyan) } else { Style::new() };
            bars.style(style).render(past, buffer);
            line(&format!(" {note}"), Style::new(), beside, buffer);
        }
        Row::Marks(marks, note) => {
            let marks = marks.into_iter().rev();
            let spans = marks.map(|(mark, tone)| Span::styled(mark.to_string(), style(tone, is_coloured)));
            Line::from_iter(spans).right_aligned().render(past, buffer);
            line(&format!(" {note}"), Style::new(), beside, buffer);
        }
    }
}

fn footer(view: &View, place: usize, area: Rect, buffer: &mut Buffer) {
    let enter = if view.is_detailed { "shards" } else { "details" };
    let keys = format!("q quit  ? help  Enter {enter}  ↑↓ select  s sort by {}  r reverse", view.order.name());
    line(&keys, style(Tone::Quiet, view.is_coloured), area, buffer);
    let at = format!("  {}/{}", place + 1, view.count());
    let at_width = u16::try_from(at.len()).unwrap_or(u16::MAX).min(area.width);
    let right = Rect { x: area.right() - at_width, width: at_width, ..area };
    if right.width < area.width {
        line(&at, Style::new(), right, buffer);
    }
}

/// Draws the help in place of everything else.
fn help(area: Rect, buffer: &mut Buffer) {
    let block = Block::new().borders(Borders::TOP).title(Line::styled(" cargo kcl top ", bold()));
    let inner = block.inner(area);
    block.render(area, buffer);
    let entry = |name: &str, text: &str| {
        Line::from(vec![Span::styled(format!("{name:>19}"), bold()), Span::raw(format!("  {text}"))])
    };
    let keys = KEYS.iter().map(|(keys, text)| entry(keys, text));
    let columns = COLUMNS.iter().map(|(column, text)| entry(column, text));
    let marks = MARKS.iter().map(|(mark, _, text, _)| entry(&mark.to_string(), text));
    let events = entry("events", "the most serious of these, for each answer of the run");
    let lines: Vec<_> = keys.chain([Line::default()]).chain(columns).chain([events]).chain(marks).collect();
    Paragraph::new(lines).render(inner, buffer);
}

/// Draws a text on the first line of an area, without what is outside of it.
fn line(text: &str, style: Style, area: Rect, buffer: &mut Buffer) {
    if area.height > 0 {
        Line::styled(text, style).render(area, buffer);
    }
}

fn fitted(text: &str, width: u16) -> String {
    console::truncate_str(text, width.into(), "…").into_owned()
}

fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

/// The style of a tone. Without colours, what is bad is bold.
fn style(tone: Tone, is_coloured: bool) -> Style {
    match (tone, is_coloured) {
        (Tone::Plain, _) | (Tone::Warning, false) => Style::new(),
        (Tone::Quiet, _) => Style::new().add_modifier(Modifier::DIM),
        (Tone::Warning, true) => Style::new().fg(Color::Yellow),
        (Tone::Bad, true) => Style::new().fg(Color::Red),
        (Tone::Bad, false) => bold(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kcl::metrics::Running;
    use ratatui_core::backend::TestBackend;
    use ratatui_core::buffer::Cell;
    use ratatui_core::terminal::Terminal;
    use ratatui_crossterm::crossterm::event::{KeyCode, KeyEvent};

    use super::*;
    use crate::metrics::Stage;
    use crate::metrics::state::{ShardState, State, Times};
    use crate::top::run::TopError;

    /// Three shards after this many seconds: one is slow and loses records, one is restarting, one is idle.
    fn state(seconds: u64) -> State {
        let mut state = State { verb: "local".to_owned(), application: "revenue".to_owned(), ..State::default() };
        state.uptime_ms = seconds * 1000;
        for number in 0..3 {
            let id = format!("shardId-{number:012}");
            let shard = ShardState { shard: id, stage: Stage::Running, reports: true, ..ShardState::default() };
            let mut shard = ShardState { starts: 1, ..shard };
            shard.now.millis_behind_latest = Some(number * 40_000);
            state.shards.push(shard);
        }
        let slow = &mut state.shards[0];
        slow.records_per_second = 12.4 + 3.0 * (seconds % 4) as f64;
        (slow.bytes_per_second, slow.busy, slow.pid) = (2_480.0, 0.97, Some(123));
        slow.stage_ms = seconds * 1000;
        slow.record = Times {
            count: 9,
            p50: 50.0,
            p99: 60.0 + 10.0 * (seconds % 4) as f64,
            max: 95.0,
            powers: vec![(25, 1), (27, 8)],
        };
        (slow.totals.settled, slow.totals.delivered) = (12 * seconds, 12 * seconds + 3);
        slow.totals.bytes = 96_000;
        (slow.totals.batches, slow.totals.checkpoints, slow.totals.retries) = (seconds, seconds / 2, seconds / 5);
        slow.totals.dead_lettered.insert("\u{1b}[2Jerror".to_owned(), seconds / 10);
        slow.totals.refused.insert("throttled".to_owned(), seconds / 20);
        slow.totals.failures.insert("error".to_owned(), seconds / 5);
        (slow.now.unsettled, slow.now.oldest_unsettled_ms, slow.now.last_checkpoint_ms) = (3, Some(1_300), Some(2_000));
        let mut running = Running::default();
        (running.action, running.ms) = ("processRecords".to_owned(), 300);
        (slow.now.running, slow.now.in_flight) = (Some(running), 1);
        let failing = &mut state.shards[1];
        (failing.stage, failing.stage_ms) = (Stage::Restarting, 1_500);
        (failing.starts, failing.restarts) = (1 + seconds / 8, seconds / 8);
        failing.exits.insert("7".to_owned(), seconds / 8);
        state.record = state.shards[0].record.clone();
        state
    }

    /// A view that has had an answer in each of 30 seconds.
    fn view() -> View {
        let mut view = View::new(state(10), Duration::from_secs(60), false);
        (11..=40).for_each(|second| view.take(Ok(state(second))));
        view
    }

    fn press(view: &mut View, codes: &[KeyCode]) {
        codes.iter().for_each(|code| _ = view.press(KeyEvent::from(*code)));
    }

    fn cells(view: &mut View, width: u16, height: u16) -> Vec<Cell> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        terminal.draw(|frame| draw(view, frame.area(), frame.buffer_mut())).expect("it is drawn");
        terminal.backend().buffer().content.clone()
    }

    fn screen(view: &mut View, width: u16, height: u16) -> Vec<String> {
        let cells = cells(view, width, height);
        let lines = cells.chunks(width.into()).map(|cells| cells.iter().map(|cell| cell.symbol()).collect::<String>());
        lines.map(|line| line.trim_end().to_owned()).collect()
    }

    #[track_caller]
    fn assert_screen(view: &mut View, width: u16, height: u16, expected: &str) {
        let shown = screen(view, width, height).join("\n");
        assert!(shown.trim_end() == expected, "this is shown:\n{shown}");
    }

    #[test]
    fn eighty_columns_have_room_for_the_table_and_the_details() {
        let mut view = view();
        assert_screen(
            &mut view,
            80,
            24,
            "\
revenue (local 40s): 2/3 shards, 12/s, 2.5 kB/s

records/s                              █▄▅▆█▄▅▆█▄▅▆█▄▅▆█▄▅▆█▄▅▆█▄▅▆█▄ max 21
shard▴                 rec/s  behind     p50     p99   fly retries   ckpt starts
all shards                12     80s  50.0ms  60.0ms     1       8   2.0s      8
shardId-0000              12       0  50.0ms  60.0ms     1       8   2.0s      1
shardId-0001         restarting for 1.5s, 0 records, exit codes 7 (5×)
shardId-0002               0     80s       -       -     0       0      -      1
 all 3 shards ──────────────────────────────────────────────────────────────────
p99                                    █▅▆▇█▅▆▇█▅▆▇█▅▆▇█▅▆▇█▅▆▇█▅▆▇█▅ max 90.0ms
events                                  · ·rS · ! · Sr· · x S ·r· · S in 30s
now         2 running, 1 restarting, 3 unsettled, the oldest for 1.3s, 80s behi…
slowed by   shardId-0000 97 % busy, 4 restarts, 2 refused checkpoints, 6 retries
passed over 4 dead-lettered (\\u{1b}[2Jerror 4)
checkpoints 20, the oldest 2.0s ago; 2 refused (throttled 2)
starts      8; exit codes 7 (5×)
failures    8 (error 8); 8 retries
records     480 of 483 settled, 96.0 kB, 40 batches
latency     p50 50.0ms, p99 60.0ms, longest 95.0ms, of records

latency below      share
       67.1ms     11.1 % ███████
        134ms     88.9 % ███████████████████████████████████████████████████████
q quit  ? help  Enter details  ↑↓ select  s sort by shard▴  r reverse        1/4",
        );
    }

    #[test]
    fn a_shard_has_details_of_its_own() {
        let mut view = view();
        press(&mut view, &[KeyCode::Down]);
        assert_screen(
            &mut view,
            80,
            24,
            "\
revenue (local 40s): 2/3 shards, 12/s, 2.5 kB/s

records/s                              █▄▅▆█▄▅▆█▄▅▆█▄▅▆█▄▅▆█▄▅▆█▄▅▆█▄ max 21
shard▴                 rec/s  behind     p50     p99   fly retries   ckpt starts
all shards                12     80s  50.0ms  60.0ms     1       8   2.0s      8
shardId-0000              12       0  50.0ms  60.0ms     1       8   2.0s      1
shardId-0001         restarting for 1.5s, 0 records, exit codes 7 (5×)
shardId-0002               0     80s       -       -     0       0      -      1
 shardId-0000, running for 40s, process 123 ────────────────────────────────────
records/s                              █▄▅▆█▄▅▆█▄▅▆█▄▅▆█▄▅▆█▄▅▆█▄▅▆█▄ max 21
p99                                    █▅▆▇█▅▆▇█▅▆▇█▅▆▇█▅▆▇█▅▆▇█▅▆▇█▅ max 90.0ms
events                                  · ·r· · ! · ·r· · x · ·r· · ! in 30s
now         processRecords for 0.3s, 3 unsettled, the oldest for 1.3s
slowed by   handler 97 % busy, 2 refused checkpoints, 6 retries
passed over 4 dead-lettered (\\u{1b}[2Jerror 4)
checkpoints 20, the last 2.0s ago; 2 refused (throttled 2)
starts      1
failures    8 (error 8); 8 retries
records     480 of 483 settled, 96.0 kB, 40 batches
latency     p50 50.0ms, p99 60.0ms, longest 95.0ms, of records



q quit  ? help  Enter details  ↑↓ select  s sort by shard▴  r reverse        2/4",
        );
    }

    #[test]
    fn the_details_fill_the_screen() {
        let mut view = view();
        press(&mut view, &[KeyCode::Down, KeyCode::Enter]);
        assert_screen(
            &mut view,
            80,
            24,
            "\
revenue (local 40s): 2/3 shards, 12/s, 2.5 kB/s

records/s                              █▄▅▆█▄▅▆█▄▅▆█▄▅▆█▄▅▆█▄▅▆█▄▅▆█▄ max 21
 shardId-0000, running for 40s, process 123 ────────────────────────────────────
records/s                              █▄▅▆█▄▅▆█▄▅▆█▄▅▆█▄▅▆█▄▅▆█▄▅▆█▄ max 21
p99                                    █▅▆▇█▅▆▇█▅▆▇█▅▆▇█▅▆▇█▅▆▇█▅▆▇█▅ max 90.0ms
events                                  · ·r· · ! · ·r· · x · ·r· · ! in 30s
now         processRecords for 0.3s, 3 unsettled, the oldest for 1.3s
slowed by   handler 97 % busy, 2 refused checkpoints, 6 retries
passed over 4 dead-lettered (\\u{1b}[2Jerror 4)
checkpoints 20, the last 2.0s ago; 2 refused (throttled 2)
starts      1
failures    8 (error 8); 8 retries
records     480 of 483 settled, 96.0 kB, 40 batches
latency     p50 50.0ms, p99 60.0ms, longest 95.0ms, of records

latency below      share
       33.6ms     11.1 % ███████
       67.1ms      0.0 %
        134ms     88.9 % ███████████████████████████████████████████████████████



q quit  ? help  Enter shards  ↑↓ select  s sort by shard▴  r reverse         2/4",
        );
    }

    #[test]
    fn a_wide_screen_has_the_distribution_beside_the_details() {
        let mut view = view();
        press(&mut view, &[KeyCode::Down]);
        assert_screen(&mut view, 120, 30, "\
revenue (local 40s): 2/3 shards, 12/s, 2.5 kB/s

records/s                                                                      █▄▅▆█▄▅▆█▄▅▆█▄▅▆█▄▅▆█▄▅▆█▄▅▆█▄ max 21
shard▴                 rec/s  behind     p50     p99   fly retries   ckpt starts
all shards                12     80s  50.0ms  60.0ms     1       8   2.0s      8
shardId-0000              12       0  50.0ms  60.0ms     1       8   2.0s      1
shardId-0001         restarting for 1.5s, 0 records, exit codes 7 (5×)
shardId-0002               0     80s       -       -     0       0      -      1
 shardId-0000, running for 40s, process 123 ────────────────────────────────────────────────────────────────────────────
records/s                            █  ▃█  ▃█  ▃█  ▃█  ▃█  ▃█  ▃█  max 21      latency below      share
                                     █▂▇██▂▇██▂▇██▂▇██▂▇██▂▇██▂▇██▂                    33.6ms     11.1 % ██
                                     ██████████████████████████████                    67.1ms      0.0 %
                                     ██████████████████████████████                     134ms     88.9 % ███████████████
p99                                  █  ▄█  ▄█  ▄█  ▄█  ▄█  ▄█  ▄█  max 90.0ms
                                     █▅███▅███▅███▅███▅███▅███▅███▅
                                     ██████████████████████████████
                                     ██████████████████████████████
events                                · ·r· · ! · ·r· · x · ·r· · ! in 30s
now         processRecords for 0.3s, 3 unsettled, the oldest for 1.3s
slowed by   handler 97 % busy, 2 refused checkpoints, 6 retries
passed over 4 dead-lettered (\\u{1b}[2Jerror 4)
checkpoints 20, the last 2.0s ago; 2 refused (throttled 2)
starts      1
failures    8 (error 8); 8 retries
records     480 of 483 settled, 96.0 kB, 40 batches
latency     p50 50.0ms, p99 60.0ms, longest 95.0ms, of records



q quit  ? help  Enter details  ↑↓ select  s sort by shard▴  r reverse                                                2/4");
    }

    #[test]
    fn a_small_screen_drops_columns() {
        let mut view = view();
        assert_screen(
            &mut view,
            40,
            10,
            "\
revenue (local 40s): 2/3 shards, 12/s, …

shard▴         rec/s  behind     p99
all shards        12     80s  60.0ms
shardId-0000      12       0  60.0ms
shardId-0001 restarting for 1.5s, 0 rec…
shardId-0002       0     80s       -


q quit  ? help  Enter details  ↑↓ s  1/4",
        );
    }

    #[test]
    fn a_small_screen_has_room_for_details() {
        let mut view = view();
        press(&mut view, &[KeyCode::Enter]);
        assert_screen(
            &mut view,
            40,
            10,
            "\
revenue (local 40s): 2/3 shards, 12/s, …

 all 3 shards ──────────────────────────
records/s   ▄▅▆█▄▅▆█▄▅▆█▄▅▆█▄ max 21
p99         ▅▆▇█▅▆▇█▅▆▇█▅▆▇█▅ max 90.0ms
events      Sr· · x S ·r· · S in 17s
now         2 running, 1 restarting, 3 …
slowed by   shardId-0000 97 % busy, 4 r…
passed over 4 dead-lettered (\\u{1b}[2Je…
q quit  ? help  Enter shards  ↑↓ se  1/4",
        );
    }

    #[test]
    fn the_help_fits_80_columns() {
        let mut view = view();
        press(&mut view, &[KeyCode::Char('?')]);
        assert_screen(
            &mut view,
            80,
            24,
            " cargo kcl top ─────────────────────────────────────────────────────────────────
           ↑ ↓, k j  select a line
 Page Up, Page Down  select a line a page away
          Home, End  select the first or the last line
              Enter  show the details on the whole screen, and back
            s, S, r  sort by the next or the previous column, reverse the order
                  ?  show this help, and back
                Esc  close the help or the details
             Ctrl-L  draw everything again
          q, Ctrl-C  quit

              rec/s  settled records a second
             behind  how far the last batch was behind the newest record
           p50, p99  times of records or else batches, over the last 30 to 60 s
                fly  attempts of the record handler that are running
            retries  how often a handler was called again
               ckpt  the time since the last checkpoint
             starts  processors that were started
             events  the most serious of these, for each answer of the run
                  S  restart of a processor
                  !  refused checkpoint
                  x  record skipped or dead-lettered
                  r  retry
                  ·  checkpoint",
        );
    }

    #[test]
    fn colours_are_shown_if_wanted() {
        for is_coloured in [true, false] {
            let mut state = state(40);
            state.problems = vec!["shard \u{1b}[2J: stuck".to_owned()];
            let mut view = View::new(state, Duration::from_secs(60), is_coloured);
            let cells = cells(&mut view, 80, 24);
            let line = |at: usize| &cells[80 * at..80 * (at + 1)];
            let text: String = line(1).iter().map(|cell| cell.symbol()).collect();
            assert_eq!(text.trim_end(), "shard \\u{1b}[2J: stuck");
            assert_eq!(line(1)[0].fg, if is_coloured { Color::Red } else { Color::Reset });
            assert!(line(4).iter().all(|cell| cell.modifier.contains(Modifier::REVERSED)), "the selected line");
            assert_eq!(cells.iter().any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset), is_coloured);
        }
    }

    #[test]
    fn a_failed_shard_that_is_not_on_the_screen_shows() {
        let mut state = state(40);
        state.shards.resize(30, state.shards[2].clone());
        state.shards[1].stage = Stage::Running;
        state.shards[29].stage = Stage::Failed;
        let mut view = View::new(state, Duration::from_secs(60), true);
        assert!(cells(&mut view, 80, 24)[80 * 4..80 * 5].iter().all(|cell| cell.fg == Color::Red));
        let lines = screen(&mut view, 80, 24);
        assert!(!lines.iter().any(|line| line.contains("failed for")), "{lines:?}");
        assert!(lines.iter().any(|line| line.starts_with("now         29 running, 1 failed, ")), "{lines:?}");
    }

    #[test]
    fn an_error_is_shown_with_the_last_answer() {
        let mut view = view();
        view.take(Err(TopError::Answer(500)));
        let lines = screen(&mut view, 80, 24);
        assert!(lines[1].starts_with("the run answered with the HTTP status 500"), "{lines:?}");
        assert!(lines[5].starts_with("shardId-0000 "), "{lines:?}");
    }

    #[test]
    fn every_size_is_drawn() {
        let mut view = view();
        for keys in [&[][..], &[KeyCode::Down], &[KeyCode::Enter], &[KeyCode::Char('?')]] {
            press(&mut view, keys);
            for width in [1, 2, 12, 30, 79, 110] {
                for height in [1, 2, 3, 4, 12, 20, 50] {
                    assert_eq!(screen(&mut view, width, height).len(), usize::from(height));
                }
            }
        }
        screen(&mut View::new(State::default(), Duration::from_secs(1), true), 80, 24);
    }
}
