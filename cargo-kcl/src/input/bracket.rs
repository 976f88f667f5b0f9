//! The start of JSON that was printed on several lines, so that no line of it is a record.

use std::fmt;

/// A bracket that is alone in its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bracket {
    Object,
    Array,
}

impl Bracket {
    /// The bracket in a line that has nothing else.
    pub(crate) fn alone_in(line: &[u8]) -> Option<Self> {
        match line.trim_ascii() {
            b"{" => Some(Self::Object),
            b"[" => Some(Self::Array),
            _ => None,
        }
    }

    /// The command that makes lines of such JSON, in a sentence.
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Self::Object => "`jq -c .` writes one value per line",
            Self::Array => "`jq -c '.[]'` writes one element per line",
        }
    }
}

impl fmt::Display for Bracket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Object => "{",
            Self::Array => "[",
        })
    }
}
