//! Values in words.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use kcl::__private::{LONGEST_TEXT, middle_cut};

use super::escape::is_control;

/// The number of bytes of foreign text that a message shows.
const EXCERPT: usize = 160;

/// The text, or its start and its end if it is longer than the text of an error may be. Such a text may quote whole payloads.
pub(crate) fn bounded(text: &str) -> Cow<'_, str> {
    middle_cut(text, LONGEST_TEXT)
}

/// The start of foreign text, printable on one line.
pub(crate) fn excerpt(text: impl AsRef<[u8]>) -> String {
    shortened(text, EXCERPT)
}

/// The start of foreign text, up to this many bytes, printable on one line. Text of any script is kept. Characters that would break a
/// line or a terminal are escaped, and so are bytes that are not UTF-8.
pub(crate) fn shortened(text: impl AsRef<[u8]>, most: usize) -> String {
    let text = text.as_ref();
    let is_continuation = |at: &usize| text.get(*at).is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000);
    // A character has at most four bytes, so an end that is not between characters is moved by at most three.
    let end = (most.saturating_sub(3)..=most).rev().find(|at| !is_continuation(at)).unwrap_or(most);
    let (shown, rest) = text.split_at(if text.len() > most { end } else { text.len() });
    let mut excerpt = String::with_capacity(shown.len());
    for chunk in shown.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '"' | '\'' => excerpt.push(char),
                _ => excerpt.extend(char.escape_debug()),
            }
        }
        for byte in chunk.invalid() {
            _ = write!(excerpt, "\\x{byte:02x}");
        }
    }
    if !rest.is_empty() {
        _ = write!(excerpt, "… ({} more {})", rest.len(), noun(rest.len() as u64, "byte"));
    }
    excerpt
}

/// The start and the end of a line, printable, for a summary. Sequence numbers are shortened in the middle, as in `495903…00000002`.
pub(crate) fn summary_of(line: &[u8]) -> String {
    const MOST: usize = 240;
    const END: usize = 80;
    let line = with_short_numbers(line);
    if line.len() <= MOST {
        return shortened(&line, MOST);
    }
    let is_start = |at: &usize| line.get(*at).is_none_or(|byte| byte & 0b1100_0000 != 0b1000_0000);
    let end = (line.len() - END..).find(is_start).unwrap_or(line.len());
    format!("{} … {}", shortened(&line[..end], MOST - END), shortened(&line[end..], END))
}

/// The text with each number of more than 30 digits reduced to its first six and last eight.
fn with_short_numbers(text: &[u8]) -> Vec<u8> {
    let parts = text.chunk_by(|one, other| one.is_ascii_digit() == other.is_ascii_digit());
    parts.fold(Vec::with_capacity(text.len()), |mut short, part| {
        if part.len() > 30 && part[0].is_ascii_digit() {
            short.extend([&part[..6], "…".as_bytes(), &part[part.len() - 8..]].concat());
        } else {
            short.extend_from_slice(part);
        }
        short
    })
}

/// Quotes the text as one word of a shell command.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "-_./=:,@%+".contains(char);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    if text.contains(is_control) {
        // Escapes in this form survive on a terminal, and the shell turns them back into the bytes.
        let mut quoted = "$'".to_owned();
        for char in text.chars() {
            match char {
                '\'' | '\\' => quoted.extend(['\\', char]),
                char if is_control(char) => {
                    char.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| _ = write!(quoted, "\\{byte:03o}"));
                }
                char => quoted.push(char),
            }
        }
        return quoted + "'";
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

/// Formats how much was put on a stream in this time, as in `5 records (60 B) put in 0.1 s: 50 records/s, 600 B/s`.
pub(crate) fn records_put(records: u64, size: u64, time: Duration) -> String {
    let seconds = time.as_secs_f64().max(1e-3);
    let rate = |count: u64| (count as f64 / seconds).round() as u64;
    format!(
        "{} ({}) put in {}: {}/s, {}/s",
        count(records, "record"),
        bytes(size),
        elapsed(time),
        count(rate(records), "record"),
        bytes(rate(size)),
    )
}

/// Formats a count with its noun, as in `1 record`, `2 records` and `3 batches`.
pub(crate) fn count(count: u64, what: &str) -> String {
    format!("{count} {}", noun(count, what))
}

/// The noun for a count: as it is for one, and else in the plural.
pub(crate) fn noun(count: u64, what: &str) -> String {
    match what.strip_suffix('y') {
        _ if count == 1 => what.to_owned(),
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ if ["s", "x", "ch", "sh"].iter().any(|end| what.ends_with(end)) => format!("{what}es"),
        _ => format!("{what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("a\n'\u{202e}\\", r"$'a\012\'\342\200\256\\'"),
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
    fn nouns_agree_with_their_count() {
        for (what, several) in [
            ("record", "records"),
            ("batch", "batches"),
            ("process", "processes"),
            ("delivery", "deliveries"),
            ("key", "keys"),
        ] {
            assert_eq!([noun(0, what), noun(1, what), noun(2, what)], [several, what, several]);
        }
        assert_eq!([count(1, "batch"), count(2, "batch")], ["1 batch", "2 batches"]);
    }

    #[test]
    fn an_excerpt_fits_a_line() {
        assert_eq!(excerpt("{\"a\": 'é'}\n\u{1b}[31m\u{202e}"), "{\"a\": 'é'}\\n\\u{1b}[31m\\u{202e}");
        assert_eq!(excerpt(b"a\xff\0"), "a\\xff\\0");
        assert_eq!(excerpt([b'x'; 160]), "x".repeat(160));
        assert_eq!(excerpt([b'x'; 161]), format!("{}… (1 more byte)", "x".repeat(160)));
    }

    #[test]
    fn a_summary_keeps_both_ends_of_a_line() {
        let number = "49590338271490256608559692538361571095921575989136588898";
        let line = format!("failed: it broke; at record {number}/0 of x7");
        assert_eq!(summary_of(line.as_bytes()), "failed: it broke; at record 495903…36588898/0 of x7");
        let line = format!("cause {} end", "é".repeat(200));
        let summary = summary_of(line.as_bytes());
        assert!(summary.starts_with("cause é") && summary.ends_with("é end"), "{summary}");
        assert!(summary.contains("é… (170 more bytes) … é"), "{summary}");
    }

    #[test]
    fn an_excerpt_ends_between_characters() {
        for (text, shown) in [("ééé", "é… (4 more bytes)"), ("x😀y", "x… (5 more bytes)"), ("x", "x"), ("xyz", "xyz")]
        {
            assert_eq!(shortened(text, 3), shown);
        }
        assert_eq!(shortened([0xbf; 5], 4), r"\xbf\xbf\xbf\xbf… (1 more byte)");
    }
}
