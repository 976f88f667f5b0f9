//! Generates the values of options. Those of constants are items beside the impl: `cargo check` evaluates them there, even if the impl
//! is generic, so that a wrong type or value is one error, at the constant.

use std::time::Duration;

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::Path;

use super::slots::Chosen;
use super::types::without_lifetimes;
use crate::header::impl_lifetimes;
use crate::model::{Backoff, Given, Policy, Processor, When};
use crate::syntax::ends;

/// The values of the options of `#[kcl::processor(…)]`.
pub(super) struct Options {
    pub(super) items: TokenStream,
    pub(super) checkpoint: Option<TokenStream>,
    pub(super) warn_after: Option<TokenStream>,
    pub(super) worker_threads: Option<TokenStream>,
}

/// The values of the options of a record handler.
pub(super) struct PolicyValues {
    pub(super) items: TokenStream,
    pub(super) retry: Option<TokenStream>,
    pub(super) backoff: Option<TokenStream>,
}

pub(super) fn options(processor: &Processor) -> Options {
    let mut items = Items::new(processor);
    let krate = &processor.options.krate;
    let checkpoint = processor.options.checkpoint.as_ref().map(|(when, tokens)| match when {
        Given::Value(When::Batch) => quote!(#krate::Checkpoints::Batch),
        Given::Value(When::Interval(time)) => {
            let time = duration(*time);
            quote!(#krate::Checkpoints::Interval(#time))
        }
        Given::Value(When::Records(records)) => quote!(#krate::Checkpoints::Records(#records)),
        Given::Constant(path) => {
            let given = items.add("__CHECKPOINT", &quote!(#krate::Checkpoints), path, value_of(tokens));
            items.check(&given, tokens, "checkpoint");
            given
        }
    });
    let warn_after = processor.options.warn_after.as_ref().map(|time| items.time("warn_after", time));
    let worker_threads = processor.options.worker_threads.as_ref();
    let worker_threads =
        worker_threads.map(|threads| items.value("worker_threads", &quote!(::core::primitive::usize), threads));
    Options { items: items.tokens, checkpoint, warn_after, worker_threads }
}

pub(super) fn policy(processor: &Processor, policy: &Policy, cfg: Option<&TokenStream>) -> PolicyValues {
    let mut items = Items { cfg, ..Items::new(processor) };
    let retry = policy.retry.as_ref().map(|retry| match retry {
        Given::Value(times) => times.to_token_stream(),
        Given::Constant(path) => items.add("__RETRY", &quote!(::core::primitive::u32), path, None),
    });
    let backoff = policy.backoff.as_ref().map(|backoff| match backoff {
        Backoff { first: Given::Value(first), most: Given::Value(most), .. } => {
            let (first, most) = (duration(*first), duration(*most));
            quote!(#first, #most)
        }
        Backoff { first, most, tokens } => {
            let ty = quote!(::core::time::Duration);
            let mut end = |name, end: &Given<Duration>| match end {
                Given::Value(end) => duration(*end),
                Given::Constant(path) => items.add(name, &ty, path, None),
            };
            let (first, most) = (end("__FIRST", first), end("__MOST", most));
            items.check(&quote!((#first, #most)), tokens, "backoff");
            quote!(#first, #most)
        }
    });
    PolicyValues { items: items.tokens, retry, backoff }
}

/// The constant that holds the time between two ticks, and the items that it needs beside the impl.
pub(super) fn tick(processor: &Processor, chosen: &Chosen<'_>) -> Option<(TokenStream, TokenStream)> {
    let Chosen { handler, cfg } = chosen;
    let mut items = Items::of(processor, chosen);
    let (written, time) = handler.every.as_ref()?;
    let every = items.time("every", time);
    let name = Ident::new("TICK", written.span());
    let constant = quote! {
        #cfg
        const #name: ::core::option::Option<::core::time::Duration> = ::core::option::Option::Some(#every);
    };
    Some((constant, items.tokens))
}

/// The items for constants.
pub(super) struct Items<'a> {
    processor: &'a Processor,
    /// The condition under which each of them exists.
    cfg: Option<&'a TokenStream>,
    pub(super) tokens: TokenStream,
}

impl<'a> Items<'a> {
    fn new(processor: &'a Processor) -> Self {
        Self { processor, cfg: None, tokens: TokenStream::new() }
    }

    pub(super) fn of(processor: &'a Processor, chosen: &'a Chosen<'_>) -> Self {
        Self { cfg: chosen.cfg.as_ref(), ..Self::new(processor) }
    }

    /// The number that an option contains, or that its constant holds. `check` is the method that checks the constant.
    pub(super) fn value<T: ToTokens>(&mut self, check: &str, ty: &TokenStream, given: &Given<T>) -> TokenStream {
        match given {
            Given::Value(value) => value.to_token_stream(),
            Given::Constant(path) => self.constant(check, ty, path),
        }
    }

    /// The time that an option contains, or that its constant holds.
    pub(super) fn time(&mut self, check: &str, given: &Given<Duration>) -> TokenStream {
        match given {
            Given::Value(time) => duration(*time),
            Given::Constant(path) => self.constant(check, &quote!(::core::time::Duration), path),
        }
    }

    /// Adds a constant and its check.
    fn constant(&mut self, check: &str, ty: &TokenStream, path: &Path) -> TokenStream {
        let given = self.add(&format!("__{}", check.to_uppercase()), ty, path, None);
        self.check(&given, &path.to_token_stream(), check);
        given
    }

    /// Adds a copy of the user's constant, which must be of this type, and returns its name. A variant is followed by its value.
    pub(super) fn add(&mut self, name: &str, ty: &TokenStream, path: &Path, value: Option<TokenTree>) -> TokenStream {
        let (name, cfg) = (Ident::new(name, Span::call_site()), self.cfg);
        let path_there = outside_of_the_impl(self.processor, path);
        // An error about the type is then at the constant only.
        let span = ends(path).0;
        let ty: TokenStream = ty.clone().into_iter().map(|token| spanned(token, span)).collect();
        self.tokens.extend(quote!(#cfg const #name: #ty = #path_there #value;));
        name.into_token_stream()
    }

    /// Adds a check of this value, whose error is at `written`.
    fn check(&mut self, value: &TokenStream, written: &TokenStream, check: &str) {
        let (krate, cfg) = (&self.processor.options.krate, self.cfg);
        let (from, to) = ends(written);
        let check = Ident::new(check, to);
        let given = quote_spanned!(from=> (#krate::__private::Given(#value)));
        let checked = quote_spanned!(to=> #given.#check());
        self.tokens.extend(quote!(#cfg const _: () = #checked;));
    }
}

/// The value of a variant, in parentheses, at the end of its tokens.
fn value_of(variant: &TokenStream) -> Option<TokenTree> {
    variant.clone().into_iter().last().filter(|last| match last {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Parenthesis,
        _ => false,
    })
}

fn spanned(mut token: TokenTree, span: Span) -> TokenTree {
    token.set_span(span);
    token
}

/// The path of a constant where `Self` has no meaning.
fn outside_of_the_impl(processor: &Processor, path: &Path) -> TokenStream {
    let mut segments = path.segments.iter();
    match segments.next() {
        Some(first) if first.ident == "Self" => {
            let self_ty = without_lifetimes(processor.ty(), &impl_lifetimes(processor));
            // An error about the constant is then at the path.
            quote_spanned!(first.ident.span()=> <#self_ty> #(:: #segments)*)
        }
        _ => path.to_token_stream(),
    }
}

fn duration(time: Duration) -> TokenStream {
    match u64::try_from(time.as_millis()) {
        Ok(millis) if Duration::from_millis(millis) == time => quote!(::core::time::Duration::from_millis(#millis)),
        _ => {
            let (seconds, nanos) = (time.as_secs(), time.subsec_nanos());
            quote!(::core::time::Duration::new(#seconds, #nanos))
        }
    }
}
