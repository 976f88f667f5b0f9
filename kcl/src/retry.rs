//! When what failed is tried again: a refused checkpoint, or a record.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

/// How time passes: in simulations, as they say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    pub(crate) now: fn() -> Instant,
    pub(crate) sleep: fn(Duration),
}

impl Clock {
    pub(crate) const REAL: Self = Self { now: Instant::now, sleep: std::thread::sleep };
}

/// A limit that doubles with each attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) most: Duration,
}

impl Backoff {
    pub(crate) const CHECKPOINTS: Self = Self { first: Duration::from_millis(100), most: Duration::from_secs(2) };
    pub(crate) const RECORDS: Self = Self { first: Duration::from_millis(200), most: Duration::from_secs(5) };

    /// The longest wait after the attempt of this number, counted from 1.
    fn limit(self, attempt: u32) -> Duration {
        self.first.saturating_mul(1 << (attempt - 1).min(31)).min(self.most)
    }
}

/// Waits with full jitter: a random time of up to the limit, so that many shards that were throttled together do not come
/// back together.
#[derive(Debug)]
pub(crate) struct Retry {
    random: RandomState,
    drawn: u64,
    sleep: fn(Duration),
}

impl Retry {
    /// How often a checkpoint is tried.
    pub(crate) const ATTEMPTS: u32 = 5;
    /// A shard whose end is not checkpointed costs the whole worker, so it gets more.
    pub(crate) const ATTEMPTS_AT_SHARD_END: u32 = 10;

    pub(crate) fn new(sleep: fn(Duration)) -> Self {
        Self { random: RandomState::new(), drawn: 0, sleep }
    }

    /// Waits after the attempt of this number, counted from 1.
    pub(crate) fn wait(&mut self, backoff: Backoff, attempt: u32) {
        self.drawn += 1;
        let draw = self.random.hash_one(self.drawn);
        (self.sleep)(backoff.limit(attempt).mul_f64(draw as f64 / u64::MAX as f64));
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

    #[test]
    fn the_wait_is_random_and_never_longer_than_the_limit() {
        use std::cell::RefCell;
        thread_local!(static SLEPT: RefCell<Vec<Duration>> = const { RefCell::new(Vec::new()) });

        let mut retry = Retry::new(|time| SLEPT.with_borrow_mut(|slept| slept.push(time)));
        for _ in 0..100 {
            retry.wait(Backoff::RECORDS, 3);
        }
        SLEPT.with_borrow(|slept| {
            assert!(slept.iter().all(|&time| time <= Backoff::RECORDS.limit(3)));
            assert!(slept.windows(2).any(|pair| pair[0] != pair[1]));
        });
    }
}
