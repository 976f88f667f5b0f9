//! Checks what `async` handlers and the options for them require of each other.

pub(crate) mod messages;

use syn::{Receiver, ReceiverKind, Type, TypeParamBound};

use crate::context::Context;
use crate::handlers::Slot;
use crate::model::{Handler, OptionName, Processor, Runtime};
use crate::syntax::{last_name, peel};

/// Whether `kcl` is built with the feature `tokio`.
pub(crate) const IS_AVAILABLE: bool = cfg!(any(test, feature = "tokio"));

pub(crate) fn check(cx: &Context, processor: &Processor, is_available: bool) {
    let first = processor.handlers.iter().find_map(|handler| handler.sig.asyncness.as_ref());
    if let (Some(token), false) = (first, is_available) {
        return cx.error(token, messages::feature_missing());
    }
    // The attribute with a mistake may be on the handler that is missing, or the option that is.
    if cx.has_errors() {
        return;
    }
    if first.is_none() {
        let options = [OptionName::Runtime, OptionName::WorkerThreads];
        if let Some(written) = options.iter().find_map(|&option| processor.options.written(option)) {
            cx.error(written, messages::runtime_without_async(&written.to_string()));
        }
    } else if let (Some(written), false) =
        (processor.options.written(OptionName::WorkerThreads), processor.options.runtime == Some(Runtime::MultiThread))
    {
        cx.error(written, messages::worker_threads_of_one_thread(processor.options.runtime.is_some()));
    }
    for handler in &processor.handlers {
        options(cx, handler);
    }
    if processor.is_concurrent() {
        processor.handlers.iter().for_each(|handler| beside(cx, handler));
    }
}

/// Whether a type is written as `impl Future` or `dyn Future`.
pub(crate) fn is_future(ty: &Type) -> bool {
    let bounds = match ty {
        Type::ImplTrait(ty) => &ty.bounds,
        Type::TraitObject(ty) => &ty.bounds,
        _ => return false,
    };
    bounds.iter().any(|bound| match bound {
        TypeParamBound::Trait(bound) => bound.path.segments.last().is_some_and(|last| last.ident == "Future"),
        _ => false,
    })
}

/// The name of the checkpointer of `async` handlers.
pub(crate) const CHECKPOINTER: &str = "AsyncCheckpointer";

/// Whether a type is written as the checkpointer of an `async` handler.
pub(crate) fn is_checkpointer(ty: &Type) -> bool {
    let Type::Reference(reference) = peel(ty) else { return false };
    reference.mutability.is_some() && last_name(&reference.elem).is_some_and(|last| last.ident == CHECKPOINTER)
}

/// Checks the options of one handler.
fn options(cx: &Context, handler: &Handler) {
    let (policy, name) = (&handler.policy, handler.name());
    match (policy.written(OptionName::Concurrency), policy.written(OptionName::Timeout)) {
        (Some(written), _) if !handler.is_async() => {
            return cx.error(written, messages::concurrency_without_async(name));
        }
        (_, Some(written)) if !handler.is_async() => {
            cx.error(written, messages::timeout_without_async(handler.kind, name));
        }
        (Some(_), _) => return,
        (None, _) => {}
    }
    if let Some(&option) = OptionName::OF_CONCURRENCY.iter().find(|&&option| policy.written(option).is_some()) {
        cx.error(policy.name(option), messages::without_concurrency(option));
    }
}

/// Checks that a handler can run beside the calls of a record handler with `concurrency`.
fn beside(cx: &Context, handler: &Handler) {
    let Some(receiver) = handler.sig.receiver().filter(|receiver| is_exclusive(receiver)) else { return };
    match handler.kind.slot() {
        // A blocking one has the error that it must be `async`.
        Slot::Records if handler.is_concurrent() && handler.is_async() => {
            cx.error(receiver, messages::exclusive_records(handler.name()));
        }
        Slot::Tick | Slot::DeadLetter => {
            cx.error(receiver, messages::exclusive_beside_records(handler.kind, handler.name()));
        }
        // No record is handled while one of these runs.
        Slot::Init | Slot::Records | Slot::LeaseLost | Slot::ShardEnd | Slot::ShutdownRequested => {}
    }
}

/// Whether a receiver is `&mut self`, or written with such a type.
fn is_exclusive(receiver: &Receiver) -> bool {
    match &receiver.kind {
        ReceiverKind::Reference(_, _, mutability) => mutability.is_some(),
        ReceiverKind::Typed(_, ty) => {
            matches!(peel(ty), Type::Reference(reference) if reference.mutability.is_some())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proc_macro2::TokenStream;
    use quote::quote;

    use super::*;
    use crate::args;
    use crate::parse;

    fn errors(options: TokenStream, methods: TokenStream, is_available: bool) -> Vec<String> {
        let cx = Context::new();
        let options = args::parse(&cx, options);
        let processor = parse::parse(&cx, options, quote!(impl Revenue { #methods })).processor().unwrap();
        check(&cx, &processor, is_available);
        cx.into_texts()
    }

    #[test]
    fn without_the_feature_several_async_handlers_are_one_error() {
        let methods = quote! {
            #[on_init]
            async fn open() -> Self {}
            #[on_record(concurrency = 64)]
            async fn add(&mut self) {}
        };
        let errors = errors(quote!(runtime = multi_thread), methods, false);
        assert_eq!(errors, ["an `async` handler needs the feature `tokio` of `kcl`"]);
    }

    #[test]
    fn what_runs_beside_records_takes_a_shared_receiver() {
        let methods = quote! {
            #[on_record(concurrency = 64, order = none, ahead = 1, ahead_bytes = "1 GiB", drain = "5s", timeout = "1s")]
            async fn add(&mut self) {}
            #[on_tick(every = "5s")]
            fn tick(self: &mut Self) {}
            #[on_dead_letter]
            fn keep(&mut self) {}
            #[on_lease_lost]
            fn forget(&mut self) {}
            #[on_shard_end]
            async fn finish(&mut self) {}
            #[on_shutdown_requested]
            async fn stop(&mut self) {}
        };
        let errors = errors(quote!(runtime = multi_thread, worker_threads = 4), methods, true);
        assert_eq!(errors.len(), 3, "{errors:#?}");
        assert!(errors.iter().all(|error| error.contains("must take `&self`, because of option `concurrency`")));
    }

    #[test]
    fn each_option_has_its_conditions() {
        let blocking = |attribute: TokenStream| {
            quote!(
                #[on_record(#attribute)]
                fn add(&self) {}
            )
        };
        let awaiting = |attribute: TokenStream| {
            quote!(
                #[on_record(#attribute)]
                async fn add(&self) {}
            )
        };
        for (options, methods, error) in [
            (quote!(runtime = multi_thread), blocking(quote!()), "option `runtime` needs an `async` handler"),
            (quote!(worker_threads = 4), blocking(quote!()), "option `worker_threads` needs an `async` handler"),
            (quote!(worker_threads = 4), awaiting(quote!()), "option `worker_threads` needs `runtime = multi_thread`"),
            (quote!(), blocking(quote!(concurrency = 2)), "option `concurrency` needs an `async` record handler"),
            (quote!(), blocking(quote!(timeout = "1s")), "option `timeout` needs an `async` handler"),
            (quote!(), awaiting(quote!(order = none)), "option `order` needs option `concurrency`"),
            (quote!(), awaiting(quote!(ahead = 0)), "option `ahead` needs option `concurrency`"),
            (quote!(), awaiting(quote!(ahead_bytes = 1)), "option `ahead_bytes` needs option `concurrency`"),
            (quote!(), awaiting(quote!(drain = "1s", timeout = "1s")), "option `drain` needs option `concurrency`"),
        ] {
            assert_eq!(errors(options, methods, true), [error]);
        }
        let both = quote!(runtime = current_thread, worker_threads = LIMIT);
        assert_eq!(
            errors(both, awaiting(quote!(timeout = "1s")), true),
            ["option `worker_threads` needs `runtime = multi_thread`"]
        );
    }
}
