//! Parses tokens into the model: finds the handlers and removes their attributes.

use std::time::Duration;

use proc_macro2::{Group, Span, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Attribute, FnArg, Ident, ImplItem, ImplModifiers, Item, ItemImpl, Meta, Path, Token, TraitItemFn, Type};

use crate::alias;
use crate::args;
use crate::bodies;
use crate::context::Context;
use crate::handlers::Kind;
use crate::header;
use crate::intended;
use crate::messages::{self, Message};
use crate::model::{Given, Handler, Options, Place, Policy, Processor};
use crate::names;
use crate::repairs::repair;
use crate::syntax::{offset, peel, text};

/// The item below the attribute.
pub(crate) struct Parsed {
    /// The user's item without the handler attributes. It is emitted even if there are errors.
    pub(crate) item: TokenStream,
    pub(crate) meaning: Meaning,
    /// Whether rustc would miss a `main`: the options ask for one, and the item itself is not one.
    pub(crate) needs_main: bool,
}

#[cfg(test)]
impl Parsed {
    /// The processor, if the item is one.
    pub(crate) fn processor(self) -> Option<Processor> {
        match self.meaning {
            Meaning::Processor(processor) => Some(*processor),
            Meaning::Intended(_) | Meaning::HalfTyped(_) | Meaning::Other | Meaning::Function => None,
        }
    }
}

/// The part that the item can play.
pub(crate) enum Meaning {
    /// A processor.
    Processor(Box<Processor>),
    /// The definition of a type whose impl should have the attribute. The handlers are not known.
    Intended(Box<Processor>),
    /// An impl that is being typed, with the processor of its header if that can be parsed. The handlers are not known.
    HalfTyped(Option<Box<Processor>>),
    /// Not a processor.
    Other,
    /// Not a processor, and maybe a method. Items beside it are then not allowed.
    Function,
}

pub(crate) fn parse(cx: &Context, options: Options, tokens: TokenStream) -> Parsed {
    let needs_main = options.main;
    match bodies::parse(&tokens) {
        Ok((Item::Impl(item), bodies)) => inherent_impl(cx, options, item, &bodies),
        Ok((other, _)) => {
            intended::report(cx, &other);
            let Item::Fn(function) = &other else {
                let meaning = match intended::defined_type(&other) {
                    Some(item) => Meaning::Intended(Box::new(processor(&item, Vec::new(), options))),
                    None => Meaning::Other,
                };
                return Parsed { item: tokens, meaning, needs_main };
            };
            // There is no `main` in an impl or a trait.
            let needs_main = needs_main && function.sig.ident != "main" && function.sig.receiver().is_none();
            Parsed { item: tokens, meaning: Meaning::Function, needs_main }
        }
        // The code is being typed. rustc has its own error, and an editor completes what is there. rustc reports the error again if
        // the spans of these tokens change, so the handler attributes stay.
        Err(_) => {
            let meaning = match intended::without_items(tokens.clone()) {
                Some(item) => Meaning::HalfTyped(Some(Box::new(processor(&item, Vec::new(), options)))),
                None if intended::is_impl(tokens.clone()) => Meaning::HalfTyped(None),
                None => Meaning::Function,
            };
            Parsed { item: tokens, meaning, needs_main }
        }
    }
}

fn inherent_impl(cx: &Context, options: Options, mut item: ItemImpl, bodies: &[Group]) -> Parsed {
    let keyword = item.impl_token.span;
    let has_unknown_attribute = item.attrs.iter().any(|attr| is_unknown(attr, keyword));
    item.attrs.retain(|attr| {
        if is_processor(&options.krate, attr.path()) {
            cx.error(attr.path(), messages::processor_twice());
            return false;
        }
        if let Some(message) = others_mistake(attr.path()) {
            cx.error(attr.path(), message);
            return false;
        }
        let own = own_name(&options.krate, attr.path());
        let Some(kind) = own.and_then(|name| Kind::from_name(&name.text)) else { return true };
        if !is_above(attr, keyword) {
            cx.error(attr.path(), messages::handler_on_impl(kind));
        }
        false
    });
    let handlers: Vec<_> =
        item.items.iter_mut().filter_map(|method| handler(cx, &options.krate, &item.self_ty, method, bodies)).collect();
    let needs_main = options.main;
    let lacks_records = !handlers.iter().any(|handler| handler.kind.handles_records()) && !cx.has_errors();
    if lacks_records {
        take_unknown_paths(cx, &mut item.items);
    }
    let named_like_a_handler = item.items.iter().filter(|_| lacks_records).find_map(named_like_a_handler);
    let foreign_attribute = match lacks_records && named_like_a_handler.is_none() {
        true => item.items.iter_mut().find_map(take_foreign_attribute),
        false => None,
    };
    if let Some((path, _)) = &item.trait_ {
        cx.error(path, messages::trait_impl(&text(&item.self_ty)));
        if handlers.is_empty() {
            return Parsed { item: bodies::put_back(item, bodies), meaning: Meaning::Other, needs_main };
        }
        // The handlers are not methods of the trait, which would be further errors.
        item.trait_ = None;
        item.unsafety = None;
        item.modifiers = ImplModifiers::default();
    }
    let processor = processor(&item, handlers, options);
    let left_to_others = lacks_records && item.items.iter().any(is_marked_as_processor);
    // rustc rejects these words twice if the impl looks different from its source.
    let is_plain = item.unsafety.is_none() && item.modifiers.defaultness.is_none();
    let alias = alias::of(&processor, item.impl_token.span).filter(|_| is_plain);
    if let Some(alias) = &alias {
        *item.self_ty = alias.ty.clone();
    }
    let meaning = Meaning::Processor(Box::new(Processor {
        foreign_attribute,
        named_like_a_handler,
        lacks_records: lacks_records && !processor.handlers.is_empty(),
        has_broken_part: processor.has_broken_part || left_to_others || has_unknown_attribute,
        alias,
        ..processor
    }));
    Parsed { item: bodies::put_back(item, bodies), meaning, needs_main }
}

/// The processor that an impl with these handlers defines.
fn processor(item: &ItemImpl, handlers: Vec<Handler>, options: Options) -> Processor {
    Processor {
        cfgs: cfgs(&item.attrs),
        generics: header::with_bounds_of(&handlers, item.generics.clone()),
        self_ty: (*item.self_ty).clone(),
        alias: None,
        handlers,
        foreign_attribute: None,
        named_like_a_handler: None,
        lacks_records: false,
        has_broken_part: item.items.iter().any(belongs_in_a_trait),
        names_deprecated: names_deprecated(item),
        options,
    }
}

/// Whether rustc has reported an attribute that it did not find. It expands `#[kcl::processor]` after all attributes above it.
fn is_unknown(attr: &Attribute, keyword: Span) -> bool {
    let first = attr.path().segments.first().map(|first| first.ident.to_string()).unwrap_or_default();
    is_above(attr, keyword) && !names::is_builtin(&first)
}

/// Whether an attribute is above `#[kcl::processor]`. If a macro wrote one of the two, their places do not say so: `#[kcl::processor]` is
/// then not between the attribute and the impl.
fn is_above(attr: &Attribute, keyword: Span) -> bool {
    match [attr.pound_token.span, Span::call_site(), keyword].map(offset) {
        [Some(attr), Some(processor), Some(keyword)] => attr < processor && processor < keyword,
        _ => false,
    }
}

/// Whether a path is `processor`, `kcl::processor`, or `processor` after the last name of the path in `crate = …`.
pub(crate) fn is_processor(krate: &Path, path: &Path) -> bool {
    let is_last = path.segments.last().is_some_and(|last| last.ident.unraw() == "processor");
    is_last && path.segments.iter().nth_back(1).is_none_or(|parent| is_ours(krate, &parent.ident))
}

/// Whether a module of this name is assumed to be `kcl`.
fn is_ours(krate: &Path, name: &Ident) -> bool {
    let name = name.unraw();
    name == "kcl" || krate.segments.last().is_some_and(|last| last.ident.unraw() == name)
}

/// Whether an item is a method without a body or a type, which rustc allows only in traits.
fn belongs_in_a_trait(item: &ImplItem) -> bool {
    let ImplItem::Verbatim(tokens) = item else { return matches!(item, ImplItem::Type(_)) };
    syn::parse2::<TraitItemFn>(tokens.clone()).is_ok_and(|method| method.default.is_none())
}

/// Whether a method has `#[kcl::processor]`, which has its own error there.
fn is_marked_as_processor(item: &ImplItem) -> bool {
    let ImplItem::Fn(method) = item else { return false };
    let is_processor = |path: &Path| path.segments.last().is_some_and(|last| last.ident.unraw() == "processor");
    method.attrs.iter().any(|attr| attr.path().segments.len() > 1 && is_processor(attr.path()))
}

/// Removes the handler attributes with an unknown path from an impl that has no record handler without them. They have one cause, so the
/// first of them is reported.
fn take_unknown_paths(cx: &Context, items: &mut [ImplItem]) {
    let mut first = None;
    for item in items {
        let ImplItem::Fn(method) = item else { continue };
        method.attrs.retain(|attr| {
            let last = attr.path().segments.iter().skip(1).last();
            let Some(kind) = last.and_then(|last| Kind::from_name(&last.ident.unraw().to_string())) else {
                return true;
            };
            first.get_or_insert_with(|| (kind, attr.path().clone()));
            false
        });
    }
    if let Some((kind, path)) = first {
        cx.error(&path, messages::handler_of_unknown_path(&text(&path), kind));
    }
}

fn named_like_a_handler(item: &ImplItem) -> Option<(Kind, Ident)> {
    let ImplItem::Fn(method) = item else { return None };
    let name = &method.sig.ident;
    // A helper may have such a name, too.
    if method.sig.receiver().is_none() || method.sig.inputs.iter().any(cannot_be_input) {
        return None;
    }
    Some((names::record_handler(&name.to_string())?, name.clone()))
}

/// Whether an argument is certainly not an input of a handler: text, bytes or a number.
fn cannot_be_input(argument: &FnArg) -> bool {
    let FnArg::Typed(argument) = argument else { return false };
    const OTHERS: &[&str] = &[
        "String", "bool", "char", "f32", "f64", "i128", "i16", "i32", "i64", "i8", "isize", "str", "u128", "u16",
        "u32", "u64", "u8", "usize",
    ];
    let ty = match peel(&argument.ty) {
        Type::Reference(reference) => peel(&reference.elem),
        ty => ty,
    };
    match ty {
        Type::Path(ty) => ty.path.get_ident().is_some_and(|name| OTHERS.contains(&name.to_string().as_str())),
        Type::Slice(slice) => matches!(&*slice.elem, Type::Path(ty) if ty.path.is_ident("u8")),
        _ => false,
    }
}

/// Whether a method is deprecated, or the impl allows the use of what is deprecated.
fn names_deprecated(item: &ItemImpl) -> bool {
    let deprecated = |attr: &Attribute| attr.path().is_ident("deprecated");
    let allows = |attr: &Attribute| match &attr.meta {
        Meta::List(list) => list.tokens.to_string().contains("deprecated"),
        _ => false,
    };
    item.attrs.iter().any(allows)
        || item.items.iter().any(|item| matches!(item, ImplItem::Fn(method) if method.attrs.iter().any(deprecated)))
}

fn take_foreign_attribute(item: &mut ImplItem) -> Option<Path> {
    let ImplItem::Fn(method) = item else { return None };
    let foreign = |attr: &Attribute| attr.path().get_ident().is_some_and(|name| !names::is_builtin(&name.to_string()));
    let index = method.attrs.iter().position(foreign)?;
    Some(method.attrs.remove(index).path().clone())
}

/// Removes the handler attributes from one item of the impl.
fn handler(cx: &Context, krate: &Path, self_ty: &Type, item: &mut ImplItem, bodies: &[Group]) -> Option<Handler> {
    let body = bodies::of(item, bodies);
    let (attrs, what) = match item {
        ImplItem::Fn(method) => {
            let marks = take_marks(cx, krate, &mut method.attrs);
            let mut marks = marks.into_iter();
            let Mark { kind, path: attribute, options: (policy, every) } = marks.next()?;
            for second in marks {
                cx.error(second.path, messages::two_on_one(kind, second.kind, &method.sig.ident));
            }
            method.attrs.retain(|attr| match others_mistake(attr.path()) {
                Some(message) => {
                    cx.error(attr.path(), message);
                    false
                }
                None => true,
            });
            let (cfgs, sig) = (cfgs(&method.attrs), method.sig.clone());
            if let Some(body) = body {
                repair(kind, method, body, self_ty);
            }
            return Some(Handler { kind, attribute, cfgs, sig, policy, every });
        }
        ImplItem::Const(item) => (&mut item.attrs, "an associated constant"),
        // rustc rejects each associated type of an inherent impl.
        ImplItem::Type(item) => {
            take_marks(cx, krate, &mut item.attrs);
            return None;
        }
        ImplItem::Macro(item) => (&mut item.attrs, "a macro call"),
        // For example a method without a body, which belongs in a trait.
        ImplItem::Verbatim(tokens) => {
            if let Ok(mut method) = syn::parse2::<TraitItemFn>(tokens.clone()) {
                take_marks(cx, krate, &mut method.attrs);
                *tokens = method.into_token_stream();
            }
            return None;
        }
        _ => return None,
    };
    for mark in take_marks(cx, krate, attrs) {
        cx.error(mark.path, messages::handler_on(mark.kind, what));
    }
    None
}

/// The error for an attribute of another crate that cannot be on a processor or on a handler.
fn others_mistake(path: &Path) -> Option<Message> {
    let mut segments = path.segments.iter().rev().map(|segment| segment.ident.to_string());
    match (segments.next()?.as_str(), segments.next().as_deref()) {
        ("async_trait", _) => Some(messages::async_trait()),
        ("main" | "test", Some("tokio" | "async_std" | "smol")) => Some(messages::runtime_attribute(&text(path))),
        _ => None,
    }
}

/// A handler attribute.
struct Mark {
    kind: Kind,
    /// Its path as written.
    path: Path,
    options: (Policy, Every),
}

/// The time between two ticks, after the name of the option.
type Every = Option<(Ident, Given<Duration>)>;

/// An attribute, as far as this crate is concerned.
enum Found {
    Handler(Box<Mark>),
    /// Meant to be a handler attribute, and reported.
    Mistake,
    Foreign,
}

/// Removes the handler attributes, and those that were meant to be one.
fn take_marks(cx: &Context, krate: &Path, attrs: &mut Vec<Attribute>) -> Vec<Mark> {
    let mut marks = Vec::new();
    attrs.retain(|attr| match find_mark(cx, krate, attr) {
        Found::Handler(mark) => {
            marks.push(*mark);
            false
        }
        Found::Mistake => false,
        Found::Foreign => true,
    });
    marks
}

fn find_mark(cx: &Context, krate: &Path, attr: &Attribute) -> Found {
    if attr.path().is_ident("cfg_attr") {
        let Some((kind, path)) = in_cfg_attr(krate, &attr.meta) else { return Found::Foreign };
        cx.error(path, messages::handler_in_cfg_attr(kind));
        return Found::Mistake;
    }
    let Some(name) = own_name(krate, attr.path()) else { return Found::Foreign };
    if let Some(kind) = Kind::from_name(&name.text) {
        let mark = Mark { kind, path: attr.path().clone(), options: options(cx, kind, &attr.meta) };
        return Found::Handler(Box::new(mark));
    }
    if name.qualified && name.text == "test" {
        cx.error(attr.path(), messages::test_on_a_method());
        return Found::Mistake;
    }
    let nearest = match names::misspelt(&name.text) {
        Some(nearest) => nearest,
        None if name.qualified => None,
        None => return Found::Foreign,
    };
    cx.error(attr.path(), messages::handler_unknown(&text(attr.path()), nearest));
    Found::Mistake
}

/// Parses the options of a handler attribute.
fn options(cx: &Context, kind: Kind, meta: &Meta) -> (Policy, Every) {
    let takes_options = !Place::Handler(kind).options().is_empty();
    match (meta, kind) {
        (Meta::Path(path), Kind::Tick) => return (Policy::default(), args::every(cx, path, TokenStream::new())),
        (Meta::List(list), Kind::Tick) => {
            return (Policy::default(), args::every(cx, &list.path, list.tokens.clone()));
        }
        (Meta::Path(_), _) => {}
        (Meta::List(list), _) if takes_options => return (args::policy(cx, kind, list.tokens.clone()), None),
        _ if takes_options => cx.error(after_path(meta), messages::options_without_parentheses(kind)),
        _ => cx.error(after_path(meta), messages::handler_takes_no_options(kind)),
    }
    (Policy::default(), None)
}

/// The name of an attribute that may be ours: `on_record`, `kcl::on_record`, or `on_record` after the last name of the path in
/// `crate = …`.
fn own_name(krate: &Path, path: &Path) -> Option<OwnName> {
    let text = path.segments.last()?.ident.unraw().to_string();
    let Some(parent) = path.segments.iter().nth_back(1) else {
        return path.leading_colon.is_none().then_some(OwnName { text, qualified: false });
    };
    // `#[kcl::processor]` itself may be below the impl. rustc has its own error for that.
    (is_ours(krate, &parent.ident) && text != "processor").then_some(OwnName { text, qualified: true })
}

struct OwnName {
    text: String,
    /// Whether it is written with the name of the crate, so that it must be ours.
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

/// The tokens after the path of an attribute.
fn after_path(meta: &Meta) -> TokenStream {
    let names = meta.path().to_token_stream().into_iter().count();
    meta.to_token_stream().into_iter().skip(names).collect()
}

fn cfgs(attrs: &[Attribute]) -> Vec<Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("cfg")).cloned().collect()
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    fn parsed(tokens: TokenStream) -> (Parsed, Vec<String>) {
        let cx = Context::new();
        let parsed = parse(&cx, Options::default(), tokens);
        (parsed, cx.into_texts())
    }

    #[test]
    fn handlers_are_found_and_their_attributes_removed() {
        let (parsed, errors) = parsed(quote! {
            impl Revenue {
                #[kcl::on_record]
                #[inline]
                fn add(&mut self) {}
                #[cfg(unix)]
                #[on_shard_end]
                fn report(&self) {}
                fn helper(&self) {}
            }
        });
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(
            parsed.item.to_string(),
            quote! {
                impl __KclRevenueAdd {
                    #[inline]
                    fn add(&mut self) {}
                    #[cfg(unix)]
                    fn report(&self) {}
                    fn helper(&self) {}
                }
            }
            .to_string()
        );
        let handlers = parsed.processor().unwrap().handlers;
        let found: Vec<_> = handlers.iter().map(|handler| (handler.kind, handler.name().to_string())).collect();
        assert_eq!(found, [(Kind::Record, "add".to_owned()), (Kind::ShardEnd, "report".to_owned())]);
        assert_eq!(handlers[1].condition().unwrap().to_string(), "unix");
        assert!(handlers[0].condition().is_none());
    }

    #[test]
    fn attributes_of_others_are_left_alone() {
        let item = quote! {
            impl Revenue {
                #[instrument]
                #[on_record]
                #[tracing::on_record]
                #[cfg_attr(unix, inline)]
                fn add(&mut self) {}
            }
        };
        let (parsed, errors) = parsed(item.clone());
        assert!(errors.is_empty(), "{errors:?}");
        let expected = item.to_string().replacen("# [on_record] ", "", 1).replacen("Revenue", "__KclRevenueAdd", 1);
        assert_eq!(parsed.item.to_string(), expected);
    }

    #[test]
    fn an_attribute_meant_to_be_a_handler_is_an_error_and_removed() {
        let (parsed, errors) = parsed(quote! {
            impl Revenue {
                #[on_recrod]
                fn add(&mut self) {}
                #[cfg_attr(unix, cfg_attr(windows, on_shard_end))]
                fn report(&self) {}
                #[on_init]
                const LIMIT: usize = 3;
            }
        });
        assert_eq!(errors.len(), 3, "{errors:#?}");
        assert!(!parsed.item.to_string().contains('#'));
        assert!(parsed.processor().unwrap().handlers.is_empty());
    }

    #[test]
    fn an_item_that_is_not_an_impl_is_kept() {
        for item in [
            quote!(
                struct Revenue;
            ),
            quote!(impl Default for Revenue {}),
            quote!(
                fn main() {}
            ),
        ] {
            let (parsed, errors) = parsed(item.clone());
            assert_eq!(errors.len(), 1);
            assert_eq!(parsed.item.to_string(), item.to_string());
            assert_eq!(parsed.needs_main, !item.to_string().contains("main"));
            assert!(parsed.processor().is_none());
        }
    }
}
