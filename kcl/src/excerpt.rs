//! Bytes and texts in messages: escaped, and shortened to one line.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// The start of some bytes, printable on one line, with the number of bytes that were left out.
///
/// Text of any script is kept. Characters that would break a line or a terminal are escaped, and so are bytes that are
/// not UTF-8.
pub(crate) struct Excerpt<'a>(pub(crate) &'a [u8]);

impl Excerpt<'_> {
    /// The largest number of the original's bytes that an excerpt shows.
    pub(crate) const SHOWN: usize = 160;
}

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Start(self.0, self.0.len()).fmt(f)
    }
}

/// The excerpt of bytes of which only the start is known, but at least as much as an excerpt shows, and the length.
pub(crate) struct Start<'a>(pub(crate) &'a [u8], pub(crate) usize);

impl fmt::Display for Start<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(start, length) = *self;
        let shown = &start[..length.min(Excerpt::SHOWN).min(start.len())];
        for chunk in shown.utf8_chunks() {
            for char in chunk.valid().chars() {
                match char {
                    '"' | '\'' => f.write_char(char)?,
                    _ => write!(f, "{}", char.escape_debug())?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        match length - shown.len() {
            0 => Ok(()),
            more => write!(f, "… ({more} more bytes)"),
        }
    }
}

/// A value's text on one line. Characters that would break a line, a terminal or the order of the text are escaped, such as
/// those in the message of a failed `assert_eq!`.
pub(crate) struct OneLine<T>(pub(crate) T);

impl<T: fmt::Display> fmt::Display for OneLine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|char| match char {
            char if is_harmful(char) => write!(self.0, "{}", char.escape_debug()),
            char => self.0.write_char(char),
        })
    }
}

/// A line of kcl's own, and the lines below it, which are indented. Whatever the texts contain, each of them takes one line.
pub(crate) struct Paragraph<'a, T>(pub(crate) T, pub(crate) &'a [String]);

impl<T: fmt::Display> fmt::Display for Paragraph<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(first, below) = self;
        write!(f, "{}", OneLine(first))?;
        below.iter().try_for_each(|line| write!(f, "\n    {}", OneLine(line)))
    }
}

/// Whether a character controls a terminal, breaks a line, or changes the direction of the text after it. A byte order mark is one, too:
/// it is invisible, and a text that is copied with it is another text.
pub fn is_harmful(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A text of at most `most` bytes: the middle of a longer one is left out, with the number of its bytes.
pub fn middle_cut(text: &str, most: usize) -> Cow<'_, str> {
    /// Enough for the words between both parts.
    const WORDS: usize = 48;
    if text.len() <= most {
        return text.into();
    }
    let half = most.saturating_sub(WORDS) / 2;
    let (mut head, mut tail) = (half, text.len() - half);
    while !text.is_char_boundary(head) {
        head -= 1;
    }
    while !text.is_char_boundary(tail) {
        tail += 1;
    }
    format!("{} … ({} bytes left out) … {}", &text[..head], tail - head, &text[tail..]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_no_harmful_character() {
        let text = "a\n\r\u{1b}[2J\u{9b}1m\u{202e}\u{2028}\u{7f}é\u{928}\u{93f}";
        assert_eq!(OneLine(text).to_string(), "a\\n\\r\\u{1b}[2J\\u{9b}1m\\u{202e}\\u{2028}\\u{7f}é\u{928}\u{93f}");
    }

    #[test]
    fn only_lines_below_are_lines() {
        assert_eq!(Paragraph("a\nb", &["c\nd".to_owned()]).to_string(), "a\\nb\n    c\\nd");
    }

    #[test]
    fn the_middle_is_left_out() {
        assert_eq!(middle_cut("abc", 3), "abc");
        let cut = middle_cut(&"é".repeat(100), 100).into_owned();
        assert_eq!(cut, format!("{} … (148 bytes left out) … {}", "é".repeat(13), "é".repeat(13)));
    }

    #[test]
    fn nothing_that_controls_a_terminal_is_left() {
        let text: String = ('\0'..='\u{2100}').collect();
        let (line, excerpt) =
            (OneLine(&text).to_string(), text.chars().map(|char| Excerpt(char.to_string().as_bytes()).to_string()));
        assert!(!line.contains(is_harmful));
        assert!(!excerpt.collect::<String>().contains(is_harmful));
        assert_eq!(OneLine("a\nb\u{202e}\u{5d0}'\\").to_string(), "a\\nb\\u{202e}\u{5d0}'\\");
    }

    #[test]
    fn fits_a_line() {
        assert_eq!(Excerpt("{\"a\": 'é'}\n\u{1b}[31m".as_bytes()).to_string(), "{\"a\": 'é'}\\n\\u{1b}[31m");
        assert_eq!(Excerpt(b"a\xff\0b").to_string(), "a\\xff\\0b");
        assert_eq!(Excerpt(&[b'x'; 200]).to_string(), format!("{}… (40 more bytes)", "x".repeat(160)));
        assert_eq!(Start(&[b'x'; 160], 200).to_string(), Excerpt(&[b'x'; 200]).to_string());
        assert_eq!(Start(b"line\n", 4).to_string(), "line");
    }
}
