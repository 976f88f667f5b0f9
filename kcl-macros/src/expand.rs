//! From the model to code: the user's impl as it is, and beside it the trait impls and `main`, all of them thin calls into
//! `kcl::handler`.

use std::collections::HashSet;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::visit_mut::VisitMut;
use syn::{Generics, Lifetime, Path, ReturnType, Type};

use crate::check::{conflict, unused_parameters};
use crate::messages;
use crate::model::{Handler, Kind, Processor, Slot};
use crate::parse::{peel, text};

/// The names of the locals in what is written; no name of the user's can meet them.
struct Locals {
    this: Ident,
    input: Ident,
    cx: Ident,
}

impl Locals {
    fn new() -> Self {
        let local = |name| Ident::new(name, Span::mixed_site());
        Self { this: local("self"), input: local("input"), cx: local("cx") }
    }
}

/// What is written beside the impl, `main` included.
pub(crate) fn expand(processor: &Processor) -> TokenStream {
    let krate = &processor.options.krate;
    let cfgs = &processor.cfgs;
    let (init, init_rest) = slot(processor, Slot::Init);
    let (records, records_rest) = slot(processor, Slot::Records);
    let others = [Slot::LeaseLost, Slot::ShardEnd, Slot::ShutdownRequested].map(|each| slot(processor, each).0);

    let checkpoints = records.iter().map(|handler| checkpoints(processor, handler));
    let process_records = records.iter().map(|handler| method(krate, handler));
    let other_methods = others.iter().flatten().map(|handler| method(krate, handler));
    let no_records = records_rest.as_ref().map(|rest| no_records(krate, rest));
    let initialize = init.iter().map(|handler| initialize(processor, handler));
    let default = init_rest.as_ref().map(|rest| initialize_by_default(processor, rest));

    let conflicts = conflicts(processor, records_rest.as_ref());
    let hovers = processor.handlers.iter().map(|handler| hover(krate, handler));
    let evaluation = evaluation(processor);
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
                #(#process_records)*
                #no_records
                #(#other_methods)*
            }
            #(#initialize)*
            #default
            #evaluation
        };
        #main
    }
}

/// What is written in place of all this when something is wrong: just enough that no second error follows.
pub(crate) fn stand_in(processor: &Processor) -> TokenStream {
    let krate = &processor.options.krate;
    let cfgs = &processor.cfgs;
    let generics = used_generics(processor);
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let self_ty = &processor.self_ty;
    let main = processor.options.main.then(|| stand_in_main(cfgs));
    quote! {
        #(#cfgs)*
        const _: () = {
            #[automatically_derived]
            impl #impl_generics #krate::Processor for #self_ty #where_clause {
                fn process_records(&mut self, _: &mut #krate::ProcessRecords<'_>) -> #krate::handler::Handled {
                    loop {}
                }
            }
            #[automatically_derived]
            impl #impl_generics #krate::Initialize for #self_ty #where_clause {
                fn initialize(_: &#krate::Shard) -> ::core::result::Result<Self, #krate::BoxError> {
                    loop {}
                }
            }
        };
        #main
    }
}

/// A `main` for where there is nothing to run.
pub(crate) fn stand_in_main(cfgs: &[syn::Attribute]) -> TokenStream {
    quote! { #(#cfgs)* fn main() {} }
}

/// A handler, and the condition under which it is the one of its slot.
struct Chosen<'a> {
    handler: &'a Handler,
    cfg: Option<TokenStream>,
}

/// When none of a slot's handlers exists; no condition if there is none at all.
struct Rest(Option<TokenStream>);

impl ToTokens for Rest {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.0.clone());
    }
}

/// The handlers of a slot: each but where one before it exists. The second part is `None` if one exists in any case.
fn slot(processor: &Processor, slot: Slot) -> (Vec<Chosen<'_>>, Option<Rest>) {
    let mut handlers: Vec<&Handler> = processor.handlers.iter().filter(|handler| handler.kind.slot() == slot).collect();
    // The one that always exists leaves none to the others.
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
    (chosen, Some(Rest(rest)))
}

/// Errors that only the configuration decides: two handlers that both exist, or no record handler at all.
fn conflicts(processor: &Processor, no_record_handler: Option<&Rest>) -> TokenStream {
    let mut errors = TokenStream::new();
    for (index, second) in processor.handlers.iter().enumerate() {
        for first in &processor.handlers[..index] {
            let conditions: Vec<_> = [first, second].into_iter().filter_map(Handler::condition).collect();
            if first.kind.slot() == second.kind.slot() && !conditions.is_empty() {
                let error = conflict(first, second).at(&second.attribute).into_compile_error();
                errors.extend(quote!(#[cfg(all(#(#conditions),*))] #error));
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
fn method(krate: &Path, chosen: &Chosen<'_>) -> TokenStream {
    let Chosen { handler, cfg } = chosen;
    let locals = Locals::new();
    let Locals { this, input, cx } = &locals;
    let call = call(krate, handler, &locals);
    let (result, allow) = match &handler.sig.output {
        ReturnType::Type(_, ty) if matches!(peel(ty), Type::Never(_)) => {
            (quote!(()), Some(quote!(#[allow(unreachable_code)])))
        }
        ReturnType::Type(_, ty) => (without_lifetimes(ty, &declared(handler)), None),
        ReturnType::Default => (quote!(()), None),
    };
    let on = format_ident!("{}", handler.kind.attribute());
    let (name, message) = match handler.kind.slot() {
        Slot::Init | Slot::Records => (quote!(process_records), quote!(ProcessRecords)),
        Slot::LeaseLost => (quote!(lease_lost), quote!(LeaseLost)),
        Slot::ShardEnd => (quote!(shard_ended), quote!(ShardEnded)),
        Slot::ShutdownRequested => (quote!(shutdown_requested), quote!(ShutdownRequested)),
    };
    quote! {
        #cfg
        #allow
        fn #name(&mut #this, #input: &mut #krate::#message<'_>) -> #krate::handler::Handled {
            #krate::handler::#on(#input, |#cx| #krate::handler::finish::<#result>(#call))
        }
    }
}

/// `Initialize`, through the user's constructor.
fn initialize(processor: &Processor, chosen: &Chosen<'_>) -> TokenStream {
    let Chosen { handler, cfg } = chosen;
    let krate = &processor.options.krate;
    let locals = Locals::new();
    let Locals { input, cx, .. } = &locals;
    let call = call(krate, handler, &locals);
    let result = match &handler.sig.output {
        ReturnType::Type(_, ty) => without_lifetimes(ty, &declared(handler)),
        ReturnType::Default => quote!(()),
    };
    let (impl_generics, _, where_clause) = processor.generics.split_for_impl();
    let self_ty = &processor.self_ty;
    quote! {
        #cfg
        #[automatically_derived]
        impl #impl_generics #krate::Initialize for #self_ty #where_clause {
            fn initialize(#input: &#krate::Shard) -> ::core::result::Result<Self, #krate::BoxError> {
                #krate::handler::on_init(#input, |#cx| #krate::handler::constructed::<Self, #result>(#call))
            }
        }
    }
}

/// `Initialize` without a constructor. The bound is judged only where a processor has to start by itself, so that one which is
/// made by a factory need not have `Default`.
fn initialize_by_default(processor: &Processor, rest: &Rest) -> TokenStream {
    let krate = &processor.options.krate;
    let self_ty = &processor.self_ty;
    let mut generics = processor.generics.clone();
    let lifetime = Lifetime::new("'kcl", Span::mixed_site());
    generics
        .make_where_clause()
        .predicates
        .push(syn::parse_quote!(for<#lifetime> #self_ty: #krate::handler::DefaultOrOnInit<#lifetime>));
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    quote! {
        #rest
        #[automatically_derived]
        impl #impl_generics #krate::Initialize for #self_ty #where_clause {
            fn initialize(_: &#krate::Shard) -> ::core::result::Result<Self, #krate::BoxError> {
                #krate::handler::default()
            }
        }
    }
}

/// The call of the user's method.
fn call(krate: &Path, handler: &Handler, locals: &Locals) -> TokenStream {
    let name = handler.name();
    let Locals { this, cx, .. } = locals;
    let receiver = (handler.kind != Kind::Init).then(|| quote!(#this,));
    let arguments = arguments(krate, handler).map(|argument| quote!(#argument.take(#cx)?));
    quote!(Self::#name(#receiver #(#arguments),*))
}

/// The arguments, by type. Where a type does not fit, every mention gives the same error, which rustc shows once.
fn arguments<'a>(krate: &'a Path, handler: &'a Handler) -> impl Iterator<Item = TokenStream> {
    let function = match handler.kind {
        Kind::Init => format_ident!("init_argument"),
        Kind::Records => format_ident!("records_argument"),
        Kind::Record => format_ident!("record_argument"),
        Kind::LeaseLost => format_ident!("lease_lost_argument"),
        Kind::ShardEnd => format_ident!("shard_end_argument"),
        Kind::ShutdownRequested => format_ident!("shutdown_requested_argument"),
    };
    let declared = declared(handler);
    handler.arguments().map(move |argument| {
        let ty = without_lifetimes(&argument.ty, &declared);
        quote!(#krate::handler::#function::<#ty>())
    })
}

/// The constant that says who checkpoints. It judges the arguments of the other handlers too: what stands in it is evaluated
/// by `cargo check` already.
fn checkpoints(processor: &Processor, chosen: &Chosen<'_>) -> TokenStream {
    let Chosen { handler, cfg } = chosen;
    let krate = &processor.options.krate;
    let others =
        processor.handlers.iter().filter(|other| other.kind.slot() != Slot::Records && other.arguments().count() > 1);
    let others = others.map(|other| {
        let (cfgs, takes) = (&other.cfgs, takes(krate, other));
        quote!(#(#cfgs)* let _ = #takes;)
    });
    let takes = takes(krate, handler);
    quote! {
        #cfg
        const CHECKPOINTS: #krate::Checkpoints = {
            #(#others)*
            #takes.checkpoints()
        };
    }
}

/// What a handler takes, as a constant; the same thing twice is an error on the second argument.
fn takes(krate: &Path, handler: &Handler) -> TokenStream {
    let and = handler.arguments().zip(arguments(krate, handler)).map(|(written, argument)| {
        let mut tokens = written.ty.to_token_stream().into_iter();
        let first = tokens.next().map_or_else(Span::call_site, |token| token.span());
        let last = tokens.last().map_or(first, |token| token.span());
        let mut group = proc_macro2::Group::new(proc_macro2::Delimiter::Parenthesis, quote!(#argument.takes));
        group.set_span(last);
        let and = Ident::new("and", first);
        quote!(.#and #group)
    });
    quote!(#krate::handler::Takes::NOTHING #(#and)*)
}

/// Evaluates the constant, where that can be done: with type parameters it waits until it is used.
fn evaluation(processor: &Processor) -> Option<TokenStream> {
    if processor.generics.type_params().next().is_some()
        || processor.generics.const_params().next().is_some()
        || processor.handlers.iter().all(|handler| handler.arguments().count() < 2)
    {
        return None;
    }
    let krate = &processor.options.krate;
    let self_ty = without_lifetimes(&processor.self_ty, &impl_lifetimes(processor));
    Some(quote!(const _: #krate::Checkpoints = <#self_ty as #krate::Processor>::CHECKPOINTS;))
}

/// In place of the method when the configuration leaves no record handler; the error stands beside it.
fn no_records(krate: &Path, rest: &Rest) -> TokenStream {
    quote! {
        #rest
        fn process_records(&mut self, _: &mut #krate::ProcessRecords<'_>) -> #krate::handler::Handled {
            loop {}
        }
    }
}

/// Lets editors show the attribute's page where it is written.
fn hover(krate: &Path, handler: &Handler) -> TokenStream {
    let cfgs = &handler.cfgs;
    let span = handler.attribute.segments.last().map_or_else(Span::call_site, |segment| segment.ident.span());
    let name = Ident::new(handler.kind.attribute(), span);
    quote!(#(#cfgs)* #[allow(unused_imports)] use #krate::#name as _;)
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

/// The lifetimes that a handler declares.
fn declared(handler: &Handler) -> HashSet<String> {
    handler.sig.generics.lifetimes().map(|param| param.lifetime.to_string()).collect()
}

fn impl_lifetimes(processor: &Processor) -> HashSet<String> {
    processor.generics.lifetimes().map(|param| param.lifetime.to_string()).collect()
}

/// The type, for where these lifetimes are not declared.
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

/// The generics without the parameters that the type does not mention, of which rustc has its own error.
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
