//! Limits how often a shard is read.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

/// Kinesis allows five calls a second per shard; this leaves one for other readers.
const GAP: Duration = Duration::from_millis(250);
/// The gap after an empty answer at the tip of the shard: new records are unlikely to arrive at once.
const IDLE: Duration = Duration::from_secs(1);
/// A shard delivers two megabytes a second, and up to ten in one call.
const BYTES_PER_SECOND: u64 = 2_000_000;

/// The longest wait before the first retry. It doubles with each failure, up to `LONGEST_BACKOFF`.
const BACKOFF: Duration = Duration::from_millis(500);
const LONGEST_BACKOFF: Duration = Duration::from_secs(10);

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
        let longest = BACKOFF.saturating_mul(1 << self.failures.min(10)).min(LONGEST_BACKOFF);
        self.failures += 1;
        self.next = Instant::now() + GAP + longest.mul_f64(random());
    }
}

/// A random number from 0 to 1, so that readers that failed at the same time do not retry at the same time.
fn random() -> f64 {
    RandomState::new().hash_one(()) as f64 / u64::MAX as f64
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
            assert!(pace.next() >= Instant::now() && pace.next() <= Instant::now() + GAP + LONGEST_BACKOFF);
        }
        let waits: Vec<_> = (0..100).map(|_| random()).collect();
        assert!(waits.iter().all(|wait| (0.0..=1.0).contains(wait)) && waits.iter().any(|wait| *wait != waits[0]));
    }
}
