//! Items that cannot become a processor: definitions of types, half-typed impls and others.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::quote;
use syn::parse::Parser;
use syn::{Item, ItemImpl, Path};

use crate::context::Context;
use crate::messages;
use crate::model::Options;
use crate::parse;

/// The empty impl of a type for its definition. There is none for a generic type, because the impl that was meant may be for one of its
/// instances.
pub(crate) fn defined_type(item: &Item) -> Option<ItemImpl> {
    let (name, generics) = match item {
        Item::Struct(item) => (&item.ident, &item.generics),
        Item::Enum(item) => (&item.ident, &item.generics),
        Item::Union(item) => (&item.ident, &item.generics),
        _ => return None,
    };
    if generics.type_params().next().is_some() || generics.const_params().next().is_some() {
        return None;
    }
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    syn::parse2(quote!(impl #impl_generics #name #ty_generics #where_clause {})).ok()
}

/// Whether tokens that cannot be parsed were meant to be an impl.
pub(crate) fn is_impl(tokens: TokenStream) -> bool {
    let words = tokens.into_iter().filter_map(|token| match token {
        TokenTree::Ident(word) => Some(word.to_string()),
        _ => None,
    });
    words.into_iter().find(|word| word == "impl" || word == "fn").is_some_and(|word| word == "impl")
}

/// An inherent impl without the items in its braces, if it can be parsed.
pub(crate) fn without_items(tokens: TokenStream) -> Option<ItemImpl> {
    let mut tokens: Vec<TokenTree> = tokens.into_iter().collect();
    match tokens.last_mut() {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
            *group = Group::new(Delimiter::Brace, TokenStream::new());
        }
        _ => return None,
    }
    syn::parse2::<ItemImpl>(tokens.into_iter().collect()).ok().filter(|item| item.trait_.is_none())
}

/// An item without the attribute `#[kcl::processor]`.
pub(crate) fn without_processor(item: TokenStream) -> TokenStream {
    let mut kept: Vec<TokenTree> = Vec::new();
    for token in item {
        let is_ours = match (&token, kept.last()) {
            (TokenTree::Group(group), Some(TokenTree::Punct(pound))) if pound.as_char() == '#' => {
                let path = Path::parse_mod_style.parse2(without_options(group.stream()));
                path.is_ok_and(|path| parse::is_processor(&Options::default().krate, &path))
            }
            _ => false,
        };
        if is_ours {
            kept.pop();
        } else {
            kept.push(token);
        }
    }
    kept.into_iter().collect()
}

/// The path of an attribute.
fn without_options(attribute: TokenStream) -> TokenStream {
    attribute.into_iter().take_while(|token| !matches!(token, TokenTree::Group(_))).collect()
}

/// Reports an item that is not an impl.
pub(crate) fn report(cx: &Context, item: &Item) {
    match item {
        Item::Struct(item) => cx.error(item.struct_token, messages::not_an_impl("a struct", Some(&item.ident))),
        Item::Enum(item) => cx.error(item.enum_token, messages::not_an_impl("an enum", Some(&item.ident))),
        Item::Union(item) => cx.error(item.union_token, messages::not_an_impl("a union", Some(&item.ident))),
        Item::Fn(item) => cx.error(item.sig.fn_token, messages::not_an_impl("a function", None)),
        Item::Mod(item) => cx.error(item.mod_token, messages::not_an_impl("a module", None)),
        Item::Trait(item) => cx.error(item.trait_token, messages::not_an_impl("a trait", None)),
        Item::Type(item) => cx.error(item.type_token, messages::not_an_impl("a type alias", None)),
        Item::Const(item) => cx.error(item.const_token, messages::not_an_impl("a constant", None)),
        Item::Static(item) => cx.error(item.static_token, messages::not_an_impl("a static", None)),
        Item::Use(item) => cx.error(item.use_token, messages::not_an_impl("an import", None)),
        other => cx.error(other, messages::not_an_impl("this item", None)),
    }
}
