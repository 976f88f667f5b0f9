//! `#[kcl::test]`: its options, its errors and its expansion. It is compiled with the feature `testing` only.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{FnArg, Ident, ItemFn, LitInt, Path, ReturnType, Signature, Token};

use crate::context::Context;
use crate::messages::Message;

/// The number of schedules of a test that does not name one.
const SCHEDULES: u32 = 256;
const OPTIONS: &str = "the options are `schedules` and `crate`";
const SHAPE: &str = "write it as `fn name(daemon: kcl::testing::Daemon)`";

/// The options of a test.
struct Options {
    /// A number, or a constant.
    schedules: TokenStream,
    krate: Path,
}

/// Expands `#[kcl::test]`. After a mistake, the function is emitted as it is.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let cx = Context::new();
    let options = parse_options(&cx, options);
    let function = parse_function(&cx, item.clone());
    match (function, cx.check()) {
        (Some(function), Ok(())) => test(&options, function),
        (_, Err(errors)) => quote!(#[allow(dead_code)] #item #errors),
        (None, Ok(())) => item,
    }
}

fn test(options: &Options, function: ItemFn) -> TokenStream {
    let Options { schedules, krate } = options;
    let ItemFn { attrs, vis, sig, block, .. } = function;
    let Signature { ident, inputs, output, .. } = &sig;
    let name = ident.unraw().to_string();
    let argument = inputs.iter().map(|input| match input {
        FnArg::Typed(typed) => typed.ty.to_token_stream(),
        FnArg::Receiver(receiver) => receiver.to_token_stream(),
    });
    let returned = match output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => ty.to_token_stream(),
    };
    quote! {
        #(#attrs)*
        #[::core::prelude::v1::test]
        #vis fn #ident() {
            fn #ident(#inputs) #output #block
            #krate::__private::schedules::run::<#(#argument)*, #returned>(#name, #schedules, #ident)
        }
    }
}

fn parse_function(cx: &Context, item: TokenStream) -> Option<ItemFn> {
    let function = match syn::parse2::<ItemFn>(item.clone()) {
        Ok(function) => function,
        // A function with a mistake in its body, which rustc reports.
        Err(_) if is_function(&item) => return None,
        Err(_) => {
            cx.error(item, Message::new("`#[kcl::test]` must be on a function").help(SHAPE));
            return None;
        }
    };
    let sig = &function.sig;
    let mut twice = function.attrs.iter().filter(|attribute| {
        let last = attribute.path().segments.last();
        last.is_some_and(|segment| segment.ident == "test")
    });
    if let Some(attribute) = twice.next() {
        cx.error(
            attribute,
            Message::new("a function is a test once only").help("remove this attribute: `#[kcl::test]` makes a test"),
        );
    }
    if let Some(word) = &sig.asyncness {
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
        (Some(_), None) => {}
    }
    Some(function)
}

fn is_function(item: &TokenStream) -> bool {
    let mut words = item.clone().into_iter();
    words.any(|token| matches!(token, TokenTree::Ident(word) if word == "fn"))
}

fn parse_options(cx: &Context, tokens: TokenStream) -> Options {
    let mut options = Options { schedules: quote!(#SCHEDULES), krate: syn::parse_quote!(::kcl) };
    let mut seen: Vec<Ident> = Vec::new();
    let parser = |input: ParseStream<'_>| {
        while !input.is_empty() {
            let name = input.call(Ident::parse_any)?;
            let equals = input.parse::<Option<Token![=]>>()?;
            let mut value = TokenStream::new();
            while !input.is_empty() && !input.peek(Token![,]) {
                value.extend([input.parse::<TokenTree>()?]);
            }
            input.parse::<Option<Token![,]>>()?;
            if seen.contains(&name) {
                cx.error(&name, Message::new(format!("option `{name}` is given twice")).help("remove one of them"));
            } else if name == "schedules" {
                options.schedules = schedules(cx, &name, equals.is_some(), value);
            } else if name == "crate" {
                match syn::parse2::<Path>(value.clone()) {
                    Ok(path) if equals.is_some() => options.krate = path,
                    _ => cx.error(
                        quote!(#name #equals #value),
                        Message::new("option `crate` must be a path").help("write it as `crate = my::kcl`"),
                    ),
                }
            } else {
                let message = Message::new(format!("`#[kcl::test]` does not have an option `{name}`"));
                cx.error(&name, message.help(OPTIONS));
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

/// The number of schedules, which is a literal or a constant.
fn schedules(cx: &Context, name: &Ident, has_equals: bool, value: TokenStream) -> TokenStream {
    let help = "write a number, as in `schedules = 1000`";
    let at = if value.is_empty() { name.to_token_stream() } else { value.clone() };
    let number = syn::parse2::<LitInt>(value.clone()).map(|number| number.base10_parse::<u32>());
    let problem = match number {
        _ if !has_equals => "option `schedules` needs a value",
        Ok(Ok(0)) => "0 schedules test nothing",
        Ok(Ok(_)) => return value,
        Ok(Err(_)) => "a number of schedules must be from 1 to 4294967295",
        Err(_) if syn::parse2::<Path>(value.clone()).is_ok() => return value,
        Err(_) => "option `schedules` must be a number or a constant",
    };
    cx.error(at, Message::new(problem).help(help));
    value
}
