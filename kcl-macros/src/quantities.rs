//! Durations and numbers as people write them, in the options of the attributes and in the flags of the tool.
//!
//! `cargo-kcl/src/args/mod.rs` compiles this file too, so that both have one grammar.

use std::fmt;
use std::time::Duration;

const SUCH_AS: &str = "500ms, 30s or 1h30m";
/// The names of the units, and their lengths in nanoseconds.
const UNITS: [(&[&str], u128); 5] = [
    (&["ms"], 1_000_000),
    (&["s", "sec", "second", "seconds"], 1_000_000_000),
    (&["m", "min", "minute", "minutes"], 60_000_000_000),
    (&["h", "hour", "hours"], 3_600_000_000_000),
    (&["d", "day", "days"], 86_400_000_000_000),
];

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotADuration {
    /// This text does not start with a number.
    NoNumber(String),
    /// This number has no unit.
    NoUnit(String),
    /// This number has commas between its digits.
    Commas(String),
    /// This is not a unit.
    NotAUnit(String),
    /// It does not fit into a [`Duration`].
    TooLong,
}

impl fmt::Display for NotADuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNumber(_) => write!(f, "write a time such as {SUCH_AS}"),
            Self::NoUnit(number) => write!(f, "give a unit, as in {number}s"),
            Self::Commas(number) => write!(f, "write {} instead of {number}", without_commas(number)),
            Self::NotAUnit(unit) => {
                write!(f, "`{unit}` is not a unit; the units are ms, s, m, h and d, as in {SUCH_AS}")
            }
            Self::TooLong => f.write_str("this time is too long"),
        }
    }
}

impl std::error::Error for NotADuration {}

/// Parses a duration such as `500ms`, `30s`, `1.5 hours` or `1h30m`.
pub(crate) fn duration(text: &str) -> Result<Duration, NotADuration> {
    let mut rest = text.trim();
    let mut nanos = 0_u128;
    if rest.is_empty() {
        return Err(NotADuration::NoNumber(String::new()));
    }
    while !rest.is_empty() {
        let (number, after) = split_number(rest).ok_or_else(|| NotADuration::NoNumber(rest.to_owned()))?;
        if let Some(number) = commas(rest) {
            return Err(NotADuration::Commas(number.to_owned()));
        }
        let after = after.trim_start();
        let (unit, after) = after.split_at(after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len()));
        if unit.is_empty() {
            return Err(NotADuration::NoUnit(number));
        }
        let Some((_, length)) = UNITS.iter().find(|(names, _)| names.contains(&unit)) else {
            return Err(NotADuration::NotAUnit(unit.to_owned()));
        };
        let part = nanos_of(&number, *length);
        nanos = part.and_then(|part| nanos.checked_add(part)).ok_or(NotADuration::TooLong)?;
        rest = after.trim_start();
    }
    let seconds = u64::try_from(nanos / 1_000_000_000).map_err(|_| NotADuration::TooLong)?;
    Ok(Duration::new(seconds, (nanos % 1_000_000_000) as u32))
}

/// Splits a number off a text, without the `_` and the spaces between its digits. A space must stand before three digits, so that
/// `1 30s` is not taken for 130 s.
pub(crate) fn split_number(text: &str) -> Option<(String, &str)> {
    let mut number = String::new();
    let mut rest = text;
    loop {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '_' || c == '.')).unwrap_or(rest.len());
        number.extend(rest[..end].chars().filter(|c| *c != '_'));
        rest = &rest[end..];
        let next = rest.strip_prefix(' ').unwrap_or_default();
        let digits = next.find(|c: char| !c.is_ascii_digit()).unwrap_or(next.len());
        if digits != 3 || number.contains('.') {
            break;
        }
        number.push_str(&next[..digits]);
        rest = &next[digits..];
    }
    let has_digits = |part: &str| !part.is_empty() && !part.contains('.');
    let is_number = match number.split_once('.') {
        Some((whole, fraction)) => has_digits(whole) && has_digits(fraction),
        None => has_digits(&number),
    };
    is_number.then_some((number, rest))
}

/// The number at the start of a text, if there are commas between its digits: one before each three of them.
pub(crate) fn commas(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == ',')).unwrap_or(text.len());
    let mut groups = text[..end].split(',');
    let is_first = groups.next().is_some_and(|group| matches!(group.len(), 1..=3));
    let mut rest = groups.peekable();
    (is_first && rest.peek().is_some() && rest.all(|group| group.len() == 3)).then_some(&text[..end])
}

/// The same number as it must be written.
pub(crate) fn without_commas(number: &str) -> String {
    number.replace(',', "_")
}

/// The nanoseconds in a number of units. Fractions of a nanosecond are dropped.
fn nanos_of(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let fraction = unit * fraction.parse::<u128>().ok()? / 1_000_000_000;
    whole.parse::<u128>().ok()?.checked_mul(unit)?.checked_add(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_a_unit() {
        for (text, millis) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("30 sec", 30_000),
            ("1second", 1_000),
            ("2 seconds", 2_000),
            ("2m", 120_000),
            ("2min", 120_000),
            ("1 minute 1 minutes", 120_000),
            ("1h", 3_600_000),
            ("1hour2hours", 10_800_000),
            ("1d", 86_400_000),
            ("1day 2days", 259_200_000),
            ("1h30m", 5_400_000),
            (" 1d 12h 5ms ", 129_600_005),
            ("10_000ms", 10_000),
            ("10 000 ms", 10_000),
            ("1 000 000ms", 1_000_000),
            ("1.5s", 1_500),
            ("0.25 h", 900_000),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn another_text_is_explained() {
        for (text, error) in [
            ("", "write a time such as 500ms, 30s or 1h30m"),
            ("soon", "write a time such as 500ms, 30s or 1h30m"),
            ("-5s", "write a time such as 500ms, 30s or 1h30m"),
            ("_", "write a time such as 500ms, 30s or 1h30m"),
            ("1..5s", "write a time such as 500ms, 30s or 1h30m"),
            (".5s", "write a time such as 500ms, 30s or 1h30m"),
            ("5s, 2ms", "write a time such as 500ms, 30s or 1h30m"),
            ("30", "give a unit, as in 30s"),
            ("1h30", "give a unit, as in 30s"),
            ("1 30s", "give a unit, as in 1s"),
            ("1,000ms", "write 1_000 instead of 1,000"),
            ("1h 1,000,000 ms", "write 1_000_000 instead of 1,000,000"),
            ("1,5s", "give a unit, as in 1s"),
            ("1000,000s", "give a unit, as in 1000s"),
            ("5 parsecs", "`parsecs` is not a unit; the units are ms, s, m, h and d, as in 500ms, 30s or 1h30m"),
            ("5µs", "`µs` is not a unit; the units are ms, s, m, h and d, as in 500ms, 30s or 1h30m"),
            ("5S", "`S` is not a unit; the units are ms, s, m, h and d, as in 500ms, 30s or 1h30m"),
            ("99999999999999999999d", "this time is too long"),
            ("99999999999999999999999999999999999999999s", "this time is too long"),
        ] {
            assert_eq!(duration(text).map_err(|error| error.to_string()), Err(error.to_owned()), "{text}");
        }
    }
}
