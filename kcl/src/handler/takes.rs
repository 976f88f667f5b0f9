//! What the arguments of a handler take, known while it is compiled.

use crate::Checkpoints;

/// A set of things that can be taken once each.
#[derive(Clone, Copy, Debug)]
pub struct Takes(u8);

impl Takes {
    /// What a handler without arguments takes.
    pub const NOTHING: Self = Self(0);
    pub(crate) const RECORDS: Self = Self(1);
    pub(crate) const PAYLOAD: Self = Self(1 << 1);
    pub(crate) const CHECKPOINTER: Self = Self(1 << 2);
    pub(crate) const SHARD: Self = Self(1 << 3);
    pub(crate) const MILLIS_BEHIND_LATEST: Self = Self(1 << 4);

    /// Adds one more argument.
    ///
    /// # Panics
    ///
    /// If it was taken already: evaluated at compile time, where the panic is the error's text.
    #[must_use]
    #[track_caller]
    pub const fn and(self, argument: Self) -> Self {
        match self.0 & argument.0 {
            0 => Self(self.0 | argument.0),
            1 => panic!("a handler takes its records once: leave one of the two arguments out"),
            2 => panic!("a handler takes one payload: leave one out, or take `&Record` and read both from it"),
            4 => panic!("a handler takes `&mut Checkpointer` once: leave one of the two arguments out"),
            8 => panic!("a handler takes `&Shard` once: leave one of the two arguments out"),
            _ => panic!("a handler takes `MillisBehindLatest` once: leave one of the two arguments out"),
        }
    }
}

/// Who checkpoints, if the record handler takes these arguments.
#[must_use]
pub const fn checkpoints(arguments: &[Takes]) -> Checkpoints {
    let mut rest = arguments;
    while let [first, others @ ..] = rest {
        if first.0 == Takes::CHECKPOINTER.0 {
            return Checkpoints::Handler;
        }
        rest = others;
    }
    Checkpoints::Runtime
}
