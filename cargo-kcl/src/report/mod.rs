//! Output for people: all of it goes to stderr, in whole lines.
//!
//! Text from outside is made harmless here, where it is printed ([`escape`]), so that no message can forget it. The tool's own
//! messages are made of lines ([`message`]), and the lines of other programs are passed on ([`pump`]). Both are text, or JSON
//! ([`log`]). Values are put into words ([`words`]).

mod escape;
mod log;
mod message;
mod pump;
mod status;
mod words;

use std::fmt::Display;
use std::io::{self, IsTerminal as _};
use std::sync::{PoisonError, RwLock};

use indicatif::ProgressBar;

use crate::exit::FAILED;
use crate::waiting;

#[cfg(feature = "aws")]
pub(crate) use self::escape::to_json;
pub(crate) use self::escape::{escaped, escaped_lines, is_control};
pub(crate) use self::log::{Level, LogFormat, Source, format, use_format, use_stream};
pub(crate) use self::message::{Message, Prefix};
pub(crate) use self::pump::{LastLines, Speaker, pass_on, pump};
pub(crate) use self::status::StatusLine;
pub(crate) use self::words::{bounded, bytes, count, duration, elapsed, excerpt, noun, quoted, records_put, shortened};

/// Writes a line of the tool's own.
pub(crate) fn line(text: impl Display) {
    Message::new(Level::Info, text).print();
}

/// Writes a line about something that may not be as intended.
pub(crate) fn warning(text: impl Display) {
    Message::new(Level::Warn, text).print();
}

/// Writes a line about something that failed.
pub(crate) fn error(text: impl Display) {
    Message::new(Level::Error, text).print();
}

/// Writes a line of a result, without the tool's name.
pub(crate) fn result(text: impl Display) {
    Message::result(Level::Info, text).print();
}

/// Writes lines to stdout, each of which stays one line. A reader that has left, such as `head`, has read what it wanted.
///
/// # Errors
///
/// If they cannot be written.
#[cfg(feature = "aws")]
pub(crate) fn data(lines: impl IntoIterator<Item = impl Display>) -> io::Result<()> {
    let lines = lines.into_iter().map(|line| format!("{}\n", escaped(&line.to_string())));
    match waiting::write_all(&mut io::stdout().lock(), lines.collect::<String>().as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// The progress display at the bottom of the terminal, if there is one. Lines are written above it.
static BOTTOM: RwLock<Option<ProgressBar>> = RwLock::new(None);

/// Writes lines above this display from now on.
pub(crate) fn write_above(bottom: &ProgressBar) {
    *BOTTOM.write().unwrap_or_else(PoisonError::into_inner) = Some(bottom.clone());
}

/// Removes the display that [`write_above`] set.
pub(crate) fn clear_bottom() {
    if let Some(bottom) = BOTTOM.write().unwrap_or_else(PoisonError::into_inner).take() {
        bottom.finish_and_clear();
    }
}

/// Whether stderr is a terminal whose lines can be drawn again.
pub(crate) fn redraws() -> bool {
    io::stderr().is_terminal() && !console::is_dumb() && format() != LogFormat::Json
}

/// Writes whole lines in one piece. Errors are ignored: if stderr is closed, nobody can be informed.
fn write(lines: &[u8]) {
    let write = || _ = waiting::write_all(&mut io::stderr().lock(), lines);
    match &*BOTTOM.read().unwrap_or_else(PoisonError::into_inner) {
        Some(bottom) => bottom.suspend(write),
        None => write(),
    }
}

/// Writes a line of JSON to stdout, which is for scripts.
///
/// # Errors
///
/// If it cannot be written. The script has no result then, so the exit code must not say that all is well.
pub(crate) fn json(value: &impl serde::Serialize) -> io::Result<()> {
    let mut text = escape::to_json(value);
    text.push(b'\n');
    waiting::write_all(&mut io::stdout().lock(), &text)
}

/// Writes the summary of a run as a line of JSON to stdout, and returns the exit code of the run, which is 1 if it would be 0 and the
/// summary cannot be written.
pub(crate) fn summary(value: &impl serde::Serialize, code: u8) -> u8 {
    let Err(cause) = json(value) else { return code };
    error(format_args!("the summary cannot be written to stdout: {cause}"));
    if code == 0 { FAILED } else { code }
}

/// Whether stderr shows colours: it is a terminal that has them, and NO_COLOR is not set.
pub(crate) fn has_colours() -> bool {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    wanted && io::stderr().is_terminal() && !console::is_dumb()
}
