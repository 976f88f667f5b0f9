//! What happens to records that fail: the user's options, as a constant.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Path;

use super::Chosen;
use crate::model::Word;

/// The constant; the trait's own where there are no options.
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
    let word = |(word, _): &(Word, TokenStream)| match word {
        Word::Fail => quote!(#krate::Otherwise::Fail),
        Word::Skip => quote!(#krate::Otherwise::Skip),
        Word::DeadLetter => quote!(#krate::Otherwise::DeadLetter),
    };
    let otherwise = given.otherwise.as_ref().map(word).map(|word| quote!(.otherwise(#word)));
    let invalid = given.invalid.as_ref().map(word).map(|word| quote!(.invalid(#word)));
    Some(quote! {
        #cfg
        const POLICY: #krate::Policy = #krate::Policy::new() #retry #backoff #otherwise #invalid;
    })
}
