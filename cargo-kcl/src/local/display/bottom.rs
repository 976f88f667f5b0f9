//! The terminal, with progress lines drawn at its bottom.
//!
//! indicatif pads each line with blanks to the right edge, including the last one. But when the user types Ctrl-C, the terminal
//! itself writes `^C` at the cursor. After a full line, that would start a new line that no code knows about and removes. So this
//! type holds the padding of the last line back.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use console::Term;
use indicatif::TermLike;

/// The width of `^C` in columns, to leave free after the last line.
pub(crate) const ECHO: usize = 2;

#[derive(Debug)]
pub(crate) struct Bottom {
    term: Term,
    /// The number of blanks that are held back.
    blanks: AtomicUsize,
}

impl Bottom {
    pub(crate) fn new() -> Self {
        Self { term: Term::buffered_stderr(), blanks: AtomicUsize::new(0) }
    }

    /// Writes the blanks held back, so that further output starts where they end.
    fn after_blanks(&self) -> io::Result<&Term> {
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
        self.after_blanks()?.move_cursor_up(lines)
    }

    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        self.after_blanks()?.move_cursor_down(lines)
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.after_blanks()?.move_cursor_right(columns)
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.after_blanks()?.move_cursor_left(columns)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.after_blanks()?.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        if text.bytes().all(|byte| byte == b' ') {
            self.blanks.fetch_add(text.len(), Ordering::Relaxed);
            return Ok(());
        }
        self.after_blanks()?.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.after_blanks()?.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.blanks.store(0, Ordering::Relaxed);
        self.term.flush()
    }
}
