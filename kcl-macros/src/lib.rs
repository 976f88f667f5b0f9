//! The attribute macros of `kcl`; use them through that crate. It has the full documentation, and rustdoc puts the short texts here after
//! it. Editors show the short texts only.
//!
//! An annotated impl goes through four stages, each a module: `parse` (with `args` and `values` for the options, and `repairs`) builds
//! the `model`, `check` validates it, and `expand` generates the code. The stages report errors to `context`; the texts are in
//! `messages`, and the list of all handlers in `handlers`.

mod alias;
mod args;
mod asynchronous;
mod bodies;
mod check;
mod context;
mod expand;
mod handlers;
mod header;
mod intended;
mod messages;
mod model;
mod names;
mod parse;
mod quantities;
mod repairs;
#[cfg(feature = "testing")]
mod schedules;
mod sizes;
mod syntax;
#[cfg(test)]
mod tests;
mod values;
mod within;

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;

use crate::check::Verdict;
use crate::context::Context;
use crate::handlers::{Kind, with_handlers};
use crate::model::Options;
use crate::parse::{Meaning, Parsed};

/// Turns an `impl` block into a record processor. The methods marked `#[on_record]`, `#[on_shard_end]` and so on become its handlers, and
/// `main` is generated unless the option `main = false` is set.
#[proc_macro_attribute]
pub fn processor(options: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    annotated_impl(options.into(), item.into()).into()
}

/// Runs a test, which takes a `kcl::testing::Daemon`, under many schedules of batches, crashes and other faults. `schedules = 1000` sets
/// their number.
#[cfg(feature = "testing")]
#[proc_macro_attribute]
pub fn test(options: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    schedules::expand(options.into(), item.into()).into()
}

/// Leaves an item as it is. Beside code with a mistake it stands in for the handler attributes, so that they are not further mistakes.
#[doc(hidden)]
#[proc_macro_attribute]
pub fn stand_in(_: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    // rustc has reported a half-typed item once, and would report it again.
    let is_complete = item.clone().into_iter().last().is_some_and(|last| match last {
        proc_macro::TokenTree::Group(group) => group.delimiter() == proc_macro::Delimiter::Brace,
        proc_macro::TokenTree::Punct(mark) => mark.as_char() == ';',
        proc_macro::TokenTree::Ident(_) | proc_macro::TokenTree::Literal(_) => false,
    });
    if is_complete { item } else { proc_macro::TokenStream::new() }
}

fn annotated_impl(options: TokenStream, item: TokenStream) -> TokenStream {
    let cx = Context::new();
    let options = args::parse(&cx, options);
    let krate = options.krate.clone();
    let Parsed { item, meaning, needs_main } = parse::parse(&cx, options, item);
    let verdict = match &meaning {
        Meaning::Processor(processor) => check::check(&cx, processor),
        Meaning::Intended(_) | Meaning::HalfTyped(_) | Meaning::Other | Meaning::Function => Verdict::LeftToRustc,
    };
    let is_blocked = cx.is_blocked();
    let errors = cx.check().err();
    let item = match meaning {
        Meaning::HalfTyped(_) => expand::among_stand_ins(&krate, &item),
        Meaning::Processor(_) | Meaning::Intended(_) | Meaning::Other | Meaning::Function => item,
    };
    let main = needs_main.then(|| expand::stand_in_main(&krate, &[]));
    let generated = match (meaning, verdict) {
        (Meaning::Processor(processor), Verdict::Checked) if !is_blocked => {
            let processor = expand::expand(&processor, &item);
            return quote!(#processor #errors);
        }
        (Meaning::Processor(processor), _) => expand::stand_in(&processor),
        (Meaning::HalfTyped(Some(header)), _) => expand::stand_in(&header),
        (Meaning::Intended(header), _) => {
            let attributes = expand::stand_in_attributes(&krate);
            let impls = expand::stand_in(&header);
            quote!(#attributes #impls)
        }
        (Meaning::Other, _) => {
            let attributes = expand::stand_in_attributes(&krate);
            quote!(#attributes #main)
        }
        (Meaning::HalfTyped(None) | Meaning::Function, _) => quote!(#main),
    };
    quote!(#item #generated #errors)
}

/// Declares the attribute macro of each handler. It is never called inside an annotated impl.
macro_rules! attributes {
    ($($slot:ident: $($kind:ident $attribute:ident $doc:literal),+;)+) => {$($(
        #[doc = $doc]
        #[proc_macro_attribute]
        pub fn $attribute(_: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
            outside(Kind::$kind, item.into()).into()
        }
    )+)+};
}

with_handlers!(attributes);

fn outside(kind: Kind, item: TokenStream) -> TokenStream {
    let is_impl = item.clone().into_iter().any(|token| matches!(token, TokenTree::Ident(word) if word == "impl"));
    if !is_impl {
        let error = messages::outside(kind).at(TokenStream::new()).to_compile_error();
        return quote!(#item #error);
    }
    // A processor without a record handler would be a further error.
    let item = if has_record_handler(&item) { item } else { intended::without_processor(item) };
    not_a_processor(&item, messages::handler_on_impl(kind))
}

fn has_record_handler(item: &TokenStream) -> bool {
    let words = header::words(item.clone());
    Kind::ALL.iter().any(|kind| kind.handles_records() && words.contains(kind.attribute()))
}

/// Declares a macro for each wrong name of `processor`. Without it, rustc would also report each handler.
macro_rules! wrong_names {
    ($($name:ident)+) => {$(
        #[doc(hidden)]
        #[allow(non_snake_case)]
        #[proc_macro_attribute]
        pub fn $name(_: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
            misnamed(stringify!($name), item.into()).into()
        }
    )+};
}

wrong_names! {
    Processor RecordProcessor async_processor consumer handler main porcessor proccesor proccessor procesor process process_records processer
    processors processsor record_processor shard_processor
}

fn misnamed(written: &str, item: TokenStream) -> TokenStream {
    if let Ok(syn::Item::Fn(_)) = syn::parse2(item.clone()) {
        // It may be a method.
        let error = messages::processor_misnamed_on_function(written).at(TokenStream::new()).to_compile_error();
        return quote!(#item #error);
    }
    not_a_processor(&item, messages::processor_misnamed(written))
}

/// An item that was meant to be a processor, with an error at the attribute. Its handlers and `main` are not further mistakes.
fn not_a_processor(item: &TokenStream, message: messages::Message) -> TokenStream {
    let krate = Options::default().krate;
    let (attributes, main) = (expand::stand_in_attributes(&krate), expand::stand_in_main(&krate, &[]));
    let item = if intended::is_impl(item.clone()) { expand::among_stand_ins(&krate, item) } else { item.clone() };
    let error = message.at(TokenStream::new()).to_compile_error();
    quote!(#item #attributes #main #error)
}
