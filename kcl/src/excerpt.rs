//! Bytes and texts in messages: escaped, and shortened to one line.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// The largest number of the original's bytes that an excerpt shows.
const SHOWN: usize = 160;

/// The start of some bytes, printable on one line, with the number of bytes that were left out.
///
/// Text of any script is kept. Characters that would break a line or a terminal are escaped, and so are bytes that are
/// not UTF-8.
pub(crate) struct Excerpt<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shown, rest) = self.0.split_at(self.0.len().min(SHOWN));
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
        match rest.len() {
            0 => Ok(()),
            more => write!(f, "… ({more} more bytes)"),
        }
    }
}

/// A text on one line. Characters that would break a line, a terminal or the order of the text are escaped, such as those in
/// the message of a failed `assert_eq!`.
pub(crate) struct OneLine<'a>(pub(crate) &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.chars() {
            if is_harmful(char) { write!(f, "{}", char.escape_debug())? } else { f.write_char(char)? }
        }
        Ok(())
    }
}

/// Whether a character controls a terminal, breaks a line, or changes the direction of the text after it.
fn is_harmful(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A text of at most `most` bytes: the middle of a longer one is left out, with the number of its bytes.
pub(crate) fn middle_cut(text: &str, most: usize) -> Cow<'_, str> {
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
    fn the_middle_is_left_out() {
        assert_eq!(middle_cut("abc", 3), "abc");
        let cut = middle_cut(&"é".repeat(100), 100).into_owned();
        assert_eq!(cut, format!("{} … (148 bytes left out) … {}", "é".repeat(13), "é".repeat(13)));
    }

    #[test]
    fn fits_a_line() {
        assert_eq!(Excerpt("{\"a\": 'é'}\n\u{1b}[31m".as_bytes()).to_string(), "{\"a\": 'é'}\\n\\u{1b}[31m");
        assert_eq!(Excerpt(b"a\xff\0b").to_string(), "a\\xff\\0b");
        assert_eq!(Excerpt(&[b'x'; 200]).to_string(), format!("{}… (40 more bytes)", "x".repeat(160)));
    }
}
