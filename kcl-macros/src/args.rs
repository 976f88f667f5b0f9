//! Parses the options of `#[kcl::processor(…)]` and of the handlers.

use std::time::Duration;

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Ident, Path, Token};

use crate::context::Context;
use crate::handlers::Kind;
use crate::messages::{self, Message};
use crate::model::{Action, Backoff, Given, OptionName, Options, Place, Policy, When};
use crate::names;
use crate::values::{self, Form, Problem, Value};

/// Parses the options of `#[kcl::processor(…)]`. An error in one option is reported to `cx`, and the others are still parsed.
pub(crate) fn parse(cx: &Context, tokens: TokenStream) -> Options {
    let mut options = Options::default();
    each(cx, Place::Processor, tokens, |written, name, value| {
        options.names.push(written.clone());
        match name {
            OptionName::Main => {
                if let Some(main) = read(cx, name, &value, |form| bool(name, form)) {
                    options.main = main;
                }
            }
            OptionName::Crate => {
                if let Some(path) = read(cx, name, &value, path) {
                    options.krate = path;
                    options.krate_is_given = true;
                }
            }
            OptionName::Checkpoint => {
                options.checkpoint = read(cx, name, &value, checkpoint).map(|when| (when, value.tokens));
            }
            OptionName::WarnAfter => options.warn_after = read(cx, name, &value, |form| duration(name, form)),
            OptionName::LogPayloads => {
                if let Some(allowed) = read(cx, name, &value, |form| bool(name, form)) {
                    options.log_payloads = allowed;
                }
            }
            OptionName::Retry
            | OptionName::Backoff
            | OptionName::OnFailure
            | OptionName::Bisect
            | OptionName::OnUndecodable
            | OptionName::Every => {}
        }
    });
    options
}

/// Parses the options of a record handler.
pub(crate) fn policy(cx: &Context, kind: Kind, tokens: TokenStream) -> Policy {
    let mut policy = Policy::default();
    each(cx, Place::Handler(kind), tokens, |written, name, value| {
        policy.names.push(written.clone());
        match name {
            OptionName::Retry => policy.retry = read(cx, name, &value, retry),
            OptionName::Backoff => {
                policy.backoff = read(cx, name, &value, |form| backoff(form, &value.tokens));
            }
            OptionName::OnFailure => {
                policy.on_failure =
                    read(cx, name, &value, |form| action(name, form)).map(|action| (action, value.tokens));
            }
            OptionName::Bisect => policy.bisect = true,
            OptionName::OnUndecodable => {
                policy.on_undecodable =
                    read(cx, name, &value, |form| action(name, form)).map(|action| (action, value.tokens));
            }
            OptionName::Main
            | OptionName::Crate
            | OptionName::Checkpoint
            | OptionName::WarnAfter
            | OptionName::LogPayloads
            | OptionName::Every => {}
        }
    });
    if policy.backoff.is_some() && policy.retry.is_none() && !cx.has_errors() {
        cx.error(policy.name(OptionName::Backoff), messages::backoff_without_retry());
    }
    policy
}

/// Parses the options of a tick. `attribute` is its path.
pub(crate) fn every(cx: &Context, attribute: &Path, tokens: TokenStream) -> Option<(Ident, Given<Duration>)> {
    if tokens.is_empty() {
        cx.error(attribute, messages::tick_without_every());
    }
    let mut every = None;
    each(cx, Place::Handler(Kind::Tick), tokens, |written, name, value| {
        every = read(cx, name, &value, |form| duration(name, form)).map(|time| (written.clone(), time));
    });
    every
}

/// Parses `name = value, …`, and calls `take` with each option that this place has.
fn each(cx: &Context, place: Place, tokens: TokenStream, mut take: impl FnMut(&Ident, OptionName, Value)) {
    let parser = |input: ParseStream<'_>| {
        let mut seen = Vec::new();
        while !input.is_empty() {
            match option(cx, place, &mut seen, input) {
                Ok(Some((written, name, value))) => take(&written, name, Value::new(value)),
                Ok(None) => {}
                Err(error) => {
                    cx.push(error);
                    skip(input)?;
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    };
    if let Err(error) = parser.parse2(tokens) {
        cx.push(error);
    }
}

fn option(
    cx: &Context,
    place: Place,
    seen: &mut Vec<OptionName>,
    input: ParseStream<'_>,
) -> syn::Result<Option<(Ident, OptionName, TokenStream)>> {
    if !input.peek(Ident::peek_any) {
        let token: TokenTree = input.parse()?;
        cx.error(&token, messages::option_no_name(place, &token.to_string()));
        return skip(input).map(|()| None);
    }
    let written = input.call(Ident::parse_any)?;
    let Some(name) = place.options().iter().copied().find(|name| written == name.text()) else {
        cx.error(&written, messages::option_unknown(place, &written.to_string()));
        return skip(input).map(|()| None);
    };
    if seen.contains(&name) {
        cx.error(&written, messages::option_twice(name));
        return skip(input).map(|()| None);
    }
    seen.push(name);
    if name.is_flag() {
        let has_value = input.peek(Token![=]);
        let rest = up_to_comma(input)?;
        match rest.is_empty() {
            true => return Ok(Some((written, name, rest))),
            false if has_value => cx.error(rest, messages::option_flag_value(name)),
            false => cx.error(rest, messages::option_without_comma(name)),
        }
        return Ok(None);
    }
    if !input.peek(Token![=]) {
        let found = up_to_comma(input)?;
        if found.is_empty() {
            cx.error(&written, messages::option_without_value(name));
        } else {
            cx.error(found, messages::option_without_equals(name));
        }
        return Ok(None);
    }
    let equals: Token![=] = input.parse()?;
    let value = up_to_comma(input)?;
    if value.is_empty() {
        cx.error(quote!(#written #equals), messages::option_without_value(name));
        return Ok(None);
    }
    Ok(Some((written, name, value)))
}

/// Reads a value with `read`. Reports its error, or else a missing comma after the value.
fn read<T>(cx: &Context, name: OptionName, value: &Value, read: impl FnOnce(&Form) -> Result<T, Message>) -> Option<T> {
    match read(&value.form) {
        Ok(read) => {
            if !value.rest.is_empty() {
                cx.error(&value.rest, messages::option_without_comma(name));
            }
            Some(read)
        }
        Err(message) => {
            cx.error(&value.tokens, message);
            None
        }
    }
}

fn bool(name: OptionName, form: &Form) -> Result<bool, Message> {
    match form {
        Form::Bool(value) => Ok(*value),
        _ => Err(messages::option_bool_value(name)),
    }
}

fn path(form: &Form) -> Result<Path, Message> {
    match form {
        Form::Word(word) => Ok(word.clone().into()),
        Form::Path(path) => Ok(path.clone()),
        Form::Text(text) => Err(messages::option_crate_value(Some(text))),
        _ => Err(messages::option_crate_value(None)),
    }
}

fn checkpoint(form: &Form) -> Result<Given<When>, Message> {
    let found = match form {
        Form::Path(path) => return Ok(Given::Constant(path.clone())),
        Form::Word(word) if word == values::BATCH => return Ok(Given::Value(When::Batch)),
        Form::Text(text) if text.trim() == values::BATCH => {
            return Err(messages::option_word_in_quotes(OptionName::Checkpoint, values::BATCH));
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

fn duration(name: OptionName, form: &Form) -> Result<Given<Duration>, Message> {
    match form {
        Form::Path(path) => Ok(Given::Constant(path.clone())),
        Form::Text(text) => {
            values::duration(text).map(Given::Value).map_err(|problem| messages::option_duration(name, text, problem))
        }
        other => Err(messages::option_without_quotes(name, &other.to_string())),
    }
}

fn retry(form: &Form) -> Result<Given<u32>, Message> {
    match form {
        Form::Path(path) => Ok(Given::Constant(path.clone())),
        Form::Number(number) if number.base10_digits().starts_with('-') => Err(messages::option_retry_value(None)),
        Form::Number(number) if number.suffix().is_empty() => {
            number.base10_parse().map(Given::Value).map_err(|_| messages::option_retry_too_large())
        }
        Form::Number(number) => Err(messages::option_retry_suffix(number.base10_digits(), number.suffix())),
        Form::Text(text) => Err(messages::option_retry_value(text.trim().parse::<u32>().ok())),
        _ => Err(messages::option_retry_value(None)),
    }
}

fn backoff(form: &Form, tokens: &TokenStream) -> Result<Backoff, Message> {
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

fn action(name: OptionName, form: &Form) -> Result<Action, Message> {
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

/// Takes everything up to the next comma.
fn up_to_comma(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let mut tokens = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![,]) {
        tokens.extend([input.parse::<TokenTree>()?]);
    }
    Ok(tokens)
}

fn skip(input: ParseStream<'_>) -> syn::Result<()> {
    up_to_comma(input).map(drop)
}

#[cfg(test)]
mod tests {
    use quote::ToTokens;

    use super::*;

    fn options(tokens: TokenStream) -> (Options, Vec<String>) {
        let cx = Context::new();
        let options = parse(&cx, tokens);
        (options, cx.into_texts())
    }

    #[test]
    fn without_options_there_is_a_main_and_the_default_crate() {
        let (options, errors) = options(TokenStream::new());
        assert!(options.main && !options.krate_is_given && errors.is_empty());
        assert_eq!(options.krate.to_token_stream().to_string(), ":: kcl");
    }

    #[test]
    fn both_options_are_parsed_in_any_order() {
        for tokens in [quote!(main = false, crate = ::a::b), quote!(crate = ::a::b, main = false,)] {
            let (options, errors) = options(tokens);
            assert!(!options.main && options.krate_is_given && errors.is_empty());
            assert_eq!(options.krate.to_token_stream().to_string(), ":: a :: b");
        }
    }

    #[test]
    fn a_crate_is_any_path() {
        for (tokens, path) in
            [(quote!(streams), "streams"), (quote!(crate), "crate"), (quote!(super::kcl), "super :: kcl")]
        {
            let (options, errors) = options(quote!(crate = #tokens));
            assert!(errors.is_empty(), "{errors:?}");
            assert_eq!(options.krate.to_token_stream().to_string(), path);
        }
    }

    #[test]
    fn checkpoints_are_a_word_or_a_text() {
        for (tokens, expected) in [
            (quote!(batch), When::Batch),
            (quote!("30s"), When::Interval(Duration::from_secs(30))),
            (quote!("7 records"), When::Records(7)),
        ] {
            let (options, errors) = options(quote!(checkpoint = #tokens));
            assert!(errors.is_empty(), "{errors:?}");
            assert!(matches!(options.checkpoint, Some((Given::Value(when), _)) if when == expected), "{tokens}");
        }
    }

    #[test]
    fn a_path_is_a_constant() {
        let (options, errors) = options(quote!(checkpoint = paces::SLOW, warn_after = Self::LIMIT));
        assert!(errors.is_empty(), "{errors:?}");
        let constants: Vec<_> = options.constants().map(|path| path.to_token_stream().to_string()).collect();
        assert_eq!(constants, ["paces :: SLOW", "Self :: LIMIT"]);

        let cx = Context::new();
        let policy = policy(&cx, Kind::Record, quote!(retry = RETRIES, backoff = "1s"..MOST));
        assert!(cx.check().is_ok());
        let constants: Vec<_> = policy.constants().map(|path| path.to_token_stream().to_string()).collect();
        assert_eq!(constants, ["RETRIES", "MOST"]);
    }

    fn starts(errors: &[String], starts: &[&str]) {
        assert_eq!(errors.len(), starts.len(), "{errors:#?}");
        for (error, start) in errors.iter().zip(starts) {
            assert!(error.starts_with(start), "{error}");
        }
    }

    #[test]
    fn a_wrong_option_does_not_hide_the_next() {
        let (options, errors) = options(quote!(mian = false, main = 3, crate, 7, crate = "x", main = false));
        assert!(options.main);
        starts(
            &errors,
            &[
                "`#[kcl::processor]` has no option `mian`",
                "option `main` must be `true` or `false`",
                "option `crate` needs a value",
                "expected an option, found `7`",
                "option `crate` is given twice",
                "option `main` is given twice",
            ],
        );
    }

    #[test]
    fn a_policy_is_parsed() {
        let cx = Context::new();
        let tokens = quote!(retry = 3, backoff = "200ms..5s", on_failure = dead_letter, on_undecodable = skip);
        let policy = policy(&cx, Kind::Record, tokens);
        assert!(cx.check().is_ok());
        assert!(matches!(policy.retry, Some(Given::Value(3))));
        let Some(Backoff { first: Given::Value(first), most: Given::Value(most), .. }) = policy.backoff else {
            panic!("no backoff")
        };
        assert_eq!((first, most), (Duration::from_millis(200), Duration::from_secs(5)));
        let actions = [policy.on_failure, policy.on_undecodable].map(|action| action.map(|(action, _)| action));
        assert_eq!(actions, [Some(Action::DeadLetter), Some(Action::Skip)]);
    }

    #[test]
    fn every_mistake_in_a_policy_is_reported() {
        let cx = Context::new();
        let tokens = quote!(retry = "3", backoff = 5, on_failure = drop, on_undecodable = "skip", main = true);
        policy(&cx, Kind::Records, tokens);
        starts(
            &cx.into_texts(),
            &[
                "option `retry` must be a whole number",
                "option `backoff` must be a range of two durations in quotes",
                "option `on_failure` cannot be `drop`",
                "`skip` must not be in quotes",
                "`#[on_records]` has no option `main`",
            ],
        );
    }

    #[test]
    fn a_flag_has_no_value() {
        let cx = Context::new();
        assert!(policy(&cx, Kind::Records, quote!(bisect, on_failure = skip)).bisect);
        assert!(cx.check().is_ok());
        let cx = Context::new();
        for tokens in [quote!(bisect = true), quote!(bisect on_failure = skip), quote!(bisect, bisect)] {
            policy(&cx, Kind::Records, tokens);
        }
        policy(&cx, Kind::Record, quote!(bisect));
        starts(
            &cx.into_texts(),
            &[
                "option `bisect` takes no value",
                "option `bisect` must be followed by a comma",
                "option `bisect` is given twice",
                "option `bisect` needs an `#[on_records]` handler",
            ],
        );
    }

    #[test]
    fn a_tick_needs_its_time() {
        let time = |tokens| {
            let cx = Context::new();
            let every = every(&cx, &syn::parse_quote!(on_tick), tokens);
            (every, cx.into_texts())
        };
        let (given, errors) = time(quote!(every = "1m30s"));
        assert!(matches!(given, Some((_, Given::Value(time))) if time == Duration::from_secs(90)) && errors.is_empty());
        assert!(matches!(time(quote!(every = PACE)).0, Some((_, Given::Constant(_)))));
        for (tokens, error) in [
            (quote!(), "`#[on_tick]` needs option `every`"),
            (quote!("5s"), "expected an option, found `\"5s\"`"),
            (quote!(every = "0s"), "option `every` must be greater than 0"),
            (quote!(interval = "5s"), "`#[on_tick]` has no option `interval`"),
        ] {
            starts(&time(tokens).1, &[error]);
        }
    }

    #[test]
    fn only_a_lower_case_word_is_an_action() {
        for tokens in
            [quote!(Skip), quote!(SKIP), quote!(kcl::FailureAction::Skip), quote!(skip()), quote!(skip | fail)]
        {
            let cx = Context::new();
            let policy = policy(&cx, Kind::Record, quote!(on_failure = #tokens));
            assert!(policy.on_failure.is_none());
            starts(&cx.into_texts(), &["option `on_failure` cannot be `"]);
        }
    }
}
