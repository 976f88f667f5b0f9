//! The values of options: their forms, and the texts in quotes.

use std::fmt;

use proc_macro2::{TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser};
use syn::{Ident, Lit, LitInt, Path};

use crate::model::When;
use crate::syntax::text;

/// The value of an option, as written.
pub(crate) struct Value {
    pub(crate) form: Form,
    /// The tokens of the value, for errors.
    pub(crate) tokens: TokenStream,
    /// The tokens after the value. If there are any, a comma is missing.
    pub(crate) rest: TokenStream,
}

/// The form of a value. It does not depend on the option, so a word is never mistaken for a constant.
pub(crate) enum Form {
    Bool(bool),
    Number(LitInt),
    Text(String),
    /// A single lower-case word, such as `skip`.
    Word(Ident),
    /// Any other path. The option `crate` takes one; for the other options it is reserved for constants.
    Path(Path),
    /// Anything else, as text.
    Other(String),
}

impl Value {
    pub(crate) fn new(tokens: TokenStream) -> Self {
        let parse = |input: ParseStream<'_>| Ok((Form::parse(input)?, input.parse::<TokenStream>()?));
        match parse.parse2(tokens.clone()) {
            Ok((form, rest)) if rest.is_empty() => Self { form, tokens, rest },
            // The next option follows without a comma. Anything else belongs to the value.
            Ok((form, rest)) if matches!(rest.clone().into_iter().next(), Some(TokenTree::Ident(_))) => {
                let count = tokens.clone().into_iter().count() - rest.clone().into_iter().count();
                Self { form, tokens: tokens.into_iter().take(count).collect(), rest }
            }
            _ => Self { form: Form::Other(text(&tokens)), tokens, rest: TokenStream::new() },
        }
    }
}

impl Form {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(Lit) {
            return Ok(match input.parse()? {
                Lit::Bool(literal) => Self::Bool(literal.value),
                Lit::Int(literal) => Self::Number(literal),
                Lit::Str(literal) => Self::Text(literal.value()),
                other => Self::Other(text(&other)),
            });
        }
        let path = input.call(Path::parse_mod_style)?;
        Ok(match path.get_ident() {
            Some(word) if is_lower_case(word) => Self::Word(word.clone()),
            _ => Self::Path(path),
        })
    }
}

fn is_lower_case(word: &Ident) -> bool {
    word.to_string().chars().all(|char| matches!(char, 'a'..='z' | '0'..='9' | '_'))
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) | Self::Other(text) => f.write_str(text),
            Self::Word(word) => word.fmt(f),
            Self::Path(path) => f.write_str(&text(path)),
        }
    }
}

/// Why a text is not a valid range of durations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BackoffProblem {
    /// It is not a range, or one of its ends is not a duration.
    NotARange,
    /// It starts at 0, and twice 0 is still 0.
    Zero,
    /// It ends before it starts.
    Backwards,
}

/// Parses `200ms..5s`: the first and the longest wait, in milliseconds.
pub(crate) fn backoff(text: &str) -> Result<(u64, u64), BackoffProblem> {
    let (first, most) = text.split_once("..").ok_or(BackoffProblem::NotARange)?;
    match (millis(first), millis(most)) {
        (Some(0), Some(_)) => Err(BackoffProblem::Zero),
        (Some(first), Some(most)) if first > most => Err(BackoffProblem::Backwards),
        (Some(first), Some(most)) => Ok((first, most)),
        _ => Err(BackoffProblem::NotARange),
    }
}

/// Why a value is not a valid time to checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CheckpointProblem {
    /// It is neither a duration nor a number of records.
    Unknown,
    /// It is a duration or a number of 0.
    Zero,
}

/// The word for a checkpoint after each batch.
pub(crate) const BATCH: &str = "batch";

/// Parses `30s` or `1000 records`.
pub(crate) fn checkpoint(text: &str) -> Result<When, CheckpointProblem> {
    let text = text.trim();
    let records = text.strip_suffix("records").or_else(|| text.strip_suffix("record"));
    let (number, when): (_, fn(u64) -> When) = match records {
        Some(number) => (number.trim_end().parse().ok(), When::Records),
        None => (millis(text), When::Interval),
    };
    match number {
        Some(0) => Err(CheckpointProblem::Zero),
        Some(number) => Ok(when(number)),
        None => Err(CheckpointProblem::Unknown),
    }
}

/// Parses a duration, a whole number followed by `ms`, `s`, `m` or `h`, into milliseconds.
pub(crate) fn millis(text: &str) -> Option<u64> {
    let text = text.trim();
    let (digits, unit) = text.split_at(text.find(|char: char| !char.is_ascii_digit())?);
    let unit = match unit.trim_start() {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        for (text, duration) in [("200ms", 200), ("5s", 5000), (" 2 m ", 120_000), ("1h", 3_600_000), ("0s", 0)] {
            assert_eq!(millis(text), Some(duration), "{text}");
        }
        for text in ["", "5", "s", "5 parsecs", "-5s", "1.5s", "5s5", "99999999999999999999s", "9999999999999999999s"] {
            assert_eq!(millis(text), None, "{text}");
        }
    }

    #[test]
    fn checkpoints_are_by_duration_or_number() {
        for (text, when) in [
            ("30s", When::Interval(30_000)),
            (" 5 m ", When::Interval(300_000)),
            ("1000 records", When::Records(1000)),
            ("1 record", When::Records(1)),
            ("7records", When::Records(7)),
        ] {
            assert_eq!(checkpoint(text), Ok(when), "{text}");
        }
        for text in ["", "30", "batch", "1000", "records", "-1 records", "1_000 records", "30 parsecs", "1000 Records"]
        {
            assert_eq!(checkpoint(text), Err(CheckpointProblem::Unknown), "{text}");
        }
        for text in ["0s", "0ms", "0 records"] {
            assert_eq!(checkpoint(text), Err(CheckpointProblem::Zero), "{text}");
        }
    }

    #[test]
    fn a_backoff_ascends() {
        assert_eq!(backoff("200ms..5s"), Ok((200, 5000)));
        assert_eq!(backoff("1s .. 1s"), Ok((1000, 1000)));
        for (text, error) in [
            ("200ms", BackoffProblem::NotARange),
            ("200..5s", BackoffProblem::NotARange),
            ("..5s", BackoffProblem::NotARange),
            ("0ms..5s", BackoffProblem::Zero),
            ("5s..200ms", BackoffProblem::Backwards),
        ] {
            assert_eq!(backoff(text), Err(error), "{text}");
        }
    }
}
