//! Java's `.properties` files: reading them as the daemon's Java does, and writing them.

use std::fmt;

/// The place where a property was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// This line of the file, counted from 1.
    Line(usize),
    /// This option of the command line, or this environment variable.
    Flag(String),
    /// Chosen by this tool.
    Tool,
}

/// One key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Property {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) origin: Origin,
    /// Whether its line in the file has bytes that are not ASCII.
    pub(crate) not_ascii: bool,
}

/// The properties of a daemon, in the order in which they were given.
#[derive(Debug, Clone, Default)]
pub(crate) struct Properties {
    entries: Vec<Property>,
}

/// A file that Java refuses to read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("line {line}: `\\u` is not followed by four hexadecimal digits: write the backslash twice if it is meant")]
pub(crate) struct Malformed {
    pub(crate) line: usize,
}

impl Properties {
    /// Reads a file's bytes.
    ///
    /// # Errors
    ///
    /// If Java would refuse to read the file.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut entries = Vec::new();
        let mut lines = NaturalLines { rest: bytes, number: 0 };
        while let Some((number, logical)) = lines.logical_line() {
            let (key, value) = split(&logical);
            let unescape = |bytes| unescape(bytes).ok_or(Malformed { line: number });
            entries.push(Property {
                key: unescape(key)?,
                value: unescape(value)?,
                origin: Origin::Line(number),
                not_ascii: !logical.is_ascii(),
            });
        }
        Ok(Self { entries })
    }

    /// Every property that was given, including repeated ones.
    pub(crate) fn entries(&self) -> &[Property] {
        &self.entries
    }

    /// The effective value, which is the last one given.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.property(key).map(|property| property.value.as_str())
    }

    /// The effective property, which is the last one given.
    pub(crate) fn property(&self, key: &str) -> Option<&Property> {
        self.entries.iter().rfind(|property| super::keys::canonical(&property.key) == key)
    }

    /// Sets a property, replacing any earlier ones with the same key.
    pub(crate) fn set(&mut self, key: &str, value: impl Into<String>, origin: Origin) {
        self.remove(key);
        self.entries.push(Property { key: key.to_owned(), value: value.into(), origin, not_ascii: false });
    }

    /// Sets a property unless it was given.
    pub(crate) fn set_default(&mut self, key: &str, value: impl Into<String>) {
        if self.get(key).is_none() {
            self.set(key, value, Origin::Tool);
        }
    }

    /// Removes a key.
    pub(crate) fn remove(&mut self, key: &str) {
        self.entries.retain(|property| super::keys::canonical(&property.key) != key);
    }
}

/// Writes an ASCII file from which Java reads back the same properties.
impl fmt::Display for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for property in &self.entries {
            escape(&property.key, true, f)?;
            f.write_str(" = ")?;
            escape(&property.value, false, f)?;
            f.write_str("\n")?;
        }
        Ok(())
    }
}

fn escape(text: &str, key: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (at, unit) in text.encode_utf16().enumerate() {
        match u8::try_from(unit).map(char::from) {
            Ok('\t') => f.write_str("\\t")?,
            Ok('\n') => f.write_str("\\n")?,
            Ok('\r') => f.write_str("\\r")?,
            Ok(' ') if key || at == 0 => f.write_str("\\ ")?,
            Ok('\\') => f.write_str("\\\\")?,
            Ok(c @ ('=' | ':' | '#' | '!')) if key => write!(f, "\\{c}")?,
            Ok(c @ ' '..='~') => write!(f, "{c}")?,
            _ => write!(f, "\\u{unit:04x}")?,
        }
    }
    Ok(())
}

/// The lines of the file as written. `\r\n`, `\n` and `\r` all end a line.
struct NaturalLines<'a> {
    rest: &'a [u8],
    number: usize,
}

impl<'a> NaturalLines<'a> {
    /// The next line with those that continue it, and the number of the first one.
    fn logical_line(&mut self) -> Option<(usize, Vec<u8>)> {
        let (number, first) = self.significant()?;
        let mut logical = first.to_vec();
        while ends_in_continuation(&logical) {
            logical.pop();
            if logical.is_empty() && !self.rest.is_empty() {
                let (_, next) = self.significant()?;
                logical.extend_from_slice(next);
            } else if let Some((_, next)) = self.next() {
                logical.extend_from_slice(trim_start(next));
            } else {
                break;
            }
        }
        Some((number, logical))
    }

    /// The next line that is neither blank nor a comment, without the white space at its start. Java skips the others wherever a logical
    /// line may begin, which is also after lines with nothing but a backslash.
    fn significant(&mut self) -> Option<(usize, &'a [u8])> {
        let lines = self.map(|(number, line)| (number, trim_start(line)));
        lines.into_iter().find(|(_, line)| !matches!(line.first(), None | Some(b'#' | b'!')))
    }
}

impl<'a> Iterator for NaturalLines<'a> {
    type Item = (usize, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        let end = self.rest.iter().position(|&byte| matches!(byte, b'\n' | b'\r')).unwrap_or(self.rest.len());
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest.strip_prefix(b"\r\n").unwrap_or(rest.get(1..).unwrap_or_default());
        Some((self.number, line))
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | 0x0c)
}

fn trim_start(line: &[u8]) -> &[u8] {
    let start = line.iter().position(|&byte| !is_space(byte)).unwrap_or(line.len());
    &line[start..]
}

fn ends_in_continuation(line: &[u8]) -> bool {
    line.iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 1
}

/// Splits a line into key and value. The key ends at the first `=`, `:` or space without a backslash before it.
fn split(line: &[u8]) -> (&[u8], &[u8]) {
    let mut escaped = false;
    let end = line.iter().position(|&byte| {
        let ends = !escaped && (is_space(byte) || matches!(byte, b'=' | b':'));
        escaped = byte == b'\\' && !escaped;
        ends
    });
    let (key, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = trim_start(rest);
    match rest.first() {
        Some(b'=' | b':') => (key, trim_start(&rest[1..])),
        _ => (key, rest),
    }
}

/// Decodes the escapes, or returns `None` if a `\u` is malformed. Bytes are Latin-1, as in Java.
fn unescape(bytes: &[u8]) -> Option<String> {
    let mut units = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            units.push(u16::from(byte));
            continue;
        }
        let Some((&escaped, after)) = rest.split_first() else { break };
        rest = after;
        units.push(match escaped {
            b't' => u16::from(b'\t'),
            b'n' => u16::from(b'\n'),
            b'r' => u16::from(b'\r'),
            b'f' => 0x0c,
            b'u' => {
                let digits = rest.get(..4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
                rest = &rest[4..];
                digits.iter().fold(0, |unit, &digit| unit << 4 | char::from(digit).to_digit(16).unwrap_or(0) as u16)
            }
            other => u16::from(other),
        });
    }
    Some(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &[u8]) -> Vec<(usize, String, String)> {
        let properties = Properties::parse(text).expect("Java reads it");
        let pair = |property: &Property| match property.origin {
            Origin::Line(line) => (line, property.key.clone(), property.value.clone()),
            _ => unreachable!("it was parsed"),
        };
        properties.entries().iter().map(pair).collect()
    }

    /// The expected values are those of `java.util.Properties` (17) for the same bytes.
    #[test]
    fn files_are_read_as_java_reads_them() {
        let text = b"# a comment \\\n  ! another\n\na=1\n b : 2 \r\nc 3\rd\n e\\ f\\=\\: = g\\\n   h\\tI\\q\n\\u006b\\u00e9=\xe9\nz=\\\n#y\n=x\nw==v\nlast=\\";
        let expected = [
            (4, "a", "1"),
            (5, "b", "2 "),
            (6, "c", "3"),
            (7, "d", ""),
            (8, "e f=:", "gh\tIq"),
            (10, "k\u{e9}", "\u{e9}"),
            (11, "z", "#y"),
            (13, "", "x"),
            (14, "w", "=v"),
            (15, "last", ""),
        ];
        let expected: Vec<_> = expected.map(|(line, key, value)| (line, key.to_owned(), value.to_owned())).into();
        assert_eq!(pairs(text), expected);
    }

    /// So are these, each of which begins with a line of nothing but a backslash.
    #[test]
    fn a_logical_line_may_begin_with_a_backslash_alone() {
        let one = |line, key: &str, value: &str| vec![(line, key.to_owned(), value.to_owned())];
        for (text, expected) in [
            (&b"\\\na=1"[..], one(1, "a", "1")),
            (b" \t\\\n\n  \n a=1", one(1, "a", "1")),
            (b"\\\n# a comment \\\n! another\na=1", one(1, "a", "1")),
            (b"\\\r\n\\\r\n\r\na=\\\n1", one(1, "a", "1")),
            (b"\\", one(1, "", "")),
            (b"\\\n", one(1, "", "")),
            (b"\\\n\n", Vec::new()),
            (b"\\\n  # a comment", Vec::new()),
        ] {
            assert_eq!(pairs(text), expected, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn a_broken_escape_names_its_line() {
        assert_eq!(Properties::parse(b"a=1\nb=C:\\users\n").expect_err("broken"), Malformed { line: 2 });
    }

    #[test]
    fn written_properties_are_read_back() {
        let mut properties = Properties::default();
        properties.set(" key = :#!\\", "  spaces, \u{e9}, \u{1f980}\n\ttab\\ = : # ", Origin::Tool);
        properties.set("empty", "", Origin::Tool);
        let text = properties.to_string();
        assert!(text.is_ascii());
        let again = Properties::parse(text.as_bytes()).expect("Java reads it");
        let strip = |of: &Properties| of.entries().iter().map(|p| (p.key.clone(), p.value.clone())).collect::<Vec<_>>();
        assert_eq!(strip(&again), strip(&properties));
    }

    #[test]
    fn the_last_value_of_a_key_counts() {
        let mut properties = Properties::parse(b"a=1\na=2\n").expect("Java reads it");
        assert_eq!(properties.get("a"), Some("2"));
        properties.set("a", "3", Origin::Tool);
        assert_eq!(properties.entries().len(), 1);
    }
}
