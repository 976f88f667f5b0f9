//! The limits of retries, of refused checkpoints and of records that failed.

use std::time::Duration;

/// The number of attempts to make a checkpoint.
pub(crate) const ATTEMPTS: u32 = 5;
/// The number of attempts to checkpoint a shard's end. Failure there ends the whole worker, so it gets more attempts.
pub(crate) const ATTEMPTS_AT_SHARD_END: u32 = 10;

/// A limit on the wait that doubles with each attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) most: Duration,
}

impl Backoff {
    pub(crate) const CHECKPOINTS: Self = Self { first: Duration::from_millis(100), most: Duration::from_secs(2) };
    pub(crate) const RECORDS: Self = Self { first: Duration::from_millis(200), most: Duration::from_secs(5) };

    /// The longest wait after attempt number `attempt`, counted from 1.
    pub(crate) fn limit(self, attempt: u32) -> Duration {
        self.first.saturating_mul(1 << (attempt - 1).min(31)).min(self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_doubles_up_to_the_most() {
        let limit = |attempt| Backoff::CHECKPOINTS.limit(attempt).as_millis();
        let limits: Vec<_> = (1..=10).map(limit).collect();
        assert_eq!(limits, [100, 200, 400, 800, 1600, 2000, 2000, 2000, 2000, 2000]);
        assert_eq!(limit(u32::MAX), 2000);
    }
}
