//! When a refused checkpoint is tried again.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Full jitter: a random time of up to a limit that doubles with each attempt, so that many shards that were throttled
/// together do not come back together.
#[derive(Debug)]
pub(crate) struct Retry {
    random: RandomState,
    drawn: u64,
    sleep: fn(Duration),
}

impl Default for Retry {
    fn default() -> Self {
        Self { random: RandomState::new(), drawn: 0, sleep: std::thread::sleep }
    }
}

impl Retry {
    pub(crate) const ATTEMPTS: u32 = 5;
    /// A shard whose end is not checkpointed costs the whole worker, so it gets more.
    pub(crate) const ATTEMPTS_AT_SHARD_END: u32 = 10;

    const FIRST: Duration = Duration::from_millis(100);
    const MOST: Duration = Duration::from_secs(2);

    /// Waits after the attempt of this number, counted from 1.
    pub(crate) fn wait(&mut self, attempt: u32) {
        self.drawn += 1;
        let draw = self.random.hash_one(self.drawn);
        (self.sleep)(Self::limit(attempt).mul_f64(draw as f64 / u64::MAX as f64));
    }

    fn limit(attempt: u32) -> Duration {
        Self::FIRST.saturating_mul(1 << (attempt - 1).min(16)).min(Self::MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_doubles_up_to_two_seconds() {
        let limits: Vec<_> = (1..=10).map(|attempt| Retry::limit(attempt).as_millis()).collect();
        assert_eq!(limits, [100, 200, 400, 800, 1600, 2000, 2000, 2000, 2000, 2000]);
        assert_eq!(Retry::limit(u32::MAX).as_millis(), 2000);
    }

    #[test]
    fn the_wait_is_random_and_never_longer_than_the_limit() {
        use std::cell::RefCell;
        thread_local!(static SLEPT: RefCell<Vec<Duration>> = const { RefCell::new(Vec::new()) });

        let mut retry = Retry { sleep: |time| SLEPT.with_borrow_mut(|slept| slept.push(time)), ..Retry::default() };
        for _ in 0..100 {
            retry.wait(3);
        }
        SLEPT.with_borrow(|slept| {
            assert!(slept.iter().all(|&time| time <= Retry::limit(3)));
            assert!(slept.windows(2).any(|pair| pair[0] != pair[1]));
        });
    }
}
