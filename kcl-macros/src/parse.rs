//! From tokens to the model: finds the handlers, and takes their attributes off.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Attribute, ImplItem, Item, ItemImpl, Meta, Path, Token, Type};

use crate::context::Context;
use crate::messages;
use crate::model::{Handler, Kind, Options, Processor};
use crate::names;

/// What stood below the attribute.
pub(crate) struct Parsed {
    /// The user's own item without the handler attributes: emitted whatever happens.
    pub(crate) item: TokenStream,
    /// `None` if it was no impl to make a processor of.
    pub(crate) processor: Option<Processor>,
    /// Whether a `main` would be missed: it is asked for, and the item is none itself.
    pub(crate) needs_main: bool,
}

pub(crate) fn parse(cx: &Context, options: Options, tokens: TokenStream) -> Parsed {
    let item = match syn::parse2::<Item>(tokens.clone()) {
        Ok(Item::Impl(item)) => item,
        Ok(other) => {
            refuse(cx, &other);
            let is_main = matches!(&other, Item::Fn(item) if item.sig.ident == "main");
            return Parsed { item: tokens, processor: None, needs_main: options.main && !is_main };
        }
        Err(error) => {
            cx.push(error);
            return Parsed { item: tokens, processor: None, needs_main: options.main };
        }
    };
    inherent_impl(cx, options, item)
}

fn inherent_impl(cx: &Context, options: Options, mut item: ItemImpl) -> Parsed {
    let handlers = item.items.iter_mut().filter_map(|item| handler(cx, &options.krate, item)).collect();
    let needs_main = options.main;
    let processor = match &item.trait_ {
        Some((path, _)) => {
            cx.error(path, messages::trait_impl(&text(&item.self_ty)));
            None
        }
        None => Some(Processor {
            cfgs: cfgs(&item.attrs),
            generics: item.generics.clone(),
            self_ty: (*item.self_ty).clone(),
            handlers,
            options,
        }),
    };
    Parsed { item: item.into_token_stream(), processor, needs_main }
}

/// Takes the handler attributes off one item of the impl.
fn handler(cx: &Context, krate: &Path, item: &mut ImplItem) -> Option<Handler> {
    let what = match item {
        ImplItem::Fn(method) => {
            let marks = take_marks(cx, krate, &mut method.attrs);
            let mut marks = marks.into_iter();
            let (kind, attribute) = marks.next()?;
            for (second, path) in marks {
                cx.error(path, messages::two_on_one(kind, second, &method.sig.ident));
            }
            return Some(Handler { kind, attribute, cfgs: cfgs(&method.attrs), sig: method.sig.clone() });
        }
        ImplItem::Const(item) => (&mut item.attrs, "an associated constant"),
        ImplItem::Type(item) => (&mut item.attrs, "an associated type"),
        ImplItem::Macro(item) => (&mut item.attrs, "a macro call"),
        _ => return None,
    };
    for (kind, path) in take_marks(cx, krate, what.0) {
        cx.error(path, messages::handler_on(kind, what.1));
    }
    None
}

/// Removes the handler attributes, and what was meant to be one.
fn take_marks(cx: &Context, krate: &Path, attrs: &mut Vec<Attribute>) -> Vec<(Kind, Path)> {
    let mut marks = Vec::new();
    attrs.retain(|attr| {
        if attr.path().is_ident("cfg_attr") {
            let hidden = in_cfg_attr(krate, &attr.meta);
            if let Some((kind, path)) = &hidden {
                cx.error(path, messages::handler_in_cfg_attr(*kind));
            }
            return hidden.is_none();
        }
        let Some(name) = own_name(krate, attr.path()) else { return true };
        match (Kind::from_name(&name.text), &attr.meta) {
            (Some(kind), Meta::Path(path)) => marks.push((kind, path.clone())),
            (Some(kind), meta) => {
                cx.error(behind_path(meta), messages::handler_takes_no_options(kind));
                marks.push((kind, meta.path().clone()));
            }
            (None, meta) => {
                let nearest = match names::misspelt(&name.text) {
                    Some(nearest) => nearest,
                    None if name.qualified => None,
                    None => return true,
                };
                cx.error(meta.path(), messages::handler_unknown(&text(meta.path()), nearest));
            }
        }
        false
    });
    marks
}

/// The name of an attribute that may be ours: `#[on_record]`, `#[kcl::on_record]`, or below what `crate = …` named.
fn own_name(krate: &Path, path: &Path) -> Option<OwnName> {
    let text = path.segments.last()?.ident.to_string();
    if path.segments.len() == 1 {
        return path.leading_colon.is_none().then_some(OwnName { text, qualified: false });
    }
    let prefix: Vec<String> =
        path.segments.iter().rev().skip(1).rev().map(|segment| segment.ident.to_string()).collect();
    let given = krate.segments.iter().map(|segment| segment.ident.to_string());
    let ours = prefix == ["kcl"] || given.eq(prefix.iter().cloned());
    // The macro itself may stand below, for whatever reason; rustc has its own words for that.
    (ours && text != "processor").then_some(OwnName { text, qualified: true })
}

struct OwnName {
    text: String,
    /// Written with the crate's name, so it can be nobody else's.
    qualified: bool,
}

/// The handler attribute that a `cfg_attr` would add.
fn in_cfg_attr(krate: &Path, meta: &Meta) -> Option<(Kind, Path)> {
    let metas =
        Punctuated::<Meta, Token![,]>::parse_terminated.parse2(meta.require_list().ok()?.tokens.clone()).ok()?;
    metas.iter().skip(1).find_map(|meta| {
        if meta.path().is_ident("cfg_attr") {
            return in_cfg_attr(krate, meta);
        }
        let kind = Kind::from_name(&own_name(krate, meta.path())?.text)?;
        Some((kind, meta.path().clone()))
    })
}

/// What follows an attribute's name.
fn behind_path(meta: &Meta) -> TokenStream {
    let names = meta.path().to_token_stream().into_iter().count();
    meta.to_token_stream().into_iter().skip(names).collect()
}

fn cfgs(attrs: &[Attribute]) -> Vec<Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("cfg")).cloned().collect()
}

/// Says what stands where an impl should.
fn refuse(cx: &Context, item: &Item) {
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

/// Tokens as a person would write them, for messages.
pub(crate) fn text(tokens: &impl ToTokens) -> String {
    let mut text = String::new();
    write_text(&mut text, tokens.to_token_stream());
    text
}

fn write_text(text: &mut String, tokens: TokenStream) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    proc_macro2::Delimiter::Parenthesis => ("(", ")"),
                    proc_macro2::Delimiter::Bracket => ("[", "]"),
                    proc_macro2::Delimiter::Brace => ("{ ", " }"),
                    proc_macro2::Delimiter::None => ("", ""),
                };
                text.push_str(open);
                write_text(text, group.stream());
                text.push_str(close);
            }
            TokenTree::Punct(punct) => {
                match punct.as_char() {
                    '=' | '+' => text.push(' '),
                    _ => {}
                }
                text.push(punct.as_char());
                match punct.as_char() {
                    ',' | '=' | '+' | ';' => text.push(' '),
                    _ => {}
                }
            }
            word => {
                if text.ends_with(|last: char| last.is_alphanumeric() || last == '_') {
                    text.push(' ');
                }
                text.push_str(&word.to_string());
            }
        }
    }
}

/// The type within the groups without delimiters that `macro_rules` leave.
pub(crate) fn peel(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => peel(&group.elem),
        Type::Paren(paren) => peel(&paren.elem),
        other => other,
    }
}
