//! Adapts the user's types and generics for generated code.

use std::collections::HashSet;

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Generics, Lifetime, Type, WherePredicate, parse_quote};

use crate::header::unused_parameters;
use crate::model::{Options, Processor};
use crate::syntax::{ends, peel};
use crate::within::{name_elided, rename_lifetimes};

/// The type with `'_` instead of these lifetimes, for code that does not declare them.
pub(super) fn without_lifetimes(ty: &Type, lifetimes: &HashSet<String>) -> TokenStream {
    let elide = &mut |name: &Ident| lifetimes.contains(&name.to_string()).then(|| Ident::new("_", name.span()));
    rename_lifetimes(ty.to_token_stream(), elide)
}

/// The processor's type, and the generics with the bound that it has a size: without it, each of the types in the impl would be an error. A
/// type with arguments gets no bound, because the bound would repeat the errors about the arguments.
pub(super) fn sized(processor: &Processor) -> (TokenStream, Generics) {
    let has_arguments = match peel(&processor.self_ty) {
        Type::Path(ty) => ty.path.segments.iter().any(|segment| !segment.arguments.is_none()),
        _ => true,
    };
    match has_arguments {
        true => (processor.ty().to_token_stream(), generics(processor)),
        false => bounded(processor, |_| quote!(::core::marker::Sized)),
    }
}

/// The processor's type, and the generics with a bound on it. The lifetime keeps rustc from checking the bound where it is written, so that
/// a type that does not meet it is an error only where it is used.
pub(super) fn bounded(processor: &Processor, bound: impl FnOnce(&Lifetime) -> TokenStream) -> (TokenStream, Generics) {
    // An elided lifetime cannot be in a bound.
    let (ty, named) = name_elided(processor.ty().to_token_stream(), Some(Span::mixed_site()));
    let mut generics = generics(processor);
    // Lifetimes come before the other parameters.
    for lifetime in named.into_iter().rev() {
        generics.params.insert(0, parse_quote!(#lifetime));
    }
    let lifetime = Lifetime::new("'kcl", Span::mixed_site());
    let bound = bound(&lifetime);
    generics.make_where_clause().predicates.push(parse_quote!(for<#lifetime> #ty: #bound));
    (ty, generics)
}

/// The generics without the parameters that the type does not mention. rustc has its own error for those.
pub(super) fn used_generics(processor: &Processor) -> Generics {
    let unused = unused_parameters(processor);
    let mut generics = self::generics(processor);
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

/// The generics of the generated impls. rustc checks a bound without parameters where it is written. The lifetime keeps it from doing that
/// here too, and once is enough.
pub(super) fn generics(processor: &Processor) -> Generics {
    let mut generics = processor.generics.clone();
    if generics.params.is_empty() {
        let lifetime = Lifetime::new("'kcl", Span::mixed_site());
        let Some(clause) = &mut generics.where_clause else { return generics };
        for predicate in &mut clause.predicates {
            if let WherePredicate::Type(predicate) = predicate {
                predicate.lifetimes.get_or_insert_with(|| parse_quote!(for<#lifetime>));
            }
        }
    }
    generics
}

/// A path in `kcl::__private` from the first to the second span. If the user wrote the path of the crate, its tokens keep their spans,
/// because an error may be about them.
pub(super) fn path_at(options: &Options, path: &TokenStream, (from, to): (Span, Span)) -> TokenStream {
    let krate = &options.krate;
    let mut tokens: Vec<TokenTree> = quote!(#krate::__private::#path).into_iter().collect();
    if !options.krate_is_given {
        tokens.iter_mut().for_each(|token| token.set_span(from));
    }
    if let Some(last) = tokens.last_mut() {
        last.set_span(to);
    }
    tokens.into_iter().collect()
}

/// The type `_`, with a span for errors. If the user wrote the path of the crate, it is the first
/// span only.
pub(crate) fn inferred_at(options: &Options, (from, to): (Span, Span)) -> TokenStream {
    if options.krate_is_given {
        return quote_spanned!(from=> _);
    }
    let inferred = path_at(options, &quote!(Inferred), (from, from));
    let end = quote_spanned!(to=> >);
    quote!(#inferred<_ #end)
}

/// A call of a function of a trait that makes an argument of this type. The type is not named: the function that takes the argument
/// determines it.
pub(crate) fn made_at(
    options: &Options,
    ty: &Type,
    path: &TokenStream,
    function: &str,
    from: TokenStream,
) -> TokenStream {
    let span @ (start, end) = ends(ty);
    let inferred = inferred_at(options, span);
    // The call has the same span as the inferred type, so an error about both is reported once. With a reference, rustc would suggest to
    // borrow the call.
    let start = if matches!(peel(ty), Type::Reference(_)) { end } else { start };
    let start = quote_spanned!(start=> <#inferred);
    let (krate, function, from) = (&options.krate, Ident::new(function, end), parenthesized(from, end));
    quote!(#start as #krate::__private::#path>::#function #from)
}

/// The tokens in parentheses with this span.
pub(super) fn parenthesized(tokens: TokenStream, span: Span) -> Group {
    let mut group = Group::new(Delimiter::Parenthesis, tokens);
    group.set_span(span);
    group
}
