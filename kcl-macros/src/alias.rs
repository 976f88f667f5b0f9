//! A name for the processor's type.
//!
//! The impl of the user and the generated code need that type. If each of them named it as it is written, a mistake in it would be an error
//! in each of them. They name an alias instead, and the type stands in the definition of the alias only.

use std::collections::HashSet;

use proc_macro2::{Ident, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{GenericParam, Lifetime, Type};

use crate::header::{cannot_have_methods, words};
use crate::model::Processor;
use crate::syntax::{ends, peel};
use crate::within::name_elided;

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
    if cannot_have_methods(processor) || names_item_of_param(processor, processor.self_ty.to_token_stream()) {
        return None;
    }
    let (from, to) = ends(&processor.self_ty);
    let name = name(processor);
    // Each elided lifetime needs a name in the definition.
    let (named, elided) = name_elided(processor.self_ty.to_token_stream(), None);
    let mentioned: HashSet<String> = words(named.clone());
    let used = |param: &&GenericParam| {
        mentioned.contains(&match param {
            GenericParam::Type(param) => param.ident.to_string(),
            GenericParam::Const(param) => param.ident.to_string(),
            GenericParam::Lifetime(param) => param.lifetime.ident.to_string(),
        })
    };
    let lifetimes = elided.iter().map(ToTokens::to_token_stream);
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
    let anonymous = elided.iter().map(|lifetime| Lifetime::new("'_", lifetime.span()).into_token_stream());
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
        for word in text.split(|char: char| char.is_ascii_punctuation() || char.is_ascii_whitespace()) {
            for (index, char) in word.char_indices() {
                match char {
                    // Not every letter can be in a name, and rustc passes on names that it rejects, such as one with an emoji.
                    _ if !char.is_ascii() => name.push_str(&format!("U{:X}", u32::from(char))),
                    _ if index == 0 => name.push(char.to_ascii_uppercase()),
                    _ => name.push(char),
                }
            }
        }
    }
    name
}

/// Whether some tokens name an item of a type parameter, such as `T::Item`.
fn names_item_of_param(processor: &Processor, tokens: TokenStream) -> bool {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let found = match token {
            TokenTree::Ident(word) => {
                let is_path = matches!(tokens.peek(), Some(TokenTree::Punct(mark)) if is_start_of_colons(mark));
                is_path && processor.generics.type_params().any(|param| param.ident == word)
            }
            TokenTree::Group(group) => names_item_of_param(processor, group.stream()),
            _ => false,
        };
        if found {
            return true;
        }
    }
    false
}

/// Whether a colon is the first one of `::`.
fn is_start_of_colons(mark: &Punct) -> bool {
    mark.as_char() == ':' && mark.spacing() == Spacing::Joint
}
