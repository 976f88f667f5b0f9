//! Finds the handlers that fill a slot, under conditions that only the configuration decides.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

use crate::handlers::Slot;
use crate::model::{Handler, Processor};

/// A handler, and the condition under which it fills its slot.
pub(super) struct Chosen<'a> {
    pub(super) handler: &'a Handler,
    pub(super) cfg: Option<TokenStream>,
}

/// The condition under which no handler of a slot exists; `None` if the slot never has one.
pub(super) struct Unfilled(Option<TokenStream>);

impl ToTokens for Unfilled {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.0.clone());
    }
}

/// The handlers of a slot, each under the condition that none before it exists. The second part is `None` if the slot always has
/// one.
pub(super) fn handlers(processor: &Processor, slot: Slot) -> (Vec<Chosen<'_>>, Option<Unfilled>) {
    let mut handlers: Vec<&Handler> = processor.handlers.iter().filter(|handler| handler.kind.slot() == slot).collect();
    // A handler that always exists comes first, since the others are then never used.
    handlers.sort_by_key(|handler| !handler.cfgs.is_empty());
    let mut before: Vec<TokenStream> = Vec::new();
    let mut chosen = Vec::new();
    for handler in handlers {
        let Some(condition) = handler.condition() else {
            chosen.push(Chosen { handler, cfg: None });
            return (chosen, None);
        };
        let cfg = match before[..] {
            [] => quote!(#[cfg(#condition)]),
            _ => quote!(#[cfg(all(#condition, not(any(#(#before),*))))]),
        };
        chosen.push(Chosen { handler, cfg: Some(cfg) });
        before.push(condition);
    }
    let rest = (!before.is_empty()).then(|| quote!(#[cfg(not(any(#(#before),*)))]));
    (chosen, Some(Unfilled(rest)))
}
