//! The annotated impl as the stages after parsing see it.

use std::fmt;
use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Attribute, Generics, Ident, Path, ReturnType, Signature, Type};

use crate::alias::Alias;
use crate::handlers::Kind;
use crate::syntax::peel;

/// The options of `#[kcl::processor(…)]`.
pub(crate) struct Options {
    /// Whether to write `main`.
    pub(crate) main: bool,
    /// The path of the runtime crate.
    pub(crate) krate: Path,
    /// Whether the user wrote this path, which may then be wrong.
    pub(crate) krate_is_given: bool,
    /// When the runtime checkpoints, and the value as written.
    pub(crate) checkpoint: Option<(Given<When>, TokenStream)>,
    /// The time after which a running handler is reported.
    pub(crate) warn_after: Option<Given<Duration>>,
    /// Whether messages may quote payloads.
    pub(crate) log_payloads: bool,
    /// The kind of the runtime for `async` handlers.
    pub(crate) runtime: Option<Runtime>,
    /// The number of the runtime's threads.
    pub(crate) worker_threads: Option<Given<usize>>,
    /// The names of the options as written, for their spans.
    pub(crate) names: Vec<Ident>,
}

/// A value that the option contains, or the constant that holds it.
pub(crate) enum Given<T> {
    Value(T),
    Constant(Path),
}

impl<T> Given<T> {
    fn constant(&self) -> Option<&Path> {
        match self {
            Self::Value(_) => None,
            Self::Constant(path) => Some(path),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            main: true,
            krate: syn::parse_quote!(::kcl),
            krate_is_given: false,
            checkpoint: None,
            warn_after: None,
            log_payloads: true,
            runtime: None,
            worker_threads: None,
            names: Vec::new(),
        }
    }
}

impl Options {
    /// The constant of `Processor` for an option, with the span of the option's name. Editors then explain the option there.
    pub(crate) fn constant(&self, name: &str, option: OptionName) -> Ident {
        Ident::new(name, self.written(option).map_or_else(Span::call_site, Ident::span))
    }

    /// The name of an option as written, if it is given.
    pub(crate) fn written(&self, option: OptionName) -> Option<&Ident> {
        self.names.iter().find(|name| *name == option.text())
    }

    /// The constants that hold values.
    pub(crate) fn constants(&self) -> impl Iterator<Item = &Path> {
        let checkpoint = self.checkpoint.iter().filter_map(|(when, _)| when.constant());
        let warn_after = self.warn_after.iter().filter_map(Given::constant);
        checkpoint.chain(warn_after).chain(self.worker_threads.iter().filter_map(Given::constant))
    }
}

/// When the runtime checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// After each batch.
    Batch,
    /// After this time.
    Interval(Duration),
    /// After this many records.
    Records(u64),
}

impl When {
    /// The word for a checkpoint after each batch.
    pub(crate) const BATCH: &str = "batch";
}

/// The kind of the runtime for `async` handlers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runtime {
    CurrentThread,
    MultiThread,
}

impl Runtime {
    pub(crate) const ALL: [Self; 2] = [Self::CurrentThread, Self::MultiThread];

    /// The word for the kind in the option.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::CurrentThread => "current_thread",
            Self::MultiThread => "multi_thread",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|runtime| runtime.word() == word)
    }
}

/// The options of a record handler: what happens to a record that fails, and how an `async` handler runs.
#[derive(Default)]
pub(crate) struct Policy {
    pub(crate) retry: Option<Given<u32>>,
    pub(crate) backoff: Option<Backoff>,
    /// The action, and the value as written.
    pub(crate) on_failure: Option<(Action, TokenStream)>,
    /// Whether a batch that fails is divided until the records that fail are found.
    pub(crate) bisect: bool,
    pub(crate) on_undecodable: Option<(Action, TokenStream)>,
    pub(crate) running: Running,
    /// The names of the options as written, for their spans.
    pub(crate) names: Vec<Ident>,
}

impl Policy {
    /// The actions for failed and for undecodable records.
    pub(crate) fn actions(&self) -> impl Iterator<Item = &(Action, TokenStream)> {
        self.on_failure.iter().chain(&self.on_undecodable)
    }

    pub(crate) fn is_given(&self) -> bool {
        self.retry.is_some() || self.bisect || self.actions().next().is_some()
    }

    /// The name of an option, with the span of the user's code if it is given. Editors then explain the option there.
    pub(crate) fn name(&self, option: OptionName) -> Ident {
        self.written(option).cloned().unwrap_or_else(|| Ident::new(option.text(), Span::call_site()))
    }

    /// The name of an option as written, if it is given.
    pub(crate) fn written(&self, option: OptionName) -> Option<&Ident> {
        self.names.iter().find(|name| *name == option.text())
    }

    /// The constants that hold values.
    pub(crate) fn constants(&self) -> impl Iterator<Item = &Path> {
        let backoff = self.backoff.iter().flat_map(|backoff| [&backoff.first, &backoff.most]);
        let failing = self.retry.iter().filter_map(Given::constant).chain(backoff.filter_map(Given::constant));
        failing.chain(self.running.constants())
    }
}

/// The options of a record handler that say how its calls run. They are for `async` handlers.
#[derive(Default)]
pub(crate) struct Running {
    pub(crate) concurrency: Option<Given<u32>>,
    pub(crate) order: Option<Order>,
    pub(crate) ahead: Option<Given<u32>>,
    pub(crate) ahead_bytes: Option<Given<u64>>,
    pub(crate) drain: Option<Given<Duration>>,
    pub(crate) timeout: Option<Given<Duration>>,
}

impl Running {
    /// The constants that hold values.
    fn constants(&self) -> impl Iterator<Item = &Path> {
        let numbers = self.concurrency.iter().chain(&self.ahead).filter_map(Given::constant);
        let times = self.drain.iter().chain(&self.timeout).filter_map(Given::constant);
        numbers.chain(self.ahead_bytes.iter().filter_map(Given::constant)).chain(times)
    }
}

/// The order of records that are handled at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    PartitionKey,
    None,
}

impl Order {
    pub(crate) const ALL: [Self; 2] = [Self::PartitionKey, Self::None];

    /// The word for the order in the option.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::PartitionKey => "partition_key",
            Self::None => "none",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|order| order.word() == word)
    }
}

/// The waits before retries.
pub(crate) struct Backoff {
    pub(crate) first: Given<Duration>,
    pub(crate) most: Given<Duration>,
    /// Both as written.
    pub(crate) tokens: TokenStream,
}

/// The action for a record that failed permanently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Fail,
    Skip,
    DeadLetter,
}

impl Action {
    pub(crate) const ALL: [Self; 3] = [Self::Fail, Self::Skip, Self::DeadLetter];

    /// The word for the action in an option.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Skip => "skip",
            Self::DeadLetter => "dead_letter",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.word() == word)
    }
}

/// An attribute that can have options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Processor,
    Handler(Kind),
}

impl Place {
    pub(crate) fn options(self) -> &'static [OptionName] {
        use OptionName::{
            Ahead, AheadBytes, Backoff, Bisect, Checkpoint, Concurrency, Crate, Drain, Every, LogPayloads, Main,
            OnFailure, OnUndecodable, Order, Retry, Runtime, Timeout, WarnAfter, WorkerThreads,
        };
        match self {
            Self::Processor => &[Main, Crate, Checkpoint, WarnAfter, LogPayloads, Runtime, WorkerThreads],
            Self::Handler(Kind::Records) => &[Retry, Backoff, OnFailure, Bisect, OnUndecodable, Timeout],
            Self::Handler(Kind::Record) => {
                &[Retry, Backoff, OnFailure, OnUndecodable, Concurrency, Order, Ahead, AheadBytes, Drain, Timeout]
            }
            Self::Handler(Kind::Tick) => &[Every],
            Self::Handler(
                Kind::Init | Kind::LeaseLost | Kind::ShardEnd | Kind::ShutdownRequested | Kind::DeadLetter,
            ) => &[],
        }
    }
}

/// The name of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OptionName {
    Main,
    Crate,
    Checkpoint,
    WarnAfter,
    LogPayloads,
    Retry,
    Backoff,
    OnFailure,
    Bisect,
    OnUndecodable,
    Every,
    Runtime,
    WorkerThreads,
    Concurrency,
    Order,
    Ahead,
    AheadBytes,
    Drain,
    Timeout,
}

impl OptionName {
    /// The options that need `concurrency`.
    pub(crate) const OF_CONCURRENCY: [Self; 4] = [Self::Order, Self::Ahead, Self::AheadBytes, Self::Drain];

    /// Whether it is `concurrency`, or needs it.
    pub(crate) fn is_of_concurrency(self) -> bool {
        self == Self::Concurrency || Self::OF_CONCURRENCY.contains(&self)
    }

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Crate => "crate",
            Self::Checkpoint => "checkpoint",
            Self::WarnAfter => "warn_after",
            Self::LogPayloads => "log_payloads",
            Self::Retry => "retry",
            Self::Backoff => "backoff",
            Self::OnFailure => "on_failure",
            Self::Bisect => "bisect",
            Self::OnUndecodable => "on_undecodable",
            Self::Every => "every",
            Self::Runtime => "runtime",
            Self::WorkerThreads => "worker_threads",
            Self::Concurrency => "concurrency",
            Self::Order => "order",
            Self::Ahead => "ahead",
            Self::AheadBytes => "ahead_bytes",
            Self::Drain => "drain",
            Self::Timeout => "timeout",
        }
    }

    /// Whether the option has no value.
    pub(crate) fn is_flag(self) -> bool {
        self == Self::Bisect
    }

    /// Whether a word is one of the values.
    pub(crate) fn has_word(self, word: &str) -> bool {
        match self {
            Self::OnFailure | Self::OnUndecodable => Action::from_word(word).is_some(),
            Self::Order => Order::from_word(word).is_some(),
            Self::Runtime => Runtime::from_word(word).is_some(),
            Self::Checkpoint => word == When::BATCH,
            _ => false,
        }
    }

    /// The option with an example of its value, for messages.
    pub(crate) fn example(self) -> &'static str {
        match self {
            Self::Main => "main = false",
            Self::Crate => "crate = path::to::kcl",
            Self::Checkpoint => "checkpoint = \"30s\"",
            Self::WarnAfter => "warn_after = \"5m\"",
            Self::LogPayloads => "log_payloads = false",
            Self::Retry => "retry = 3",
            Self::Backoff => "backoff = \"200ms..5s\"",
            Self::OnFailure => "on_failure = skip",
            Self::Bisect => "bisect",
            Self::OnUndecodable => "on_undecodable = skip",
            Self::Every => "every = \"5s\"",
            Self::Runtime => "runtime = multi_thread",
            Self::WorkerThreads => "worker_threads = 4",
            Self::Concurrency => "concurrency = 64",
            Self::Order => "order = partition_key",
            Self::Ahead => "ahead = 1",
            Self::AheadBytes => "ahead_bytes = \"64 MiB\"",
            Self::Drain => "drain = \"10s\"",
            Self::Timeout => "timeout = \"30s\"",
        }
    }
}

impl fmt::Display for OptionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// An annotated impl.
pub(crate) struct Processor {
    pub(crate) options: Options,
    /// The `#[cfg]`s on the impl below the attribute; the generated items get the same ones.
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) generics: Generics,
    /// The type as written.
    pub(crate) self_ty: Type,
    /// The name of the type in the user's impl and in the generated code.
    pub(crate) alias: Option<Alias>,
    /// The handlers in source order.
    pub(crate) handlers: Vec<Handler>,
    /// Whether there are handlers, but no record handler, and no mistake explains that.
    pub(crate) lacks_records: bool,
    /// If there is no record handler: an attribute on a method that is neither ours nor rustc's. It may be a misspelt one of ours.
    pub(crate) foreign_attribute: Option<Path>,
    /// If there is no record handler: a method that was meant to be one, by its name, and the handler that it was meant to be.
    pub(crate) named_like_a_handler: Option<(Kind, Ident)>,
    /// Whether there is something that rustc rejects here, such as a method without a body or an unknown attribute.
    pub(crate) has_broken_part: bool,
    /// Whether a handler is deprecated, or the impl allows the use of what is.
    pub(crate) names_deprecated: bool,
}

impl Processor {
    /// The type in generated code.
    pub(crate) fn ty(&self) -> &Type {
        self.alias.as_ref().map_or(&self.self_ty, |alias| &alias.ty)
    }
}

/// A method with a handler attribute.
pub(crate) struct Handler {
    pub(crate) kind: Kind,
    /// The path of the attribute as written, for its span.
    pub(crate) attribute: Path,
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) sig: Signature,
    pub(crate) policy: Policy,
    /// The time between two ticks, after the name of the option.
    pub(crate) every: Option<(Ident, Given<Duration>)>,
}

impl Processor {
    /// Whether a handler is `async`, in whatever configuration.
    pub(crate) fn is_async(&self) -> bool {
        self.handlers.iter().any(Handler::is_async)
    }

    /// Whether a handler is called for many records at once, in whatever configuration.
    pub(crate) fn is_concurrent(&self) -> bool {
        self.handlers.iter().any(Handler::is_concurrent)
    }
}

impl Handler {
    pub(crate) fn is_async(&self) -> bool {
        self.sig.asyncness.is_some()
    }

    /// Whether the handler is called for many records at once.
    pub(crate) fn is_concurrent(&self) -> bool {
        self.policy.running.concurrency.is_some()
    }

    pub(crate) fn name(&self) -> &Ident {
        &self.sig.ident
    }

    /// The constants that hold values of its options.
    pub(crate) fn constants(&self) -> impl Iterator<Item = &Path> {
        self.policy.constants().chain(self.every.iter().filter_map(|(_, time)| time.constant()))
    }

    /// The arguments after the receiver.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = &syn::PatType> {
        self.sig.inputs.iter().filter_map(|argument| match argument {
            syn::FnArg::Typed(argument) => Some(argument),
            syn::FnArg::Receiver(_) => None,
        })
    }

    /// Whether the handler is written to return `!`.
    pub(crate) fn never_returns(&self) -> bool {
        matches!(&self.sig.output, ReturnType::Type(_, ty) if matches!(peel(ty), Type::Never(_)))
    }

    /// The condition under which the handler exists, for use in `#[cfg(…)]`; `None` if it always exists.
    pub(crate) fn condition(&self) -> Option<TokenStream> {
        let conditions: Vec<_> =
            self.cfgs.iter().filter_map(|cfg| cfg.meta.require_list().ok()).map(|list| &list.tokens).collect();
        match conditions[..] {
            [] => None,
            [one] => Some(one.clone()),
            _ => Some(quote!(all(#(#conditions),*))),
        }
    }
}
