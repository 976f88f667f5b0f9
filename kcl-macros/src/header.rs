//! The header of the impl: which types rustc accepts there, and which generic parameters it misses.

use std::collections::HashSet;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{GenericParam, Generics, PathArguments, Type, TypePath, WherePredicate};

use crate::model::{Handler, Processor};
use crate::syntax::peel;

/// Whether rustc rejects every inherent impl for the processor's type.
pub(crate) fn cannot_have_methods(processor: &Processor) -> bool {
    use Type::{Array, FnPtr, ImplTrait, Infer, Never, Ptr, Reference, Slice, Tuple};
    match peel(&processor.self_ty) {
        Array(_) | FnPtr(_) | ImplTrait(_) | Infer(_) | Never(_) | Ptr(_) | Reference(_) | Slice(_) | Tuple(_) => true,
        Type::Path(ty) => {
            ty.qself.is_some()
                || ty.path.is_ident("Self")
                || is_foreign(ty)
                || processor.generics.type_params().any(|param| ty.path.is_ident(&param.ident))
        }
        _ => false,
    }
}

/// Whether a type is in another crate, as far as its path shows.
fn is_foreign(ty: &TypePath) -> bool {
    let path = &ty.path;
    let (Some(first), Some(last)) = (path.segments.first(), path.segments.last()) else { return false };
    if path.segments.len() > 1 {
        return path.leading_colon.is_some() || CRATES.iter().any(|krate| first.ident == krate);
    }
    let is_generic = matches!(&last.arguments, PathArguments::AngleBracketed(_));
    let known = if is_generic { WITH_ARGUMENTS } else { WITHOUT_ARGUMENTS };
    known.iter().any(|name| last.ident == name)
}

/// Crates whose names a module of the user does not have.
const CRATES: &[&str] = &["std", "core", "alloc", "kcl", "serde", "serde_json"];

/// Primitive types, and a type of the prelude that is not generic.
const WITHOUT_ARGUMENTS: &[&str] = &[
    "bool", "char", "f32", "f64", "i128", "i16", "i32", "i64", "i8", "isize", "str", "String", "u128", "u16", "u32",
    "u64", "u8", "usize",
];

/// Generic types of the prelude, and those of the standard library that are often imported.
const WITH_ARGUMENTS: &[&str] = &[
    "Arc", "BTreeMap", "BTreeSet", "Box", "HashMap", "HashSet", "Mutex", "Option", "Rc", "RefCell", "Result", "RwLock",
    "Vec", "VecDeque",
];

/// The generic parameters that neither the processor's type nor a bound mentions: rustc rejects them with E0207. (A bound may tie
/// one parameter to another.)
pub(crate) fn unused_parameters(processor: &Processor) -> HashSet<String> {
    let mut words = HashSet::new();
    collect_words(processor.self_ty.to_token_stream(), &mut words);
    for param in processor.generics.type_params() {
        collect_words(param.bounds.to_token_stream(), &mut words);
    }
    for predicate in processor.generics.where_clause.iter().flat_map(|clause| &clause.predicates) {
        if let WherePredicate::Type(predicate) = predicate {
            collect_words(predicate.bounds.to_token_stream(), &mut words);
        }
    }
    let names = processor.generics.params.iter().filter_map(|param| match param {
        GenericParam::Type(param) => Some(param.ident.to_string()),
        GenericParam::Const(param) => Some(param.ident.to_string()),
        GenericParam::Lifetime(_) => None,
    });
    names.filter(|name| !words.contains(name)).collect()
}

/// The generics of the impl with the bounds in the `where` clauses of handlers. The generated code calls these, and a bound that is not
/// met is an error where it is written.
pub(crate) fn with_bounds_of(handlers: &[Handler], mut generics: Generics) -> Generics {
    for handler in handlers.iter().filter(|handler| handler.cfgs.is_empty()) {
        let Some(clause) = &handler.sig.generics.where_clause else { continue };
        let own = words(handler.sig.generics.params.to_token_stream());
        let of_the_impl = clause.predicates.iter().filter(|predicate| {
            matches!(predicate, WherePredicate::Type(_)) && words(predicate.to_token_stream()).is_disjoint(&own)
        });
        let of_the_impl: Vec<_> = of_the_impl.cloned().collect();
        if !of_the_impl.is_empty() {
            generics.make_where_clause().predicates.extend(of_the_impl);
        }
    }
    generics
}

/// The names of the lifetimes that the impl declares, without their quotes.
pub(crate) fn impl_lifetimes(processor: &Processor) -> HashSet<String> {
    processor.generics.lifetimes().map(|param| param.lifetime.ident.to_string()).collect()
}

/// The words in some tokens.
pub(crate) fn words(tokens: TokenStream) -> HashSet<String> {
    let mut words = HashSet::new();
    collect_words(tokens, &mut words);
    words
}

fn collect_words(tokens: TokenStream, words: &mut HashSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Ident(word) => {
                words.insert(word.to_string());
            }
            TokenTree::Group(group) => collect_words(group.stream(), words),
            _ => {}
        }
    }
}
