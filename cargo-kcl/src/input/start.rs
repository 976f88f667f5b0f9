//! The signs in the first bytes of an input that it is not text, or that it starts with a byte order mark.

use std::borrow::Cow;
use std::fmt;

use super::path::Input;
use crate::report::quoted;

/// The mark with which some programs start text in UTF-8.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The most bytes that a decision needs.
pub(super) const LONGEST: usize = 10;

/// A format whose bytes are not records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Foreign {
    Gzip,
    Zstandard,
    Bzip2,
    Xz,
    Zip,
    /// Text in this encoding, as iconv names it.
    Text(&'static str),
}

/// The first bytes of each format. Those of bzip2 have a digit for the size of its blocks in the gap.
const SIGNATURES: [(&[u8], &[u8], Foreign); 10] = [
    (b"\x1f\x8b\x08", b"", Foreign::Gzip),
    (b"\x28\xb5\x2f\xfd", b"", Foreign::Zstandard),
    (b"BZh", b"1AY&SY", Foreign::Bzip2),
    // The end of an empty file.
    (b"BZh", b"\x17\x72\x45\x38\x50\x90", Foreign::Bzip2),
    (b"\xfd7zXZ\0", b"", Foreign::Xz),
    (b"PK\x03\x04", b"", Foreign::Zip),
    // These start with the mark of UTF-16.
    (b"\xff\xfe\0\0", b"", Foreign::Text("UTF-32")),
    (b"\0\0\xfe\xff", b"", Foreign::Text("UTF-32")),
    (b"\xff\xfe", b"", Foreign::Text("UTF-16")),
    (b"\xfe\xff", b"", Foreign::Text("UTF-16")),
];

/// The encoding of text in UTF-16 without a byte order mark: each of the first bytes that is not zero is followed, or preceded, by one
/// that is.
fn unmarked(start: &[u8]) -> Option<Foreign> {
    let start = start.get(..LONGEST).unwrap_or(start);
    let is_text = |byte: u8| byte >= b' ' || matches!(byte, b'\t' | b'\r' | b'\n');
    let has_zeros_at = |at: usize| {
        start.len() >= 4
            && start.iter().enumerate().all(|(n, &byte)| if n % 2 == at { byte == 0 } else { is_text(byte) })
    };
    match (has_zeros_at(1), has_zeros_at(0)) {
        (true, _) => Some(Foreign::Text("UTF-16LE")),
        (_, true) => Some(Foreign::Text("UTF-16BE")),
        _ => None,
    }
}

impl Foreign {
    /// The format of an input that starts with these bytes, if it is one of these.
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        let is_it = |(first, second, _): &&(&[u8], &[u8], Self)| {
            let rest = if second.is_empty() { Some(start) } else { start.get(first.len() + 1..) };
            start.starts_with(first) && rest.is_some_and(|rest| second.is_empty() || rest.starts_with(second))
        };
        SIGNATURES.iter().find(is_it).map(|(_, _, format)| *format).or_else(|| unmarked(start))
    }

    /// The commands that write the records of a file, and of a pipe, to their stdout.
    fn commands(self) -> (Cow<'static, str>, Cow<'static, str>) {
        let both = |command: &'static str| (command.into(), command.into());
        match self {
            Self::Gzip => both("zcat"),
            Self::Zstandard => both("zstdcat"),
            Self::Bzip2 => both("bzcat"),
            Self::Xz => both("xzcat"),
            Self::Zip => ("unzip -p".into(), "funzip".into()),
            Self::Text(encoding) => {
                let command = format!("iconv -f {encoding} -t UTF-8");
                (command.clone().into(), command.into())
            }
        }
    }

    /// A sentence about an input in this format: what it is, and how to read it.
    pub(super) fn explain(self, input: &Input) -> String {
        let (of_file, of_pipe) = self.commands();
        let advice = if matches!(self, Self::Text(_)) { "convert" } else { "unpack" };
        match input {
            Input::File(path) => {
                let command = format!("{of_file} {}", quoted(&path.to_string_lossy()));
                format!(
                    "{input} is {self}; {advice} it first: pipe `{command}` into this command, with `-` instead of the file"
                )
            }
            Input::Stdin => format!("{input} is {self}; {advice} it first: pipe it through `{of_pipe}`"),
        }
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "compressed with gzip",
            Self::Zstandard => "compressed with zstd",
            Self::Bzip2 => "compressed with bzip2",
            Self::Xz => "compressed with xz",
            Self::Zip => "a zip archive",
            Self::Text(encoding) => return write!(f, "text in {encoding}, not UTF-8"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_by_their_first_bytes() {
        for (start, format) in [
            (&b"\x1f\x8b\x08\0\0"[..], Some(Foreign::Gzip)),
            (b"\x28\xb5\x2f\xfd\x24", Some(Foreign::Zstandard)),
            (b"BZh91AY&SY", Some(Foreign::Bzip2)),
            (b"BZh9\x17\x72\x45\x38\x50\x90", Some(Foreign::Bzip2)),
            (b"\xfd7zXZ\0\0", Some(Foreign::Xz)),
            (b"PK\x03\x04\x14", Some(Foreign::Zip)),
            (b"\xff\xfe{\0", Some(Foreign::Text("UTF-16"))),
            (b"\xfe\xff\0{", Some(Foreign::Text("UTF-16"))),
            (b"\xff\xfe\0\0{\0\0\0", Some(Foreign::Text("UTF-32"))),
            (b"\0\0\xfe\xff\0\0\0{", Some(Foreign::Text("UTF-32"))),
            (b"{\0\"\0\xe9\0\"\0:\0\x35\x26", Some(Foreign::Text("UTF-16LE"))),
            (b"1\0\n\0", Some(Foreign::Text("UTF-16LE"))),
            (b"\0{\0\"\0a\0\"\0:", Some(Foreign::Text("UTF-16BE"))),
            (b"a\0b\0c", Some(Foreign::Text("UTF-16LE"))),
            (b"a\0b\0cd", None),
            (b"\x01\0\x02\0", None),
            (b"\0\0\0\0", None),
            (b"a\0b", None),
            (b"BZh9 is text", None),
            (b"BZh", None),
            (b"\x1f\x8b", None),
            (b"\xef\xbb\xbf{", None),
            (b"", None),
        ] {
            assert_eq!(Foreign::of(start), format, "{}", start.escape_ascii());
        }
    }

    #[test]
    fn the_advice_has_a_command() {
        let file = Input::File("it's.gz".into());
        assert_eq!(
            Foreign::Gzip.explain(&file),
            "it's.gz is compressed with gzip; unpack it first: pipe `zcat 'it'\\''s.gz'` into this command, with `-` instead of the file"
        );
        assert_eq!(
            Foreign::Text("UTF-16LE").explain(&Input::Stdin),
            "standard input is text in UTF-16LE, not UTF-8; convert it first: pipe it through `iconv -f UTF-16LE -t UTF-8`"
        );
    }
}
