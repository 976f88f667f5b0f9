//! The values of options: their forms, and the texts in quotes.

use std::fmt;
use std::time::Duration;

use proc_macro2::{TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser};
use syn::token::Paren;
use syn::{Ident, Lit, LitInt, Path, Token};

use crate::model::When;
use crate::quantities::{self, NotADuration, split_number};
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
    /// Any other path: a constant, or the value of the option `crate`.
    Path(Path),
    /// The variant of an enum with its value, such as `Checkpoints::Interval(TIME)`.
    Variant(Path, Box<Form>),
    /// Two values, such as `FIRST..MOST`.
    Range(Box<Form>, Box<Form>),
    /// Anything else, as text.
    Other(String),
}

impl Value {
    pub(crate) fn new(tokens: TokenStream) -> Self {
        let parse = |input: ParseStream<'_>| Ok((Form::parse(input)?, input.parse::<TokenStream>()?));
        match parse.parse2(tokens.clone()) {
            Ok((form, rest)) if rest.is_empty() => Self { form, tokens, rest },
            // The next option follows without a comma, or after a semicolon. Anything else belongs to the value.
            Ok((form, rest)) if ends_value(&rest) => {
                let count = tokens.clone().into_iter().count() - rest.clone().into_iter().count();
                Self { form, tokens: tokens.into_iter().take(count).collect(), rest }
            }
            _ => Self { form: Form::Other(text(&tokens)), tokens, rest: TokenStream::new() },
        }
    }
}

/// Whether the value ends before these tokens: another option or a semicolon follows. A cast is a part of the value.
fn ends_value(rest: &TokenStream) -> bool {
    match rest.clone().into_iter().next() {
        Some(TokenTree::Ident(word)) => word != "as",
        Some(TokenTree::Punct(mark)) => mark.as_char() == ';',
        _ => false,
    }
}

impl Form {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let first = Self::parse_one(input)?;
        if input.peek(Token![..]) && !input.peek(Token![..=]) && !input.peek(Token![...]) {
            input.parse::<Token![..]>()?;
            return Ok(Self::Range(Box::new(first), Box::new(Self::parse_one(input)?)));
        }
        Ok(first)
    }

    fn parse_one(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(Lit) {
            return Ok(match input.parse()? {
                Lit::Bool(literal) => Self::Bool(literal.value),
                Lit::Int(literal) => Self::Number(literal),
                Lit::Str(literal) if literal.suffix().is_empty() => Self::Text(literal.value()),
                other => Self::Other(text(&other)),
            });
        }
        let path = input.call(Path::parse_mod_style)?;
        Ok(match path.get_ident() {
            Some(word) if is_lower_case(word) => Self::Word(word.clone()),
            _ if input.peek(Paren) && path.segments.last().is_some_and(|last| !is_lower_case(&last.ident)) => {
                let value;
                syn::parenthesized!(value in input);
                Self::Variant(path, Box::new(value.call(Self::parse_one)?))
            }
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
            Self::Variant(path, value) => write!(f, "{}({value})", text(path)),
            Self::Range(first, second) => write!(f, "{first}..{second}"),
        }
    }
}

/// Why a text in quotes is not the value of its option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    NotADuration(NotADuration),
    /// The duration or the number must not be 0.
    Zero,
    /// The number of records is not whole, or too large.
    NotANumber(String),
    /// The text is not a range of durations.
    NotARange,
    /// The range ends before it starts.
    Backwards,
}

impl From<NotADuration> for Problem {
    fn from(problem: NotADuration) -> Self {
        Self::NotADuration(problem)
    }
}

/// Parses a duration that is not 0.
pub(crate) fn duration(text: &str) -> Result<Duration, Problem> {
    Some(quantities::duration(text)?).filter(|duration| !duration.is_zero()).ok_or(Problem::Zero)
}

/// The texts of both ends of `200ms..5s`.
pub(crate) fn ends(text: &str) -> Result<(&str, &str), Problem> {
    text.split_once("..").filter(|(first, most)| !first.is_empty() && !most.is_empty()).ok_or(Problem::NotARange)
}

/// Parses `30s` or `1_000 records`.
pub(crate) fn checkpoint(text: &str) -> Result<When, Problem> {
    match split_number(text.trim()) {
        Some((number, unit)) if matches!(unit.trim(), "record" | "records") => match number.parse() {
            Ok(0) => Err(Problem::Zero),
            Ok(records) => Ok(When::Records(records)),
            Err(_) => Err(Problem::NotANumber(number)),
        },
        _ => duration(text).map(When::Interval),
    }
}

#[cfg(test)]
mod tests {
    use quote::{ToTokens, quote};

    use super::*;

    #[test]
    fn a_lower_case_word_is_a_word_and_any_other_path_a_constant() {
        let form = |tokens| Value::new(tokens).form;
        for tokens in [quote!(skip), quote!(dead_letter), quote!(every_2)] {
            assert!(matches!(form(tokens.clone()), Form::Word(_)), "{tokens}");
        }
        for tokens in [quote!(RETRIES), quote!(Retries), quote!(limits::retries), quote!(::a::B), quote!(Self::RETRIES)]
        {
            assert!(matches!(form(tokens.clone()), Form::Path(_)), "{tokens}");
        }
        let Form::Range(first, most) = form(quote!(FIRST..limits::MOST)) else { panic!("not a range") };
        assert!(matches!((&*first, &*most), (Form::Path(_), Form::Path(_))));
        for tokens in [quote!(FIRST..), quote!(..MOST), quote!(FIRST..=MOST), quote!(RETRIES + 1), quote!(retries())] {
            assert!(matches!(form(tokens.clone()), Form::Other(_)), "{tokens}");
        }
    }

    #[test]
    fn the_next_option_is_not_part_of_a_value() {
        let value = Value::new(quote!("30s" main = false));
        assert_eq!(value.tokens.to_token_stream().to_string(), "\"30s\"");
        assert_eq!(value.rest.to_string(), "main = false");
    }

    #[test]
    fn checkpoints_are_by_duration_or_number() {
        for (text, when) in [
            ("30s", When::Interval(Duration::from_secs(30))),
            (" 5 minutes ", When::Interval(Duration::from_secs(300))),
            ("30 seconds", When::Interval(Duration::from_secs(30))),
            ("1m30s", When::Interval(Duration::from_secs(90))),
            ("1000 records", When::Records(1000)),
            ("1_000 records", When::Records(1000)),
            ("1 000 records", When::Records(1000)),
            ("1 record", When::Records(1)),
            ("7records", When::Records(7)),
        ] {
            assert_eq!(checkpoint(text), Ok(when), "{text}");
        }
        for (text, problem) in [
            ("", NotADuration::NoNumber(String::new())),
            ("batch", NotADuration::NoNumber("batch".to_owned())),
            ("-1 records", NotADuration::NoNumber("-1 records".to_owned())),
            ("1_000", NotADuration::NoUnit("1000".to_owned())),
            ("1,000 records", NotADuration::Commas("1,000".to_owned())),
            ("30 parsecs", NotADuration::NotAUnit("parsecs".to_owned())),
            ("1000 Records", NotADuration::NotAUnit("Records".to_owned())),
            ("999999999999999999h", NotADuration::TooLong),
        ] {
            assert_eq!(checkpoint(text), Err(problem.into()), "{text}");
        }
        for text in ["0s", "0ms", "0 records"] {
            assert_eq!(checkpoint(text), Err(Problem::Zero), "{text}");
        }
        for number in ["1.5", "99999999999999999999"] {
            assert_eq!(checkpoint(&format!("{number} records")), Err(Problem::NotANumber(number.to_owned())));
        }
    }

    #[test]
    fn a_range_has_two_ends() {
        assert_eq!(ends("200ms..1.5s"), Ok(("200ms", "1.5s")));
        assert_eq!(ends("200 ms .. 5 s"), Ok(("200 ms ", " 5 s")));
        for text in ["200ms", "..5s", "200ms..", "200ms-5s"] {
            assert_eq!(ends(text), Err(Problem::NotARange), "{text}");
        }
    }
}
