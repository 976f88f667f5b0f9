//! Generates code from the model: the trait impls and `main`, which are thin calls into `kcl::__private`. The user's impl is emitted
//! unchanged beside them.

mod checkpoints;
mod policy;

use std::collections::HashSet;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::visit_mut::VisitMut;
use syn::{Generics, Lifetime, Path, ReturnType, Type};

use crate::check::{cannot_have_methods, conflict, unused_parameters};
use crate::messages;
use crate::model::{Handler, Kind, Options, Processor, Slot};
use crate::syntax::{peel, text};

/// The names of the locals in generated code. Hygiene separates them from the user's locals, and their prefix from the user's
/// constants.
struct Locals {
    this: Ident,
    input: Ident,
    cx: Ident,
    result: Ident,
}

impl Locals {
    fn new() -> Self {
        let local = |name| Ident::new(name, Span::mixed_site());
        Self { this: local("self"), input: local("__input"), cx: local("__cx"), result: local("__result") }
    }
}

/// Generates everything beside the impl, including `main`.
pub(crate) fn expand(processor: &Processor) -> TokenStream {
    let krate = &processor.options.krate;
    let cfgs = &processor.cfgs;
    let (init, init_rest) = slot(processor, Slot::Init);
    let (records, records_rest) = slot(processor, Slot::Records);
    let others = [Slot::LeaseLost, Slot::ShardEnd, Slot::ShutdownRequested, Slot::DeadLetter]
        .map(|each| slot(processor, each).0);

    let checkpoints = records.iter().map(|handler| checkpoints::constant(processor, handler));
    let policies = records.iter().filter_map(|handler| policy::constant(krate, handler));
    let warn_after = processor
        .options
        .warn_after
        .map(|millis| quote!(const WARN_AFTER: ::core::time::Duration = ::core::time::Duration::from_millis(#millis);));
    let process_records = records.iter().map(|handler| method(processor, handler));
    let other_methods = others.iter().flatten().map(|handler| method(processor, handler));
    let no_records = records_rest.as_ref().map(|rest| no_records(krate, rest));
    let initialize = init.iter().map(|handler| initialize(processor, handler));
    let default = init_rest.as_ref().map(|rest| initialize_by_default(processor, rest));

    let conflicts = conflicts(processor, records_rest.as_ref());
    let hovers = processor.handlers.iter().filter_map(|handler| hover(&processor.options, handler));
    let argument_checks = checkpoints::items(processor);
    let main = main(processor);

    let (impl_generics, _, where_clause) = processor.generics.split_for_impl();
    let self_ty = &processor.self_ty;
    quote! {
        #(#cfgs)*
        const _: () = {
            #(#hovers)*
            #conflicts
            #[automatically_derived]
            impl #impl_generics #krate::Processor for #self_ty #where_clause {
                #(#checkpoints)*
                #(#policies)*
                #warn_after
                #(#process_records)*
                #no_records
                #(#other_methods)*
            }
            #(#initialize)*
            #default
            #argument_checks
        };
        #main
    }
}

/// Generates a replacement for [`expand`] when there are errors: just enough to avoid further errors.
/// If there are no errors after all, it still does not compile into a program.
pub(crate) fn stand_in(processor: &Processor) -> TokenStream {
    let krate = &processor.options.krate;
    let cfgs = &processor.cfgs;
    let main = processor.options.main.then(|| stand_in_main(cfgs));
    if cannot_have_methods(&processor.self_ty) || matches!(peel(&processor.self_ty), Type::TraitObject(_)) {
        return quote!(#main);
    }
    let generics = used_generics(processor);
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let self_ty = &processor.self_ty;
    let never = quote!(#krate::__private::left_to_rustc::<Self>());
    quote! {
        #(#cfgs)*
        const _: () = {
            #[automatically_derived]
            impl #impl_generics #krate::Processor for #self_ty #where_clause {
                fn process_records(&mut self, _: &mut #krate::ProcessRecords<'_>) -> #krate::__private::Handled {
                    #never
                }
            }
            #[automatically_derived]
            impl #impl_generics #krate::Initialize for #self_ty #where_clause {
                fn initialize(_: &#krate::Shard) -> #krate::__private::Made<Self> {
                    #never
                }
            }
        };
        #main
    }
}

/// A `main` that runs nothing.
pub(crate) fn stand_in_main(cfgs: &[syn::Attribute]) -> TokenStream {
    quote! { #(#cfgs)* fn main() {} }
}

/// A handler, and the condition under which it fills its slot.
struct Chosen<'a> {
    handler: &'a Handler,
    cfg: Option<TokenStream>,
}

/// The condition under which no handler of a slot exists; `None` if the slot never has one.
struct Unfilled(Option<TokenStream>);

impl ToTokens for Unfilled {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.0.clone());
    }
}

/// The handlers of a slot, each under the condition that none before it exists. The second part is `None` if the slot always has
/// one.
fn slot(processor: &Processor, slot: Slot) -> (Vec<Chosen<'_>>, Option<Unfilled>) {
    let mut handlers: Vec<&Handler> = processor.handlers.iter().filter(|handler| handler.kind.slot() == slot).collect();
    // A handler that always exists comes first, since the others are then never used.
    handlers.sort_by_key(|handler| !handler.cfgs.is_empty());
    let mut before: Vec<TokenStream> = Vec::new();
    let mut chosen = Vec::new();
    for handler in handlers {
        let Some(condition) = handler.condition() else {
            chosen.push(Chosen { handler, cfg: None });
            return (chosen, None);
        };
        let cfg = match before[..] {
            [] => quote!(#[cfg(#condition)]),
            _ => quote!(#[cfg(all(#condition, not(any(#(#before),*))))]),
        };
        chosen.push(Chosen { handler, cfg: Some(cfg) });
        before.push(condition);
    }
    let rest = (!before.is_empty()).then(|| quote!(#[cfg(not(any(#(#before),*)))]));
    (chosen, Some(Unfilled(rest)))
}

/// Errors that depend on the configuration: two handlers for one message, or no record handler.
fn conflicts(processor: &Processor, no_record_handler: Option<&Unfilled>) -> TokenStream {
    let mut errors = TokenStream::new();
    for (index, second) in processor.handlers.iter().enumerate() {
        let of_its_slot = |first: &&Handler| first.kind.slot() == second.kind.slot();
        let mut before: Vec<TokenStream> = Vec::new();
        for first in processor.handlers[..index].iter().filter(of_its_slot) {
            let conditions: Vec<_> = [first, second].into_iter().filter_map(Handler::condition).collect();
            if !conditions.is_empty() {
                let error = conflict(first, second).at(&second.attribute).into_compile_error();
                // One error for the second handler, even if several come before it.
                errors.extend(quote!(#[cfg(all(#(#conditions,)* not(any(#(#before),*))))] #error));
            }
            match first.condition() {
                Some(condition) => before.push(condition),
                None => break,
            }
        }
    }
    if let Some(rest) = no_record_handler {
        let self_ty = &processor.self_ty;
        let error = messages::no_record_handler(&text(self_ty)).at(self_ty).into_compile_error();
        errors.extend(quote!(#rest #error));
    }
    errors
}

/// A method of `Processor`.
fn method(processor: &Processor, chosen: &Chosen<'_>) -> TokenStream {
    let Chosen { handler, cfg } = chosen;
    let krate = &processor.options.krate;
    let locals = Locals::new();
    let Locals { this, input, cx, result } = &locals;
    let call = call(processor, handler, &locals);
    let (ty, allow) = match &handler.sig.output {
        ReturnType::Type(_, ty) if matches!(peel(ty), Type::Never(_)) => {
            (quote!(()), Some(quote!(#[allow(unreachable_code)])))
        }
        output => (self::result(processor, handler, output), None),
    };
    let on = format_ident!("{}", handler.kind.attribute());
    let (name, message) = match handler.kind.slot() {
        Slot::Init | Slot::Records => (quote!(process_records), quote!(ProcessRecords)),
        Slot::LeaseLost => (quote!(lease_lost), quote!(LeaseLost)),
        Slot::ShardEnd => (quote!(shard_ended), quote!(ShardEnded)),
        Slot::ShutdownRequested => (quote!(shutdown_requested), quote!(ShutdownRequested)),
        Slot::DeadLetter => (quote!(dead_letter), quote!(DeadLetter)),
    };
    let lent = if handler.kind == Kind::DeadLetter { quote!(&) } else { quote!(&mut) };
    let handled = quote!(<#ty as #krate::__private::Outcome>::handled(#result));
    let body = match handler.kind {
        Kind::Record => quote!(#krate::__private::#on(#input).each(|#cx| { #call #handled })),
        _ => quote!(let #cx = &#krate::__private::#on(#input); #call #handled),
    };
    quote! {
        #cfg
        #allow
        fn #name(&mut #this, #input: #lent #krate::#message<'_>) -> #krate::__private::Handled {
            #body
        }
    }
}

/// The impl of `Initialize` that calls the user's constructor.
fn initialize(processor: &Processor, chosen: &Chosen<'_>) -> TokenStream {
    let Chosen { handler, cfg } = chosen;
    let krate = &processor.options.krate;
    let locals = Locals::new();
    let Locals { input, cx, result, .. } = &locals;
    let call = call(processor, handler, &locals);
    let ty = self::result(processor, handler, &handler.sig.output);
    let (impl_generics, _, where_clause) = processor.generics.split_for_impl();
    let self_ty = &processor.self_ty;
    quote! {
        #cfg
        #[automatically_derived]
        impl #impl_generics #krate::Initialize for #self_ty #where_clause {
            fn initialize(#input: &#krate::Shard) -> #krate::__private::Made<Self> {
                let #cx = &#krate::__private::on_init(#input);
                #call
                <#ty as #krate::__private::Constructed<Self>>::constructed(#result)
            }
        }
    }
}

/// The impl of `Initialize` for a processor without a constructor. If no `main` is generated, the bound is checked only where
/// the processor must start by itself: a processor that a factory creates does not need `Default`.
fn initialize_by_default(processor: &Processor, rest: &Unfilled) -> TokenStream {
    let krate = &processor.options.krate;
    let self_ty = &processor.self_ty;
    let mut generics = processor.generics.clone();
    if !processor.options.main {
        let lifetime = Lifetime::new("'kcl", Span::mixed_site());
        let bound = syn::parse_quote!(for<#lifetime> #self_ty: #krate::__private::OnInitOrDefault<#lifetime>);
        generics.make_where_clause().predicates.push(bound);
    }
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    quote! {
        #rest
        #[automatically_derived]
        impl #impl_generics #krate::Initialize for #self_ty #where_clause {
            fn initialize(_: &#krate::Shard) -> #krate::__private::Made<Self> {
                ::core::result::Result::Ok(<#self_ty as #krate::__private::OnInitOrDefault<'_>>::make())
            }
        }
    }
}

/// Takes the arguments one by one and calls the user's method with them. Each type is named once, as `<Type as OnRecord>`, so that
/// a wrong type causes one error, at the type.
fn call(processor: &Processor, handler: &Handler, locals: &Locals) -> TokenStream {
    let krate = &processor.options.krate;
    let name = handler.name();
    let Locals { this, cx, result, .. } = locals;
    let argument = argument_trait(handler.kind);
    let lifetimes = all_lifetimes(processor, handler);
    let types = handler.arguments().map(|argument| without_lifetimes(&argument.ty, &lifetimes));
    let names: Vec<_> = names().take(handler.arguments().count()).collect();
    let this = (handler.kind != Kind::Init).then_some(this);
    let arguments = this.into_iter().chain(&names);
    quote! {
        #(let #names = <#types as #krate::__private::#argument<'_>>::take(#cx)?;)*
        let #result = Self::#name(#(#arguments),*);
    }
}

/// The return type of a handler.
fn result(processor: &Processor, handler: &Handler, output: &ReturnType) -> TokenStream {
    match output {
        ReturnType::Type(_, ty) => without_lifetimes(ty, &all_lifetimes(processor, handler)),
        ReturnType::Default => quote!(()),
    }
}

fn names() -> impl Iterator<Item = Ident> {
    (1..).map(|number: usize| format_ident!("__a{number}", span = Span::mixed_site()))
}

/// The trait that the arguments of a handler implement.
fn argument_trait(kind: Kind) -> Ident {
    let name = match kind {
        Kind::Init => "OnInit",
        Kind::Records => "OnRecords",
        Kind::Record => "OnRecord",
        Kind::LeaseLost => "OnLeaseLost",
        Kind::ShardEnd => "OnShardEnd",
        Kind::ShutdownRequested => "OnShutdownRequested",
        Kind::DeadLetter => "OnDeadLetter",
    };
    Ident::new(name, Span::call_site())
}

/// The spans of the first and the last token.
fn ends(tokens: &impl ToTokens) -> (Span, Span) {
    let mut spans = tokens.to_token_stream().into_iter().map(|token| token.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    (first, spans.last().unwrap_or(first))
}

/// A stand-in for the method if the configuration leaves no record handler. The error is reported beside it.
fn no_records(krate: &Path, rest: &Unfilled) -> TokenStream {
    quote! {
        #rest
        fn process_records(&mut self, _: &mut #krate::ProcessRecords<'_>) -> #krate::__private::Handled {
            loop {}
        }
    }
}

/// An import that lets editors show the documentation of the attribute. There is none if the user wrote the crate's path: if that is
/// wrong, rustc would report the import and everything else.
fn hover(options: &Options, handler: &Handler) -> Option<TokenStream> {
    if options.krate_is_given {
        return None;
    }
    let (krate, cfgs) = (&options.krate, &handler.cfgs);
    let name = Ident::new(handler.kind.attribute(), handler.attribute.segments.last()?.ident.span());
    Some(quote!(#(#cfgs)* use #krate::#name as _;))
}

fn main(processor: &Processor) -> Option<TokenStream> {
    if !processor.options.main {
        return None;
    }
    let krate = &processor.options.krate;
    let cfgs = &processor.cfgs;
    let self_ty = without_lifetimes(&processor.self_ty, &impl_lifetimes(processor));
    Some(quote_spanned! {Span::call_site()=>
        #(#cfgs)*
        fn main() -> ::std::process::ExitCode {
            #krate::run::<#self_ty>()
        }
    })
}

/// The lifetimes that a handler and its impl declare.
fn all_lifetimes(processor: &Processor, handler: &Handler) -> HashSet<String> {
    let mut lifetimes = impl_lifetimes(processor);
    lifetimes.extend(handler.sig.generics.lifetimes().map(|param| param.lifetime.to_string()));
    lifetimes
}

fn impl_lifetimes(processor: &Processor) -> HashSet<String> {
    processor.generics.lifetimes().map(|param| param.lifetime.to_string()).collect()
}

/// The type with `'_` instead of these lifetimes, for code that does not declare them.
fn without_lifetimes(ty: &Type, lifetimes: &HashSet<String>) -> TokenStream {
    struct Elide<'a>(&'a HashSet<String>);
    impl VisitMut for Elide<'_> {
        fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
            if self.0.contains(&lifetime.to_string()) {
                *lifetime = Lifetime::new("'_", lifetime.span());
            }
        }
    }
    let mut ty = ty.clone();
    if !lifetimes.is_empty() {
        Elide(lifetimes).visit_type_mut(&mut ty);
    }
    ty.into_token_stream()
}

/// The generics without the parameters that the type does not mention. rustc has its own error for those.
fn used_generics(processor: &Processor) -> Generics {
    let unused = unused_parameters(processor);
    let mut generics = processor.generics.clone();
    if unused.is_empty() {
        return generics;
    }
    generics.params = generics
        .params
        .into_iter()
        .filter(|param| match param {
            syn::GenericParam::Type(param) => !unused.contains(&param.ident.to_string()),
            syn::GenericParam::Const(param) => !unused.contains(&param.ident.to_string()),
            syn::GenericParam::Lifetime(_) => true,
        })
        .collect();
    generics.where_clause = None;
    generics
}
