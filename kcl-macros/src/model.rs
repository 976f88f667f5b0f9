//! What the user wrote, as the stages after parsing see it.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Generics, Ident, Path, Signature, Type};

/// The options of `#[kcl::processor(…)]`.
pub(crate) struct Options {
    /// Whether to write `main`.
    pub(crate) main: bool,
    /// Where the runtime is found.
    pub(crate) krate: Path,
    /// Whether the user said so, and may be wrong about it.
    pub(crate) krate_is_given: bool,
    /// When the runtime checkpoints, with the value as it is written.
    pub(crate) checkpoint: Option<(When, TokenStream)>,
    /// After how many milliseconds a handler that runs is named.
    pub(crate) warn_after: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self { main: true, krate: syn::parse_quote!(::kcl), krate_is_given: false, checkpoint: None, warn_after: None }
    }
}

/// When the runtime checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Batch,
    /// After as many milliseconds.
    Interval(u64),
    Records(u64),
}

/// The options of a record handler: what happens to the record that fails.
#[derive(Default)]
pub(crate) struct Policy {
    pub(crate) retry: Option<u32>,
    /// The first and the longest wait, in milliseconds.
    pub(crate) backoff: Option<(u64, u64)>,
    /// With the value as it is written.
    pub(crate) otherwise: Option<(Word, TokenStream)>,
    pub(crate) invalid: Option<(Word, TokenStream)>,
}

impl Policy {
    /// The values that say where a record goes.
    pub(crate) fn words(&self) -> impl Iterator<Item = &(Word, TokenStream)> {
        self.otherwise.iter().chain(&self.invalid)
    }

    pub(crate) fn is_given(&self) -> bool {
        self.retry.is_some() || self.words().next().is_some()
    }
}

/// What happens to what failed for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Fail,
    Skip,
    DeadLetter,
}

impl Word {
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        match text {
            "fail" => Some(Self::Fail),
            "skip" => Some(Self::Skip),
            "dead_letter" => Some(Self::DeadLetter),
            _ => None,
        }
    }
}

/// An annotated impl.
pub(crate) struct Processor {
    pub(crate) options: Options,
    /// The `#[cfg]`s that stand on the impl below the attribute, for whatever is written beside it.
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) generics: Generics,
    pub(crate) self_ty: Type,
    /// In the order they are written.
    pub(crate) handlers: Vec<Handler>,
    /// Where there is no record handler, an attribute on a method that is neither ours nor rustc's: it may have been meant to be ours.
    pub(crate) foreign_attribute: Option<Path>,
    /// Whether there is a method that rustc will refuse to have here, such as one without a body.
    pub(crate) has_broken_method: bool,
}

/// A method with a handler attribute.
pub(crate) struct Handler {
    pub(crate) kind: Kind,
    /// The attribute's path as it is written, for its span.
    pub(crate) attribute: Path,
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) sig: Signature,
    pub(crate) policy: Policy,
}

impl Handler {
    pub(crate) fn name(&self) -> &Ident {
        &self.sig.ident
    }

    /// The arguments behind the receiver.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = &syn::PatType> {
        self.sig.inputs.iter().filter_map(|argument| match argument {
            syn::FnArg::Typed(argument) => Some(argument),
            syn::FnArg::Receiver(_) => None,
        })
    }

    /// The condition under which it exists, for use within `#[cfg(…)]`; `None` if it always does.
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

/// What a handler handles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Init,
    Records,
    Record,
    LeaseLost,
    ShardEnd,
    ShutdownRequested,
    DeadLetter,
}

impl Kind {
    pub(crate) const ALL: [Self; 7] = [
        Self::Init,
        Self::Records,
        Self::Record,
        Self::LeaseLost,
        Self::ShardEnd,
        Self::ShutdownRequested,
        Self::DeadLetter,
    ];

    /// The attribute's name.
    pub(crate) fn attribute(self) -> &'static str {
        match self {
            Self::Init => "on_init",
            Self::Records => "on_records",
            Self::Record => "on_record",
            Self::LeaseLost => "on_lease_lost",
            Self::ShardEnd => "on_shard_end",
            Self::ShutdownRequested => "on_shutdown_requested",
            Self::DeadLetter => "on_dead_letter",
        }
    }

    /// By the attribute's name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.attribute() == name)
    }

    /// Whether it handles records, of which there is one handler.
    pub(crate) fn handles_records(self) -> bool {
        matches!(self, Self::Records | Self::Record)
    }
}

/// The message a handler is for, or the dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    Init,
    Records,
    LeaseLost,
    ShardEnd,
    ShutdownRequested,
    DeadLetter,
}

impl Kind {
    /// The message it is for; two handlers cannot share one.
    pub(crate) fn slot(self) -> Slot {
        match self {
            Self::Init => Slot::Init,
            Self::Records | Self::Record => Slot::Records,
            Self::LeaseLost => Slot::LeaseLost,
            Self::ShardEnd => Slot::ShardEnd,
            Self::ShutdownRequested => Slot::ShutdownRequested,
            Self::DeadLetter => Slot::DeadLetter,
        }
    }
}
