//! Limits how often a shard is read.

use std::time::{Duration, Instant};

use crate::backoff::Backoff;

/// Kinesis allows five calls a second per shard; this leaves one for other readers.
const GAP: Duration = Duration::from_millis(250);
/// The gap after an empty answer at the tip of the shard: new records are unlikely to arrive at once.
const IDLE: Duration = Duration::from_secs(1);
/// A shard delivers two megabytes a second, and up to ten in one call.
const BYTES_PER_SECOND: u64 = 2_000_000;

/// The wait after a failure, in addition to the gap.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(500), most: Duration::from_secs(10) };

/// Decides when a shard may be read again.
#[derive(Debug)]
pub(crate) struct Pace {
    next: Instant,
    failures: u32,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self { next: Instant::now(), failures: 0 }
    }

    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// Counts a call, made at that time, that returned this many bytes.
    pub(crate) fn succeeded(&mut self, made: Instant, bytes: u64, is_idle: bool) {
        self.failures = 0;
        let gap = if is_idle { IDLE } else { GAP };
        self.next = made + gap.max(Duration::from_millis(bytes * 1_000 / BYTES_PER_SECOND));
    }

    /// Counts a call that failed.
    pub(crate) fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
        self.next = Instant::now() + GAP + BACKOFF.random(self.failures);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_read_as_often_as_kinesis_allows() {
        let mut pace = Pace::new();
        let made = Instant::now();
        for (bytes, is_idle, millis) in
            [(0, true, 1_000), (100, false, 250), (10_000_000, false, 5_000), (400_000, true, 1_000)]
        {
            pace.succeeded(made, bytes, is_idle);
            assert_eq!(pace.next() - made, Duration::from_millis(millis));
        }
    }

    #[test]
    fn failures_are_retried_later_and_later_up_to_a_limit() {
        let mut pace = Pace::new();
        for _ in 0..100 {
            pace.failed();
            assert!(pace.next() >= Instant::now() && pace.next() <= Instant::now() + GAP + BACKOFF.most);
        }
    }
}
