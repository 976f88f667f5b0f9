//! Generates the constant for the options on records that fail.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Path;

use super::Chosen;
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
        Action::Fail => quote!(#krate::Otherwise::Fail),
        Action::Skip => quote!(#krate::Otherwise::Skip),
        Action::DeadLetter => quote!(#krate::Otherwise::DeadLetter),
    };
    let otherwise = given.otherwise.as_ref().map(action).map(|action| quote!(.otherwise(#action)));
    let invalid = given.invalid.as_ref().map(action).map(|action| quote!(.invalid(#action)));
    Some(quote! {
        #cfg
        const POLICY: #krate::Policy = #krate::Policy::new() #retry #backoff #otherwise #invalid;
    })
}
