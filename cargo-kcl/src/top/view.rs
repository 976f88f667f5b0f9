//! The state of the live view: what is shown, what is selected, and what each key does.

use std::time::{Duration, Instant};

use ratatui_crossterm::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::history::History;
use super::run::TopError;
use super::table::{Order, Table, Tone};
use crate::metrics::state::{ShardState, State};
use crate::report;

/// The keys, and what each does.
pub(super) const KEYS: [(&str, &str); 8] = [
    ("↑ ↓, k j", "select a line"),
    ("Page Up, Page Down", "select a line a page away"),
    ("Home, End", "select the first or the last line"),
    ("Enter", "show the details on the whole screen, and back"),
    ("s, S", "sort by the next or the previous column"),
    ("r", "reverse the order"),
    ("?", "show this help, and back"),
    ("q, Ctrl-C", "quit"),
];

/// How late an answer may be before this is shown.
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
    pub(super) state: State,
    /// All shards together.
    pub(super) all: ShardState,
    pub(super) history: History,
    /// The reason why the last request failed.
    pub(super) error: Option<TopError>,
    /// When the last answer arrived.
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
    pub(super) helps: bool,
    pub(super) coloured: bool,
}

impl View {
    pub(super) fn new(state: State, every: Duration, coloured: bool) -> Self {
        let mut view = Self {
            all: state.all(),
            state: State::default(),
            history: History::default(),
            error: None,
            answered: Instant::now(),
            patience: every.saturating_add(LATE),
            order: Order::default(),
            selected: None,
            scrolled: 0,
            page: 1,
            is_detailed: false,
            helps: false,
            coloured,
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
            }
            Err(error) => self.error = Some(error),
        }
    }

    /// The line under the first one: why the rest is old, or the problems of the run, or its daemon.
    pub(super) fn problems(&self, width: usize) -> (String, Tone) {
        let age = self.answered.elapsed();
        match &self.error {
            Some(error) => (report::escaped(&error.to_string()).into_owned(), Tone::Bad),
            None if age >= self.patience => {
                (format!("the run has not answered for {}", report::elapsed(age)), Tone::Bad)
            }
            None => self.table(width).problems(),
        }
    }

    pub(super) fn table(&self, width: usize) -> Table<'_> {
        Table { state: &self.state, order: self.order, width, marked: true }
    }

    /// The lines of the table: all shards together, and then each of them.
    pub(super) fn lines(&self) -> Vec<&ShardState> {
        let shards = self.table(0).sorted();
        [&self.all].into_iter().chain(shards).collect()
    }

    /// The place of the selected line. A shard that is gone is not selected any more.
    pub(super) fn place(&self, lines: &[&ShardState]) -> usize {
        let find = |selected: &String| lines.iter().skip(1).position(|shard| shard.shard == *selected);
        self.selected.as_ref().and_then(find).map_or(0, |place| place + 1)
    }

    /// Selects the line at a place, or the last one if there are fewer lines.
    fn select(&mut self, place: usize) {
        let lines = self.lines();
        let place = place.min(lines.len() - 1);
        self.selected = (place > 0).then(|| lines[place].shard.clone());
    }

    fn move_by(&mut self, lines: isize) {
        let place = self.place(&self.lines());
        self.select(place.saturating_add_signed(lines));
    }

    /// Makes room for this many lines of the table, and scrolls it so that the selected line is shown.
    pub(super) fn fit(&mut self, page: usize) {
        let lines = self.lines();
        let (count, place) = (lines.len(), self.place(&lines));
        self.page = page.max(1);
        let last = count.saturating_sub(self.page);
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
            (KeyCode::Char('?' | 'h'), _) => self.helps = !self.helps,
            (KeyCode::Esc, _) => (self.helps, self.is_detailed) = (false, self.is_detailed && self.helps),
            (KeyCode::Enter, _) if self.helps => self.helps = false,
            (KeyCode::Enter, _) => self.is_detailed = !self.is_detailed,
            (KeyCode::Char('s'), _) => self.order = self.order.next(),
            (KeyCode::Char('S'), _) => self.order = self.order.previous(),
            (KeyCode::Char('r'), _) => self.order = self.order.reversed(),
            (KeyCode::Up | KeyCode::Char('k'), _) => self.move_by(-1),
            (KeyCode::Down | KeyCode::Char('j'), _) => self.move_by(1),
            (KeyCode::PageUp, _) => self.move_by(-page),
            (KeyCode::PageDown, _) => self.move_by(page),
            (KeyCode::Home | KeyCode::Char('g'), _) => self.select(0),
            (KeyCode::End | KeyCode::Char('G'), _) => self.select(usize::MAX),
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
        let lines = view.lines();
        assert_eq!((view.place(&lines), lines[1].shard.as_str()), (1, "2"));
        view.take(Ok(State::default()));
        view.fit(10);
        assert_eq!((view.place(&view.lines()), view.scrolled), (0, 0));
        press(&mut view, KeyCode::Down);
        assert_eq!(view.selected, None);
    }

    #[test]
    fn keys_open_close_and_quit() {
        let mut view = view(1);
        let after = |view: &mut View, code| {
            let effect = press(view, code);
            (effect, view.helps, view.is_detailed)
        };
        assert_eq!(after(&mut view, KeyCode::Enter), (Effect::Stay, false, true));
        assert_eq!(after(&mut view, KeyCode::Char('?')), (Effect::Stay, true, true));
        assert_eq!(after(&mut view, KeyCode::Esc), (Effect::Stay, false, true));
        assert_eq!(after(&mut view, KeyCode::Esc), (Effect::Stay, false, false));
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
        view.take(Ok(State::default()));
        assert!(view.error.is_none());
    }
}
