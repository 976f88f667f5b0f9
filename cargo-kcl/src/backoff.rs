//! The waits before retries.

use std::time::Duration;

/// A wait that doubles with each attempt, up to a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    /// The longest wait after the first attempt.
    pub(crate) first: Duration,
    /// The longest wait after any attempt.
    pub(crate) most: Duration,
}

impl Backoff {
    /// The longest wait after this attempt, counted from 1.
    pub(crate) fn longest(self, attempt: u32) -> Duration {
        self.first.saturating_mul(1 << attempt.saturating_sub(1).min(31)).min(self.most)
    }

    /// A random part of the longest wait, so that those that failed together do not retry together.
    #[cfg(feature = "aws")]
    pub(crate) fn random(self, attempt: u32) -> Duration {
        self.longest(attempt).mul_f64(fastrand::f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff { first: Duration::from_millis(100), most: Duration::from_secs(5) };

    #[test]
    fn waits_double_up_to_the_longest() {
        let longest = [1, 2, 3, 6, 7, 99, u32::MAX].map(|attempt| BACKOFF.longest(attempt).as_millis());
        assert_eq!(longest, [100, 200, 400, 3200, 5000, 5000, 5000]);
    }

    #[cfg(feature = "aws")]
    #[test]
    fn a_wait_is_random_and_never_longer_than_the_longest() {
        let waits: Vec<_> = (0..100).map(|_| BACKOFF.random(3)).collect();
        assert!(waits.iter().all(|wait| *wait <= BACKOFF.longest(3)) && waits.iter().any(|wait| *wait != waits[0]));
    }
}
