//! The clock of a conversation: the only place where the runtime reads the time, waits, or draws a random number.

use std::fmt;
use std::future::ready;
use std::hash::{BuildHasher, RandomState};
use std::os::fd::BorrowedFd;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
#[cfg(feature = "metrics")]
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionread};

/// A wait of a task; see [`Clock::sleep_until`].
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The time as a conversation sees it.
pub trait Clock: Send + Sync {
    /// The time since some moment before the conversation, which is the same at each call.
    fn now(&self) -> Duration;

    /// Waits for `time`, or until nobody writes to `input` and nothing is left to read there. Returns whether the latter
    /// is the case. Without `input`, always waits for `time`.
    fn sleep(&self, time: Duration, input: Option<BorrowedFd<'_>>) -> bool;

    /// A future that is ready at this time of the clock. With a clock that lets the thread wait, the time has passed when this method
    /// returns.
    fn sleep_until(&self, time: Duration) -> Sleep {
        self.sleep(time.saturating_sub(self.now()), None);
        Box::pin(ready(()))
    }

    /// A random time of up to `limit`: full jitter, so that shards that were throttled together do not retry together.
    fn jitter(&self, limit: Duration) -> Duration;

    /// Chooses one of this many handlers that could go on next. They are in the order in which their records arrived, and the first
    /// one is the choice in production.
    fn pick(&self, count: usize) -> usize {
        let _ = count;
        0
    }

    /// Whether time passes only where the conversation or a handler lets it pass. Handlers are then watched without a
    /// thread.
    fn is_virtual(&self) -> bool {
        false
    }
}

impl fmt::Debug for dyn Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

/// The clock of this machine.
#[derive(Debug)]
pub(crate) struct SystemClock {
    start: Instant,
    random: RandomState,
    drawn: AtomicU64,
}

impl SystemClock {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), random: RandomState::new(), drawn: AtomicU64::new(0) }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, time: Duration, input: Option<BorrowedFd<'_>>) -> bool {
        let start = Instant::now();
        loop {
            let left = time.saturating_sub(start.elapsed());
            let Some(input) = input else {
                thread::sleep(left);
                return false;
            };
            // No events are requested, so only the end of the other side is reported.
            let mut end = [PollFd::new(&input, PollFlags::empty())];
            match poll(&mut end, Timespec::try_from(left).ok().as_ref()) {
                Ok(0) => return false,
                Ok(_) if ioctl_fionread(input) == Ok(0) => return true,
                Err(Errno::INTR) => {}
                _ => {
                    thread::sleep(left);
                    return false;
                }
            }
        }
    }

    fn jitter(&self, limit: Duration) -> Duration {
        let draw = self.random.hash_one(self.drawn.fetch_add(1, Ordering::Relaxed));
        limit.mul_f64(draw as f64 / u64::MAX as f64)
    }
}

/// The time of day, in milliseconds since 1970, for whom it is compared with that of other machines.
#[cfg(feature = "metrics")]
pub(crate) fn unix_millis() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since_1970.as_millis().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_is_random_and_never_longer_than_the_limit() {
        let (clock, limit) = (SystemClock::new(), Duration::from_millis(800));
        let waits: Vec<_> = (0..100).map(|_| clock.jitter(limit)).collect();
        assert!(waits.iter().all(|&wait| wait <= limit));
        assert!(waits.windows(2).any(|pair| pair[0] != pair[1]));
    }
}
