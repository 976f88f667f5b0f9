//! Generates the methods that call the handlers.

use std::ptr;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Pat, PatType, Path, ReturnType};

use super::checkpoints::Shape;
use super::slots::{Chosen, Unfilled};
use super::types::{bounded, inferred_at, made_at, parenthesized, sized};
use crate::handlers::{Kind, Slot};
use crate::model::{Handler, Processor};
use crate::syntax::{ends, last_name, text};

/// The names of the locals in generated code. Hygiene separates them from the user's locals, and their prefix from the user's
/// constants.
struct Locals {
    this: Ident,
    input: Ident,
    cx: Ident,
}

impl Locals {
    fn new(handler: &Handler) -> Self {
        let local = |name| Ident::new(name, Span::mixed_site());
        let this = Ident::new("self", Span::mixed_site().located_at(handler.name().span()));
        Self { this, input: local("__input"), cx: local("__cx") }
    }
}

/// How a method of the trait calls a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// From a method of `Processor`.
    Blocking,
    /// From a method of `AsyncProcessor`, while no other runs.
    Async,
    /// From a method of `AsyncProcessor`, while others run.
    Concurrent,
}

impl Form {
    /// The forms of the methods that call a handler. `#[cfg]` may leave a record handler with `concurrency` or one without it, so the
    /// others have a method for each of both.
    fn all(processor: &Processor, handler: &Handler) -> Vec<Self> {
        match handler.kind.slot() {
            _ if !processor.is_async() => vec![Self::Blocking],
            Slot::Records if handler.is_concurrent() => vec![Self::Concurrent],
            Slot::Tick | Slot::DeadLetter => {
                let records = processor.handlers.iter().filter(|handler| handler.kind.handles_records());
                let mut forms: Vec<_> = records
                    .map(|records| if records.is_concurrent() { Self::Concurrent } else { Self::Async })
                    .collect();
                forms.dedup();
                forms
            }
            Slot::Init | Slot::Records | Slot::LeaseLost | Slot::ShardEnd | Slot::ShutdownRequested => {
                vec![Self::Async]
            }
        }
    }
}

/// The methods of the trait that call a handler.
pub(super) fn methods(processor: &Processor, chosen: &Chosen<'_>) -> TokenStream {
    let forms = Form::all(processor, chosen.handler);
    forms.into_iter().map(|form| method(processor, chosen, form)).collect()
}

fn method(processor: &Processor, Chosen { handler, cfg }: &Chosen<'_>, form: Form) -> TokenStream {
    let krate = &processor.options.krate;
    let locals = Locals::new(handler);
    let Locals { this, input, cx } = &locals;
    let arguments = Arguments::of(processor, handler, form);
    let call = call(processor, handler, &arguments, &locals);
    let on = Ident::new(arguments.entry, Span::call_site());
    let returned = returned(processor, handler);
    let allow = handler.never_returns().then(|| quote!(#[allow(unreachable_code)]));
    let (unchecked, handled) = match is_checked_before(processor, handler) {
        true => {
            (quote!(use #krate::__private::Unchecked as _;), quote!(#krate::__private::Returned(#call).__handled()))
        }
        false => (TokenStream::new(), quote!(<#returned as #krate::__private::Outcome>::handled(#call))),
    };
    let unlike = handler.arguments().any(|argument| is_unlike_its_pattern(handler, argument));
    let unlike = unlike.then(|| quote!(use #krate::__private::NotThePayload as _;));
    let body = match handler.kind {
        Kind::Record if form != Form::Concurrent => match handler.is_async() {
            true => quote!(#krate::__private::#on(#input).each(async |#cx| #handled).await),
            false => quote!(#krate::__private::#on(#input).each(|#cx| #handled)),
        },
        Kind::Init
        | Kind::Records
        | Kind::Record
        | Kind::LeaseLost
        | Kind::ShardEnd
        | Kind::ShutdownRequested
        | Kind::Tick
        | Kind::DeadLetter => {
            quote!(let #cx = &#krate::__private::#on(#input); #handled)
        }
    };
    let blocks = form == Form::Async && arguments.has_checkpointer && !handler.is_async();
    let lend = blocks.then(|| quote!(let #input = &mut #input.blocking();));
    let head = head(krate, handler.kind, form, this, input);
    quote! {
        #cfg
        #allow
        #head -> #krate::__private::Handled {
            #unchecked
            #unlike
            #lend
            #body
        }
    }
}

/// The head of the method for a handler, without what it returns.
fn head(krate: &Path, kind: Kind, form: Form, this: &Ident, input: &Ident) -> TokenStream {
    let (name, ty, has_checkpointer) = match (kind.slot(), form) {
        (Slot::Records, Form::Concurrent) => ("process_record", "ConcurrentRecord", false),
        (Slot::Records | Slot::Init, _) => ("process_records", "ProcessRecords", true),
        (Slot::LeaseLost, _) => ("lease_lost", "LeaseLost", false),
        (Slot::ShardEnd, _) => ("shard_ended", "ShardEnded", true),
        (Slot::ShutdownRequested, _) => ("shutdown_requested", "ShutdownRequested", true),
        (Slot::Tick, Form::Concurrent) => ("concurrent_tick", "ConcurrentTick", false),
        (Slot::Tick, _) => ("tick", "Tick", true),
        (Slot::DeadLetter, Form::Concurrent) => ("concurrent_dead_letter", "DeadLetter", false),
        (Slot::DeadLetter, _) => ("dead_letter", "DeadLetter", false),
    };
    let (name, ty) = (Ident::new(name, Span::call_site()), Ident::new(ty, Span::call_site()));
    let checkpointer = (form == Form::Async && has_checkpointer).then(|| quote!(, #krate::AsyncCheckpointer));
    let is_shared = form == Form::Concurrent || kind.slot() == Slot::DeadLetter;
    let input_mut = (!is_shared).then(|| quote!(mut));
    let this_mut = (form != Form::Concurrent).then(|| quote!(mut));
    let asyncness = (form != Form::Blocking).then(|| quote!(async));
    quote!(#asyncness fn #name(&#this_mut #this, #input: &#input_mut #krate::#ty<'_ #checkpointer>))
}

/// The method for batches where none is handed over: beside a handler with `concurrency`, and if the configuration leaves no record
/// handler. That error is reported beside it.
pub(super) fn no_batches(processor: &Processor, cfg: Option<&TokenStream>, body: &TokenStream) -> TokenStream {
    let krate = &processor.options.krate;
    let form = if processor.is_async() { Form::Async } else { Form::Blocking };
    let [this, input] = ["self", "_"].map(|name| Ident::new(name, Span::mixed_site()));
    let head = head(krate, Kind::Records, form, &this, &input);
    quote! {
        #cfg
        #head -> #krate::__private::Handled {
            #body
        }
    }
}

/// The impl of `Initialize` that calls the user's constructor.
pub(super) fn initialize(processor: &Processor, chosen: &Chosen<'_>) -> TokenStream {
    let Chosen { handler, cfg } = chosen;
    let krate = &processor.options.krate;
    let locals = Locals::new(handler);
    let Locals { input, cx, .. } = &locals;
    let call = call(processor, handler, &Arguments::of(processor, handler, Form::Async), &locals);
    let returned = returned(processor, handler);
    let (asyncness, initialize) = initialize_trait(processor);
    let (self_ty, generics) = sized(processor);
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    quote! {
        #cfg
        #[automatically_derived]
        impl #impl_generics #krate::#initialize for #self_ty #where_clause {
            #asyncness fn initialize(#input: &#krate::Shard) -> #krate::__private::Made<Self> {
                let #cx = &#krate::__private::on_init(#input);
                <#returned as #krate::__private::Constructed<Self>>::constructed(#call)
            }
        }
    }
}

/// The impl of `Initialize` for a processor without a constructor. If no `main` is generated, the bound is checked only where
/// the processor must start by itself: a processor that a factory creates does not need `Default`.
pub(super) fn initialize_by_default(processor: &Processor, rest: &Unfilled) -> TokenStream {
    let krate = &processor.options.krate;
    let (self_ty, generics) = match processor.options.main {
        true => sized(processor),
        false => bounded(processor, |lifetime| quote!(#krate::__private::OnInitOrDefault<#lifetime>)),
    };
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let (asyncness, initialize) = initialize_trait(processor);
    quote! {
        #rest
        #[automatically_derived]
        impl #impl_generics #krate::#initialize for #self_ty #where_clause {
            #asyncness fn initialize(_: &#krate::Shard) -> #krate::__private::Made<Self> {
                ::core::result::Result::Ok(<#self_ty as #krate::__private::OnInitOrDefault<'_>>::make())
            }
        }
    }
}

/// The trait that starts the processor, after the word before its method.
fn initialize_trait(processor: &Processor) -> (Option<TokenStream>, Ident) {
    let (asyncness, name) = match processor.is_async() {
        true => (Some(quote!(async)), "AsyncInitialize"),
        false => (None, "Initialize"),
    };
    (asyncness, Ident::new(name, Span::call_site()))
}

/// Calls the user's method with its arguments. No type is named: the method determines which types are taken and what is returned, so
/// a mistake in a type is reported only where the user wrote it. A type that a handler cannot have is reported here, with its span.
fn call(processor: &Processor, handler: &Handler, arguments: &Arguments, locals: &Locals) -> TokenStream {
    let Locals { this, cx, .. } = locals;
    let this = (!handler.kind.is_constructor()).then(|| quote!(#this,));
    let arguments = handler.arguments().enumerate().map(|(index, argument)| {
        if is_unlike_its_pattern(handler, argument) {
            return taken_if_it_can(processor, handler, index, cx);
        }
        let on = arguments.path(Shape::of(argument));
        let taken = made_at(&processor.options, &argument.ty, &on, "take", quote!(#cx));
        let question_mark = quote_spanned!(ends(&argument.ty).1=> ?);
        quote!(#taken #question_mark)
    });
    let awaited = handler.is_async().then(|| {
        let end = end_of(handler);
        quote_spanned!(end=> .await)
    });
    let call = call_with(handler, quote!(#this #(#arguments),*));
    quote!(#call #awaited)
}

/// Whether an argument has the pattern `Json(…)`, and a type by value that is not written so. Mostly, rustc has an error at the pattern then.
/// Otherwise the type is an alias, or that of another `Json`.
fn is_unlike_its_pattern(handler: &Handler, argument: &PatType) -> bool {
    const JSON: &str = "Json";
    let Pat::TupleStruct(pattern) = &*argument.pat else { return false };
    handler.kind == Kind::Record
        && pattern.path.segments.last().is_some_and(|last| last.ident == JSON)
        && last_name(&argument.ty).is_some_and(|last| last.ident != JSON)
}

/// Takes this argument. If its type is not a payload, this causes no error. The closure, which is never called, determines the type.
fn taken_if_it_can(processor: &Processor, handler: &Handler, index: usize, cx: &Ident) -> TokenStream {
    let krate = &processor.options.krate;
    let payload = Ident::new("__payload", Span::mixed_site());
    let any = quote!(#krate::__private::any());
    let arguments = (0..handler.arguments().count()).map(|at| if at == index { quote!(#payload) } else { any.clone() });
    let call = call_with(handler, quote!(#any, #(#arguments),*));
    quote!(#krate::__private::payload(#cx, |#payload| #call).__taken()?)
}

/// The type that a handler returns. It is inferred, except for `!`, from which nothing can be inferred.
fn returned(processor: &Processor, handler: &Handler) -> TokenStream {
    match &handler.sig.output {
        ReturnType::Type(_, ty) if !handler.never_returns() => inferred_at(&processor.options, ends(ty)),
        _ => quote!(()),
    }
}

/// Whether an earlier handler returns the same type, or the constructor returns it with `Self` instead of `()`. If that type is wrong, the
/// error there is enough. A handler that `#[cfg]` may remove does not count, and the types of macros may differ although they are written in
/// the same way.
fn is_checked_before(processor: &Processor, handler: &Handler) -> bool {
    let written = |handler: &Handler| match &handler.sig.output {
        ReturnType::Type(_, ty) if !handler.never_returns() => Some(text(ty)),
        _ => None,
    };
    let Some(ty) = written(handler).filter(|ty| !ty.contains('!')) else { return false };
    let before = processor.handlers.iter().take_while(|before| !ptr::eq(*before, handler));
    before.filter(|before| before.cfgs.is_empty()).any(|before| match written(before) {
        Some(made) if before.kind.is_constructor() => {
            made.matches("Self").count() == 1 && made.replace("Self", "()") == ty
        }
        Some(returned) => returned == ty,
        None => false,
    })
}

/// A call of the user's method, with the last span of what it returns.
pub(super) fn call_with(handler: &Handler, arguments: TokenStream) -> TokenStream {
    let (name, end) = (handler.name(), end_of(handler));
    let this = Ident::new("Self", name.span());
    let (method, arguments) = (parenthesized(quote!(#this::#name), end), parenthesized(arguments, end));
    quote!(#method #arguments)
}

/// The last span of what a handler returns.
fn end_of(handler: &Handler) -> Span {
    match &handler.sig.output {
        ReturnType::Type(_, ty) => ends(ty).1,
        ReturnType::Default => handler.name().span(),
    }
}

/// The arguments of a handler, as the runtime sees them.
pub(super) struct Arguments {
    /// The trait that they implement, and their probe.
    name: &'static str,
    /// The function that makes the input that they are taken from.
    entry: &'static str,
    /// Whether the input has a checkpointer.
    has_checkpointer: bool,
    /// Whether this checkpointer is the asynchronous one.
    is_awaited: bool,
    /// Whether there is none because the handler runs beside records.
    is_beside: bool,
}

impl Arguments {
    pub(super) fn of(processor: &Processor, handler: &Handler, form: Form) -> Self {
        let beside = processor.is_concurrent();
        let (name, entry, has_checkpointer) = match handler.kind {
            Kind::Init => ("OnInit", "on_init", false),
            Kind::Records => ("OnRecords", "on_records", true),
            Kind::Record if form == Form::Concurrent => ("OnConcurrentRecord", "on_concurrent_record", false),
            Kind::Record => ("OnRecord", "on_record", true),
            Kind::LeaseLost => ("OnLeaseLost", "on_lease_lost", false),
            Kind::ShardEnd => ("OnShardEnd", "on_shard_end", true),
            Kind::ShutdownRequested if beside => ("OnConcurrentShutdown", "on_concurrent_shutdown", false),
            Kind::ShutdownRequested => ("OnShutdownRequested", "on_shutdown_requested", true),
            Kind::Tick if form == Form::Concurrent => ("OnConcurrentTick", "on_concurrent_tick", false),
            Kind::Tick => ("OnTick", "on_tick", true),
            Kind::DeadLetter => ("OnDeadLetter", "on_dead_letter", false),
        };
        let is_beside = name.starts_with("OnConcurrent");
        Self { name, entry, has_checkpointer, is_awaited: has_checkpointer && handler.is_async(), is_beside }
    }

    /// The arguments of the first method that calls a handler.
    pub(super) fn first(processor: &Processor, handler: &Handler) -> Self {
        let form = Form::all(processor, handler).first().copied().unwrap_or(Form::Blocking);
        Self::of(processor, handler, form)
    }

    /// The trait of an argument with this shape.
    fn path(&self, shape: Shape) -> TokenStream {
        let name = Ident::new(self.name, Span::call_site());
        match (shape, self.is_awaited, self.is_beside) {
            (Shape::Exclusive, true, _) => quote!(Awaited<'_, _>),
            (Shape::Exclusive, _, true) => quote!(BesideRecords<'_>),
            (_, true, _) => quote!(#name<'_, _>),
            (_, false, _) => quote!(#name<'_>),
        }
    }

    /// The path of the probe, in the module of the probes.
    pub(super) fn probe(&self) -> TokenStream {
        let name = Ident::new(self.name, Span::call_site());
        if self.is_awaited { quote!(asynchronous::#name) } else { name.into_token_stream() }
    }

    /// Whether they can contain a checkpointer.
    pub(super) fn have_checkpointer(&self) -> bool {
        self.has_checkpointer
    }
}
