//! Repairs the signature of a handler with a mistake that `check` reports, so that the body is not a further error.

use proc_macro2::{Group, TokenStream, TokenTree};
use syn::{FnArg, Ident, ImplItemFn, Pat, ReceiverKind, ReturnType, Type, parse_quote, parse_quote_spanned};

use crate::asynchronous;
use crate::handlers::Kind;
use crate::syntax::{last_name, peel};

/// The type that an argument must have instead, if it is borrowed in the wrong way: as `&Checkpointer`, or as a reference to a `Json`. The
/// types are known by name only, but another type of that name would hardly be a payload as a reference.
pub(crate) fn borrowed_rightly(kind: Kind, is_async: bool, ty: &Type) -> Option<Type> {
    let Type::Reference(reference) = peel(ty) else { return None };
    let elem = peel(&reference.elem);
    let checkpointer = if is_async { asynchronous::CHECKPOINTER } else { "Checkpointer" };
    let name = &last_name(elem)?.ident;
    match reference.mutability {
        None if name == checkpointer && kind.takes_checkpointer() => Some(parse_quote!(&mut #elem)),
        _ if name == "Json" && kind == Kind::Record => Some(elem.clone()),
        _ => None,
    }
}

/// Repairs the signature of a method with this body. `self_ty` is the type of the processor.
pub(crate) fn repair(kind: Kind, method: &mut ImplItemFn, body: &Group, self_ty: &Type) {
    let is_async = method.sig.asyncness.is_some();
    let is_checkpointer = |name: &Ident| name == "Checkpointer" || name == asynchronous::CHECKPOINTER;
    // rustc has an error of its own for `const async`.
    if !is_async {
        method.sig.constness = None;
    }
    let mut allows_unused_mut = false;
    for input in &mut method.sig.inputs {
        let FnArg::Typed(argument) = input else { continue };
        if let Some(ty) = borrowed_rightly(kind, is_async, &argument.ty) {
            *argument.ty = ty;
        }
        // A checkpointer by value has an error of its own. Another type of that name only loses the warning about an unused `mut`.
        if let Pat::Ident(name) = &mut *argument.pat
            && last_name(&argument.ty).is_some_and(|last| is_checkpointer(&last.ident))
            && name.by_ref.is_none()
            && name.mutability.is_none()
        {
            name.mutability = parse_quote!(mut);
            allows_unused_mut = true;
        }
    }
    if allows_unused_mut {
        method.attrs.push(parse_quote!(#[allow(unused_mut)]));
    }
    let span = method.sig.ident.span();
    match (kind.is_constructor(), method.sig.inputs.first_mut()) {
        (false, Some(FnArg::Receiver(receiver))) if matches!(receiver.kind, ReceiverKind::Value) => {
            receiver.mutability = receiver.mutability.or_else(|| parse_quote!(mut));
            method.attrs.push(parse_quote!(#[allow(unused_mut)]));
        }
        (false, Some(FnArg::Receiver(_))) => {}
        (false, _) if uses_self(body.stream()) => {
            // The span makes this `self` the one that the body names.
            method.sig.inputs.insert(0, parse_quote_spanned!(span=> &mut self));
        }
        (true, None | Some(FnArg::Typed(_))) if makes(self_ty, body.stream()) => {
            if matches!(method.sig.output, ReturnType::Default) {
                method.sig.output = parse_quote_spanned!(span=> -> Self);
            }
        }
        _ => {}
    }
}

/// Whether code uses a receiver. In a path, `self` is a module.
fn uses_self(code: TokenStream) -> bool {
    let mut tokens = code.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let is_used = match token {
            TokenTree::Ident(word) => {
                word == "self" && !matches!(tokens.peek(), Some(TokenTree::Punct(mark)) if mark.as_char() == ':')
            }
            TokenTree::Group(group) => uses_self(group.stream()),
            TokenTree::Punct(_) | TokenTree::Literal(_) => false,
        };
        if is_used {
            return true;
        }
    }
    false
}

/// Whether a body ends with an expression that starts with this type, such as `Self { … }` or `Revenue::new(…)`.
fn makes(self_ty: &Type, body: TokenStream) -> bool {
    let tokens: Vec<TokenTree> = body.into_iter().collect();
    let last = tokens.rsplit(|token| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ';')).next();
    let is_type = |token: &TokenTree| match token {
        TokenTree::Ident(word) => word == "Self" || last_name(self_ty).is_some_and(|last| last.ident == *word),
        _ => false,
    };
    last.is_some_and(|expression| expression.first().is_some_and(is_type))
}
