//! Generates the constant that says who checkpoints, and the checks of the argument types.
//!
//! `kcl::__private::probe` looks up what a type takes, so that a type that is not an argument does not cause a second error here.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Path, Type};

use super::methods::argument_trait;
use super::slots::Chosen;
use super::types::{all_lifetimes, without_lifetimes};
use crate::model::{Handler, Processor};
use crate::syntax::ends;

/// The constant that says who checkpoints, with the value of the option `checkpoint` if it is given.
pub(super) fn constant(processor: &Processor, chosen: &Chosen<'_>, option: Option<&TokenStream>) -> TokenStream {
    let Chosen { handler, cfg } = chosen;
    let krate = &processor.options.krate;
    let mut value = option.cloned().unwrap_or_else(|| {
        let takes = takes(processor, handler);
        quote!(#krate::__private::checkpoints(&[#(#takes),*]))
    });
    if !has_own_const(processor) {
        let checks = argument_checks(processor);
        value = quote!({ #checks #value });
    }
    quote! {
        #cfg
        const CHECKPOINTS: #krate::Checkpoints = #value;
    }
}

/// The items beside the impls: those that the constant needs, and the checks of the arguments.
pub(super) fn items(processor: &Processor) -> TokenStream {
    let krate = &processor.options.krate;
    let checks = has_own_const(processor).then(|| argument_checks(processor)).filter(|checks| !checks.is_empty());
    let checks = checks.map(|checks| quote!(const _: () = { #checks };));
    quote! {
        trait __Fallback {
            const TAKES: #krate::__private::Takes = #krate::__private::Takes::UNKNOWN;
        }
        impl<__T> __Fallback for __T {}
        #checks
    }
}

/// Code that evaluates what each handler takes. It is an error to take the same thing twice, to set `on_undecodable` for a handler without
/// a payload, or to set `checkpoint` for a handler that makes checkpoints. Types are compared, so aliases are found too.
fn argument_checks(processor: &Processor) -> TokenStream {
    let checks = processor.handlers.iter().map(|handler| {
        let count = handler.arguments().count();
        let checkpoint = processor.options.checkpoint.as_ref().filter(|_| handler.kind.handles_records() && count > 0);
        if count < 2 && handler.policy.on_undecodable.is_none() && checkpoint.is_none() {
            return TokenStream::new();
        }
        let krate = &processor.options.krate;
        let nothing = quote!(#krate::__private::Takes::NOTHING);
        let takes = handler.arguments().zip(takes(processor, handler)).fold(nothing, |before, (argument, takes)| {
            // The call that adds an argument has the span of the argument, for the error that it may report.
            let (from, to) = ends(argument);
            let (before, takes) = (parenthesized(before, from), parenthesized(takes, to));
            let and = Ident::new("and", from);
            quote!(#before.#and #takes)
        });
        let takes = match &handler.policy.on_undecodable {
            None => takes,
            Some((_, value)) => checked_at(value, takes, "payload_for_on_undecodable"),
        };
        let takes = match checkpoint {
            None => takes,
            Some((_, value)) => checked_at(value, takes, "no_checkpointer"),
        };
        let cfgs = &handler.cfgs;
        quote!(#(#cfgs)* let _ = #takes;)
    });
    checks.collect()
}

/// A call that checks an option. It has the span of the option's value, for the error that it may report.
fn checked_at(value: &TokenStream, takes: TokenStream, check: &str) -> TokenStream {
    let (from, to) = ends(value);
    let (takes, check) = (parenthesized(takes, from), Ident::new(check, to));
    quote_spanned!(to=> #takes.#check())
}

/// Whether the arguments are checked in a constant of their own, which `cargo check` evaluates. Such a constant can name neither
/// type parameters nor `Self`. Otherwise they are checked in the associated constant, which is evaluated only where it is used.
fn has_own_const(processor: &Processor) -> bool {
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

/// The constants that say what each argument takes.
fn takes<'a>(processor: &'a Processor, handler: &'a Handler) -> impl Iterator<Item = TokenStream> {
    let krate: &Path = &processor.options.krate;
    let argument_trait = argument_trait(handler.kind);
    let lifetimes = all_lifetimes(processor, handler);
    handler.arguments().map(move |argument| {
        let ty = without_lifetimes(&argument.ty, &lifetimes);
        quote!(<#krate::__private::probe::#argument_trait<'_, #ty>>::TAKES)
    })
}

fn parenthesized(tokens: TokenStream, span: Span) -> Group {
    let mut group = Group::new(Delimiter::Parenthesis, tokens);
    group.set_span(span);
    group
}
