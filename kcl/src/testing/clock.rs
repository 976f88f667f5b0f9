//! The virtual clock of a run.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
#[cfg(feature = "tokio")]
use crate::clock::Sleep;
use crate::runner::conversation::Waits;
use crate::testing::random::Random;
#[cfg(feature = "tokio")]
use crate::testing::tasks::TaskTime;

/// A clock that stands still until someone lets time pass. If tasks wait, it is the clock of their runtime, which goes on to the next
/// timer when nothing else can happen.
#[derive(Debug)]
pub(crate) struct VirtualClock {
    nanos: AtomicU64,
    #[cfg(feature = "tokio")]
    tasks: Option<TaskTime>,
    /// The source of jitter and choices. Without one, each wait takes as long as it can, and the handler of the record that arrived
    /// first goes on first.
    random: Option<Mutex<Random>>,
}

impl VirtualClock {
    pub(crate) fn new(seed: Option<u64>, waits: Waits) -> Self {
        let _ = waits;
        Self {
            nanos: AtomicU64::new(0),
            #[cfg(feature = "tokio")]
            tasks: (waits == Waits::Task).then(TaskTime::start),
            random: seed.map(|seed| Mutex::new(Random::new(seed))),
        }
    }

    /// Lets time pass at once: nothing happens meanwhile.
    pub(crate) fn pass(&self, time: Duration) {
        #[cfg(feature = "tokio")]
        if self.tasks.is_some() {
            return TaskTime::pass(time);
        }
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.store(self.nanos.load(Ordering::Relaxed).saturating_add(nanos), Ordering::Relaxed);
    }

    fn draw<T>(&self, draw: impl FnOnce(&mut Random) -> T) -> Option<T> {
        Some(draw(&mut self.random.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Duration {
        #[cfg(feature = "tokio")]
        if let Some(tasks) = &self.tasks {
            return tasks.now();
        }
        Duration::from_nanos(self.nanos.load(Ordering::Relaxed))
    }

    fn sleep(&self, time: Duration, _: Option<BorrowedFd<'_>>) -> bool {
        self.pass(time);
        false
    }

    #[cfg(feature = "tokio")]
    fn sleep_until(&self, time: Duration) -> Sleep {
        if let Some(tasks) = &self.tasks {
            return tasks.sleep_until(time);
        }
        self.pass(time.saturating_sub(self.now()));
        Box::pin(std::future::ready(()))
    }

    fn jitter(&self, limit: Duration) -> Duration {
        self.draw(|random| limit.mul_f64(random.fraction())).unwrap_or(limit)
    }

    fn pick(&self, count: usize) -> usize {
        self.draw(|random| random.below(count)).unwrap_or(0)
    }

    fn is_virtual(&self) -> bool {
        true
    }
}
