//! Characters that control a terminal or the direction of text: how they are escaped, or removed.
//!
//! No message of the tool contains them by itself. Whatever contains them comes from outside.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;

pub(crate) use kcl::__private::is_harmful as is_control;
use serde::Serialize;
use serde_json::ser::Formatter;

/// The distance in columns between two tab stops.
const TAB: usize = 8;

/// The text on one line, with each control character as an escape such as `\n` or `\u{1b}`.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    escaped_if(text, is_control)
}

/// The text with its lines and tabs, and with each other control character as an escape.
pub(crate) fn escaped_lines(text: &str) -> Cow<'_, str> {
    escaped_if(text, |char| is_control(char) && !matches!(char, '\n' | '\t'))
}

fn escaped_if(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        match char {
            char if is_escaped(char) => escaped.extend(char.escape_default()),
            char => escaped.push(char),
        }
    }
    Cow::Owned(escaped)
}

/// A line that a program printed, without control characters. Colours remain if `coloured`, and end with the line. A tab becomes
/// blanks.
pub(super) fn plain(line: &[u8], coloured: bool) -> String {
    let text = String::from_utf8_lossy(line);
    let mut plain = String::with_capacity(text.len());
    let mut column = 0;
    let mut has_colours = false;
    let mut rest = &*text;
    while let Some(char) = rest.chars().next() {
        let (taken, after) = rest.split_at(sequence(rest).unwrap_or(char.len_utf8()));
        rest = after;
        if taken.len() > 1 && char == '\x1b' {
            if coloured && taken.ends_with('m') {
                has_colours = true;
                plain.push_str(taken);
            }
        } else if char == '\t' {
            let blanks = TAB - column % TAB;
            plain.extend(std::iter::repeat_n(' ', blanks));
            column += blanks;
        } else if !is_control(char) {
            plain.push(char);
            column += 1;
        }
    }
    if has_colours {
        plain.push_str("\x1b[0m");
    }
    plain
}

/// The length of the control sequence at the start of the text, if there is one: `ESC [`, parameters, and a final letter.
fn sequence(text: &str) -> Option<usize> {
    let rest = text.strip_prefix("\x1b[")?;
    let parameters = rest.bytes().take_while(|byte| matches!(byte, 0x20..=0x3f)).count();
    rest.as_bytes().get(parameters).filter(|byte| matches!(byte, 0x40..=0x7e)).map(|_| "\x1b[".len() + parameters + 1)
}

/// The value as JSON on one line without its line feed, in which every control character is an escape. JSON must be able to represent
/// the value.
pub(crate) fn to_json(value: &impl Serialize) -> Vec<u8> {
    let mut json = Vec::new();
    // Writing to a buffer does not fail.
    _ = value.serialize(&mut serde_json::Serializer::with_formatter(&mut json, Escaping));
    json
}

/// The number of bytes of the character in a string of [`to_json`].
pub(super) fn json_length(char: char) -> usize {
    match char {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        char if is_control(char) => 6,
        char => char.len_utf8(),
    }
}

/// Escapes the control characters that serde leaves as they are.
struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        writer.write_all(json_escaped(fragment).as_bytes())
    }

    /// Writes JSON that was valid before. A control character below U+0020 is white space between two tokens.
    fn write_raw_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let one_line = fragment.replace(|char| char < ' ', " ");
        writer.write_all(json_escaped(&one_line).as_bytes())
    }
}

fn json_escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(is_control) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        match char {
            char if is_control(char) => _ = write!(escaped, "\\u{:04x}", u32::from(char)),
            char => escaped.push(char),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_tabs_are_kept() {
        for (text, expected) in [
            ("a\n\tat b\n", "a\n\tat b\n"),
            ("\u{1b}[31mred\n\tat \u{202e}b", "\\u{1b}[31mred\n\tat \\u{202e}b"),
            ("\r", "\\r"),
            ("", ""),
        ] {
            assert_eq!(escaped_lines(text), expected);
        }
    }

    #[test]
    fn a_message_stays_on_its_line() {
        for (text, shown) in [
            ("a\nb\r\tc", r"a\nb\r\tc"),
            ("\x1b[31m\x07\x7f\u{9b}2J", r"\u{1b}[31m\u{7}\u{7f}\u{9b}2J"),
            ("\u{202e}x\u{2069}\u{200f}\u{2028}\u{feff}", r"\u{202e}x\u{2069}\u{200f}\u{2028}\u{feff}"),
            ("é 🦀 \u{5d0} e\u{301} \\n 'x'", "é 🦀 \u{5d0} e\u{301} \\n 'x'"),
        ] {
            assert_eq!(escaped(text), shown);
        }
    }

    #[test]
    fn a_line_of_a_program_keeps_its_colours_only() {
        for (line, coloured, bare) in [
            ("\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m\x1b[0m", "red"),
            ("10 %\r20 %\x1b[K", "10 %20 %", "10 %20 %"),
            ("\x1b[2J\x1b[1;1Hx\x1b]0;title\x07", "x]0;title", "x]0;title"),
            ("a\tb\x08\x7f\u{85}\u{202e}c", "a       bc", "a       bc"),
            ("\x1b", "", ""),
            ("\x1b[31", "[31", "[31"),
            ("\x1b[3é", "[3é", "[3é"),
        ] {
            assert_eq!([plain(line.as_bytes(), true), plain(line.as_bytes(), false)], [coloured, bare]);
        }
        assert_eq!(plain(b"\x9b2J\xff", true), "\u{fffd}2J\u{fffd}");
    }

    #[test]
    fn json_means_the_same_when_escaped() {
        let text: String = ('\0'..='\u{2100}').collect();
        let json = to_json(&text);
        let written = String::from_utf8(json).expect("UTF-8");
        assert!(!written.contains(is_control), "{written}");
        assert_eq!(written.len(), text.chars().map(json_length).sum::<usize>() + 2);
        assert_eq!(serde_json::from_str::<String>(&written).expect("valid"), text);

        let raw = "{\t\"a\u{202e}\" :\r\"\u{85}\" }";
        let raw: &serde_json::value::RawValue = serde_json::from_str(raw).expect("valid");
        assert_eq!(to_json(&raw), br#"{ "a\u202e" : "\u0085" }"#);
    }
}
