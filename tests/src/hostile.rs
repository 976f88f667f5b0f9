//! Text from outside that tries to control a terminal, to turn text around, or to pass for a line of the tool.

use serde_json::Value;

/// The start of each text, to find it in an output.
pub const MARK: &str = "OUTSIDE";

/// A line that must not appear by itself.
const FORGED: &str = "cargo kcl: FORGED";

/// The parts of the texts.
const PARTS: [&str; 44] = [
    "\x1b[31m",
    "\x1b[8m",
    "\x1b[2J",
    "\x1b[1;1H",
    "\x1b[?1049h",
    "\x1b[6n",
    "\x1bc",
    "\x1b]0;title\x07",
    "\x1b]8;;x:y\x1b\\",
    "\x1b]52;c;eA==\x07",
    "\x1bP1$r\x1b\\",
    "\x1b_x\x1b\\",
    "\x1b(0",
    "\x1b",
    "\x07",
    "\x08\x08\x08",
    "\x0b",
    "\x0c",
    "\x0e",
    "\x01",
    "\t",
    "\rcargo kcl: FORGED",
    "\ncargo kcl: FORGED",
    "\r\ncargo kcl: FORGED",
    "\x7f",
    "\u{80}",
    "\u{84}",
    "\u{85}cargo kcl: FORGED",
    "\u{90}x\u{9c}",
    "\u{9b}2J",
    "\u{9d}0;x\u{9c}",
    "\u{61c}",
    "\u{200e}",
    "\u{200f}",
    "\u{2028}cargo kcl: FORGED",
    "\u{2029}cargo kcl: FORGED",
    "\u{202a}",
    "\u{202b}",
    "\u{202c}",
    "\u{202d}",
    "\u{202e}",
    "\u{2066}",
    "\u{2067}\u{2068}",
    "\u{2069}",
];

/// Texts that together contain every part. Each is short enough to be quoted whole, and fits a file name.
pub fn texts() -> Vec<String> {
    PARTS.chunks(9).map(|parts| format!("{MARK}{}", parts.join("-"))).collect()
}

/// Asserts that an output contains the mark of a text, and nothing that the text tried to do.
///
/// # Panics
///
/// If the output controls a terminal, turns text around or contains a forged line.
#[track_caller]
pub fn assert_harmless(what: &str, output: &str) {
    let is_control = |char: char| {
        let is_kept = char == '\n';
        let turns = ['\u{61c}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}'].contains(&char)
            || ('\u{202a}'..='\u{202e}').contains(&char)
            || ('\u{2066}'..='\u{2069}').contains(&char);
        !is_kept && (char.is_control() || turns)
    };
    if let Some(found) = output.chars().find(|char| is_control(*char)) {
        panic!("{what}: {found:?} is in {output:?}");
    }
    let forged = output.lines().find(|line| line.starts_with(FORGED));
    assert_eq!(forged, None, "{what}: {output}");
    assert!(output.contains(MARK), "{what}: the text does not appear in {output:?}");
}

/// A text that is far too long for a message, between marks.
pub fn long_text() -> String {
    format!("{MARK}{}{MARK}", "x".repeat(100_000))
}

/// Asserts that no line of an output is longer than the text of an error may be, with some words around it.
///
/// # Panics
///
/// If one is, or if the output does not contain the mark.
#[track_caller]
pub fn assert_bounded(what: &str, output: &str) {
    let longest = output.lines().map(str::len).max().unwrap_or_default();
    assert!(longest < (4 << 10) + 500, "{what}: a line has {longest} bytes");
    assert!(output.contains(MARK), "{what}: the text does not appear in {output:?}");
}

/// Asserts that each line of an output is an object with the fields of `--log-format json`, and returns the objects.
///
/// # Panics
///
/// If a line is something else, or is too long.
#[track_caller]
pub fn assert_json(what: &str, output: &str) -> Vec<Value> {
    let parse = |line: &str| -> Value {
        assert!(line.len() < 64 << 10, "{what}: a line of {} bytes", line.len());
        let object: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{what}: {error}: {line}"));
        for field in ["time", "level", "source", "message"] {
            assert!(object[field].is_string(), "{what}: {field} is not text in {line}");
        }
        for field in ["stream", "shard"] {
            let value = object.get(field);
            assert!(value.is_some_and(|value| value.is_null() || value.is_string()), "{what}: {field} in {line}");
        }
        object
    };
    output.lines().map(parse).collect()
}
