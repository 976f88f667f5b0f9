//! What people read: all of it goes to stderr, in whole lines.

use std::collections::VecDeque;
use std::fmt::Display;
use std::io::{self, IsTerminal, Read, Write};
use std::sync::{PoisonError, RwLock};

use indicatif::ProgressBar;

/// The longest line that is kept in one piece.
const LONGEST_LINE: usize = 64 << 10;
/// As much of a line of foreign text as a message shows.
const EXCERPT: usize = 160;

/// Writes the tool's own line. If nobody reads stderr there is nobody to tell.
pub(crate) fn line(text: impl Display) {
    raw(&format!("cargo kcl: {text}\n"));
}

/// Writes text as it is, in one piece.
pub(crate) fn raw(text: &str) {
    write(text.as_bytes());
}

/// What stands at the bottom of the terminal, if anything does: lines are written above it.
static BOTTOM: RwLock<Option<ProgressBar>> = RwLock::new(None);

/// From now on, lines are written above this.
pub(crate) fn write_above(bottom: &ProgressBar) {
    *BOTTOM.write().unwrap_or_else(PoisonError::into_inner) = Some(bottom.clone());
}

/// Takes away what [`write_above`] put there.
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
pub(crate) fn json(value: &impl serde::Serialize) {
    let written = serde_json::to_string(value).map_err(io::Error::from);
    if let Err(error) = written.and_then(|text| writeln!(io::stdout(), "{text}")) {
        line(format_args!("the summary cannot be written to stdout: {error}"));
    }
}

/// As many lines of a processor are remembered, and as much of each.
const LAST_LINES: usize = 5;

/// Copies to stderr until the end, line by line, each behind the prefix; lines of different writers are never mixed. `hear` gets
/// them too, as they are.
pub(crate) fn pump(from: impl Read, prefix: &str, hear: impl FnMut(&[u8])) {
    pump_to(from, prefix, hear, write);
}

/// The colour of the prefix of a shard, if stderr is a terminal and nobody asked for none.
pub(crate) fn coloured(prefix: &str, number: u32) -> String {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if wanted && io::stderr().is_terminal() && !console::is_dumb() {
        format!("\x1b[{}m{prefix}\x1b[0m", 31 + number % 6)
    } else {
        prefix.to_owned()
    }
}

/// The last lines of some text.
#[derive(Debug, Default)]
pub(crate) struct LastLines(VecDeque<String>);

impl LastLines {
    /// Whole lines follow.
    pub(crate) fn add(&mut self, lines: &[u8]) {
        let mut last: Vec<_> = lines.trim_ascii_end().rsplit(|&byte| byte == b'\n').take(LAST_LINES).collect();
        last.reverse();
        for line in last.into_iter().filter(|line| !line.is_empty()) {
            if self.0.len() == LAST_LINES {
                self.0.pop_front();
            }
            self.0.push_back(excerpt(line));
        }
    }

    /// All that are remembered, in order.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.iter().cloned().collect()
    }
}

fn pump_to(mut from: impl Read, prefix: &str, mut hear: impl FnMut(&[u8]), mut write: impl FnMut(&[u8])) {
    let mut buffer = vec![0; LONGEST_LINE];
    let mut held = 0;
    let mut lines = Vec::new();
    loop {
        let read = match from.read(&mut buffer[held..]) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        held += read;
        let complete = match memchr::memrchr(b'\n', &buffer[..held]) {
            Some(end) => end + 1,
            None if held == buffer.len() => held,
            None => continue,
        };
        prefixed(&buffer[..complete], prefix, &mut lines);
        hear(&buffer[..complete]);
        write(&lines);
        buffer.copy_within(complete..held, 0);
        held -= complete;
    }
    if held > 0 {
        prefixed(&buffer[..held], prefix, &mut lines);
        hear(&buffer[..held]);
        write(&lines);
    }
}

/// Each line of `text` behind the prefix and with its end.
fn prefixed(text: &[u8], prefix: &str, to: &mut Vec<u8>) {
    to.clear();
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        to.extend_from_slice(prefix.as_bytes());
        to.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
        to.push(b'\n');
    }
}

/// The start of some foreign text, printable on one line.
pub(crate) fn excerpt(text: &[u8]) -> String {
    let shown = &text[..text.len().min(EXCERPT)];
    let mut excerpt = String::from_utf8_lossy(shown).replace(|char: char| char.is_control(), "\u{fffd}");
    if shown.len() < text.len() {
        excerpt.push('…');
    }
    excerpt
}

/// Text as one word of a shell's command.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "-_./=:,@%+".contains(char);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A number of bytes as people read it.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if count < 1_000 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1e3;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1e3;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// `1 record`, `2 records`.
pub(crate) fn count(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pumped(text: &[u8]) -> Vec<u8> {
        let mut lines = Vec::new();
        pump_to(text, "[1] ", |_| {}, |written| lines.extend_from_slice(written));
        lines
    }

    #[test]
    fn every_line_gets_the_prefix_and_an_end() {
        assert_eq!(pumped(b"one\n\ntw\xff\nend"), b"[1] one\n[1] \n[1] tw\xff\n[1] end\n");
        assert_eq!(pumped(b""), b"");
    }

    #[test]
    fn the_last_lines_are_remembered() {
        let mut last = LastLines::default();
        last.add(b"1\n2\n3\n");
        last.add(b"4\n\n5\n6\x07");
        assert_eq!(last.lines(), ["2", "3", "4", "5", "6\u{fffd}"]);
    }

    #[test]
    fn a_line_of_any_length_comes_through() {
        let long = vec![b'x'; 3 * LONGEST_LINE + 5];
        let lines = pumped(&long);
        assert_eq!(lines.iter().filter(|&&byte| byte == b'x').count(), long.len());
        assert!(lines.ends_with(b"x\n"));
    }

    #[test]
    fn what_is_quoted_can_be_pasted() {
        for (text, pasted) in [
            ("a/b.c", "a/b.c"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("$x", "'$x'"),
            ("--stream", "--stream"),
            ("é*", "'é*'"),
        ] {
            assert_eq!(quoted(text), pasted);
        }
    }

    #[test]
    fn people_read_round_numbers() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_000), "1.0 kB");
        assert_eq!(bytes(999_999), "1.0 MB");
        assert_eq!(bytes(1_234_567_890), "1.2 GB");
        assert_eq!([count(1, "record"), count(0, "record")], ["1 record", "0 records"]);
    }

    #[test]
    fn an_excerpt_fits_a_line() {
        assert_eq!(excerpt(b"a\n\x1b[31m\xff"), "a\u{fffd}\u{fffd}[31m\u{fffd}");
        assert_eq!(excerpt(&[b'x'; 161]), format!("{}…", "x".repeat(160)));
    }
}
