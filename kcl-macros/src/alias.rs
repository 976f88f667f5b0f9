//! A name for the processor's type.
//!
//! The impl of the user and the generated code need that type. If each of them named it as it is written, a mistake in it would be an error
//! in each of them. They name an alias instead, and the type stands in the definition of the alias only.

use std::collections::HashSet;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::visit_mut::VisitMut;
use syn::{GenericParam, Lifetime, Type};

use crate::header::{cannot_have_methods, words};
use crate::model::Processor;
use crate::syntax::{ends, peel};

/// An alias.
pub(crate) struct Alias {
    /// The item that defines it.
    pub(crate) definition: TokenStream,
    /// The type that it stands for, by the name of the alias. It has the spans of that type.
    pub(crate) ty: Type,
}

/// The alias for the type of a processor, unless the type cannot have one. Its name has the span of the keyword `impl`: where rustc suggests
/// to declare a parameter, it shows the code after that name.
pub(crate) fn of(processor: &Processor, keyword: Span) -> Option<Alias> {
    let Type::Path(path) = peel(&processor.self_ty) else { return None };
    let params = &processor.generics.params;
    let starts_with_param = |path: &syn::Path| {
        let first = path.segments.first().map(|first| &first.ident);
        path.segments.len() > 1 && processor.generics.type_params().any(|param| Some(&param.ident) == first)
    };
    if cannot_have_methods(processor) || has_path(&processor.self_ty, starts_with_param) {
        return None;
    }
    let (from, to) = ends(&processor.self_ty);
    let name = name(processor);
    // Each elided lifetime needs a name in the definition.
    let mut named = processor.self_ty.clone();
    let mut elided = Elided(Vec::new());
    elided.visit_type_mut(&mut named);
    let mentioned: HashSet<String> = words(named.to_token_stream());
    let used = |param: &&GenericParam| {
        mentioned.contains(&match param {
            GenericParam::Type(param) => param.ident.to_string(),
            GenericParam::Const(param) => param.ident.to_string(),
            GenericParam::Lifetime(param) => param.lifetime.ident.to_string(),
        })
    };
    let lifetimes = elided.0.iter().map(ToTokens::to_token_stream);
    let declared = params.iter().filter(used).map(|param| match param {
        GenericParam::Type(param) => param.ident.to_token_stream(),
        GenericParam::Const(param) => {
            let (name, ty) = (&param.ident, &param.ty);
            quote!(const #name: #ty)
        }
        GenericParam::Lifetime(param) => param.lifetime.to_token_stream(),
    });
    let arguments = params.iter().filter(used).map(|param| match param {
        GenericParam::Type(param) => param.ident.to_token_stream(),
        GenericParam::Const(param) => param.ident.to_token_stream(),
        GenericParam::Lifetime(param) => param.lifetime.to_token_stream(),
    });
    let anonymous = elided.0.iter().map(|lifetime| Lifetime::new("'_", lifetime.span()).into_token_stream());
    let (cfgs, definition, alias) = (&processor.cfgs, Ident::new(&name, keyword), Ident::new(&name, from));
    let generics: Vec<_> = lifetimes.chain(declared).collect();
    let arguments: Vec<_> = anonymous.chain(arguments).collect();
    let generics = (!generics.is_empty()).then(|| quote!(<#(#generics),*>));
    // The brackets give the alias the spans of the whole type.
    let is_one_word = path.path.get_ident().is_some();
    let arguments = (!is_one_word).then(|| {
        let (open, close) = (quote_spanned!(from=> <), quote_spanned!(to=> >));
        quote!(#open #(#arguments),* #close)
    });
    let ty = syn::parse2(quote!(#alias #arguments)).ok()?;
    Some(Alias { definition: quote!(#(#cfgs)* type #definition #generics = #named;), ty })
}

/// A name that no other processor in the module has: two methods of a type have different names.
fn name(processor: &Processor) -> String {
    let mut name = "__Kcl".to_owned();
    let handler = processor.handlers.first().map(|handler| handler.name().to_string()).unwrap_or_default();
    for text in [processor.self_ty.to_token_stream().to_string(), handler] {
        for word in text.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty()) {
            let mut chars = word.chars();
            name.extend(chars.next().into_iter().flat_map(char::to_uppercase).chain(chars));
        }
    }
    name
}

/// Gives each elided lifetime a name.
struct Elided(Vec<Lifetime>);

impl VisitMut for Elided {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident == "_" {
            *lifetime = Lifetime::new(&format!("'kcl{}", self.0.len() + 1), lifetime.span());
            self.0.push(lifetime.clone());
        }
    }
}

/// Whether a path in a type satisfies `predicate`.
fn has_path(ty: &Type, predicate: impl Fn(&syn::Path) -> bool) -> bool {
    struct Finder<F>(F, bool);
    impl<'a, F: Fn(&syn::Path) -> bool> syn::visit::Visit<'a> for Finder<F> {
        fn visit_path(&mut self, path: &'a syn::Path) {
            self.1 |= (self.0)(path);
            syn::visit::visit_path(self, path);
        }
    }
    let mut finder = Finder(predicate, false);
    syn::visit::Visit::visit_type(&mut finder, ty);
    finder.1
}
