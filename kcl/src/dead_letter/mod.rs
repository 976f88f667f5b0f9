//! Records that failed for good, and where to put them.

mod json_lines;

use std::error::Error;
use std::fmt;

use crate::error::Chain;
use crate::{Record, Shard};

pub use json_lines::JsonLines;

/// A record that failed for good, and why. An `#[on_dead_letter]` handler takes it as `&DeadLetter`.
///
/// Its text, as from `to_string()`, is the error with its causes, on one line.
#[derive(Clone, Copy, Debug)]
pub struct DeadLetter<'a> {
    record: &'a Record,
    shard: &'a Shard,
    error: &'a (dyn Error + Send + Sync + 'static),
    attempts: u32,
}

impl<'a> DeadLetter<'a> {
    pub(crate) fn new(
        record: &'a Record,
        shard: &'a Shard,
        error: &'a (dyn Error + Send + Sync + 'static),
        attempts: u32,
    ) -> Self {
        Self { record, shard, error, attempts }
    }

    /// The record.
    pub fn record(&self) -> &'a Record {
        self.record
    }

    /// The shard it was read from.
    pub fn shard(&self) -> &'a Shard {
        self.shard
    }

    /// The last error; of a panic, its message; of a payload that could not be decoded, the decoder's below it. A batch that
    /// failed as a whole has the same for each of its records.
    pub fn error(&self) -> &'a (dyn Error + Send + Sync + 'static) {
        self.error
    }

    /// How often the handler was called with it: 0 if its payload could not be decoded.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }
}

impl fmt::Display for DeadLetter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Chain(self.error).fmt(f)
    }
}
