//! The options of `#[kcl::processor(…)]`.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Ident, Lit, LitBool, Path, Token};

use crate::context::Context;
use crate::messages;
use crate::model::Options;

/// Reads the options; what is wrong with one is left in `cx` and does not keep the others from being read.
pub(crate) fn parse(cx: &Context, tokens: TokenStream) -> Options {
    let mut options = Options::default();
    let parser = |input: ParseStream<'_>| {
        let mut seen = Vec::new();
        while !input.is_empty() {
            if let Err(error) = option(cx, &mut options, &mut seen, input) {
                cx.push(error);
                skip(input)?;
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
    options
}

fn option(cx: &Context, options: &mut Options, seen: &mut Vec<Ident>, input: ParseStream<'_>) -> syn::Result<()> {
    if !input.peek(Ident::peek_any) {
        let token: TokenTree = input.parse()?;
        return Err(messages::option_no_name(&token.to_string()).at(token));
    }
    let name = input.call(Ident::parse_any)?;
    if name != "main" && name != "crate" {
        cx.error(&name, messages::option_unknown(&name.to_string()));
        return skip(input);
    }
    if seen.contains(&name) {
        cx.error(&name, messages::option_twice(&name));
        return skip(input);
    }
    seen.push(name.clone());
    if !input.peek(Token![=]) {
        let found = value(input)?;
        if found.is_empty() {
            cx.error(&name, messages::option_without_value(&name));
        } else {
            cx.error(found, messages::option_without_equals(&name));
        }
        return Ok(());
    }
    let equals: Token![=] = input.parse()?;
    let value = value(input)?;
    if value.is_empty() {
        cx.error(quote!(#name #equals), messages::option_without_value(&name));
    } else if name == "main" {
        match leading::<LitBool>(LitBool::parse, &value) {
            Some((main, rest)) => {
                options.main = main.value;
                nothing_more(cx, &name, rest);
            }
            None => cx.error(&value, messages::option_main_value()),
        }
    } else {
        match leading(Path::parse_mod_style, &value) {
            Some((path, rest)) => {
                options.krate = path;
                options.krate_is_given = true;
                nothing_more(cx, &name, rest);
            }
            None => {
                let quoted = match syn::parse2(value.clone()) {
                    Ok(Lit::Str(text)) => Some(text.value()),
                    _ => None,
                };
                cx.error(&value, messages::option_crate_value(quoted.as_deref()));
            }
        }
    }
    Ok(())
}

/// What a value starts with, and the rest.
fn leading<T>(parse: fn(ParseStream<'_>) -> syn::Result<T>, value: &TokenStream) -> Option<(T, TokenStream)> {
    let parser = |input: ParseStream<'_>| Ok((parse(input)?, input.parse()?));
    parser.parse2(value.clone()).ok()
}

fn nothing_more(cx: &Context, name: &Ident, rest: TokenStream) {
    if !rest.is_empty() {
        cx.error(rest, messages::option_without_comma(name));
    }
}

/// Everything up to the next comma.
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
    fn without_options_there_is_a_main_and_the_usual_crate() {
        let (options, errors) = options(TokenStream::new());
        assert!(options.main && !options.krate_is_given && errors.is_empty());
        assert_eq!(options.krate.to_token_stream().to_string(), ":: kcl");
    }

    #[test]
    fn both_options_are_read_in_any_order() {
        for tokens in [quote!(main = false, crate = ::a::b), quote!(crate = ::a::b, main = false,)] {
            let (options, errors) = options(tokens);
            assert!(!options.main && options.krate_is_given && errors.is_empty());
            assert_eq!(options.krate.to_token_stream().to_string(), ":: a :: b");
        }
    }

    #[test]
    fn a_wrong_option_does_not_hide_the_next() {
        let (options, errors) = options(quote!(mian = false, main = 3, crate, 7, crate = "x", main = false));
        assert!(options.main);
        let starts = [
            "`#[kcl::processor]` has no option `mian`",
            "option `main` must be `true` or `false`",
            "option `crate` needs a value",
            "expected an option, found `7`",
            "option `crate` is given twice",
            "option `main` is given twice",
        ];
        assert_eq!(errors.len(), starts.len(), "{errors:#?}");
        for (error, start) in errors.iter().zip(starts) {
            assert!(error.starts_with(start), "{error}");
        }
    }
}
