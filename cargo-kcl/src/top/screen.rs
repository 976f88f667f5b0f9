//! The terminal while `cargo kcl top` fills it, and the events that change what it shows.
//!
//! Keys, signals and answers of the run arrive from threads of their own, so none of them delays the others.

use std::io::{self, BufWriter, Stdout};
use std::panic;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use ratatui_core::backend::Backend;
use ratatui_core::layout::Rect;
use ratatui_core::terminal::{Terminal, TerminalOptions, Viewport};
use ratatui_crossterm::CrosstermBackend;
use ratatui_crossterm::crossterm::cursor::Show;
use ratatui_crossterm::crossterm::event::{self, Event as Input};
use ratatui_crossterm::crossterm::execute;
use ratatui_crossterm::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use super::draw::draw;
use super::run::TopError;
use super::view::{Effect, View};
use crate::exit::INTERRUPTED;
use crate::metrics::state::State;
use crate::report;
use crate::signals::{Hangup, Signals};
use crate::threads;

/// The exit code of a command that SIGTERM ended.
const TERMINATED: u8 = 143;
/// The longest time without drawing, so that the age of the last answer is right.
const REST: Duration = Duration::from_secs(1);
/// The most events that wait while the terminal does not take output.
const WAITING: usize = 8;
/// The size of a terminal that does not know its size.
const UNKNOWN: Rect = Rect { x: 0, y: 0, width: 80, height: 24 };

/// The reason why the terminal cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScreenError {
    #[error("the terminal cannot be used: {0}")]
    Terminal(io::Error),
    #[error("signals cannot be caught: {0}")]
    Signals(io::Error),
    #[error(transparent)]
    Thread(io::Error),
}

/// An event that changes the screen, or ends it.
enum Event {
    /// A key, or a new size of the terminal.
    Input(Input),
    Answer(Box<Result<State, TopError>>),
    /// A signal, with the exit code for it.
    Signal(u8),
    Failed(ScreenError),
}

/// The whole screen, in raw mode, until it is dropped.
struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
}

impl Screen {
    fn open() -> io::Result<Self> {
        // A panic ends the tool. Its message belongs on the shell's screen.
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            restore();
            print(info);
        }));
        // Ctrl-C is a key, too. Ctrl-Z must not stop the tool while the screen is not the shell's.
        enable_raw_mode()?;
        // Whatever fails from here on, the terminal is left as it was.
        let screen = execute!(io::stdout(), EnterAlternateScreen).and_then(|()| {
            let backend = CrosstermBackend::new(BufWriter::new(io::stdout()));
            let has_size = !Rect::from(backend.size()?).is_empty();
            let viewport = if has_size { Viewport::Fullscreen } else { Viewport::Fixed(UNKNOWN) };
            Terminal::with_options(backend, TerminalOptions { viewport })
        });
        screen.map(|terminal| Self { terminal }).inspect_err(|_| restore())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

fn restore() {
    _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
    _ = disable_raw_mode();
}

/// Shows the run until a key or a signal ends it. Returns the exit code.
pub(super) fn show(
    ask: impl Fn() -> Result<State, TopError> + Send + 'static,
    every: Duration,
) -> Result<u8, TopError> {
    // A run that is not there is an error before the screen is cleared.
    let mut view = View::new(ask()?, every, report::has_colours());
    let (sender, events) = mpsc::sync_channel(WAITING);
    watch_signals(sender.clone())?;
    let mut screen = Screen::open().map_err(ScreenError::Terminal)?;
    let keys = sender.clone();
    threads::spawn(move || read_keys(&keys)).map_err(ScreenError::Thread)?;
    let repeat = move || while sender.send(after(every, &ask)).is_ok() {};
    threads::spawn(repeat).map_err(ScreenError::Thread)?;
    follow(&mut view, &events, &mut screen.terminal)
}

/// The answer after this time.
fn after(every: Duration, ask: &impl Fn() -> Result<State, TopError>) -> Event {
    thread::sleep(every);
    Event::Answer(Box::new(ask()))
}

/// Passes the first signal on.
fn watch_signals(sender: SyncSender<Event>) -> Result<(), ScreenError> {
    let mut signals = Signals::catch(Hangup::Asks).map_err(ScreenError::Signals)?;
    let wait = move || {
        let event = match signals.wait() {
            Ok(_) => Event::Signal(if signals.interrupted() { INTERRUPTED } else { TERMINATED }),
            Err(error) => Event::Failed(ScreenError::Signals(error)),
        };
        _ = sender.send(event);
    };
    threads::spawn(wait).map(drop).map_err(ScreenError::Thread)
}

/// Passes keys and sizes on until the tool ends.
fn read_keys(sender: &SyncSender<Event>) {
    loop {
        let event = match event::read() {
            Ok(input) => Event::Input(input),
            Err(error) => {
                _ = sender.send(Event::Failed(ScreenError::Terminal(error)));
                return;
            }
        };
        if sender.send(event).is_err() {
            return;
        }
    }
}

/// Draws the view after each event until one of them ends it. Returns the exit code.
fn follow<B: Backend<Error: Send + Sync + 'static>>(
    view: &mut View,
    events: &Receiver<Event>,
    terminal: &mut Terminal<B>,
) -> Result<u8, TopError> {
    let failed = |error: B::Error| ScreenError::Terminal(io::Error::other(error));
    loop {
        terminal.draw(|frame| draw(view, frame.area(), frame.buffer_mut())).map_err(failed)?;
        let mut next = match events.recv_timeout(REST) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return Ok(0),
        };
        // The screen is drawn once for all events that have arrived.
        while let Some(event) = next {
            match event {
                Event::Input(Input::Key(key)) => match view.press(key) {
                    Effect::Stay => {}
                    Effect::Redraw => {
                        // `Terminal::clear` asks the terminal for its cursor, and the answer arrives as a key.
                        let area = terminal.get_frame().area();
                        terminal.resize(area).map_err(failed)?;
                    }
                    Effect::Quit => return Ok(0),
                    Effect::Interrupt => return Ok(INTERRUPTED),
                },
                // Drawing finds out the size.
                Event::Input(_) => {}
                Event::Answer(answer) => view.take(*answer),
                Event::Signal(code) => return Ok(code),
                Event::Failed(error) => return Err(error.into()),
            }
            next = events.try_recv().ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui_core::backend::TestBackend;
    use ratatui_crossterm::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    use super::*;

    fn key(code: char, modifiers: KeyModifiers) -> Event {
        Event::Input(Input::Key(KeyEvent::new(KeyCode::Char(code), modifiers)))
    }

    /// The exit code after these events, while the run does not answer.
    fn after(events: Vec<Event>) -> Result<u8, TopError> {
        let mut view = View::new(State::default(), Duration::from_secs(60), false);
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("a terminal");
        let (sender, receiver) = mpsc::sync_channel(WAITING);
        events.into_iter().for_each(|event| sender.send(event).expect("it is received"));
        follow(&mut view, &receiver, &mut terminal)
    }

    #[test]
    fn keys_and_signals_end_the_view_without_an_answer() {
        let none = KeyModifiers::NONE;
        assert_eq!(after(vec![key('s', none), Event::Input(Input::Resize(1, 1)), key('q', none)]).ok(), Some(0));
        assert_eq!(
            after(vec![key('l', KeyModifiers::CONTROL), key('c', KeyModifiers::CONTROL)]).ok(),
            Some(INTERRUPTED)
        );
        assert_eq!(
            after(vec![Event::Answer(Box::new(Err(TopError::Answer(500)))), Event::Signal(TERMINATED)]).ok(),
            Some(TERMINATED)
        );
        let failed = Event::Failed(ScreenError::Terminal(io::ErrorKind::BrokenPipe.into()));
        assert_eq!(after(vec![failed]).unwrap_err().to_string(), "the terminal cannot be used: broken pipe");
    }
}
