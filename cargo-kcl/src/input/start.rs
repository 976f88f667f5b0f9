//! The signs in the first bytes of an input that it is not text, or that it starts with a byte order mark.

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
    Utf16,
}

/// The first bytes of each format. Those of bzip2 have a digit for the size of its blocks in the gap.
const SIGNATURES: [(&[u8], &[u8], Foreign); 8] = [
    (b"\x1f\x8b\x08", b"", Foreign::Gzip),
    (b"\x28\xb5\x2f\xfd", b"", Foreign::Zstandard),
    (b"BZh", b"1AY&SY", Foreign::Bzip2),
    // The end of an empty file.
    (b"BZh", b"\x17\x72\x45\x38\x50\x90", Foreign::Bzip2),
    (b"\xfd7zXZ\0", b"", Foreign::Xz),
    (b"PK\x03\x04", b"", Foreign::Zip),
    (b"\xff\xfe", b"", Foreign::Utf16),
    (b"\xfe\xff", b"", Foreign::Utf16),
];

impl Foreign {
    /// The format of an input that starts with these bytes, if it is one of these.
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        let is_it = |(first, second, _): &&(&[u8], &[u8], Self)| {
            let rest = if second.is_empty() { Some(start) } else { start.get(first.len() + 1..) };
            start.starts_with(first) && rest.is_some_and(|rest| second.is_empty() || rest.starts_with(second))
        };
        SIGNATURES.iter().find(is_it).map(|(_, _, format)| *format)
    }

    /// The command that writes the records of the input to its stdout.
    fn command(self, input: &Input) -> String {
        let (command, redirected) = match self {
            Self::Gzip => ("zcat", "zcat"),
            Self::Zstandard => ("zstdcat", "zstdcat"),
            Self::Bzip2 => ("bzcat", "bzcat"),
            Self::Xz => ("xzcat", "xzcat"),
            Self::Zip => ("unzip -p", "funzip"),
            Self::Utf16 => ("iconv -f UTF-16 -t UTF-8", "iconv -f UTF-16 -t UTF-8"),
        };
        match input {
            Input::File(path) => format!("{command} {}", quoted(&path.to_string_lossy())),
            Input::Stdin => redirected.to_owned(),
        }
    }

    /// A sentence about an input in this format: what it is, and how to read it.
    pub(super) fn explain(self, input: &Input) -> String {
        let advice = match self {
            Self::Utf16 => "convert it first",
            _ => "unpack it first",
        };
        format!("{input} is {self}; {advice}: `{} | cargo kcl local --input -`", self.command(input))
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
            Self::Utf16 => "text in UTF-16, not UTF-8",
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
            (b"\xff\xfe{\0", Some(Foreign::Utf16)),
            (b"\xfe\xff\0{", Some(Foreign::Utf16)),
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
    fn the_advice_is_a_command() {
        let file = Input::File("it's.gz".into());
        assert_eq!(
            Foreign::Gzip.explain(&file),
            "it's.gz is compressed with gzip; unpack it first: `zcat 'it'\\''s.gz' | cargo kcl local --input -`"
        );
        assert_eq!(
            Foreign::Utf16.explain(&Input::Stdin),
            "standard input is text in UTF-16, not UTF-8; convert it first: `iconv -f UTF-16 -t UTF-8 | cargo kcl local --input -`"
        );
    }
}
