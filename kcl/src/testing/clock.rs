//! The virtual clock of a run.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::testing::random::Random;

/// A clock that stands still until someone lets time pass.
#[derive(Debug)]
pub(crate) struct VirtualClock {
    nanos: AtomicU64,
    /// The source of jitter; without one, each wait takes as long as it can.
    random: Option<Mutex<Random>>,
}

impl VirtualClock {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self { nanos: AtomicU64::new(0), random: seed.map(|seed| Mutex::new(Random::new(seed))) }
    }

    pub(crate) fn pass(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.store(self.nanos.load(Ordering::Relaxed).saturating_add(nanos), Ordering::Relaxed);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::Relaxed))
    }

    fn sleep(&self, time: Duration, _: Option<BorrowedFd<'_>>) -> bool {
        self.pass(time);
        false
    }

    fn jitter(&self, limit: Duration) -> Duration {
        let Some(random) = &self.random else { return limit };
        limit.mul_f64(random.lock().unwrap_or_else(PoisonError::into_inner).fraction())
    }

    fn is_virtual(&self) -> bool {
        true
    }
}
