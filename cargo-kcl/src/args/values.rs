//! The numbers and the durations of flags.

use std::ffi::OsStr;
use std::time::Duration;

use clap::builder::{NonEmptyStringValueParser, TypedValueParser};
use clap::{Arg, Command, Error};

use super::quantities::{duration, split_number};

/// Lets a parser of numbers also accept `10_000` and `10 000`.
pub(crate) fn count<P: TypedValueParser>(parser: P) -> Count<P> {
    Count(parser)
}

/// The parser that [`count`] returns.
#[derive(Clone)]
pub(crate) struct Count<P>(P);

impl<P: TypedValueParser> TypedValueParser for Count<P> {
    type Value = P::Value;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<P::Value, Error> {
        match value.to_str().and_then(|text| split_number(text.trim())) {
            Some((number, "")) => self.0.parse_ref(command, arg, OsStr::new(&number)),
            // The error then quotes the value as written.
            _ => self.0.parse_ref(command, arg, value),
        }
    }
}

/// The most characters in the name of a stream.
pub(crate) const LONGEST_STREAM_NAME: usize = 128;

/// Whether a character can be in the name of a stream or a table.
pub(crate) fn is_of_name(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '_' | '.' | '-')
}

/// A parser of the names that Kinesis accepts for streams.
pub(crate) fn stream_name() -> impl TypedValueParser<Value = String> {
    NonEmptyStringValueParser::new().try_map(|name| {
        let is_valid = name.len() <= LONGEST_STREAM_NAME && name.chars().all(is_of_name);
        is_valid.then_some(name).ok_or("the name of a stream has 1 to 128 ASCII letters, digits, `_`, `.` or `-`")
    })
}

/// Parses a duration that is not zero.
pub(crate) fn interval(text: &str) -> Result<Duration, String> {
    match duration(text).map_err(|error| error.to_string())? {
        Duration::ZERO => Err("write a time longer than zero, such as 1s".to_owned()),
        time => Ok(time),
    }
}

#[cfg(test)]
mod tests {
    use clap::value_parser;

    use super::*;

    #[test]
    fn digits_may_be_in_groups() {
        let command = Command::new("test");
        let parse = |text: &str| {
            count(value_parser!(u32).range(1..)).parse_ref(&command, None, OsStr::new(text)).map_err(|_| ())
        };
        for (text, number) in [("7", 7), ("10_000", 10_000), (" 10 000 ", 10_000), ("1_000_000", 1_000_000)] {
            assert_eq!(parse(text), Ok(number), "{text}");
        }
        for text in ["", "0", "-1", "1.5", "1k", "1 00", "_", "99999999999"] {
            assert_eq!(parse(text), Err(()), "{text}");
        }
    }

    #[test]
    fn an_interval_is_not_zero() {
        assert_eq!(interval("0 ms"), Err("write a time longer than zero, such as 1s".to_owned()));
        assert_eq!(interval("1ms"), Ok(Duration::from_millis(1)));
    }
}
