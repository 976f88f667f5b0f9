//! The attribute macros of `kcl`, where they are documented; use them through that crate.
//!
//! An annotated impl goes through four stages, each a module: `parse` (with `args` and `values` for the options) builds the `model`,
//! `check` validates it, and `expand` generates the code. The stages report errors to `context`; the texts are in `messages`, and the
//! list of all handlers in `handlers`.

#![expect(missing_docs, reason = "the macros are documented in `kcl`, and rustdoc would put both texts on one page")]

mod args;
mod bodies;
mod check;
mod context;
mod expand;
mod handlers;
mod messages;
mod model;
mod names;
mod parse;
mod quantities;
mod syntax;
#[cfg(test)]
mod tests;
mod values;

use proc_macro2::TokenStream;
use quote::quote;

use crate::check::Verdict;
use crate::context::Context;
use crate::handlers::{Kind, with_handlers};
use crate::parse::Parsed;

#[proc_macro_attribute]
pub fn processor(options: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    annotated_impl(options.into(), item.into()).into()
}

fn annotated_impl(options: TokenStream, item: TokenStream) -> TokenStream {
    let cx = Context::new();
    let options = args::parse(&cx, options);
    let Parsed { item, processor, needs_main } = parse::parse(&cx, options, item);
    let verdict = processor.as_ref().map(|processor| check::check(&cx, processor));
    let errors = cx.check().err();
    let generated = match (processor, verdict) {
        (Some(processor), Some(Verdict::Checked)) if errors.is_none() => expand::expand(&processor),
        (Some(processor), _) => expand::stand_in(&processor),
        (None, _) if needs_main => expand::stand_in_main(&[]),
        (None, _) => TokenStream::new(),
    };
    quote!(#item #generated #errors)
}

/// Declares the attribute macro of each handler. It is never called inside an annotated impl.
macro_rules! attributes {
    ($($slot:ident: $($kind:ident $attribute:ident),+;)+) => {$($(
        #[proc_macro_attribute]
        pub fn $attribute(_: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
            outside(Kind::$kind, item.into()).into()
        }
    )+)+};
}

with_handlers!(attributes);

fn outside(kind: Kind, item: TokenStream) -> TokenStream {
    let error = messages::outside(kind).at(TokenStream::new()).to_compile_error();
    quote!(#item #error)
}
