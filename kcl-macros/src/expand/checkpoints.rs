//! Who checkpoints, and whether a handler takes the same thing twice: what the argument types say while they are compiled.
//!
//! The types are asked through `kcl::__private::probe`, so that one that is no argument is no error here.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Path, Type};

use super::{Chosen, all_lifetimes, ends, place, without_lifetimes};
use crate::model::{Handler, Processor, When};

/// The constant that says who checkpoints.
pub(super) fn constant(processor: &Processor, chosen: &Chosen<'_>) -> TokenStream {
    let Chosen { handler, cfg } = chosen;
    let krate = &processor.options.krate;
    let takes = takes(processor, handler);
    let mut value = match &processor.options.checkpoint {
        None => quote!(#krate::__private::checkpoints(&[#(#takes),*])),
        Some((When::Batch, _)) => quote!(#krate::Checkpoints::Batch),
        Some((When::Interval(millis), _)) => {
            quote!(#krate::Checkpoints::Interval(::core::time::Duration::from_millis(#millis)))
        }
        Some((When::Records(records), _)) => quote!(#krate::Checkpoints::Records(#records)),
    };
    if !is_judged_beside(processor) {
        let judgement = judge(processor);
        value = quote!({ #judgement #value });
    }
    quote! {
        #cfg
        const CHECKPOINTS: #krate::Checkpoints = #value;
    }
}

/// What stands beside the impls for the constant, and the judgement of the arguments.
pub(super) fn beside(processor: &Processor) -> TokenStream {
    let krate = &processor.options.krate;
    let judgement = is_judged_beside(processor).then(|| judge(processor)).filter(|judgement| !judgement.is_empty());
    let judgement = judgement.map(|judgement| quote!(const _: () = { #judgement };));
    quote! {
        trait __Otherwise {
            const TAKES: #krate::__private::Takes = #krate::__private::Takes::UNKNOWN;
        }
        impl<__T> __Otherwise for __T {}
        #judgement
    }
}

/// Evaluates what each handler takes: the same thing twice is an error, and so is a word on payloads where there is none, or on
/// checkpoints where the handler makes them. This is what finds it behind an alias.
fn judge(processor: &Processor) -> TokenStream {
    let judgement = processor.handlers.iter().map(|handler| {
        let count = handler.arguments().count();
        let checkpoint = processor.options.checkpoint.as_ref().filter(|_| handler.kind.handles_records() && count > 0);
        if count < 2 && handler.policy.invalid.is_none() && checkpoint.is_none() {
            return TokenStream::new();
        }
        let krate = &processor.options.krate;
        let nothing = quote!(#krate::__private::Takes::NOTHING);
        let takes = handler.arguments().zip(takes(processor, handler)).fold(nothing, |before, (argument, takes)| {
            // The call that adds an argument stands where the argument does, for what it may have to report.
            let (from, to) = ends(argument);
            let (before, takes) = (parenthesized(before, from), parenthesized(takes, to));
            let and = Ident::new("and", from);
            quote!(#before.#and #takes)
        });
        let takes = match &handler.policy.invalid {
            None => takes,
            Some((_, value)) => judged_at(value, takes, "payload_for_invalid"),
        };
        let takes = match checkpoint {
            None => takes,
            Some((_, value)) => judged_at(value, takes, "no_checkpointer"),
        };
        let cfgs = &handler.cfgs;
        quote!(#(#cfgs)* let _ = #takes;)
    });
    judgement.collect()
}

/// The call that judges an option stands where its value does, for what it may have to report.
fn judged_at(value: &TokenStream, takes: TokenStream, judge: &str) -> TokenStream {
    let (from, to) = ends(value);
    let (takes, judge) = (parenthesized(takes, from), Ident::new(judge, to));
    quote_spanned!(to=> #takes.#judge())
}

/// Whether the arguments are judged in a constant of its own, which `cargo check` evaluates; it can name neither type parameters
/// nor `Self`. Else it is done in the associated constant, which is evaluated when it is used.
fn is_judged_beside(processor: &Processor) -> bool {
    let mut types = processor.handlers.iter().flat_map(Handler::arguments).map(|argument| &argument.ty);
    processor.generics.lifetimes().count() == processor.generics.params.len() && !types.any(|ty| mentions_self(ty))
}

fn mentions_self(ty: &Type) -> bool {
    fn within(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(word) => word == "Self",
            TokenTree::Group(group) => within(group.stream()),
            _ => false,
        })
    }
    within(ty.to_token_stream())
}

/// What each argument takes.
fn takes<'a>(processor: &'a Processor, handler: &'a Handler) -> impl Iterator<Item = TokenStream> {
    let krate: &Path = &processor.options.krate;
    let place = place(handler.kind);
    let lifetimes = all_lifetimes(processor, handler);
    handler.arguments().map(move |argument| {
        let ty = without_lifetimes(&argument.ty, &lifetimes);
        quote!(<#krate::__private::probe::#place<'_, #ty>>::TAKES)
    })
}

fn parenthesized(tokens: TokenStream, span: Span) -> Group {
    let mut group = Group::new(Delimiter::Parenthesis, tokens);
    group.set_span(span);
    group
}
