//! Checks everything in the model that can be checked without types. `kcl::__private` checks what needs types.

use std::collections::HashSet;

use quote::ToTokens;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Expr, FnArg, GenericArgument, GenericParam, Ident, Lifetime, Lit, LitBool, Meta, MetaList,
    PathArguments, Receiver, ReceiverKind, ReturnType, Safety, Token, Type,
};

use crate::asynchronous;
use crate::context::Context;
use crate::handlers::{Kind, Slot};
use crate::header::{cannot_have_methods, impl_lifetimes, unused_parameters, words};
use crate::messages;
use crate::model::{Action, Handler, Processor};
use crate::repairs::borrowed_rightly;
use crate::syntax::{last_name, peel, text};
use crate::within::{lifetimes, types};

/// The result of the checks, apart from the errors in the context.
pub(crate) enum Verdict {
    /// The processor has no mistake that this crate can see, or its errors are in the context.
    Checked,
    /// rustc rejects the code of the user, and would report more errors in code generated from it.
    LeftToRustc,
}

pub(crate) fn check(cx: &Context, processor: &Processor) -> Verdict {
    if !cx.has_errors() {
        dead_letters(cx, processor);
    }
    record_handler(cx, processor);
    duplicates(cx, processor);
    let impl_lifetimes = impl_lifetimes(processor);
    for handler in &processor.handlers {
        signature(cx, processor, handler, &impl_lifetimes);
    }
    constants(cx, processor);
    asynchronous::check(cx, processor, asynchronous::IS_AVAILABLE);
    if let Type::TraitObject(ty) = peel(&processor.self_ty) {
        cx.error(ty, messages::trait_object());
    }
    let unused = unused_parameters(processor);
    if unused.is_empty()
        && !cannot_have_methods(processor)
        && processor.options.main
        && processor.generics.params.iter().any(|param| name_of_type_or_const(param).is_some())
    {
        let name = last_name(&processor.self_ty).map(|last| last.ident.to_string());
        cx.error(&processor.generics, messages::generic_with_main(&name.unwrap_or_default()));
    }
    let rejected = processor.has_broken_part
        || !unused.is_empty()
        || cannot_have_methods(processor)
        || processor.handlers.iter().any(|handler| {
            has_placeholder(handler)
                || handler.cfgs.iter().any(is_malformed)
                || has_unsized(handler)
                || has_undeclared_lifetime(handler, &impl_lifetimes)
                || handler.sig.receiver().is_some_and(is_of_another_type) && !is_borrowed_by(handler, processor)
        })
        || has_namesakes(processor);
    if rejected { Verdict::LeftToRustc } else { Verdict::Checked }
}

fn record_handler(cx: &Context, processor: &Processor) {
    // The attribute or method with a mistake may be the record handler.
    if cx.has_errors()
        || processor.has_broken_part
        || processor.handlers.iter().any(|handler| handler.kind.handles_records())
    {
        return;
    }
    let ty = text(&processor.self_ty);
    match (&processor.named_like_a_handler, &processor.foreign_attribute) {
        (Some((kind, method)), _) => cx.error(method, messages::no_record_handler_on(&ty, *kind, method)),
        (None, Some(path)) => cx.error(path, messages::no_record_handler_but(&ty, &text(path))),
        (None, None) => cx.error(&processor.self_ty, messages::no_record_handler(&ty)),
    }
}

/// Checks that the constants of options do not depend on generic parameters.
fn constants(cx: &Context, processor: &Processor) {
    let params: Vec<_> = processor.generics.params.iter().filter_map(name_of_type_or_const).collect();
    let of_handlers = processor.handlers.iter().flat_map(Handler::constants);
    for path in processor.options.constants().chain(of_handlers) {
        let Some(first) = path.segments.first().map(|segment| &segment.ident) else { continue };
        if !params.is_empty() && first == "Self" || params.contains(&first) {
            cx.error(path, messages::constant_of_generic(&text(path)));
        }
    }
}

/// Checks that dead letters have both a source and a handler, in any configuration.
fn dead_letters(cx: &Context, processor: &Processor) {
    let mut actions = processor.handlers.iter().flat_map(|handler| handler.policy.actions());
    let source = actions.find(|(action, _)| *action == Action::DeadLetter);
    let handler = processor.handlers.iter().find(|handler| handler.kind.slot() == Slot::DeadLetter);
    match (source, handler) {
        (Some((_, value)), None) => cx.error(value, messages::dead_letter_without_handler()),
        (None, Some(handler)) if processor.handlers.iter().any(|handler| handler.kind.handles_records()) => {
            cx.error(&handler.attribute, messages::dead_letter_unused(handler.name()));
        }
        _ => {}
    }
}

/// Reports handlers for the same message that exist in every configuration. The generated code reports the others.
fn duplicates(cx: &Context, processor: &Processor) {
    let certain: Vec<&Handler> = processor.handlers.iter().filter(|handler| handler.cfgs.is_empty()).collect();
    for (index, second) in certain.iter().enumerate() {
        if let Some(first) = certain[..index].iter().find(|first| first.kind.slot() == second.kind.slot()) {
            cx.error(&second.attribute, conflict(first, second));
        }
    }
}

/// The error for two handlers that cannot both exist.
pub(crate) fn conflict(first: &Handler, second: &Handler) -> messages::Message {
    if first.kind == second.kind {
        messages::twice(first.kind, first.name(), second.name())
    } else {
        messages::record_and_records((first.kind, first.name()), (second.kind, second.name()))
    }
}

fn signature(cx: &Context, processor: &Processor, handler: &Handler, impl_lifetimes: &HashSet<String>) {
    let (kind, name, sig) = (handler.kind, handler.name(), &handler.sig);
    // rustc rejects `const async`.
    if let (Some(token), None) = (&sig.constness, &sig.asyncness) {
        cx.error(token, messages::qualifier(kind, name, "const"));
    }
    if let Safety::Unsafe(token) = &sig.safety {
        cx.error(token, messages::qualifier(kind, name, "unsafe"));
    }
    if let Some(abi) = &sig.abi {
        cx.error(abi, messages::qualifier(kind, name, &text(abi)));
    }
    for param in &sig.generics.params {
        match param {
            GenericParam::Type(param) => cx.error(&param.ident, messages::generic_handler(kind, name)),
            GenericParam::Const(param) => cx.error(&param.ident, messages::generic_handler(kind, name)),
            GenericParam::Lifetime(_) => {}
        }
    }
    receiver(cx, processor, handler, impl_lifetimes);
    arguments(cx, handler, impl_lifetimes);
    output(cx, handler);
}

fn receiver(cx: &Context, processor: &Processor, handler: &Handler, impl_lifetimes: &HashSet<String>) {
    let (kind, name) = (handler.kind, handler.name());
    match (kind.is_constructor(), handler.sig.inputs.first()) {
        (true, Some(FnArg::Receiver(receiver))) => cx.error(receiver, messages::receiver_on_init(name)),
        (true, _) => {}
        (false, Some(FnArg::Receiver(receiver))) if is_borrowed(receiver, &processor.self_ty) => {
            let lifetime = match &receiver.kind {
                ReceiverKind::Reference(_, lifetime, _) => lifetime.as_ref(),
                ReceiverKind::Typed(_, ty) => find_long(ty, impl_lifetimes),
                _ => None,
            };
            if let Some(lifetime) = lifetime.filter(|lifetime| is_long(lifetime, impl_lifetimes)) {
                cx.error(lifetime, messages::long_receiver(kind, name, &lifetime.to_string()));
            }
        }
        (false, Some(FnArg::Receiver(receiver))) if is_of_another_type(receiver) => {}
        (false, Some(FnArg::Receiver(receiver))) => cx.error(receiver, messages::receiver_wrong(kind, name)),
        (false, _) => cx.error(name, messages::receiver_missing(kind, name, !handler.sig.inputs.is_empty())),
    }
}

/// Whether a receiver is `&self`, `&mut self`, or one of these written with a type.
fn is_borrowed(receiver: &Receiver, self_ty: &Type) -> bool {
    match &receiver.kind {
        ReceiverKind::Reference(..) => true,
        ReceiverKind::Typed(_, ty) => match peel(ty) {
            Type::Reference(reference) => {
                let elem = text(peel(&reference.elem));
                elem == "Self" || elem == text(peel(self_ty))
            }
            _ => false,
        },
        _ => false,
    }
}

fn is_borrowed_by(handler: &Handler, processor: &Processor) -> bool {
    handler.sig.receiver().is_some_and(|receiver| is_borrowed(receiver, &processor.self_ty))
}

/// Whether a receiver is a reference to something else than the processor, which rustc rejects.
fn is_of_another_type(receiver: &Receiver) -> bool {
    let ReceiverKind::Typed(_, ty) = &receiver.kind else { return false };
    let Type::Reference(reference) = peel(ty) else { return false };
    match peel(&reference.elem) {
        Type::Path(elem) => !words(elem.to_token_stream()).contains("Self"),
        Type::TraitObject(_) => true,
        _ => false,
    }
}

fn arguments(cx: &Context, handler: &Handler, impl_lifetimes: &HashSet<String>) {
    let (kind, name) = (handler.kind, handler.name());
    let mut seen = Vec::new();
    for argument in handler.arguments() {
        if let Some(attr) =
            argument.attrs.iter().find(|attr| attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr"))
        {
            cx.error(attr, messages::cfg_on_argument(kind, name));
            continue;
        }
        if let Some(ty) = find_type(&argument.ty, |ty| matches!(ty, Type::ImplTrait(_))) {
            cx.error(ty, messages::impl_trait_argument(kind, name));
            continue;
        }
        let long_letter = || find_long_letter(&argument.ty, impl_lifetimes).filter(|_| kind == Kind::DeadLetter);
        if let Some(lifetime) = find_long(&argument.ty, impl_lifetimes).or_else(long_letter) {
            cx.error(lifetime, messages::long_argument(kind, name, &lifetime.to_string()));
            continue;
        }
        if !handler.is_async() && asynchronous::is_checkpointer(&argument.ty) && kind.takes_checkpointer() {
            cx.error(&argument.ty, asynchronous::messages::checkpointer_of_async(kind, name));
            continue;
        }
        if let Some(right) = borrowed_rightly(kind, handler.is_async(), &argument.ty) {
            cx.repaired(&argument.ty, messages::borrowed_wrongly(kind, name, &text(&argument.ty), &text(&right)));
            continue;
        }
        let written = text(&argument.ty);
        if seen.contains(&written) {
            cx.error(argument, messages::argument_twice(kind, name, &written));
        }
        seen.push(written);
    }
}

/// The lifetime of a reference in `ty` that outlives the call. Other types with such a lifetime may be owned.
fn find_long<'a>(ty: &'a Type, impl_lifetimes: &HashSet<String>) -> Option<&'a Lifetime> {
    let long = |ty: &'a Type| match ty {
        Type::Reference(reference) => reference.lifetime.as_ref(),
        _ => None,
    };
    types(ty).into_iter().filter_map(long).find(|lifetime| is_long(lifetime, impl_lifetimes))
}

/// The lifetime of a dead letter that outlives the call. It borrows its record.
fn find_long_letter<'a>(ty: &'a Type, impl_lifetimes: &HashSet<String>) -> Option<&'a Lifetime> {
    let Type::Reference(reference) = peel(ty) else { return None };
    last_name(&reference.elem).filter(|last| last.ident == "DeadLetter")?;
    lifetimes(&reference.elem).into_iter().find(|lifetime| is_long(lifetime, impl_lifetimes))
}

fn is_long(lifetime: &Lifetime, impl_lifetimes: &HashSet<String>) -> bool {
    lifetime.ident == "static" || impl_lifetimes.contains(&lifetime.ident.to_string())
}

fn output(cx: &Context, handler: &Handler) {
    let (kind, name) = (handler.kind, handler.name());
    match &handler.sig.output {
        ReturnType::Default if kind.is_constructor() => {
            // With a receiver it was meant as a method. That mistake is already reported.
            if handler.sig.receiver().is_none() {
                cx.error(name, messages::init_returns_nothing(name));
            }
        }
        ReturnType::Type(_, ty) => {
            if find_type(ty, asynchronous::is_future).is_some() {
                cx.error(ty, asynchronous::messages::future(kind, name));
            } else if let Some(found) = find_type(ty, |ty| matches!(ty, Type::ImplTrait(_))) {
                cx.error(found, messages::impl_trait_return(kind, name));
            } else if let Some(lifetime) = borrowing_error(ty) {
                cx.error(lifetime, messages::error_borrows(kind, name));
            } else if kind.is_constructor() {
                let declared: HashSet<_> = handler.sig.generics.lifetimes().map(|param| &param.lifetime).collect();
                if let Some(lifetime) = lifetimes(ty).into_iter().find(|lifetime| declared.contains(lifetime)) {
                    cx.error(lifetime, messages::init_borrows(name, &lifetime.to_string()));
                }
            }
        }
        ReturnType::Default => {}
    }
}

/// A lifetime in the error type of a `Result`. The errors of the standard library that borrow, `&str` and `Cow`, become owned ones.
fn borrowing_error(ty: &Type) -> Option<&Lifetime> {
    let result = last_name(ty).filter(|last| last.ident == "Result")?;
    let PathArguments::AngleBracketed(arguments) = &result.arguments else { return None };
    let GenericArgument::Type(error) = arguments.args.iter().nth(1)? else { return None };
    last_name(error).filter(|last| last.ident != "Cow")?;
    lifetimes(error).into_iter().find(|lifetime| lifetime.ident != "static")
}

/// Whether a handler has a type that rustc rejects wherever it is written.
fn has_unsized(handler: &Handler) -> bool {
    has_unsized_type(handler.arguments().map(|argument| &*argument.ty), &handler.sig.output)
}

/// Whether a function has a type that rustc rejects wherever it is written: an unsized one or `!` as an argument, or an unsized one as the
/// result.
pub(crate) fn has_unsized_type<'a>(arguments: impl Iterator<Item = &'a Type>, output: &'a ReturnType) -> bool {
    let output = match output {
        ReturnType::Type(_, ty) => Some(peel(ty)).filter(|ty| !matches!(ty, Type::Never(_))),
        ReturnType::Default => None,
    };
    let mut types = arguments.map(peel).chain(output);
    types.any(|ty| is_unsized(ty) || matches!(ty, Type::Never(_)) || find_type(ty, holds_unsized).is_some())
}

fn is_unsized(ty: &Type) -> bool {
    match ty {
        Type::Slice(_) | Type::TraitObject(_) => true,
        Type::Path(ty) => ty.path.is_ident("str"),
        _ => false,
    }
}

/// Whether a type is a payload of an unsized type, as far as its name shows.
fn holds_unsized(ty: &Type) -> bool {
    let Type::Path(ty) = ty else { return false };
    let Some(last) = ty.path.segments.last() else { return false };
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return false };
    let takes_sized = ["Json", "Option", "Result", "Vec"].iter().any(|name| last.ident == name);
    takes_sized && arguments.args.iter().any(|argument| matches!(argument, GenericArgument::Type(ty) if is_unsized(ty)))
}

/// Whether an argument has an undeclared lifetime, which rustc rejects.
fn has_undeclared_lifetime(handler: &Handler, impl_lifetimes: &HashSet<String>) -> bool {
    let declared: HashSet<_> = handler.sig.generics.lifetimes().map(|param| &param.lifetime).collect();
    let known = |lifetime: &&Lifetime| {
        let name = lifetime.ident.to_string();
        name == "_" || name == "static" || declared.contains(lifetime) || impl_lifetimes.contains(&name)
    };
    handler.arguments().flat_map(|argument| lifetimes(&argument.ty)).any(|lifetime| !known(&lifetime))
}

/// Whether rustc rejects a `#[cfg]`, as far as its form shows. It would reject each copy of it, too.
fn is_malformed(cfg: &Attribute) -> bool {
    match &cfg.meta {
        Meta::List(list) => !is_one_predicate(list),
        Meta::Path(_) | Meta::NameValue(_) => true,
    }
}

fn is_one_predicate(list: &MetaList) -> bool {
    predicates(list).is_some_and(|predicates| predicates.len() == 1 && predicates.iter().all(may_be_a_predicate))
}

/// A predicate of a `#[cfg]`. `true` and `false` are not forms of an attribute, and are `None`.
struct Predicate(Option<Meta>);

impl Parse for Predicate {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(LitBool) {
            return input.parse::<LitBool>().map(|_| Self(None));
        }
        input.parse().map(|meta| Self(Some(meta)))
    }
}

fn predicates(list: &MetaList) -> Option<Punctuated<Predicate, Token![,]>> {
    Punctuated::parse_terminated.parse2(list.tokens.clone()).ok()
}

fn may_be_a_predicate(predicate: &Predicate) -> bool {
    let Predicate(Some(meta)) = predicate else { return true };
    match meta {
        Meta::Path(_) => true,
        Meta::NameValue(pair) => !matches!(&pair.value, Expr::Lit(literal) if !matches!(literal.lit, Lit::Str(_))),
        Meta::List(list) if list.path.is_ident("not") => is_one_predicate(list),
        Meta::List(list) if list.path.is_ident("all") || list.path.is_ident("any") => {
            predicates(list).is_some_and(|predicates| predicates.iter().all(may_be_a_predicate))
        }
        Meta::List(list) => !list.path.is_ident("feature"),
    }
}

/// Whether two handlers have the same name, which rustc rejects.
fn has_namesakes(processor: &Processor) -> bool {
    let certain: Vec<_> =
        processor.handlers.iter().filter(|handler| handler.cfgs.is_empty()).map(Handler::name).collect();
    certain.iter().enumerate().any(|(index, name)| certain[..index].contains(name))
}

/// Whether a signature contains `_` as a type, which rustc rejects.
fn has_placeholder(handler: &Handler) -> bool {
    let output = match &handler.sig.output {
        ReturnType::Type(_, ty) => Some(&**ty),
        ReturnType::Default => None,
    };
    let mut types = handler.arguments().map(|argument| &*argument.ty).chain(output);
    types.any(|ty| find_type(ty, |ty| matches!(ty, Type::Infer(_))).is_some())
}

/// The name of a type parameter or a const parameter.
fn name_of_type_or_const(param: &GenericParam) -> Option<&Ident> {
    match param {
        GenericParam::Type(param) => Some(&param.ident),
        GenericParam::Const(param) => Some(&param.ident),
        GenericParam::Lifetime(_) => None,
    }
}

/// The first type in `ty` that satisfies `predicate`.
pub(crate) fn find_type(ty: &Type, predicate: fn(&Type) -> bool) -> Option<&Type> {
    types(ty).into_iter().find(|ty| predicate(ty))
}

#[cfg(test)]
mod tests {
    use proc_macro2::TokenStream;
    use quote::quote;

    use super::*;
    use crate::model::Options;
    use crate::parse;

    fn checked(item: TokenStream) -> (Verdict, Vec<String>) {
        let cx = Context::new();
        let processor = parse::parse(&cx, Options::default(), item).processor().unwrap();
        let verdict = check(&cx, &processor);
        (verdict, cx.into_texts())
    }

    fn errors(methods: TokenStream) -> Vec<String> {
        checked(quote!(impl Revenue { #methods })).1
    }

    #[test]
    fn correct_handlers_pass() {
        let errors = errors(quote! {
            #[on_init]
            fn open(shard: &Shard) -> Self {}
            #[on_record]
            fn add<'a>(&mut self, record: &'a Record, _: Json<Order>) {}
            #[on_shard_end]
            fn report(self: &Revenue) -> Result<(), Error> {}
        });
        assert!(errors.is_empty(), "{errors:#?}");
    }

    #[test]
    fn each_mistake_is_one_error() {
        let errors = errors(quote! {
            #[on_init]
            fn open(&self) {}
            #[on_record]
            unsafe fn add<T>(self, record: &'static Record, value: impl Debug) -> impl Future {}
            #[on_records]
            fn add_all(&mut self, records: &[Record], again: &[Record]) {}
        });
        assert_eq!(errors.len(), 9, "{errors:#?}");
    }

    #[test]
    fn a_missing_record_handler_is_one_error_whatever_its_cause() {
        assert_eq!(errors(quote!()).len(), 1);
        assert_eq!(
            errors(quote!(
                #[on_recrod]
                fn add(&mut self) {}
            ))
            .len(),
            1
        );
        assert_eq!(
            errors(quote!(
                #[cfg_attr(unix, on_record)]
                fn add(&mut self) {}
            ))
            .len(),
            1
        );
    }

    #[test]
    fn handlers_with_a_condition_are_not_checked_here() {
        let errors = errors(quote! {
            #[cfg(unix)]
            #[on_record]
            fn add(&mut self) {}
            #[cfg(windows)]
            #[on_records]
            fn add_all(&mut self) {}
        });
        assert!(errors.is_empty(), "{errors:#?}");
    }

    #[test]
    fn a_malformed_cfg_is_left_to_rustc() {
        let is_left = |cfg: TokenStream| {
            let (verdict, errors) = checked(quote! {
                impl Revenue {
                    #cfg
                    #[on_record]
                    fn add(&mut self) {}
                }
            });
            assert!(errors.is_empty(), "{errors:#?}");
            matches!(verdict, Verdict::LeftToRustc)
        };
        for cfg in [
            quote!(#[cfg(unix)]),
            quote!(#[cfg(true)]),
            quote!(#[cfg(all(unix, not(false)))]),
            quote!(#[cfg(all())]),
            quote!(#[cfg(not(any(unix, feature = "report",)))]),
            quote!(#[cfg(target(os = "linux"))]),
        ] {
            assert!(!is_left(cfg.clone()), "{cfg}");
        }
        for cfg in [
            quote!(#[cfg]),
            quote!(#[cfg()]),
            quote!(#[cfg = "unix"]),
            quote!(#[cfg("unix")]),
            quote!(#[cfg(unix windows)]),
            quote!(#[cfg(any(unix, "windows"))]),
            quote!(#[cfg(unix, windows)]),
            quote!(#[cfg(all(not(unix, windows)))]),
            quote!(#[cfg(feature("report"))]),
            quote!(#[cfg(feature = 5)]),
        ] {
            assert!(is_left(cfg.clone()), "{cfg}");
        }
    }

    #[test]
    fn code_that_rustc_rejects_is_left_to_rustc() {
        for item in [
            quote!(
                impl<T> Revenue {
                    #[on_record]
                    fn add(&mut self) {}
                }
            ),
            quote!(impl Revenue { #[on_record] fn add(&mut self, _: Json<_>) {} }),
        ] {
            let (verdict, errors) = checked(item);
            assert!(matches!(verdict, Verdict::LeftToRustc) && errors.is_empty(), "{errors:#?}");
        }
    }
}
