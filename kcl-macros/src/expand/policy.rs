//! Generates the constant for the options on records that fail.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Path;

use super::slots::Chosen;
use crate::model::Action;

/// The constant, if there are options. Without options the default of the trait applies.
pub(super) fn constant(krate: &Path, chosen: &Chosen<'_>) -> Option<TokenStream> {
    let Chosen { handler, cfg } = chosen;
    let given = &handler.policy;
    if !given.is_given() {
        return None;
    }
    let retry = given.retry.map(|times| quote!(.retry(#times)));
    let backoff = given.backoff.map(|(first, most)| {
        quote!(.backoff(::core::time::Duration::from_millis(#first), ::core::time::Duration::from_millis(#most)))
    });
    let action = |(action, _): &(Action, TokenStream)| match action {
        Action::Fail => quote!(#krate::FailureAction::Fail),
        Action::Skip => quote!(#krate::FailureAction::Skip),
        Action::DeadLetter => quote!(#krate::FailureAction::DeadLetter),
    };
    let on_failure = given.on_failure.as_ref().map(action).map(|action| quote!(.on_failure(#action)));
    let on_undecodable = given.on_undecodable.as_ref().map(action).map(|action| quote!(.on_undecodable(#action)));
    Some(quote! {
        #cfg
        const POLICY: #krate::FailurePolicy = #krate::FailurePolicy::new() #retry #backoff #on_failure #on_undecodable;
    })
}
