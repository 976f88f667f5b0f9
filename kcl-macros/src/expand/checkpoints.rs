//! Generates the constant that says who checkpoints, and the checks of what the arguments take.
//!
//! They need the types of the arguments, but name none of them: a mistake in a type would be reported for each place that names it.
//! Closures that are never called call the handlers with probes, which determines the types. A type that is not an argument does not
//! cause a second error there; see `kcl::__private::probe`.

use std::ptr;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Pat, PatType, Type};

use super::methods::{Arguments, call_with};
use super::slots::Chosen;
use super::types::{parenthesized, path_at};
use crate::handlers::Kind;
use crate::model::{Handler, OptionName, Processor};
use crate::syntax::{ends, peel};

/// The constant that says who checkpoints, with the value of the option `checkpoint` if it is given.
pub(super) fn constant(processor: &Processor, chosen: &Chosen<'_>, option: Option<&TokenStream>) -> TokenStream {
    let Chosen { handler, cfg } = chosen;
    let krate = &processor.options.krate;
    let shapes: Vec<_> = handler.arguments().map(Shape::of).collect();
    let records = Ident::new("__records", Span::mixed_site());
    // A handler with `&mut` takes a checkpointer, or has an error of its own.
    let takes_none = handler.is_concurrent();
    let certain = !takes_none && shapes.contains(&Shape::Exclusive);
    let asked = !certain && processor.handlers.iter().any(|tick| may_tick_with_a_checkpointer(processor, tick));
    let (value, probed) = match option {
        Some(value) => (value.clone(), asked),
        None if certain => (quote!(#krate::Checkpoints::Handler), false),
        None if takes_none || !shapes.contains(&Shape::Other) => (quote!(#krate::Checkpoints::Batch), asked),
        None => (quote!(#krate::__private::checkpoints(&#records)), true),
    };
    let probe = probed.then(|| {
        let checks = checks_of(processor, handler, None);
        // Without checks, only the checkpointer matters. A tick also needs to know which types are not arguments.
        let probe = if checks.is_empty() && !asked { any() } else { Arguments::first(processor, handler).probe() };
        let closure = closure(processor, handler, &checks, &probe);
        quote!(let #records = #closure;)
    });
    let unchecked = processor.handlers.iter().filter(|other| !(probed && ptr::eq(*other, *handler)));
    let records = asked.then_some(&records);
    let checks: TokenStream = unchecked.filter_map(|handler| check(processor, handler, records)).collect();
    let value = if probe.is_none() && checks.is_empty() { value } else { quote!({ #probe #checks #value }) };
    let name = processor.options.constant("CHECKPOINTS", OptionName::Checkpoint);
    quote! {
        #cfg
        const #name: #krate::Checkpoints = #value;
    }
}

/// The kind of a type by its syntax. It often says enough about an argument: only the checkpointer is taken by `&mut`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// `&T`.
    Shared,
    /// `&mut T`.
    Exclusive,
    /// A type that is not a reference.
    Value,
    /// Any other type, which may be an alias for one of the above.
    Other,
}

impl Shape {
    pub(super) fn of(argument: &PatType) -> Self {
        // These patterns take a value apart, and the checkpointer has no public fields.
        let is_taken_apart = matches!(&*argument.pat, Pat::TupleStruct(_) | Pat::Struct(_) | Pat::Tuple(_));
        match peel(&argument.ty) {
            Type::Reference(reference) if reference.mutability.is_some() => Self::Exclusive,
            Type::Reference(_) => Self::Shared,
            _ if is_taken_apart => Self::Value,
            _ => Self::Other,
        }
    }

    /// Whether types of these shapes may take the same part.
    fn may_take_the_part_of(self, other: Self) -> bool {
        match (self, other) {
            (Self::Exclusive, other) | (other, Self::Exclusive) => other.may_be_the_checkpointer(),
            (Self::Shared, Self::Shared) | (Self::Value | Self::Other, _) | (_, Self::Value | Self::Other) => true,
        }
    }

    fn may_be_the_checkpointer(self) -> bool {
        matches!(self, Self::Exclusive | Self::Other)
    }
}

/// Whether a handler is a tick whose arguments may contain a checkpointer.
fn may_tick_with_a_checkpointer(processor: &Processor, handler: &Handler) -> bool {
    let may_take_one = handler.kind == Kind::Tick && Arguments::first(processor, handler).have_checkpointer();
    may_take_one && handler.arguments().any(|argument| Shape::of(argument).may_be_the_checkpointer())
}

/// A statement that checks the arguments of a handler, unless nothing can be wrong with them. `records` is the probed record handler
/// that ticks are compared with.
fn check(processor: &Processor, handler: &Handler, records: Option<&Ident>) -> Option<TokenStream> {
    let checks = checks_of(processor, handler, records.filter(|_| handler.kind == Kind::Tick));
    if checks.is_empty() {
        return None;
    }
    let closure = closure(processor, handler, &checks, &Arguments::first(processor, handler).probe());
    let cfgs = &handler.cfgs;
    Some(quote!(#(#cfgs)* let _ = #closure;))
}

/// The probe that knows only the checkpointer.
fn any() -> TokenStream {
    quote!(Any)
}

/// A closure that calls the handler with a probe for each argument, makes the checks, and returns what the arguments take.
fn closure(processor: &Processor, handler: &Handler, checks: &[TokenStream], probe: &TokenStream) -> TokenStream {
    let krate = &processor.options.krate;
    let count = handler.arguments().count();
    let this = Ident::new("__this", Span::mixed_site().located_at(handler.name().span()));
    let (probes, parts): (Vec<_>, Vec<_>) = (0..count).map(|index| (local("__p", index), part(index))).unzip();
    // Everything that has the type of an argument has its last span, so that an error in that type is one error.
    let spans: Vec<_> = handler.arguments().map(|argument| ends(&argument.ty).1).map(|end| (end, end)).collect();
    let new = spans.iter().map(|&(from, to)| {
        let path = path_at(&processor.options, &quote!(probe::#probe), (from, to));
        let (new, call) = (Ident::new("new", to), parenthesized(TokenStream::new(), to));
        quote!(#path::#new #call)
    });
    let values = probes.iter().zip(&spans).map(|(probe, &span)| at(span, &quote!(#probe), "__value", None));
    let taken_parts = probes.iter().zip(&spans).map(|(probe, &span)| at(span, &quote!(#probe), "__part", None));
    let (parameter, receiver) = match handler.kind.is_constructor() {
        true => (None, None),
        false => (Some(quote!(#this: &mut Self)), Some(quote!(#this,))),
    };
    let call = call_with(handler, quote!(#receiver #(#values),*));
    let allow = handler.never_returns().then(|| quote!(#[allow(unreachable_code)]));
    let taken = parts.iter().rfold(quote!(()), |rest, part| quote!((#part, #rest)));
    quote! {
        #allow
        |#parameter| {
            use #krate::__private::probe::NoArgument as _;
            #(let #probes = #new;)*
            let _ = #call;
            #(let #parts = #taken_parts;)*
            #(#checks)*
            #taken
        }
    }
}

/// The checks of what a handler's arguments take: that they take nothing twice, that the options for them have an effect, and that
/// a tick takes a checkpointer only beside `records` that take one.
fn checks_of(processor: &Processor, handler: &Handler, records: Option<&Ident>) -> Vec<TokenStream> {
    let krate = &processor.options.krate;
    let arguments: Vec<_> = handler.arguments().collect();
    let parts: Vec<_> = (0..arguments.len()).map(part).collect();
    let mut checks = Vec::new();
    // With `concurrency`, a checkpointer has another error.
    let decides = handler.kind.handles_records() && !handler.is_concurrent();
    for (index, argument) in arguments.iter().enumerate() {
        let (second, span) = (&parts[index], ends(argument));
        let shape = Shape::of(argument);
        let before = arguments.iter().zip(&parts).take(index);
        for (_, first) in before.filter(|(before, _)| Shape::of(before).may_take_the_part_of(shape)) {
            let compared = at(span, &quote!(#krate::__private::pair(&#second, &#first)), "__compared", None);
            checks.push(accepted(processor, "TakenOnce", span, &compared));
        }
    }
    if !checks.is_empty() {
        checks.insert(0, quote!(use #krate::__private::Compared as _;));
    }
    if let Some((_, value)) = &handler.policy.on_undecodable {
        let (none, span) = (quote!(#krate::__private::NoPayload), ends(value));
        let failure = parts.iter().fold(none, |before, part| quote!(#before.or(#part.__failure())));
        let failure = at(span, &failure, "__decided", None);
        checks.push(quote!(use #krate::__private::Decided as _;));
        checks.push(accepted(processor, "Undecodable", span, &failure));
    }
    if let Some((_, value)) = processor.options.checkpoint.as_ref().filter(|_| decides) {
        let span = ends(value);
        let asked = arguments.iter().zip(&parts).filter(|(argument, _)| Shape::of(argument).may_be_the_checkpointer());
        let again = asked.map(|(_, part)| at(span, &quote!(#part), "__again", None));
        checks.extend(again.map(|part| accepted(processor, "LeavesCheckpoints", span, &part)));
    }
    if let Some(records) = records {
        let asked = arguments.iter().zip(&parts).filter(|(argument, _)| Shape::of(argument).may_be_the_checkpointer());
        for (argument, part) in asked {
            let span = ends(argument);
            let beside = at(span, &quote!(#part), "__beside", Some(quote!(&#records)));
            checks.push(accepted(processor, "TickCheckpoints", span, &beside));
        }
    }
    checks
}

/// A statement that compiles only if `value` implements a trait. An error has the span of the user's code that is wrong.
fn accepted(processor: &Processor, name: &str, span: (Span, Span), value: &TokenStream) -> TokenStream {
    let name = Ident::new(name, Span::call_site());
    let check = path_at(&processor.options, &quote!(#name::check), span);
    quote!(#check(#value);)
}

/// A call of a method with the span of the user's code that an error would be about.
fn at((from, to): (Span, Span), receiver: &TokenStream, method: &str, argument: Option<TokenStream>) -> TokenStream {
    let (receiver, arguments) = (parenthesized(quote!(#receiver), from), parenthesized(quote!(#argument), to));
    let method = Ident::new(method, to);
    quote_spanned!(to=> #receiver.#method #arguments)
}

fn part(index: usize) -> Ident {
    local("__t", index)
}

fn local(prefix: &str, index: usize) -> Ident {
    format_ident!("{prefix}{}", index + 1, span = Span::mixed_site())
}
