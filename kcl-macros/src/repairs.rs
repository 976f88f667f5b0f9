//! Repairs the signature of a handler with a mistake that `check` reports, so that the body is not a further error.

use proc_macro2::{Group, TokenStream, TokenTree};
use syn::{FnArg, ImplItemFn, ReceiverKind, ReturnType, parse_quote, parse_quote_spanned};

use crate::handlers::Kind;
use crate::header::words;

/// Repairs the signature of a method with this body.
pub(crate) fn repair(kind: Kind, method: &mut ImplItemFn, body: &Group) {
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
