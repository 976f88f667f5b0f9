//! Output for people: all of it goes to stderr, in whole lines.

use std::collections::VecDeque;
use std::fmt::Display;
use std::io::{self, IsTerminal, Read, Write};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use indicatif::ProgressBar;

/// The longest line that is kept in one piece.
const LONGEST_LINE: usize = 64 << 10;
/// The number of bytes of foreign text that a message shows.
const EXCERPT: usize = 160;

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
pub(crate) fn json(value: &impl serde::Serialize) {
    let written = serde_json::to_string(value).map_err(io::Error::from);
    if let Err(error) = written.and_then(|text| writeln!(io::stdout(), "{text}")) {
        line(format_args!("the summary cannot be written to stdout: {error}"));
    }
}

/// The number of a processor's last lines that are kept.
const LAST_LINES: usize = 5;

/// Copies to stderr until the end, line by line, each with the prefix. Lines of different writers are never mixed. `observe` also
/// gets the lines, unchanged.
pub(crate) fn pump(from: impl Read, prefix: &str, observe: impl FnMut(&[u8])) {
    pump_to(from, prefix, observe, write);
}

/// Colours the prefix of a shard, if stderr is a terminal and NO_COLOR is not set.
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
    /// Adds whole lines.
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

    /// The kept lines, in order.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.iter().cloned().collect()
    }
}

fn pump_to(mut from: impl Read, prefix: &str, mut observe: impl FnMut(&[u8]), mut write: impl FnMut(&[u8])) {
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
        observe(&buffer[..complete]);
        write(&lines);
        buffer.copy_within(complete..held, 0);
        held -= complete;
    }
    if held > 0 {
        prefixed(&buffer[..held], prefix, &mut lines);
        observe(&buffer[..held]);
        write(&lines);
    }
}

/// Writes each line of `text` to `to`, with the prefix and a line feed.
fn prefixed(text: &[u8], prefix: &str, to: &mut Vec<u8>) {
    to.clear();
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        to.extend_from_slice(prefix.as_bytes());
        to.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
        to.push(b'\n');
    }
}

/// The start of foreign text, printable on one line.
pub(crate) fn excerpt(text: &[u8]) -> String {
    let shown = &text[..text.len().min(EXCERPT)];
    let mut excerpt = String::from_utf8_lossy(shown).replace(|char: char| char.is_control(), "\u{fffd}");
    if shown.len() < text.len() {
        excerpt.push('…');
    }
    excerpt
}

/// Quotes the text as one word of a shell command.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "-_./=:,@%+".contains(char);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Formats a number of bytes for people.
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

/// Formats a duration for people, to the millisecond, as in `500 ms`, `1.5 s` or `1 d 12 h`.
pub(crate) fn duration(time: Duration) -> String {
    const UNITS: [(&str, u64); 3] = [("d", 86_400), ("h", 3_600), ("min", 60)];
    if (1..1_000).contains(&time.as_millis()) {
        return format!("{} ms", time.as_millis());
    }
    let mut seconds = time.as_secs();
    let mut parts = Vec::new();
    for (unit, length) in UNITS {
        if seconds >= length {
            parts.push(format!("{} {unit}", seconds / length));
            seconds %= length;
        }
    }
    let millis = time.subsec_millis();
    if millis > 0 {
        parts.push(format!("{} s", format!("{seconds}.{millis:03}").trim_end_matches('0')));
    } else if seconds > 0 || parts.is_empty() {
        parts.push(format!("{seconds} s"));
    }
    parts.join(" ")
}

/// Formats a measured duration for people: in tenths of a second, and from a minute in seconds.
pub(crate) fn elapsed(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds < 59.95 => format!("{seconds:.1} s"),
        seconds => duration(Duration::from_secs(seconds.round() as u64)),
    }
}

/// Formats a count with its noun, as in `1 record` and `2 records`.
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
    fn quoted_text_can_be_pasted() {
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
    fn numbers_for_people_are_round() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_000), "1.0 kB");
        assert_eq!(bytes(999_999), "1.0 MB");
        assert_eq!(bytes(1_234_567_890), "1.2 GB");
        assert_eq!([count(1, "record"), count(0, "record")], ["1 record", "0 records"]);
    }

    #[test]
    fn durations_have_units() {
        for (millis, exact, rounded) in [
            (0, "0 s", "0.0 s"),
            (50, "50 ms", "0.1 s"),
            (1_000, "1 s", "1.0 s"),
            (1_500, "1.5 s", "1.5 s"),
            (59_949, "59.949 s", "59.9 s"),
            (59_950, "59.95 s", "1 min"),
            (90_000, "1 min 30 s", "1 min 30 s"),
            (60_005, "1 min 0.005 s", "1 min"),
            (3_600_000, "1 h", "1 h"),
            (129_600_000, "1 d 12 h", "1 d 12 h"),
        ] {
            let time = Duration::from_millis(millis);
            assert_eq!((duration(time).as_str(), elapsed(time).as_str()), (exact, rounded));
        }
    }

    #[test]
    fn an_excerpt_fits_a_line() {
        assert_eq!(excerpt(b"a\n\x1b[31m\xff"), "a\u{fffd}\u{fffd}[31m\u{fffd}");
        assert_eq!(excerpt(&[b'x'; 161]), format!("{}…", "x".repeat(160)));
    }
}
