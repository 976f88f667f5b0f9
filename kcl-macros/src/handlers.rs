//! The list of all handlers. Everything about handlers is derived from it, or matches on its enums without a wildcard: a handler
//! that a stage forgets does not compile.

/// Calls a macro with the list: for each slot the kinds of handlers that fill it, with the names of their attributes and what editors show
/// about these.
macro_rules! with_handlers {
    ($callback:ident) => {
        $callback! {
            Init: Init on_init "Marks the constructor, which is called once for each shard and returns `Self` or `Result<Self, E>`.";
            Records:
                Records on_records "Marks the handler of a batch of records. A processor has this one or `#[on_record]`.",
                Record on_record "Marks the handler of one record. A processor has this one or `#[on_records]`.";
            LeaseLost: LeaseLost on_lease_lost "Marks the handler that is called when another worker has the shard.";
            ShardEnd: ShardEnd on_shard_end "Marks the handler that is called when the shard has been read to its end.";
            ShutdownRequested:
                ShutdownRequested on_shutdown_requested "Marks the handler that is called when the worker is about to stop.";
            Tick: Tick on_tick "Marks the handler that is called when a time has passed, within a message of the daemon.";
            DeadLetter: DeadLetter on_dead_letter "Marks the handler that takes the records that failed permanently.";
        }
    };
}

pub(crate) use with_handlers;

macro_rules! enums {
    ($($Slot:ident: $($Kind:ident $attribute:ident $doc:literal),+;)+) => {
        /// The message that a handler handles, or the dead letters. A processor has at most one handler for each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Slot {
            $($Slot,)+
        }

        impl Slot {
            pub(crate) const ALL: &[Self] = &[$(Self::$Slot,)+];
        }

        /// The kind of a handler, one for each attribute.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Kind {
            $($($Kind,)+)+
        }

        impl Kind {
            pub(crate) const ALL: &[Self] = &[$($(Self::$Kind,)+)+];

            /// The slot that the handler fills.
            pub(crate) fn slot(self) -> Slot {
                match self {
                    $($(Self::$Kind)|+ => Slot::$Slot,)+
                }
            }

            /// The name of the attribute.
            pub(crate) fn attribute(self) -> &'static str {
                match self {
                    $($(Self::$Kind => stringify!($attribute),)+)+
                }
            }
        }
    };
}

with_handlers!(enums);

impl Kind {
    /// Finds the kind by the name of its attribute.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.attribute() == name)
    }

    /// Whether the handler handles records. A processor has exactly one such handler.
    pub(crate) fn handles_records(self) -> bool {
        match self.slot() {
            Slot::Records => true,
            Slot::Init | Slot::LeaseLost | Slot::ShardEnd | Slot::ShutdownRequested | Slot::Tick | Slot::DeadLetter => {
                false
            }
        }
    }

    /// Whether the handler can take a checkpointer.
    pub(crate) fn takes_checkpointer(self) -> bool {
        match self.slot() {
            Slot::Records | Slot::ShardEnd | Slot::ShutdownRequested | Slot::Tick => true,
            Slot::Init | Slot::LeaseLost | Slot::DeadLetter => false,
        }
    }

    /// Whether the handler creates the processor, and is not a method of it.
    pub(crate) fn is_constructor(self) -> bool {
        match self.slot() {
            Slot::Init => true,
            Slot::Records
            | Slot::LeaseLost
            | Slot::ShardEnd
            | Slot::ShutdownRequested
            | Slot::Tick
            | Slot::DeadLetter => false,
        }
    }
}
