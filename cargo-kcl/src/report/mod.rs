//! Output for people: all of it goes to stderr, in whole lines.
//!
//! The output of processors is passed on ([`pump`]), and values are put into words ([`words`]).

mod pump;
mod status;
mod words;

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{PoisonError, RwLock};

use indicatif::ProgressBar;

use crate::exit::FAILED;

pub(crate) use self::pump::{LastLines, pump};
pub(crate) use self::status::StatusLine;
pub(crate) use self::words::{bytes, count, duration, elapsed, excerpt, quoted, records_put, shortened};

/// Writes a line of the tool's own. Errors are ignored: if stderr is closed, nobody can be informed.
pub(crate) fn line(text: impl Display) {
    raw(&format!("cargo kcl: {text}\n"));
}

/// Writes text unchanged, in one piece.
pub(crate) fn raw(text: &str) {
    write(text.as_bytes());
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

/// Writes whole lines in one piece.
fn write(lines: &[u8]) {
    let write = || _ = io::stderr().write_all(lines);
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
    let text = serde_json::to_string(value).map_err(io::Error::from)?;
    let mut stdout = io::stdout();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

/// Writes the summary of a run as a line of JSON to stdout, and returns the exit code of the run, which is 1 if it would be 0 and the
/// summary cannot be written.
pub(crate) fn summary(value: &impl serde::Serialize, code: u8) -> u8 {
    let Err(error) = json(value) else { return code };
    line(format_args!("the summary cannot be written to stdout: {error}"));
    if code == 0 { FAILED } else { code }
}

/// Whether stderr shows colours: it is a terminal that has them, and NO_COLOR is not set.
pub(crate) fn has_colours() -> bool {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    wanted && io::stderr().is_terminal() && !console::is_dumb()
}

/// Colours the prefix of a shard, if stderr shows colours.
pub(crate) fn coloured(prefix: &str, number: u32) -> String {
    if has_colours() { format!("\x1b[{}m{prefix}\x1b[0m", 31 + number % 6) } else { prefix.to_owned() }
}
