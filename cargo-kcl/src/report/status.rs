//! A line that shows how far something is.

use std::time::{Duration, Instant};

/// How often the line changes on a terminal.
const TERMINAL: Duration = Duration::from_millis(200);
/// How often another line is written elsewhere.
const ELSEWHERE: Duration = Duration::from_secs(5);

/// Shows how far something is: on a terminal in a line that is overwritten, elsewhere in a new line every few seconds.
#[derive(Debug)]
pub(crate) struct StatusLine {
    quiet: bool,
    terminal: bool,
    shown: Instant,
    /// Whether the terminal shows a line to overwrite.
    shows_line: bool,
}

impl StatusLine {
    /// A line that is never shown if `quiet`.
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet, terminal: super::redraws(), shown: Instant::now(), shows_line: false }
    }

    /// Shows the text if it is time to.
    pub(crate) fn show(&mut self, text: impl FnOnce() -> String) {
        let every = if self.terminal { TERMINAL } else { ELSEWHERE };
        if self.quiet || self.shown.elapsed() < every {
            return;
        }
        self.shown = Instant::now();
        if self.terminal {
            super::write(format!("\r\x1b[K  {}", super::escaped(&text())).as_bytes());
            self.shows_line = true;
        } else {
            super::line(text());
        }
    }

    /// Clears the line, so that other lines can be printed.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.shows_line) {
            super::write(b"\r\x1b[K");
        }
    }
}
