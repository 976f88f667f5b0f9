//! The terminal while `cargo kcl top` fills it.

use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::run::TopError;
use super::table::{FIRST_LINES, Order, Table};
use crate::exit::INTERRUPTED;
use crate::metrics::state::State;
use crate::report;
use crate::signals::{Hangup, Signals};

/// The exit code of a command that SIGTERM ended.
const TERMINATED: u8 = 143;
/// The byte that Ctrl-C sends if it does not send a signal.
const CTRL_C: u8 = 0x03;

/// The reason why the terminal cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScreenError {
    #[error("the terminal cannot be used: {0}")]
    Terminal(io::Error),
    #[error("signals cannot be caught: {0}")]
    Signals(io::Error),
}

/// The whole screen, without echo and line editing, until it is dropped.
struct Screen {
    before: Termios,
}

impl Screen {
    fn open() -> Result<Self, ScreenError> {
        let failed = |error: rustix::io::Errno| ScreenError::Terminal(error.into());
        let before = tcgetattr(io::stdin()).map_err(failed)?;
        let mut keys = before.clone();
        // Ctrl-C is a key, too. Ctrl-Z must not stop the tool while the screen is not the shell's.
        keys.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        tcsetattr(io::stdin(), OptionalActions::Now, &keys).map_err(failed)?;
        let screen = Self { before };
        // The alternate screen, without a cursor, so that the shell's screen stays as it was.
        print("\x1b[?1049h\x1b[?25l").map_err(ScreenError::Terminal)?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        _ = print("\x1b[?25h\x1b[?1049l");
        _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// The request that a key makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Quit,
    /// Ctrl-C.
    Interrupt,
    Sort,
    Reverse,
    /// This many lines, or pages.
    Lines(isize),
    Pages(isize),
    Start,
}

/// The keys in these bytes, which a terminal sent.
fn keys(mut bytes: &[u8]) -> Vec<Key> {
    const SEQUENCES: [(&[u8], Key); 10] = [
        (b"\x1b[A", Key::Lines(-1)),
        (b"\x1b[B", Key::Lines(1)),
        (b"\x1bOA", Key::Lines(-1)),
        (b"\x1bOB", Key::Lines(1)),
        (b"\x1b[5~", Key::Pages(-1)),
        (b"\x1b[6~", Key::Pages(1)),
        (b"\x1b[H", Key::Start),
        (b"q", Key::Quit),
        (b"s", Key::Sort),
        (b"r", Key::Reverse),
    ];
    // It counts whatever stands before it, as the signal would.
    if bytes.contains(&CTRL_C) {
        return vec![Key::Interrupt];
    }
    let mut found = Vec::new();
    while let Some((first, rest)) = bytes.split_first() {
        let known = SEQUENCES.iter().find(|(sequence, _)| bytes.starts_with(sequence));
        bytes = match known {
            Some((sequence, key)) => {
                found.push(*key);
                &bytes[sequence.len()..]
            }
            // The rest of an unknown sequence must not act as keys.
            None if *first == 0x1b => return found,
            None => rest,
        };
    }
    found
}

/// The content of the screen, and its order.
struct View {
    state: State,
    /// The reason why the last request failed.
    error: Option<TopError>,
    order: Order,
    scrolled: usize,
}

impl View {
    fn press(&mut self, key: Key, page: usize) {
        let scroll = |by: isize| self.scrolled.saturating_add_signed(by).min(self.state.shards.len().saturating_sub(1));
        match key {
            Key::Quit | Key::Interrupt => {}
            Key::Sort => self.order = self.order.next(),
            Key::Reverse => self.order = self.order.reversed(),
            Key::Lines(lines) => self.scrolled = scroll(lines),
            Key::Pages(pages) => self.scrolled = scroll(pages.saturating_mul(page.try_into().unwrap_or(1))),
            Key::Start => self.scrolled = 0,
        }
    }

    /// Draws the screen. Returns how many shards it shows.
    fn draw(&self) -> io::Result<usize> {
        let (rows, columns) = console::Term::stdout().size();
        let (rows, width) = (usize::from(rows), usize::from(columns));
        let table = Table { state: &self.state, order: self.order, width, coloured: report::has_colours() };
        let mut lines: Vec<_> = table.lines().collect();
        if let Some(error) = &self.error {
            lines[1] = console::truncate_str(&report::escaped(&error.to_string()), width, "…").into_owned();
        }
        let room = rows.saturating_sub(FIRST_LINES + 1);
        let shards = lines.split_off(FIRST_LINES);
        let scrolled = self.scrolled.min(shards.len().saturating_sub(room));
        lines.extend(shards.into_iter().skip(scrolled).take(room));
        lines.resize(rows.saturating_sub(1), String::new());
        lines.push(console::truncate_str("q quit  s sort  r reverse  ↑↓ scroll", width, "").into_owned());
        // Each line is drawn over the old one, so that nothing flickers.
        let drawn: Vec<_> = lines.iter().take(rows).map(|line| format!("{line}\x1b[K")).collect();
        print(&format!("\x1b[H{}\x1b[J", drawn.join("\r\n")))?;
        Ok(room)
    }
}

/// Shows the run until a key or a signal ends it. Returns the exit code.
pub(super) fn show(ask: impl Fn() -> Result<State, TopError>, every: Duration) -> Result<u8, TopError> {
    // A run that is not there is an error before the screen is cleared.
    let mut view = View { state: ask()?, error: None, order: Order::default(), scrolled: 0 };
    let mut signals = Signals::catch(Hangup::Asks).map_err(ScreenError::Signals)?;
    let _screen = Screen::open()?;
    let mut asked = Instant::now();
    loop {
        let room = view.draw().map_err(ScreenError::Terminal)?;
        wait(every.saturating_sub(asked.elapsed()), &signals).map_err(ScreenError::Terminal)?;
        if signals.take().map_err(ScreenError::Signals)?.is_some() {
            return Ok(if signals.interrupted() { INTERRUPTED } else { TERMINATED });
        }
        for key in pressed().map_err(ScreenError::Terminal)? {
            match key {
                Key::Quit => return Ok(0),
                Key::Interrupt => return Ok(INTERRUPTED),
                key => view.press(key, room),
            }
        }
        if asked.elapsed() >= every {
            asked = Instant::now();
            match ask() {
                Ok(state) => (view.state, view.error) = (state, None),
                Err(error) => view.error = Some(error),
            }
        }
    }
}

/// Waits for a key or a signal.
fn wait(time: Duration, signals: &Signals) -> io::Result<()> {
    let stdin = io::stdin();
    let fds = signals.fds().into_iter().chain([stdin.as_fd()]);
    let mut fds: Vec<_> = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
    let limit = Timespec::try_from(time).map_err(io::Error::other)?;
    match poll(&mut fds, Some(&limit)) {
        // A change of the terminal's size interrupts the wait, too.
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The keys that were pressed. The end of the input quits.
fn pressed() -> io::Result<Vec<Key>> {
    let stdin = io::stdin();
    let mut ready = [PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN)];
    if !matches!(poll(&mut ready, Some(&Timespec::default())), Ok(1..)) {
        return Ok(Vec::new());
    }
    let mut buffer = [0; 256];
    match stdin.lock().read(&mut buffer) {
        Ok(0) => Ok(vec![Key::Quit]),
        Ok(read) => Ok(keys(&buffer[..read])),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_recognized() {
        assert_eq!(
            keys(b"sr\x1b[A\x1b[B\x1b[6~xq"),
            [Key::Sort, Key::Reverse, Key::Lines(-1), Key::Lines(1), Key::Pages(1), Key::Quit]
        );
        assert_eq!(keys(b"\x1b[1;5q"), []);
        assert_eq!(keys(b"\x1a"), [], "Ctrl-Z must not stop the tool here");
        assert_eq!(keys(b"\x1b[1;5q\x03"), [Key::Interrupt]);
    }

    #[test]
    fn scrolling_stays_within_the_shards() {
        let state = State { shards: vec![Default::default(); 5], ..State::default() };
        let mut view = View { state, error: None, order: Order::default(), scrolled: 0 };
        for (key, scrolled) in [(Key::Lines(-1), 0), (Key::Lines(1), 1), (Key::Pages(1), 4), (Key::Pages(-1), 0)] {
            view.press(key, 10);
            assert_eq!(view.scrolled, scrolled);
        }
    }
}
