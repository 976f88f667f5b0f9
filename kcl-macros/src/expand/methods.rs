//! Generates the methods that call the handlers.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Lifetime, Path, ReturnType};

use super::slots::{Chosen, Unfilled};
use super::types::{generics, inferred_at, parenthesized, with_named_lifetimes};
use crate::handlers::Kind;
use crate::model::{Handler, Processor};
use crate::syntax::ends;

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

/// A method of `Processor`.
pub(super) fn method(
    processor: &Processor,
    chosen: &Chosen<'_>,
    name: &str,
    message: fn(&Path) -> TokenStream,
) -> TokenStream {
    let Chosen { handler, cfg } = chosen;
    let krate = &processor.options.krate;
    let locals = Locals::new(handler);
    let Locals { this, input, cx } = &locals;
    let call = call(processor, handler, &locals);
    let on = Ident::new(handler.kind.attribute(), Span::call_site());
    let name = Ident::new(name, Span::call_site());
    let message = message(krate);
    let returned = returned(processor, handler);
    let allow = handler.never_returns().then(|| quote!(#[allow(unreachable_code)]));
    let handled = quote!(<#returned as #krate::__private::Outcome>::handled(#call));
    let body = match handler.kind {
        Kind::Record => quote!(#krate::__private::#on(#input).each(|#cx| #handled)),
        Kind::Init
        | Kind::Records
        | Kind::LeaseLost
        | Kind::ShardEnd
        | Kind::ShutdownRequested
        | Kind::Tick
        | Kind::DeadLetter => {
            quote!(let #cx = &#krate::__private::#on(#input); #handled)
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
    let locals = Locals::new(handler);
    let Locals { input, cx, .. } = &locals;
    let call = call(processor, handler, &locals);
    let returned = returned(processor, handler);
    let generics = generics(processor);
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let self_ty = &processor.self_ty;
    quote! {
        #cfg
        #[automatically_derived]
        impl #impl_generics #krate::Initialize for #self_ty #where_clause {
            fn initialize(#input: &#krate::Shard) -> #krate::__private::Made<Self> {
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
    let (mut self_ty, mut generics) = (processor.self_ty.clone(), generics(processor));
    if !processor.options.main {
        (self_ty, generics) = with_named_lifetimes(processor);
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

/// Calls the user's method with its arguments. No type is named: the method determines which types are taken and what is returned, so
/// a mistake in a type is reported only where the user wrote it. A type that a handler cannot have is reported here, with its span.
fn call(processor: &Processor, handler: &Handler, locals: &Locals) -> TokenStream {
    let krate = &processor.options.krate;
    let Locals { this, cx, .. } = locals;
    let this = (!handler.kind.is_constructor()).then(|| quote!(#this,));
    let on = argument_trait(handler.kind);
    let arguments = handler.arguments().map(|argument| {
        // Only the inferred type has the span of the whole type. If the call had it as well, rustc would suggest to borrow it.
        let span @ (_, to) = ends(&argument.ty);
        let inferred = inferred_at(processor, span);
        let start = quote_spanned!(to=> <#inferred);
        let (take, cx) = (Ident::new("take", to), parenthesized(quote!(#cx), to));
        let question_mark = quote_spanned!(to=> ?);
        quote!(#start as #krate::__private::#on<'_>>::#take #cx #question_mark)
    });
    call_with(handler, quote!(#this #(#arguments),*))
}

/// The type that a handler returns. It is inferred, except for `!`, from which nothing can be inferred.
fn returned(processor: &Processor, handler: &Handler) -> TokenStream {
    match &handler.sig.output {
        ReturnType::Type(_, ty) if !handler.never_returns() => inferred_at(processor, ends(ty)),
        _ => quote!(()),
    }
}

/// A call of the user's method, with the last span of what it returns.
pub(super) fn call_with(handler: &Handler, arguments: TokenStream) -> TokenStream {
    let name = handler.name();
    let end = match &handler.sig.output {
        ReturnType::Type(_, ty) => ends(ty).1,
        ReturnType::Default => name.span(),
    };
    let this = Ident::new("Self", name.span());
    let (method, arguments) = (parenthesized(quote!(#this::#name), end), parenthesized(arguments, end));
    quote!(#method #arguments)
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
        Kind::Tick => "OnTick",
        Kind::DeadLetter => "OnDeadLetter",
    };
    Ident::new(name, Span::call_site())
}
