//! Parses the options of `#[kcl::processor(…)]` and of the handlers.

mod read;

use std::time::Duration;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::token::Paren;
use syn::{Ident, Path, Token};

use crate::context::Context;
use crate::handlers::Kind;
use crate::messages::{self, Message};
use crate::model::{Given, OptionName, Options, Place, Policy};
use crate::names;
use crate::syntax::text;
use crate::values::{self, Form, Value};

/// Parses the options of `#[kcl::processor(…)]`. An error in one option is reported to `cx`, and the others are still parsed.
pub(crate) fn parse(cx: &Context, tokens: TokenStream) -> Options {
    let mut options = Options::default();
    each(cx, Place::Processor, tokens, |written, name, value| {
        options.names.push(written.clone());
        match name {
            OptionName::Main => {
                if let Some(main) = read(cx, name, &value, |form| read::bool(name, form)) {
                    options.main = main;
                }
            }
            OptionName::Crate => {
                if let Some(path) = read(cx, name, &value, read::path) {
                    options.krate = path;
                    options.krate_is_given = true;
                }
            }
            OptionName::Checkpoint => {
                options.checkpoint = read(cx, name, &value, read::checkpoint).map(|when| (when, value.tokens));
            }
            OptionName::WarnAfter => options.warn_after = read(cx, name, &value, |form| read::duration(name, form)),
            OptionName::LogPayloads => {
                if let Some(allowed) = read(cx, name, &value, |form| read::bool(name, form)) {
                    options.log_payloads = allowed;
                }
            }
            OptionName::Runtime => options.runtime = read(cx, name, &value, read::runtime),
            OptionName::WorkerThreads => options.worker_threads = read(cx, name, &value, read::worker_threads),
            OptionName::Retry
            | OptionName::Backoff
            | OptionName::OnFailure
            | OptionName::Bisect
            | OptionName::OnUndecodable
            | OptionName::Every
            | OptionName::Concurrency
            | OptionName::Order
            | OptionName::Ahead
            | OptionName::AheadBytes
            | OptionName::Drain
            | OptionName::Timeout => {}
        }
    });
    options
}

/// Parses the options of a record handler.
pub(crate) fn policy(cx: &Context, kind: Kind, tokens: TokenStream) -> Policy {
    let mut policy = Policy::default();
    each(cx, Place::Handler(kind), tokens, |written, name, value| {
        policy.names.push(written.clone());
        let running = &mut policy.running;
        match name {
            OptionName::Retry => policy.retry = read(cx, name, &value, read::retry),
            OptionName::Backoff => {
                policy.backoff = read(cx, name, &value, |form| read::backoff(form, &value.tokens));
            }
            OptionName::OnFailure => {
                policy.on_failure =
                    read(cx, name, &value, |form| read::action(name, form)).map(|action| (action, value.tokens));
            }
            OptionName::Bisect => policy.bisect = true,
            OptionName::OnUndecodable => {
                policy.on_undecodable =
                    read(cx, name, &value, |form| read::action(name, form)).map(|action| (action, value.tokens));
            }
            OptionName::Concurrency => running.concurrency = read(cx, name, &value, read::concurrency),
            OptionName::Order => running.order = read(cx, name, &value, read::order),
            OptionName::Ahead => running.ahead = read(cx, name, &value, read::ahead),
            OptionName::AheadBytes => {
                running.ahead_bytes = read(cx, name, &value, |form| read::ahead_bytes(form, &value.rest));
            }
            OptionName::Drain => running.drain = read(cx, name, &value, |form| read::duration(name, form)),
            OptionName::Timeout => running.timeout = read(cx, name, &value, |form| read::duration(name, form)),
            OptionName::Main
            | OptionName::Crate
            | OptionName::Checkpoint
            | OptionName::WarnAfter
            | OptionName::LogPayloads
            | OptionName::Every
            | OptionName::Runtime
            | OptionName::WorkerThreads => {}
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
        every = read(cx, name, &value, |form| read::duration(name, form)).map(|time| (written.clone(), time));
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
        let is_value =
            matches!(&Value::new(token.clone().into()).form, Form::Text(text) if values::duration(text).is_ok());
        cx.error(&token, messages::option_no_name(place, &token.to_string(), is_value));
        return skip(input).map(|()| None);
    }
    let written = input.call(Ident::parse_any)?.unraw();
    let Some(name) = place.options().iter().copied().find(|name| written == name.text()) else {
        let rest = up_to_comma(input)?;
        let given = quote!(#written #rest);
        if matches!(Value::new(given.clone()), Value { form: Form::Path(path), .. } if is_constant(&path)) {
            cx.error(&given, messages::option_no_name(place, &text(&given), true));
            return Ok(None);
        }
        let written = with_dashes(&written, rest.clone());
        let name = text(&written);
        let value = |meant| without_equals(meant, &rest).filter(|_| !names::has_another_value(&name));
        cx.error(&written, messages::option_unknown(place, &name, &value));
        return Ok(None);
    };
    if seen.contains(&name) {
        cx.error(&written, messages::option_twice(name));
        return skip(input).map(|()| None);
    }
    seen.push(name);
    if name.is_flag() {
        let has_value = input.peek(Token![=]) || input.peek(Paren);
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
            let value = without_equals(name, &found);
            cx.error(found, messages::option_without_equals(name, value.as_deref()));
        }
        return Ok(None);
    }
    let equals: Token![=] = input.parse()?;
    let value = up_to_comma(input)?;
    if value.is_empty() {
        cx.error(quote!(#written #equals), messages::option_without_value(name));
        return Ok(None);
    }
    if starts_with(&value, &['=', '>']) {
        let found = quote!(#equals #value);
        cx.error(found, messages::option_without_equals(name, without_equals(name, &value).as_deref()));
        return Ok(None);
    }
    Ok(Some((written, name, value)))
}

/// Whether a path looks like that of a constant, and not like the name of an option.
fn is_constant(path: &Path) -> bool {
    path.segments.last().is_some_and(|last| !last.ident.to_string().contains(|char: char| char.is_lowercase()))
}

/// The name of an unknown option, with all of its words if they are separated by dashes.
fn with_dashes(first: &Ident, rest: TokenStream) -> TokenStream {
    let is_part = |token: &TokenTree| match token {
        TokenTree::Ident(_) => true,
        TokenTree::Punct(mark) => mark.as_char() == '-',
        TokenTree::Group(_) | TokenTree::Literal(_) => false,
    };
    let has_dashes = starts_with(&rest, &['-']);
    let more: TokenStream = rest.into_iter().take_while(|token| has_dashes && is_part(token)).collect();
    quote!(#first #more)
}

fn starts_with(tokens: &TokenStream, marks: &[char]) -> bool {
    matches!(tokens.clone().into_iter().next(), Some(TokenTree::Punct(mark)) if marks.contains(&mark.as_char()))
}

/// The value in an option such as `retry(3)`, `retry: 3` or `retry == 3`, if it has the form of that option's values.
fn without_equals(name: OptionName, found: &TokenStream) -> Option<String> {
    let mut tokens = found.clone().into_iter();
    let value = match tokens.next()? {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis && tokens.next().is_none() => {
            group.stream()
        }
        TokenTree::Punct(mark) if matches!(mark.as_char(), ':' | '=' | '>') => tokens.collect(),
        _ => return None,
    };
    let value = Value::new(value);
    let (_, example) = name.example().split_once(" = ")?;
    let has_the_form = match (&value.form, &Value::new(example.parse().ok()?).form) {
        (Form::Word(word), _) => name.has_word(&word.to_string()),
        (Form::Number(number), Form::Number(_)) => number.suffix().is_empty(),
        (Form::Bool(_), Form::Bool(_)) | (Form::Text(_), Form::Text(_)) | (Form::Path(_), Form::Path(_)) => true,
        _ => false,
    };
    (has_the_form && value.rest.is_empty()).then(|| text(&value.tokens))
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
        Err(_) if is_misquoted(&value.tokens) => {
            cx.reported();
            None
        }
        Err(message) => {
            cx.error(&value.tokens, message);
            None
        }
    }
}

/// Whether the value starts with a text in single quotes, for which rustc has an error of its own.
fn is_misquoted(tokens: &TokenStream) -> bool {
    let Some(TokenTree::Literal(literal)) = tokens.clone().into_iter().next() else { return false };
    let text = literal.to_string();
    let between = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    between.is_some_and(|text| !text.starts_with('\\') && text.chars().count() != 1)
}

/// Takes everything up to the next comma.
pub(crate) fn up_to_comma(input: ParseStream<'_>) -> syn::Result<TokenStream> {
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
    use crate::model::{Action, Backoff, Order, Runtime, When};

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
    fn how_calls_run_is_parsed() {
        let cx = Context::new();
        let tokens = quote!(concurrency = 64, order = none, ahead = 1, ahead_bytes = "1 MiB", drain = "5s");
        let running = policy(&cx, Kind::Record, tokens).running;
        assert!(
            matches!(running.concurrency, Some(Given::Value(64))) && matches!(running.ahead, Some(Given::Value(1)))
        );
        assert!(running.order == Some(Order::None) && matches!(running.ahead_bytes, Some(Given::Value(0x10_0000))));
        assert!(matches!(running.drain, Some(Given::Value(time)) if time == Duration::from_secs(5)));
        let tokens = quote!(concurrency = A, order = partition_key, ahead = B, ahead_bytes = C, drain = D, timeout = E);
        let constants = policy(&cx, Kind::Record, tokens).constants().count();
        let timeout = policy(&cx, Kind::Records, quote!(timeout = "1m")).running.timeout;
        assert!(constants == 5 && matches!(timeout, Some(Given::Value(time)) if time == Duration::from_secs(60)));
        assert!(cx.check().is_ok());
        let (options, errors) = options(quote!(runtime = multi_thread, worker_threads = 4));
        assert!(options.runtime == Some(Runtime::MultiThread) && errors.is_empty());
        assert!(matches!(options.worker_threads, Some(Given::Value(4))));
    }

    #[test]
    fn every_mistake_in_how_calls_run_is_reported() {
        for (tokens, error) in [
            (quote!(concurrency = 0), "option `concurrency` must be from 1 to 65536"),
            (quote!(concurrency = 65_537), "option `concurrency` must be from 1 to 65536"),
            (quote!(concurrency = "64"), "option `concurrency` must be a whole number"),
            (quote!(concurrency = 64usize), "option `concurrency` must be a number without a suffix"),
            (quote!(concurrency = many), "option `concurrency` must be a whole number"),
            (quote!(ahead = 1.5), "option `ahead` must be a whole number"),
            (quote!(ahead = 99999999999), "option `ahead` must be from 0 to 4294967295"),
            (quote!(order = key), "option `order` cannot be `key`"),
            (quote!(order = "none"), "`none` must not be in quotes"),
            (quote!(order = kcl::Order::None), "option `order` cannot be `kcl::Order::None`"),
            (quote!(ahead_bytes = 64 MiB), "option `ahead_bytes` must be a size in quotes"),
            (quote!(ahead_bytes = 64MiB), "option `ahead_bytes` must be a size in quotes"),
            (quote!(ahead_bytes = 64 drain = "1s"), "the value of option `ahead_bytes` must be followed by a comma"),
            (quote!(ahead_bytes = "64"), "the number `64` in option `ahead_bytes` has no unit"),
            (quote!(ahead_bytes = "64 mib"), "`mib` in option `ahead_bytes` is not a unit of size"),
            (quote!(ahead_bytes = 0), "option `ahead_bytes` must be greater than 0"),
            (quote!(ahead_bytes = "0 MiB"), "option `ahead_bytes` must be greater than 0"),
            (quote!(ahead_bytes = "much"), "`much` in option `ahead_bytes` is not a size"),
            (quote!(drain = "0s"), "option `drain` must be greater than 0"),
            (quote!(timeout = 30), "option `timeout` must be a duration in quotes"),
            (quote!(parallelism = 4), "`#[on_record]` has no option `parallelism`"),
        ] {
            let cx = Context::new();
            policy(&cx, Kind::Record, tokens);
            starts(&cx.into_texts(), &[error]);
        }
        let cx = Context::new();
        policy(&cx, Kind::Records, quote!(concurrency = 64, timeout = "1s"));
        starts(&cx.into_texts(), &["option `concurrency` needs an `#[on_record]` handler"]);
        for (tokens, error) in [
            (quote!(runtime = multi), "option `runtime` cannot be `multi`"),
            (quote!(worker_threads = 0), "option `worker_threads` must be from 1 to 1024"),
            (quote!(concurrency = 4), "`#[kcl::processor]` has no option `concurrency`"),
        ] {
            starts(&options(tokens).1, &[error]);
        }
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
