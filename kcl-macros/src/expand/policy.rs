//! Generates the constant for the options on records that fail.

use proc_macro2::TokenStream;
use quote::quote;

use super::constants;
use super::slots::Chosen;
use crate::model::{Action, OptionName, Processor};

/// The constant, and the items that it needs beside the impl. Without options the default of the trait applies.
pub(super) fn constant(processor: &Processor, chosen: &Chosen<'_>) -> Option<(TokenStream, TokenStream)> {
    let Chosen { handler, cfg } = chosen;
    let krate = &processor.options.krate;
    let given = &handler.policy;
    if !given.is_given() {
        return None;
    }
    let constants::PolicyValues { items, retry, backoff } = constants::policy(processor, given, cfg.as_ref());
    let set = |option, value: TokenStream| {
        let name = given.name(option);
        quote!(.#name(#value))
    };
    let retry = retry.map(|times| set(OptionName::Retry, times));
    let backoff = backoff.map(|waits| set(OptionName::Backoff, waits));
    let action = |(action, _): &(Action, TokenStream)| match action {
        Action::Fail => quote!(#krate::FailureAction::Fail),
        Action::Skip => quote!(#krate::FailureAction::Skip),
        Action::DeadLetter => quote!(#krate::FailureAction::DeadLetter),
    };
    let on_failure = given.on_failure.as_ref().map(action).map(|action| set(OptionName::OnFailure, action));
    let on_undecodable = given.on_undecodable.as_ref().map(action).map(|action| set(OptionName::OnUndecodable, action));
    let bisect = given.bisect.then(|| set(OptionName::Bisect, TokenStream::new()));
    let constant = quote! {
        #cfg
        const POLICY: #krate::FailurePolicy =
            #krate::FailurePolicy::new() #retry #backoff #on_failure #bisect #on_undecodable;
    };
    Some((constant, items))
}
