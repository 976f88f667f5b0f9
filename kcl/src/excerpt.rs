//! Bytes in messages: escaped, and shortened to one line.

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

#[cfg(test)]
mod tests {
    use super::Excerpt;

    #[test]
    fn fits_a_line() {
        assert_eq!(Excerpt("{\"a\": 'é'}\n\u{1b}[31m".as_bytes()).to_string(), "{\"a\": 'é'}\\n\\u{1b}[31m");
        assert_eq!(Excerpt(b"a\xff\0b").to_string(), "a\\xff\\0b");
        assert_eq!(Excerpt(&[b'x'; 200]).to_string(), format!("{}… (40 more bytes)", "x".repeat(160)));
    }
}
