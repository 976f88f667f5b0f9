//! The parts of the input that a handler's arguments take, checked at compile time.

use crate::checkpoint::pace::Checkpoints;

/// A set of parts of the input. Each part can be taken once.
#[derive(Clone, Copy, Debug)]
pub struct Takes(u8);

impl Takes {
    /// The empty set, for a handler without arguments.
    pub const NOTHING: Self = Self(0);
    /// The set for a type that cannot be an argument. That type has its own error, so it causes none here.
    pub const UNKNOWN: Self = Self(1 << 7);
    pub(crate) const RECORDS: Self = Self(1);
    pub(crate) const PAYLOAD: Self = Self(1 << 1);
    /// The records with their payloads.
    pub(crate) const TYPED_RECORDS: Self = Self(1 | 1 << 1);
    pub(crate) const CHECKPOINTER: Self = Self(1 << 2);
    pub(crate) const SHARD: Self = Self(1 << 3);
    pub(crate) const MILLIS_BEHIND_LATEST: Self = Self(1 << 4);
    pub(crate) const DEAD_LETTER: Self = Self(1 << 5);

    /// Adds one more argument.
    ///
    /// # Panics
    ///
    /// If the part was taken already. This is evaluated at compile time, and the panic's message is the compiler's
    /// error.
    #[must_use]
    #[track_caller]
    pub const fn and(self, argument: Self) -> Self {
        match self.0 & argument.0 & !Self::UNKNOWN.0 {
            0 => Self(self.0 | argument.0),
            1 | 3 => panic!("a handler can take its records only once: remove one of the two arguments"),
            2 => panic!("a handler can take only one payload: remove one, or take `&Record` and decode both from it"),
            4 => panic!("a handler can take `&mut Checkpointer` only once: remove one of the two arguments"),
            8 => panic!("a handler can take `&Shard` only once: remove one of the two arguments"),
            32 => panic!("a handler can take `&DeadLetter` only once: remove one of the two arguments"),
            _ => panic!("a handler can take `MillisBehindLatest` only once: remove one of the two arguments"),
        }
    }

    /// Checks the option `on_undecodable`.
    ///
    /// # Panics
    ///
    /// If the handler does not take a payload. This is evaluated at compile time, too.
    #[must_use]
    #[track_caller]
    pub const fn payload_for_on_undecodable(self) -> Self {
        assert!(
            self.0 & (Self::PAYLOAD.0 | Self::UNKNOWN.0) != 0,
            "option `on_undecodable` needs a handler that takes a payload such as `Json<T>`: take one, or remove the option"
        );
        self
    }

    /// Checks the option `checkpoint`.
    ///
    /// # Panics
    ///
    /// If the handler takes a checkpointer. This is evaluated at compile time, too.
    #[must_use]
    #[track_caller]
    pub const fn no_checkpointer(self) -> Self {
        assert!(
            self.0 & Self::CHECKPOINTER.0 == 0,
            "option `checkpoint` needs a record handler without a `&mut Checkpointer`: a handler that takes one makes all \
             checkpoints itself, so remove the argument or the option"
        );
        self
    }
}

/// Who checkpoints if the record handler takes these arguments and has no option for it.
#[must_use]
pub const fn checkpoints(arguments: &[Takes]) -> Checkpoints {
    let mut rest = arguments;
    while let [first, others @ ..] = rest {
        if first.0 == Takes::CHECKPOINTER.0 {
            return Checkpoints::Handler;
        }
        rest = others;
    }
    Checkpoints::Batch
}
