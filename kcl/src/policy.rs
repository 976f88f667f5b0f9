//! What happens to records that fail: the user's own word, as data.

use std::time::Duration;

use crate::runner::retry::Backoff;

/// What happens to a record whose handler failed, by an error or a panic; for a handler of whole batches, to the batch.
///
/// The options of `#[on_record]` and `#[on_records]` make one; by hand it is [`Processor::POLICY`](crate::Processor::POLICY):
///
/// ```
/// use std::time::Duration;
/// use kcl::{Otherwise, Policy};
///
/// const POLICY: Policy = Policy::new()
///     .retry(3)
///     .backoff(Duration::from_millis(200), Duration::from_secs(5))
///     .otherwise(Otherwise::Skip);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    pub(crate) retry: u32,
    pub(crate) backoff: Backoff,
    pub(crate) otherwise: Otherwise,
    pub(crate) invalid: Otherwise,
}

/// What happens to what failed for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// It is never acknowledged: the process ends with exit code 1, and the daemon delivers it again.
    Fail,
    /// It is passed over, with a line on stderr.
    Skip,
    /// It is handed to [`Processor::dead_letter`](crate::Processor::dead_letter), with a line on stderr; if that fails, it has
    /// failed.
    DeadLetter,
}

impl Policy {
    /// The default: nothing is tried again, and every failure is [`Otherwise::Fail`].
    #[must_use]
    pub const fn new() -> Self {
        Self { retry: 0, backoff: Backoff::RECORDS, otherwise: Otherwise::Fail, invalid: Otherwise::Fail }
    }

    /// Tries as many times again. Meanwhile nothing is acknowledged, and the shard waits.
    #[must_use]
    pub const fn retry(self, times: u32) -> Self {
        Self { retry: times, ..self }
    }

    /// Waits before each further attempt: a random time of up to `first`, then up to twice as long, and so on up to `most`.
    /// 200 ms and 5 s by default. It waits no longer than there is a daemon: if that goes away, the record has failed.
    #[must_use]
    pub const fn backoff(self, first: Duration, most: Duration) -> Self {
        Self { backoff: Backoff { first, most }, ..self }
    }

    /// What happens when no attempt is left.
    #[must_use]
    pub const fn otherwise(self, otherwise: Otherwise) -> Self {
        Self { otherwise, ..self }
    }

    /// What happens to a record whose payload cannot be decoded; that is never tried again.
    #[must_use]
    pub const fn invalid(self, invalid: Otherwise) -> Self {
        Self { invalid, ..self }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::new()
    }
}
