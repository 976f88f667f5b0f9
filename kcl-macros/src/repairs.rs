//! Repairs the signature of a handler with a mistake that `check` reports, so that the body is not a further error.

use proc_macro2::{Group, TokenStream, TokenTree};
use syn::{FnArg, ImplItemFn, ReceiverKind, ReturnType, Type, parse_quote, parse_quote_spanned};

use crate::handlers::Kind;
use crate::header::words;
use crate::syntax::peel;

/// The type that an argument must have instead, if it is borrowed in the wrong way: a checkpointer not as `&mut`, or a payload that is a
/// reference to a `Json`. A reference to something else may be a payload of the user's.
pub(crate) fn borrowed_rightly(kind: Kind, is_async: bool, ty: &Type) -> Option<Type> {
    let (is_exclusive, elem) = match peel(ty) {
        Type::Reference(reference) => (Some(reference.mutability.is_some()), peel(&reference.elem)),
        owned => (None, owned),
    };
    let Type::Path(path) = elem else { return None };
    let checkpointer = if is_async { "AsyncCheckpointer" } else { "Checkpointer" };
    let name = &path.path.segments.last()?.ident;
    match is_exclusive {
        None | Some(false) if name == checkpointer && kind.takes_checkpointer() => Some(parse_quote!(&mut #elem)),
        Some(_) if name == "Json" && kind == Kind::Record => Some(elem.clone()),
        _ => None,
    }
}

/// Repairs the signature of a method with this body.
pub(crate) fn repair(kind: Kind, method: &mut ImplItemFn, body: &Group) {
    let is_async = method.sig.asyncness.is_some();
    for input in &mut method.sig.inputs {
        let FnArg::Typed(argument) = input else { continue };
        if let Some(ty) = borrowed_rightly(kind, is_async, &argument.ty) {
            *argument.ty = ty;
        }
    }
    let span = method.sig.ident.span();
    match (kind.is_constructor(), method.sig.inputs.first_mut()) {
        (false, Some(FnArg::Receiver(receiver))) if matches!(receiver.kind, ReceiverKind::Value) => {
            receiver.mutability = receiver.mutability.or_else(|| parse_quote!(mut));
            method.attrs.push(parse_quote!(#[allow(unused_mut)]));
        }
        (false, Some(FnArg::Receiver(_))) => {}
        (false, _) if words(body.stream()).contains("self") => {
            // The word must be seen by the body.
            method.sig.inputs.insert(0, parse_quote_spanned!(span=> &mut self));
        }
        (true, None | Some(FnArg::Typed(_))) if has_value(body.stream()) => {
            if matches!(method.sig.output, ReturnType::Default) {
                method.sig.output = parse_quote_spanned!(span=> -> Self);
            }
        }
        _ => {}
    }
}

/// Whether a body ends with an expression.
fn has_value(body: TokenStream) -> bool {
    !matches!(body.into_iter().last(), None | Some(TokenTree::Punct(_)))
}
