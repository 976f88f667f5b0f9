//! Adapts the user's types and generics for generated code.

use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::visit_mut::VisitMut;
use syn::{Generics, Lifetime, Type};

use crate::check::unused_parameters;
use crate::model::{Handler, Processor};

/// The lifetimes that a handler and its impl declare.
pub(super) fn all_lifetimes(processor: &Processor, handler: &Handler) -> HashSet<String> {
    let mut lifetimes = impl_lifetimes(processor);
    lifetimes.extend(handler.sig.generics.lifetimes().map(|param| param.lifetime.to_string()));
    lifetimes
}

pub(super) fn impl_lifetimes(processor: &Processor) -> HashSet<String> {
    processor.generics.lifetimes().map(|param| param.lifetime.to_string()).collect()
}

/// The type with `'_` instead of these lifetimes, for code that does not declare them.
pub(super) fn without_lifetimes(ty: &Type, lifetimes: &HashSet<String>) -> TokenStream {
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
pub(super) fn used_generics(processor: &Processor) -> Generics {
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
