//! The state of the live view: what is shown, what is selected, and what each key does.

use std::time::{Duration, Instant};

use ratatui_crossterm::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::history::History;
use super::run::TopError;
use super::table::{Order, Table, Tone};
use crate::metrics::state::{ShardState, State};
use crate::report;

/// The keys, and what each does.
pub(super) const KEYS: [(&str, &str); 9] = [
    ("↑ ↓, k j", "select a line"),
    ("Page Up, Page Down", "select a line a page away"),
    ("Home, End", "select the first or the last line"),
    ("Enter", "show the details on the whole screen, and back"),
    ("s, S, r", "sort by the next or the previous column, reverse the order"),
    ("?", "show this help, and back"),
    ("Esc", "close the help or the details"),
    ("Ctrl-L", "draw everything again"),
    ("q, Ctrl-C", "quit"),
];

/// The longest delay of an answer that is not shown.
const LATE: Duration = Duration::from_secs(2);

/// The consequence of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Stay,
    /// Draw everything again.
    Redraw,
    Quit,
    Interrupt,
}

/// The content of the screen.
pub(super) struct View {
    /// The last answer, with its shards in order.
    pub(super) state: State,
    /// All shards together.
    pub(super) all: ShardState,
    pub(super) history: History,
    /// The reason why the last request failed.
    pub(super) error: Option<TopError>,
    /// The time at which the last answer arrived.
    answered: Instant,
    /// The time after which an answer is late.
    patience: Duration,
    pub(super) order: Order,
    /// The selected shard, or `None` for all shards together.
    pub(super) selected: Option<String>,
    /// The first line of the table that is shown.
    pub(super) scrolled: usize,
    /// The lines of the table that the screen has room for.
    pub(super) page: usize,
    /// Whether the details fill the screen.
    pub(super) is_detailed: bool,
    pub(super) shows_help: bool,
    pub(super) is_coloured: bool,
}

impl View {
    pub(super) fn new(state: State, every: Duration, is_coloured: bool) -> Self {
        let mut view = Self {
            state: State::default(),
            all: ShardState::default(),
            history: History::default(),
            error: None,
            answered: Instant::now(),
            patience: every.saturating_add(LATE),
            order: Order::default(),
            selected: None,
            scrolled: 0,
            page: 1,
            is_detailed: false,
            shows_help: false,
            is_coloured,
        };
        view.take(Ok(state));
        view
    }

    /// Shows an answer, or why there is none.
    pub(super) fn take(&mut self, answer: Result<State, TopError>) {
        match answer {
            Ok(state) => {
                self.all = state.all();
                self.history.add(&state, &self.all);
                (self.state, self.error, self.answered) = (state, None, Instant::now());
                self.sort_by(self.order);
            }
            Err(error) => self.error = Some(error),
        }
    }

    /// The line under the first one: why the rest is old, or the problems of the run, or its daemon.
    pub(super) fn problems(&self, width: usize) -> (String, Tone) {
        let table = self.table(width);
        let age = self.answered.elapsed();
        let is_late = age >= self.patience;
        let text = match &self.error {
            Some(error) if is_late => {
                let note = format!(", shown is the state of {} ago", report::elapsed(age));
                // The age is more important than the end of a long error.
                let room = width.saturating_sub(note.len()).max(width / 2);
                let error = error.to_string();
                console::truncate_str(&report::escaped(&error), room, "…").into_owned() + &note
            }
            Some(error) => report::escaped(&error.to_string()).into_owned(),
            None if is_late => format!("the run has not answered for {}", report::elapsed(age)),
            None => return table.problems(),
        };
        (table.fitted(&text), Tone::Bad)
    }

    fn sort_by(&mut self, order: Order) {
        self.order = order;
        self.state.shards.sort_by(|a, b| order.compare(a, b));
    }

    pub(super) fn table(&self, width: usize) -> Table<'_> {
        Table { state: &self.state, order: self.order, width, marked: true }
    }

    /// The lines of the table: all shards together, and then each of them.
    pub(super) fn lines(&self) -> impl Iterator<Item = &ShardState> {
        [&self.all].into_iter().chain(&self.state.shards)
    }

    /// The number of lines of the table.
    pub(super) fn count(&self) -> usize {
        self.state.shards.len() + 1
    }

    /// The place of the selected line. A shard that is gone is not selected any more.
    pub(super) fn place(&self) -> usize {
        let find = |selected: &String| self.state.shards.iter().position(|shard| shard.shard == *selected);
        self.selected.as_ref().and_then(find).map_or(0, |place| place + 1)
    }

    /// Selects the line at a place, or the last one if there are fewer lines.
    fn select(&mut self, place: usize) {
        let place = place.min(self.state.shards.len());
        self.selected = place.checked_sub(1).map(|at| self.state.shards[at].shard.clone());
    }

    fn move_by(&mut self, lines: isize) {
        self.select(self.place().saturating_add_signed(lines));
    }

    /// Makes room for this many lines of the table, and scrolls it so that the selected line is shown.
    pub(super) fn fit(&mut self, page: usize) {
        let place = self.place();
        self.page = page.max(1);
        let last = self.count().saturating_sub(self.page);
        self.scrolled = self.scrolled.clamp((place + 1).saturating_sub(self.page), place).min(last);
    }

    pub(super) fn press(&mut self, key: KeyEvent) -> Effect {
        if key.kind == KeyEventKind::Release {
            return Effect::Stay;
        }
        let page = self.page.try_into().unwrap_or(isize::MAX);
        match (key.code, key.modifiers.contains(KeyModifiers::CONTROL)) {
            (KeyCode::Char('c'), true) => return Effect::Interrupt,
            (KeyCode::Char('l'), true) => return Effect::Redraw,
            (_, true) => {}
            (KeyCode::Char('q'), _) => return Effect::Quit,
            (KeyCode::Char('?') | KeyCode::Esc | KeyCode::Enter, _) if self.shows_help => self.shows_help = false,
            // Nothing would show the effect of other keys.
            _ if self.shows_help => {}
            (KeyCode::Char('?'), _) => self.shows_help = true,
            (KeyCode::Esc, _) => self.is_detailed = false,
            (KeyCode::Enter, _) => self.is_detailed = !self.is_detailed,
            (KeyCode::Char('s'), _) => self.sort_by(self.order.next()),
            (KeyCode::Char('S'), _) => self.sort_by(self.order.previous()),
            (KeyCode::Char('r'), _) => self.sort_by(self.order.reversed()),
            (KeyCode::Up | KeyCode::Char('k'), _) => self.move_by(-1),
            (KeyCode::Down | KeyCode::Char('j'), _) => self.move_by(1),
            (KeyCode::PageUp, _) => self.move_by(-page),
            (KeyCode::PageDown, _) => self.move_by(page),
            (KeyCode::Home, _) => self.select(0),
            (KeyCode::End, _) => self.select(usize::MAX),
            _ => {}
        }
        Effect::Stay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(shards: usize) -> View {
        let shards = (0..shards).map(|number| ShardState { shard: number.to_string(), ..ShardState::default() });
        View::new(State { shards: shards.collect(), ..State::default() }, Duration::from_secs(1), false)
    }

    fn press(view: &mut View, code: KeyCode) -> Effect {
        view.press(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn the_selected_line_is_shown() {
        let mut view = view(9);
        for (code, selected, scrolled) in [
            (KeyCode::Up, None, 0),
            (KeyCode::Down, Some("0"), 0),
            (KeyCode::Char('j'), Some("1"), 0),
            (KeyCode::PageDown, Some("5"), 3),
            (KeyCode::Char('k'), Some("4"), 3),
            (KeyCode::End, Some("8"), 6),
            (KeyCode::PageDown, Some("8"), 6),
            (KeyCode::PageUp, Some("4"), 5),
            (KeyCode::Home, None, 0),
        ] {
            view.fit(4);
            assert_eq!(press(&mut view, code), Effect::Stay);
            view.fit(4);
            assert_eq!((view.selected.as_deref(), view.scrolled), (selected, scrolled), "{code:?}");
        }
    }

    #[test]
    fn a_shard_stays_selected_while_it_is_there() {
        let mut view = view(3);
        press(&mut view, KeyCode::End);
        press(&mut view, KeyCode::Char('r'));
        assert_eq!((view.place(), view.state.shards[0].shard.as_str()), (1, "2"));
        view.take(Ok(State::default()));
        view.fit(10);
        assert_eq!((view.place(), view.scrolled), (0, 0));
        press(&mut view, KeyCode::Down);
        assert_eq!(view.selected, None);
    }

    #[test]
    fn keys_open_close_and_quit() {
        let mut view = view(1);
        let after = |view: &mut View, code| {
            let effect = press(view, code);
            (effect, view.shows_help, view.is_detailed)
        };
        assert_eq!(after(&mut view, KeyCode::Enter), (Effect::Stay, false, true));
        assert_eq!(after(&mut view, KeyCode::Char('?')), (Effect::Stay, true, true));
        // The help hides what other keys would change.
        let order = view.order;
        for code in [KeyCode::Char('s'), KeyCode::Char('r'), KeyCode::Down, KeyCode::End] {
            assert_eq!(after(&mut view, code), (Effect::Stay, true, true));
        }
        assert_eq!((view.order, view.selected.as_deref()), (order, None));
        assert_eq!(after(&mut view, KeyCode::Esc), (Effect::Stay, false, true));
        assert_eq!(after(&mut view, KeyCode::Esc), (Effect::Stay, false, false));
        for close in [KeyCode::Enter, KeyCode::Char('?')] {
            press(&mut view, KeyCode::Char('?'));
            assert_eq!(after(&mut view, close), (Effect::Stay, false, false));
        }
        press(&mut view, KeyCode::Char('?'));
        assert_eq!(press(&mut view, KeyCode::Char('q')), Effect::Quit);
        for (key, effect) in [('c', Effect::Interrupt), ('l', Effect::Redraw), ('z', Effect::Stay), ('q', Effect::Stay)]
        {
            assert_eq!(view.press(KeyEvent::new(KeyCode::Char(key), KeyModifiers::CONTROL)), effect, "{key}");
        }
    }

    #[test]
    fn an_error_leaves_the_last_answer() {
        let mut view = view(2);
        view.take(Err(TopError::Answer(500)));
        assert!(view.error.is_some() && view.state.shards.len() == 2);
        let answered = "the run answered with the HTTP status 500, so it may belong to another version of `cargo kcl`";
        assert_eq!(view.problems(200), (answered.to_owned(), Tone::Bad));
        assert_eq!(view.problems(40).0, "the run answered with the HTTP status 5…");
        view.patience = Duration::ZERO;
        let (text, _) = view.problems(80);
        assert!(text.starts_with("the run answered with the HTTP sta"), "{text}");
        assert!(text.contains("…, shown is the state of ") && text.ends_with(" ago"), "{text}");
        assert!(console::measure_text_width(&text) <= 80, "{text}");
        assert!(view.problems(30).0.starts_with("the run answer…, shown is the"));
        view.patience = Duration::MAX;
        view.take(Ok(State::default()));
        assert!(view.error.is_none());
    }
}
