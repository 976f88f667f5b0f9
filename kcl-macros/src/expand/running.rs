//! Generates the constants for the options that say how `async` handlers run.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};

use super::constants::Items;
use super::methods;
use super::slots::Chosen;
use crate::model::{Given, OptionName, Order, Processor, Runtime};

/// The constants of a record handler, and the items that they need beside the impl. With `concurrency`, there is a method for batches,
/// too, which the trait requires.
pub(super) fn constants(processor: &Processor, chosen: &Chosen<'_>) -> (TokenStream, TokenStream) {
    let Chosen { handler, cfg } = chosen;
    let (krate, policy) = (&processor.options.krate, &handler.policy);
    let mut items = Items::of(processor, chosen);
    let mut constants = TokenStream::new();
    let given = &policy.running;
    if let Some(time) = &given.timeout {
        let (name, time) = (constant("TIMEOUT", &policy.name(OptionName::Timeout)), items.time("timeout", time));
        constants.extend(quote! {
            #cfg
            const #name: ::core::option::Option<::core::time::Duration> = ::core::option::Option::Some(#time);
        });
    }
    if let Some(number) = &given.concurrency {
        let number = items.value("concurrency", &quote!(::core::primitive::u32), number);
        let set = |option, value: TokenStream| {
            let name = policy.name(option);
            quote!(.#name(#value))
        };
        let order = given.order.map(|order| match order {
            Order::PartitionKey => quote!(#krate::Order::PartitionKey),
            Order::None => quote!(#krate::Order::None),
        });
        let order = order.map(|order| set(OptionName::Order, order));
        let ahead = given.ahead.as_ref().map(|number| match number {
            Given::Value(number) => number.to_token_stream(),
            Given::Constant(path) => items.add("__AHEAD", &quote!(::core::primitive::u32), path, None),
        });
        let ahead = ahead.map(|number| set(OptionName::Ahead, number));
        let bytes = given.ahead_bytes.as_ref();
        let bytes = bytes.map(|size| items.value("ahead_bytes", &quote!(::core::primitive::u64), size));
        let bytes = bytes.map(|size| set(OptionName::AheadBytes, size));
        let drain = given.drain.as_ref().map(|time| items.time("drain", time));
        let drain = drain.map(|time| set(OptionName::Drain, time));
        let name = constant("CONCURRENCY", &policy.name(OptionName::Concurrency));
        constants.extend(quote! {
            #cfg
            const #name: ::core::option::Option<#krate::Concurrency> =
                ::core::option::Option::Some(#krate::Concurrency::new(#number) #order #ahead #bytes #drain);
        });
        let body = quote!(#krate::__private::no_batches());
        constants.extend(methods::no_batches(processor, cfg.as_ref(), &body));
    }
    (constants, items.tokens)
}

/// The constant for the runtime. No threads stand for the default number of them.
pub(super) fn worker_threads(processor: &Processor, number: Option<&TokenStream>) -> Option<TokenStream> {
    let krate = &processor.options.krate;
    let threads = match (processor.options.runtime?, number) {
        (Runtime::CurrentThread, _) => quote!(::core::option::Option::None),
        (Runtime::MultiThread, Some(number)) => quote!(::core::option::Option::Some(#number)),
        (Runtime::MultiThread, None) => quote!(::core::option::Option::Some(0)),
    };
    let name = processor.options.constant("WORKER_THREADS", OptionName::WorkerThreads);
    let runtime = processor.options.constant("runtime", OptionName::Runtime);
    Some(quote! {
        const #name: ::core::option::Option<::core::primitive::usize> = #krate::__private::#runtime(#threads);
    })
}

/// The name of a constant, with the span of the option's name. Editors then explain the option there.
fn constant(name: &str, written: &Ident) -> Ident {
    Ident::new(name, written.span())
}
