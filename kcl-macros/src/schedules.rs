//! `#[kcl::test]`: its options, its errors and its expansion. It is compiled with the feature `testing` only.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, FnArg, Ident, Item, ItemFn, LitInt, Path, ReturnType, Signature, Token, Type};

use crate::args::up_to_comma;
use crate::check::{find_type, has_unsized_type};
use crate::context::Context;
use crate::expand::types::{inferred_at, made_at};
use crate::messages::Message;
use crate::model;
use crate::names::nearest;
use crate::syntax::{ends, peel, text};
use crate::values::Value;

/// The number of schedules of a test that does not name one.
const SCHEDULES: u32 = 256;
const OPTIONS: &str = "the options are `schedules` and `crate`";
const SHAPE: &str = "write it as `fn name(daemon: kcl::testing::Daemon)`";

/// The options of a test.
struct Options {
    /// A number, or a constant.
    schedules: TokenStream,
    /// The path of the runtime crate.
    common: model::Options,
}

/// Expands `#[kcl::test]`. After a mistake, the function is emitted without the attributes of other tests, so that it is not one.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let cx = Context::new();
    let options = parse_options(&cx, options);
    let function = parse_function(&cx, item.clone());
    match (function, cx.check()) {
        (Some(function), Ok(())) => test(&options, function),
        (Some(mut function), Err(errors)) => {
            function.attrs.retain(|attribute| !makes_a_test(attribute));
            // The body may not be one of a `const fn`.
            function.sig.constness = None;
            if let Some(FnArg::Typed(argument)) = function.sig.inputs.first_mut() {
                if let Some(owned) = borrowed(&argument.ty).cloned() {
                    *argument.ty = owned;
                }
            }
            quote!(#[allow(dead_code)] #function #errors)
        }
        (None, Err(errors)) => quote!(#[allow(dead_code)] #item #errors),
        (None, Ok(())) => item,
    }
}

/// Generates the test.
fn test(options: &Options, function: ItemFn) -> TokenStream {
    let krate = &options.common.krate;
    let ItemFn { attrs, vis, sig, block, .. } = function;
    let Signature { ident, inputs, output, generics, .. } = &sig;
    // A lint about the name is for that of the function inside.
    let mut test = ident.clone();
    test.set_span(Span::mixed_site().located_at(ident.span()));
    // rustc checks these bounds where they are written. It would check them where the function is called, too.
    let bounds = generics.where_clause.as_ref().map(|clause| quote!(fn __bounds() #clause {}));
    let types = inputs.iter().filter_map(|input| match input {
        FnArg::Typed(argument) => Some(&*argument.ty),
        FnArg::Receiver(_) => None,
    });
    let body = match has_unsized_type(types.clone(), output) {
        true => quote!(#krate::__private::left_to_rustc::<()>()),
        false => run(options, ident, types, output),
    };
    quote! {
        #(#attrs)*
        #[::core::prelude::v1::test]
        #vis fn #test() {
            fn #ident(#inputs) #output #block
            #bounds
            #body
        }
    }
}

/// Generates the call that runs the function under schedules. No type is named a second time: the function determines what it takes and
/// returns.
fn run<'a>(
    options: &Options,
    function: &Ident,
    arguments: impl Iterator<Item = &'a Type>,
    output: &ReturnType,
) -> TokenStream {
    let Options { schedules, common } = options;
    let krate = &common.krate;
    let (name, daemon) = (function.unraw().to_string(), Ident::new("__daemon", Span::mixed_site()));
    let arguments = arguments.map(|ty| made_at(common, ty, &quote!(schedules::Drawn), "drawn", quote!(#daemon)));
    let (returned, allow) = match output {
        ReturnType::Default => (quote!(()), None),
        // Nothing can be inferred from `!`.
        ReturnType::Type(_, ty) if matches!(peel(ty), Type::Never(_)) => {
            (quote!(()), Some(quote!(#[allow(unreachable_code)])))
        }
        ReturnType::Type(_, ty) => (inferred_at(common, ends(ty)), None),
    };
    quote! {
        #krate::__private::schedules::run(#name, #schedules, #allow |#daemon| {
            <#returned as #krate::__private::schedules::Returned>::error(#function(#(#arguments)*))
        })
    }
}

/// Whether an attribute makes a test of a function.
fn makes_a_test(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|last| last.ident.unraw() == "test")
}

fn parse_function(cx: &Context, item: TokenStream) -> Option<ItemFn> {
    let function = match syn::parse2::<ItemFn>(item.clone()) {
        Ok(function) => function,
        // A function with a mistake in its body, which rustc reports.
        Err(_) if is_function(&item) && syn::parse2::<Item>(item.clone()).is_err() => return None,
        Err(_) => {
            cx.error(item, Message::new("`#[kcl::test]` must be on a function").help(SHAPE));
            return None;
        }
    };
    let sig = &function.sig;
    if let Some(attribute) = function.attrs.iter().find(|attribute| makes_a_test(attribute)) {
        cx.error(
            attribute,
            Message::new("a function is a test once only").help("remove this attribute: `#[kcl::test]` makes a test"),
        );
    } else if let Some(word) = &sig.asyncness {
        let message = Message::new("a test with a daemon cannot be `async`");
        cx.error(word, message.help("remove `async`").note("the daemon calls the handlers on the thread of the test"));
    }
    let words = [sig.constness.to_token_stream(), sig.safety.to_token_stream(), sig.abi.to_token_stream()];
    if let Some(word) = words.iter().find(|word| !word.is_empty()) {
        cx.error(word, Message::new("a test must be a plain function").help("remove this"));
    }
    if !sig.generics.params.is_empty() {
        cx.error(&sig.generics, Message::new("a test cannot be generic").help("remove the parameters"));
    }
    let problem = "a test with schedules must take one argument, the daemon";
    match (sig.inputs.first(), sig.inputs.iter().nth(1)) {
        (None, _) => cx.error(&sig.ident, Message::new(problem).help(SHAPE)),
        (Some(FnArg::Receiver(receiver)), _) => {
            // Within an impl, an error cannot have a help.
            cx.error(receiver, Message::new(format!("a test cannot be a method: {SHAPE}, outside of the impl")));
        }
        (Some(_), Some(more)) => cx.error(more, Message::new(problem).help("remove this argument")),
        (Some(FnArg::Typed(argument)), None) => {
            if let Some(ty) = opaque(&argument.ty) {
                cx.error(ty, Message::new("a test cannot take an `impl Trait`").help("write `kcl::testing::Daemon`"));
            } else if let Some(owned) = borrowed(&argument.ty) {
                let message = Message::new(format!("a test cannot take `{}`", text(&argument.ty)));
                cx.error(
                    &argument.ty,
                    message.help(format!("write `{}`", text(owned))).note("each run has a daemon of its own"),
                );
            }
        }
    }
    if let ReturnType::Type(_, ty) = &sig.output {
        if let Some(ty) = opaque(ty) {
            let message = Message::new("a test must return `()` or `Result<(), E>`, without an `impl Trait`");
            cx.error(ty, message.help("write a concrete type, such as `kcl::BoxError` for an error"));
        }
    }
    Some(function)
}

/// The type behind a reference.
fn borrowed(ty: &Type) -> Option<&Type> {
    match peel(ty) {
        Type::Reference(reference) => Some(&reference.elem),
        _ => None,
    }
}

/// The first `impl Trait` in a type.
fn opaque(ty: &Type) -> Option<&Type> {
    find_type(ty, |ty| matches!(ty, Type::ImplTrait(_)))
}

fn is_function(item: &TokenStream) -> bool {
    let mut words = item.clone().into_iter();
    words.any(|token| matches!(token, TokenTree::Ident(word) if word == "fn"))
}

fn parse_options(cx: &Context, tokens: TokenStream) -> Options {
    let mut options = Options { schedules: quote!(#SCHEDULES), common: model::Options::default() };
    let mut seen: Vec<Ident> = Vec::new();
    let parser = |input: ParseStream<'_>| {
        while !input.is_empty() {
            if !input.peek(Ident::peek_any) {
                no_name(cx, up_to_comma(input)?);
                input.parse::<Option<Token![,]>>()?;
                continue;
            }
            let name = input.call(Ident::parse_any)?.unraw();
            let equals = input.parse::<Option<Token![=]>>()?;
            let value = up_to_comma(input)?;
            input.parse::<Option<Token![,]>>()?;
            if seen.contains(&name) {
                cx.error(&name, Message::new(format!("option `{name}` is given twice")).help("remove one of them"));
            } else if name == "schedules" {
                options.schedules = schedules(cx, &name, equals.is_some(), value);
            } else if name == "crate" {
                match syn::parse2::<Path>(value.clone()) {
                    Ok(path) if equals.is_some() => {
                        options.common.krate = path;
                        options.common.krate_is_given = true;
                    }
                    _ => cx.error(
                        quote!(#name #equals #value),
                        Message::new("option `crate` must be a path").help("write it as `crate = my::kcl`"),
                    ),
                }
            } else {
                let message = Message::new(format!("`#[kcl::test]` does not have an option `{name}`"));
                let help = match nearest(&name.to_string(), &["schedules", "crate"]) {
                    Some(meant) => format!("write `{meant}`"),
                    None => OPTIONS.to_owned(),
                };
                cx.error(&name, message.help(help));
            }
            seen.push(name);
        }
        Ok(())
    };
    if let Err(error) = parser.parse2(tokens) {
        cx.push(error);
    }
    options
}

/// Reports a value without the name of its option.
fn no_name(cx: &Context, value: TokenStream) {
    let help = match syn::parse2::<LitInt>(value.clone()) {
        Ok(number) => format!("write `schedules = {number}`"),
        Err(_) => OPTIONS.to_owned(),
    };
    cx.error(&value, Message::new(format!("expected an option, found `{}`", text(&value))).help(help));
}

/// The number of schedules, which is a literal or a constant.
fn schedules(cx: &Context, name: &Ident, has_equals: bool, value: TokenStream) -> TokenStream {
    let mut help = "write a number, as in `schedules = 1000`";
    let value = Value::new(value);
    let (mut at, tokens) = (value.tokens.clone(), value.tokens);
    let number = syn::parse2::<LitInt>(tokens.clone()).map(|number| number.base10_parse::<u32>());
    let problem = match number {
        _ if tokens.is_empty() => {
            at = name.to_token_stream();
            "option `schedules` needs a value"
        }
        _ if !has_equals => "option `schedules` must be followed by `=` and its value",
        Ok(Ok(0)) => "0 schedules test nothing",
        Ok(Err(_)) => "a number of schedules must be from 1 to 4294967295",
        Err(_) if syn::parse2::<Path>(tokens.clone()).is_err() => "option `schedules` must be a number or a constant",
        _ if value.rest.is_empty() => return tokens,
        _ => {
            at = value.rest;
            help = "separate the options with commas: `schedules = 1000, ...`";
            "the value of option `schedules` must be followed by a comma or the end of the options"
        }
    };
    cx.error(at, Message::new(problem).help(help));
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(item: TokenStream) -> String {
        expand(TokenStream::new(), item).to_string()
    }

    #[test]
    fn a_mistake_in_a_type_or_a_bound_is_emitted_once() {
        let code = expanded(quote!(
            fn counts(daemon: Taken) -> Result<(), Mistaken>
            where
                Bound: Copy,
            {
            }
        ));
        for word in ["Taken", "Mistaken", "Bound"] {
            assert_eq!(code.matches(word).count(), 1, "{word}: {code}");
        }
    }

    #[test]
    fn after_a_mistake_there_is_no_test() {
        for attribute in
            [quote!(#[test]), quote!(#[r#test]), quote!(#[tokio::test]), quote!(#[core::prelude::v1::test])]
        {
            let code = expanded(quote!(#attribute fn counts(daemon: Daemon) {}));
            assert!(code.starts_with("# [allow (dead_code)] fn counts"), "{code}");
            assert!(code.contains("a function is a test once only"), "{code}");
        }
    }

    #[test]
    fn unsized_types_are_left_to_rustc() {
        for item in [
            quote!(
                fn counts(daemon: Daemon) -> Result<(), dyn Error> {}
            ),
            quote!(
                fn counts(daemon: dyn Error) {}
            ),
            quote!(
                fn counts(daemon: !) {}
            ),
        ] {
            let code = expanded(item);
            assert!(!code.contains("run (") && code.contains("left_to_rustc"), "{code}");
        }
        assert!(
            expanded(quote!(
                fn fails(daemon: Daemon) -> ! {}
            ))
            .contains("run (")
        );
    }
}
