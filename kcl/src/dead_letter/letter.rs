//! A record that failed permanently.

use std::error::Error;
use std::fmt;

use crate::chain::Chain;
use crate::record::Record;
use crate::shard::Shard;

/// A record that failed permanently, with the error. An `#[on_dead_letter]` handler takes it as `&DeadLetter`.
///
/// Its `Display` text is the error with its causes, on one line.
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

    /// The shard that the record was read from.
    pub fn shard(&self) -> &'a Shard {
        self.shard
    }

    /// The last error. For a panic, the error has the panic's message. For a payload that could not be decoded, its
    /// source is the decoder's error. If a batch failed as a whole, its records all have the same error.
    pub fn error(&self) -> &'a (dyn Error + Send + Sync + 'static) {
        self.error
    }

    /// The number of times the handler was called with the record: 0 if its payload could not be decoded.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }
}

impl fmt::Display for DeadLetter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Chain { error: self.error, log_payloads: self.shard.log_payloads }.fmt(f)
    }
}
