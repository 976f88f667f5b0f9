//! The moment at which an attempt has taken too long.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Clock;

/// The moment at which the running attempt of an `async` record handler is cancelled. The code within the attempt sets it, and the
/// code around the attempt reads it.
#[derive(Debug)]
pub(crate) struct Deadline {
    timeout: Option<Duration>,
    /// The moment in nanoseconds of the clock; [`u64::MAX`] for none.
    at: AtomicU64,
}

impl Deadline {
    pub(crate) fn new(timeout: Option<Duration>) -> Self {
        Self { timeout, at: AtomicU64::new(u64::MAX) }
    }

    /// Gives the attempt that begins now its full time.
    #[inline]
    pub(crate) fn start(&self, clock: &dyn Clock) {
        if let Some(timeout) = self.timeout {
            let at = clock.now().saturating_add(timeout).as_nanos();
            self.at.store(u64::try_from(at).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    /// Lifts the limit while the runtime works.
    #[inline]
    pub(crate) fn stop(&self) {
        if self.timeout.is_some() {
            self.at.store(u64::MAX, Ordering::Relaxed);
        }
    }

    /// The moment, if there is one now.
    pub(crate) fn at(&self) -> Option<Duration> {
        let at = self.at.load(Ordering::Relaxed);
        (at != u64::MAX).then(|| Duration::from_nanos(at))
    }

    /// The longest time of an attempt.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.timeout
    }
}
