//! Parses the options of `#[kcl::processor(…)]` and of the handlers.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Ident, Lit, LitBool, LitInt, LitStr, Path, Token};

use crate::context::Context;
use crate::messages;
use crate::model::{Action, Kind, Options, Place, Policy};
use crate::values;

/// Parses the options of `#[kcl::processor(…)]`. An error in one option is reported to `cx`, and the others are still parsed.
pub(crate) fn parse(cx: &Context, tokens: TokenStream) -> Options {
    let mut options = Options::default();
    each(cx, Place::Processor, tokens, |name, value| match name.to_string().as_str() {
        "main" => match leading::<LitBool>(LitBool::parse, &value) {
            Some((main, rest)) => {
                options.main = main.value;
                nothing_more(cx, name, rest);
            }
            None => cx.error(&value, messages::option_main_value()),
        },
        "checkpoint" => {
            let when =
                text(cx, name, &value, |text| values::checkpoint(text).map_err(messages::option_checkpoint_value));
            options.checkpoint = when.map(|when| (when, value));
        }
        "warn_after" => {
            let parse = |text: &str| values::millis(text).filter(|&millis| millis > 0);
            options.warn_after =
                text(cx, name, &value, |text| parse(text).ok_or_else(messages::option_warn_after_value));
        }
        _ => match leading(Path::parse_mod_style, &value) {
            Some((path, rest)) => {
                options.krate = path;
                options.krate_is_given = true;
                nothing_more(cx, name, rest);
            }
            None => {
                let quoted = match syn::parse2(value.clone()) {
                    Ok(Lit::Str(text)) => Some(text.value()),
                    _ => None,
                };
                cx.error(&value, messages::option_crate_value(quoted.as_deref()));
            }
        },
    });
    options
}

/// Parses the options of a record handler.
pub(crate) fn policy(cx: &Context, kind: Kind, tokens: TokenStream) -> Policy {
    let mut policy = Policy::default();
    let mut backoff = None;
    each(cx, Place::Handler(kind), tokens, |name, value| match name.to_string().as_str() {
        "retry" => match leading::<LitInt>(LitInt::parse, &value) {
            Some((number, rest)) if number.base10_parse::<u32>().is_ok() && number.suffix().is_empty() => {
                policy.retry = number.base10_parse().ok();
                nothing_more(cx, name, rest);
            }
            _ => cx.error(&value, messages::option_retry_value()),
        },
        "backoff" => {
            if let Some(times) =
                text(cx, name, &value, |text| values::backoff(text).map_err(messages::option_backoff_value))
            {
                policy.backoff = Some(times);
            }
            backoff = Some(name.clone());
        }
        _ => {
            let word =
                text(cx, name, &value, |text| Action::from_text(text).ok_or_else(|| messages::option_word(name, text)));
            if name == "otherwise" {
                policy.otherwise = word.map(|word| (word, value));
            } else {
                policy.invalid = word.map(|word| (word, value));
            }
        }
    });
    if let Some(name) = backoff.filter(|_| policy.retry.is_none() && !cx.has_errors()) {
        cx.error(name, messages::backoff_without_retry());
    }
    policy
}

/// Parses `name = value, …`, and calls `take` with each option that this place has.
fn each(cx: &Context, place: Place, tokens: TokenStream, mut take: impl FnMut(&Ident, TokenStream)) {
    let parser = |input: ParseStream<'_>| {
        let mut seen = Vec::new();
        while !input.is_empty() {
            match option(cx, place, &mut seen, input) {
                Ok(Some((name, value))) => take(&name, value),
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
    seen: &mut Vec<Ident>,
    input: ParseStream<'_>,
) -> syn::Result<Option<(Ident, TokenStream)>> {
    if !input.peek(Ident::peek_any) {
        let token: TokenTree = input.parse()?;
        return Err(messages::option_no_name(place, &token.to_string()).at(token));
    }
    let name = input.call(Ident::parse_any)?;
    if !place.names().iter().any(|known| name == known) {
        cx.error(&name, messages::option_unknown(place, &name.to_string()));
        return skip(input).map(|()| None);
    }
    if seen.contains(&name) {
        cx.error(&name, messages::option_twice(&name));
        return skip(input).map(|()| None);
    }
    seen.push(name.clone());
    if !input.peek(Token![=]) {
        let found = value(input)?;
        if found.is_empty() {
            cx.error(&name, messages::option_without_value(&name));
        } else {
            cx.error(found, messages::option_without_equals(&name));
        }
        return Ok(None);
    }
    let equals: Token![=] = input.parse()?;
    let value = value(input)?;
    if value.is_empty() {
        cx.error(quote!(#name #equals), messages::option_without_value(&name));
        return Ok(None);
    }
    Ok(Some((name, value)))
}

/// Parses a value in quotes with `read`.
fn text<T>(
    cx: &Context,
    name: &Ident,
    value: &TokenStream,
    read: impl FnOnce(&str) -> Result<T, messages::Message>,
) -> Option<T> {
    let Some((text, rest)) = leading::<LitStr>(<LitStr as Parse>::parse, value) else {
        cx.error(value, messages::option_without_quotes(name));
        return None;
    };
    nothing_more(cx, name, rest);
    read(&text.value()).map_err(|message| cx.error(&text, message)).ok()
}

/// Parses the start of a value, and returns it with the rest.
fn leading<T>(parse: fn(ParseStream<'_>) -> syn::Result<T>, value: &TokenStream) -> Option<(T, TokenStream)> {
    let parser = |input: ParseStream<'_>| Ok((parse(input)?, input.parse()?));
    parser.parse2(value.clone()).ok()
}

fn nothing_more(cx: &Context, name: &Ident, rest: TokenStream) {
    if !rest.is_empty() {
        cx.error(rest, messages::option_without_comma(name));
    }
}

/// Takes everything up to the next comma.
fn value(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let mut tokens = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?.to_tokens(&mut tokens);
    }
    Ok(tokens)
}

fn skip(input: ParseStream<'_>) -> syn::Result<()> {
    value(input).map(drop)
}

#[cfg(test)]
mod tests {
    use quote::quote;

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
        let tokens = quote!(retry = 3, backoff = "200ms..5s", otherwise = "dead_letter", invalid = "skip");
        let policy = policy(&cx, Kind::Record, tokens);
        assert!(cx.check().is_ok());
        assert_eq!((policy.retry, policy.backoff), (Some(3), Some((200, 5000))));
        let words = [policy.otherwise, policy.invalid].map(|word| word.map(|(word, _)| word));
        assert_eq!(words, [Some(Action::DeadLetter), Some(Action::Skip)]);
    }

    #[test]
    fn every_mistake_in_a_policy_is_reported() {
        let cx = Context::new();
        policy(&cx, Kind::Records, quote!(retry = "3", backoff = 5, otherwise = "drop", invalid = skip, main = true));
        starts(
            &cx.into_texts(),
            &[
                "option `retry` must be a whole number",
                "option `backoff` must be a string in quotes",
                "option `otherwise` cannot be `drop`",
                "option `invalid` must be a string in quotes",
                "`#[on_records]` has no option `main`",
            ],
        );
    }
}
