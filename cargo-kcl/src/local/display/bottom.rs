//! The terminal that lines are drawn at the bottom of.
//!
//! Each line is filled up with blanks to the right end, the last one too. But when somebody types Ctrl-C the terminal itself writes
//! `^C` at the cursor: behind a full line that would begin another, which nobody knows of and nobody takes away. So the last line
//! is left as it is.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use console::Term;
use indicatif::TermLike;

/// As many columns as `^C` takes, so that they are free behind the last line.
pub(crate) const ECHO: usize = 2;

#[derive(Debug)]
pub(crate) struct Bottom {
    term: Term,
    /// How many blanks are still to be written.
    blanks: AtomicUsize,
}

impl Bottom {
    pub(crate) fn new() -> Self {
        Self { term: Term::buffered_stderr(), blanks: AtomicUsize::new(0) }
    }

    /// What comes behind them comes where they end.
    fn behind_blanks(&self) -> io::Result<&Term> {
        let blanks = self.blanks.swap(0, Ordering::Relaxed);
        self.term.write_str(&" ".repeat(blanks))?;
        Ok(&self.term)
    }
}

impl TermLike for Bottom {
    fn width(&self) -> u16 {
        TermLike::width(&self.term)
    }

    fn height(&self) -> u16 {
        TermLike::height(&self.term)
    }

    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        self.behind_blanks()?.move_cursor_up(lines)
    }

    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        self.behind_blanks()?.move_cursor_down(lines)
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.behind_blanks()?.move_cursor_right(columns)
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.behind_blanks()?.move_cursor_left(columns)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.behind_blanks()?.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        if text.bytes().all(|byte| byte == b' ') {
            self.blanks.fetch_add(text.len(), Ordering::Relaxed);
            return Ok(());
        }
        self.behind_blanks()?.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.behind_blanks()?.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.blanks.store(0, Ordering::Relaxed);
        self.term.flush()
    }
}
