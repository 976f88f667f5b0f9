//! Reads the values of options.

use std::ops::RangeInclusive;
use std::time::Duration;

use proc_macro2::TokenStream;
use syn::{LitInt, Path};

use crate::asynchronous::messages as asynchronous;
use crate::messages::{self, Message};
use crate::model::{Action, Backoff, Given, OptionName, Order, Runtime, When};
use crate::names;
use crate::sizes;
use crate::values::{self, Form, Problem};

/// The most records at once.
const CONCURRENCY: u32 = 65_536;
/// The most threads of a runtime.
const WORKER_THREADS: u32 = 1_024;

pub(super) fn bool(name: OptionName, form: &Form) -> Result<bool, Message> {
    match form {
        Form::Bool(value) => Ok(*value),
        _ => Err(messages::option_bool_value(name)),
    }
}

pub(super) fn path(form: &Form) -> Result<Path, Message> {
    match form {
        Form::Word(word) => Ok(word.clone().into()),
        Form::Path(path) => Ok(path.clone()),
        Form::Text(text) => Err(messages::option_crate_value(Some(text))),
        _ => Err(messages::option_crate_value(None)),
    }
}

pub(super) fn checkpoint(form: &Form) -> Result<Given<When>, Message> {
    let found = match form {
        // Constants are in capitals.
        Form::Path(path)
            if let Some(word) = path.get_ident().map(ToString::to_string)
                && means_a_word(&word) =>
        {
            word
        }
        Form::Path(path) => return Ok(Given::Constant(path.clone())),
        // rustc proposes this form for a constant of another type.
        Form::Variant(path, value) if is_outside_of_the_impl(value) => return Ok(Given::Constant(path.clone())),
        Form::Word(word) if word == When::BATCH => return Ok(Given::Value(When::Batch)),
        Form::Text(text) if text.trim() == When::BATCH => {
            return Err(messages::option_word_in_quotes(OptionName::Checkpoint, When::BATCH));
        }
        Form::Text(text) => match values::checkpoint(text) {
            Ok(when) => return Ok(Given::Value(when)),
            Err(problem) if !names::means_never(text) => return Err(messages::option_checkpoint_text(text, problem)),
            Err(_) => text.clone(),
        },
        other => other.to_string(),
    };
    Err(messages::option_checkpoint_value(&found))
}

/// Whether a value means the same outside of the impl, where constants are checked.
fn is_outside_of_the_impl(value: &Form) -> bool {
    match value {
        Form::Path(path) => path.segments.first().is_some_and(|first| first.ident != "Self"),
        Form::Number(_) => true,
        _ => false,
    }
}

/// Whether a name is a word of `checkpoint` with a capital letter, such as `Batch` or `None`.
fn means_a_word(name: &str) -> bool {
    name.contains(|char: char| char.is_lowercase())
        && (name.eq_ignore_ascii_case(When::BATCH) || names::means_never(name))
}

pub(super) fn duration(name: OptionName, form: &Form) -> Result<Given<Duration>, Message> {
    match form {
        Form::Path(path) => Ok(Given::Constant(path.clone())),
        Form::Text(text) => {
            values::duration(text).map(Given::Value).map_err(|problem| messages::option_duration(name, text, problem))
        }
        Form::Word(word) => {
            Err(messages::option_without_quotes(name, &word.to_string()).note(messages::lower_case_constant(word)))
        }
        other => Err(messages::option_without_quotes(name, &other.to_string())),
    }
}

pub(super) fn retry(form: &Form) -> Result<Given<u32>, Message> {
    match form {
        Form::Path(path) => Ok(Given::Constant(path.clone())),
        Form::Number(number) if number.base10_digits().starts_with('-') => Err(messages::option_retry_value(None)),
        Form::Number(number) if number.suffix().is_empty() => {
            number.base10_parse().map(Given::Value).map_err(|_| messages::option_retry_too_large())
        }
        Form::Number(number) => Err(messages::option_retry_suffix(number.base10_digits(), number.suffix())),
        Form::Text(text) => Err(messages::option_retry_value(text.trim().parse::<u32>().ok())),
        Form::Word(word) => Err(messages::option_retry_value(None).note(messages::lower_case_constant(word))),
        _ => Err(messages::option_retry_value(None)),
    }
}

pub(super) fn backoff(form: &Form, tokens: &TokenStream) -> Result<Backoff, Message> {
    let name = OptionName::Backoff;
    let (first, most) = match form {
        Form::Range(first, most) if [first, most].iter().all(|end| matches!(***end, Form::Text(_) | Form::Path(_))) => {
            (duration(name, first)?, duration(name, most)?)
        }
        Form::Text(text) => {
            let (first, most) = values::ends(text).map_err(|problem| messages::option_duration(name, text, problem))?;
            (duration(name, &Form::Text(first.to_owned()))?, duration(name, &Form::Text(most.to_owned()))?)
        }
        // One end is missing.
        Form::Path(_) => return Err(messages::option_duration(name, &form.to_string(), Problem::NotARange)),
        other => return Err(messages::option_without_quotes(name, &other.to_string())),
    };
    match (&first, &most) {
        (Given::Value(from), Given::Value(to)) if from > to => {
            Err(messages::option_duration(name, &form.to_string(), Problem::Backwards))
        }
        _ => Ok(Backoff { first, most, tokens: tokens.clone() }),
    }
}

pub(super) fn action(name: OptionName, form: &Form) -> Result<Action, Message> {
    match form {
        Form::Word(word) => {
            let word = word.to_string();
            Action::from_word(&word).ok_or_else(|| messages::option_action(name, &word))
        }
        Form::Text(text) if Action::from_word(text).is_some() => Err(messages::option_word_in_quotes(name, text)),
        Form::Text(text) => Err(messages::option_action(name, text)),
        other => Err(messages::option_action(name, &other.to_string())),
    }
}

pub(super) fn concurrency(form: &Form) -> Result<Given<u32>, Message> {
    number(OptionName::Concurrency, 1..=CONCURRENCY, form)
}

pub(super) fn ahead(form: &Form) -> Result<Given<u32>, Message> {
    number(OptionName::Ahead, 0..=u32::MAX, form)
}

pub(super) fn worker_threads(form: &Form) -> Result<Given<usize>, Message> {
    number(OptionName::WorkerThreads, 1..=WORKER_THREADS, form)
}

/// Reads a whole number in this range.
fn number<T>(name: OptionName, range: RangeInclusive<u32>, form: &Form) -> Result<Given<T>, Message>
where
    T: TryFrom<u32>,
{
    let digits = match form {
        Form::Path(path) => return Ok(Given::Constant(path.clone())),
        Form::Number(number) => number,
        Form::Text(text) if text.trim().parse().is_ok_and(|number| range.contains(&number)) => {
            return Err(asynchronous::number(name, Some(text.trim())));
        }
        Form::Word(word) => {
            return Err(asynchronous::number(name, None).note(messages::lower_case_constant(word)));
        }
        _ => return Err(asynchronous::number(name, None)),
    };
    plain(name, digits)?;
    let value = digits.base10_parse::<u32>().ok().filter(|value| range.contains(value));
    let value = value.and_then(|value| T::try_from(value).ok());
    value.map(Given::Value).ok_or_else(|| asynchronous::number_out_of_range(name, &range))
}

/// Refuses a number with a sign or a suffix.
fn plain(name: OptionName, number: &LitInt) -> Result<(), Message> {
    match (number.base10_digits(), number.suffix()) {
        (digits, _) if digits.starts_with('-') => Err(asynchronous::number(name, None)),
        (_, "") => Ok(()),
        (digits, suffix) => Err(asynchronous::number_suffix(name, digits, suffix)),
    }
}

/// Reads a size. If a unit without quotes is the rest of the value, it gets another error than a missing comma.
pub(super) fn ahead_bytes(form: &Form, rest: &TokenStream) -> Result<Given<u64>, Message> {
    let name = OptionName::AheadBytes;
    let bytes = match form {
        Form::Path(path) => return Ok(Given::Constant(path.clone())),
        Form::Number(number) if sizes::size(&format!("{number} {rest}")).is_ok() => {
            return Err(asynchronous::size_without_quotes(&format!("{number} {rest}")));
        }
        Form::Number(number) => {
            plain(name, number).map_err(|_| asynchronous::size_without_quotes(&form.to_string()))?;
            number.base10_parse().map_err(|_| asynchronous::size("", &sizes::NotASize::TooLarge))?
        }
        Form::Text(text) => sizes::size(text).map_err(|problem| asynchronous::size(text, &problem))?,
        other => return Err(asynchronous::size_without_quotes(&other.to_string())),
    };
    if bytes == 0 { Err(asynchronous::size_of_nothing()) } else { Ok(Given::Value(bytes)) }
}

pub(super) fn order(form: &Form) -> Result<Order, Message> {
    word(OptionName::Order, form, Order::from_word)
}

pub(super) fn runtime(form: &Form) -> Result<Runtime, Message> {
    word(OptionName::Runtime, form, Runtime::from_word)
}

/// Reads one of the words of an option.
fn word<T>(name: OptionName, form: &Form, from_word: fn(&str) -> Option<T>) -> Result<T, Message> {
    match form {
        Form::Word(word) => {
            let word = word.to_string();
            from_word(&word).ok_or_else(|| asynchronous::word(name, &word))
        }
        Form::Text(text) if from_word(text).is_some() => Err(messages::option_word_in_quotes(name, text)),
        other => Err(asynchronous::word(name, &other.to_string())),
    }
}
