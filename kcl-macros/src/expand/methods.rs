//! Generates the methods that call the handlers.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::{Lifetime, Path, ReturnType, Type};

use super::slots::{Chosen, Unfilled};
use super::types::{all_lifetimes, without_lifetimes};
use crate::handlers::Kind;
use crate::model::{Handler, Processor};
use crate::syntax::peel;

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

/// A method of `Processor`.
pub(super) fn method(
    processor: &Processor,
    chosen: &Chosen<'_>,
    name: &str,
    message: fn(&Path) -> TokenStream,
) -> TokenStream {
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
    let on = Ident::new(handler.kind.attribute(), Span::call_site());
    let name = Ident::new(name, Span::call_site());
    let message = message(krate);
    let handled = quote!(<#ty as #krate::__private::Outcome>::handled(#result));
    let body = match handler.kind {
        Kind::Record => quote!(#krate::__private::#on(#input).each(|#cx| { #call #handled })),
        Kind::Init | Kind::Records | Kind::LeaseLost | Kind::ShardEnd | Kind::ShutdownRequested | Kind::DeadLetter => {
            quote!(let #cx = &#krate::__private::#on(#input); #call #handled)
        }
    };
    quote! {
        #cfg
        #allow
        fn #name(&mut #this, #input: #message) -> #krate::__private::Handled {
            #body
        }
    }
}

/// The impl of `Initialize` that calls the user's constructor.
pub(super) fn initialize(processor: &Processor, chosen: &Chosen<'_>) -> TokenStream {
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
pub(super) fn initialize_by_default(processor: &Processor, rest: &Unfilled) -> TokenStream {
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
pub(super) fn argument_trait(kind: Kind) -> Ident {
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
