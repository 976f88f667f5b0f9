//! The policy for records that fail.

use std::time::Duration;

use crate::runner::retry::Backoff;

/// The policy for a record whose handler failed with an error or a panic. For a handler of whole batches, it applies to the batch.
///
/// The options of `#[on_record]` and `#[on_records]` set it. Without the macro, set [`Processor::POLICY`](crate::Processor::POLICY):
///
/// ```
/// use std::time::Duration;
/// use kcl::{FailureAction, FailurePolicy};
///
/// const POLICY: FailurePolicy = FailurePolicy::new()
///     .retry(3)
///     .backoff(Duration::from_millis(200), Duration::from_secs(5))
///     .on_failure(FailureAction::Skip);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailurePolicy {
    pub(crate) retry: u32,
    pub(crate) backoff: Backoff,
    pub(crate) on_failure: FailureAction,
    pub(crate) bisect: bool,
    pub(crate) on_undecodable: FailureAction,
}

/// The action for a record or a batch that failed permanently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureAction {
    /// The process ends with exit code 1 without acknowledging the record, so the daemon delivers it again.
    Fail,
    /// The record is skipped, with a line on stderr.
    Skip,
    /// The record is passed to [`Processor::dead_letter`](crate::Processor::dead_letter), with a line on stderr. If that fails,
    /// [`Fail`](Self::Fail) applies.
    DeadLetter,
}

impl FailurePolicy {
    /// Creates the default policy: there are no retries, and every action is [`FailureAction::Fail`].
    #[must_use]
    pub const fn new() -> Self {
        Self {
            retry: 0,
            backoff: Backoff::RECORDS,
            on_failure: FailureAction::Fail,
            bisect: false,
            on_undecodable: FailureAction::Fail,
        }
    }

    /// Sets the number of retries. During retries nothing is acknowledged, and the shard waits.
    #[must_use]
    pub const fn retry(self, times: u32) -> Self {
        Self { retry: times, ..self }
    }

    /// Sets the waits before retries: a random time of up to `first` before the first retry, up to twice that before the second,
    /// and so on, but at most `most`. The defaults are 200 ms and 5 s. If the daemon exits during a wait, the record counts as
    /// failed.
    #[must_use]
    pub const fn backoff(self, first: Duration, most: Duration) -> Self {
        Self { backoff: Backoff { first, most }, ..self }
    }

    /// Sets the action when no retry is left.
    #[must_use]
    pub const fn on_failure(self, action: FailureAction) -> Self {
        Self { on_failure: action, ..self }
    }

    /// Finds the records that fail in a batch. When no retry is left, the two halves of the batch are handed over one after the
    /// other, without a wait, and so on with the halves that fail. A record that fails alone goes to
    /// [`on_failure`](Self::on_failure), and the others are done. For `p` of `n` records that fail, the handler is called at most
    /// `2p(⌈log₂ n⌉ + 1)` further times.
    ///
    /// It has no effect if the records are handled one by one.
    #[must_use]
    pub const fn bisect(self) -> Self {
        Self { bisect: true, ..self }
    }

    /// Sets the action for a record whose payload cannot be decoded. Such a record is never retried.
    #[must_use]
    pub const fn on_undecodable(self, action: FailureAction) -> Self {
        Self { on_undecodable: action, ..self }
    }
}

impl Default for FailurePolicy {
    fn default() -> Self {
        Self::new()
    }
}
