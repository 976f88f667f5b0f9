//! Virtual time, and the task that runs in it.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::os::fd::BorrowedFd;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::clock::{Clock, Sleep};
use crate::runner::shared::random::Random;

/// A clock that stands still until nothing else can go on.
pub(in crate::runner::shared) struct Time(Mutex<Inner>);

struct Inner {
    now: Duration,
    timers: BTreeMap<(Duration, u64), Waker>,
    count: u64,
    random: Random,
    /// Whether the handler that goes on next is drawn. If not, it is the one whose record arrived first.
    picks: bool,
}

impl Time {
    pub(in crate::runner::shared) fn new(seed: u64, picks: bool) -> Arc<Self> {
        let random = Random(seed);
        let inner = Inner { now: Duration::ZERO, timers: BTreeMap::new(), count: 0, random, picks };
        Arc::new(Self(Mutex::new(inner)))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes this waker at this time.
    pub(in crate::runner::shared) fn wake_at(&self, at: Duration, waker: &Waker) {
        let mut inner = self.inner();
        inner.count += 1;
        let key = (at, inner.count);
        inner.timers.insert(key, waker.clone());
    }

    /// Waits until this time.
    pub(in crate::runner::shared) fn until(self: &Arc<Self>, at: Duration) -> impl Future<Output = ()> + Send + use<> {
        let time = Arc::clone(self);
        poll_fn(move |cx| {
            if time.now() >= at {
                return Poll::Ready(());
            }
            time.wake_at(at, cx.waker());
            Poll::Pending
        })
    }

    /// Lets time pass until the next timer goes off. Returns false if there is none.
    fn advance(&self) -> bool {
        let mut inner = self.inner();
        let Some(((at, _), waker)) = inner.timers.pop_first() else { return false };
        inner.now = inner.now.max(at);
        drop(inner);
        waker.wake();
        true
    }

    /// Polls a task until it is ready. `idle` is called whenever nothing can go on before time passes, and `step` before each poll:
    /// if it returns false, the task is given up. `Err` if the task waits for nothing.
    pub(in crate::runner::shared) fn run<T>(
        &self,
        mut task: Pin<&mut dyn Future<Output = T>>,
        mut step: impl FnMut() -> bool,
        mut idle: impl FnMut(),
    ) -> Result<Option<T>, &'static str> {
        let flag = Arc::new(Flag(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&flag));
        for _ in 0..100_000 {
            if !step() {
                return Ok(None);
            }
            if let Poll::Ready(output) = task.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Ok(Some(output));
            }
            if !flag.0.swap(false, Ordering::Relaxed) {
                idle();
                while !flag.0.swap(false, Ordering::Relaxed) {
                    if !self.advance() {
                        return Err("the task waits for nothing");
                    }
                }
            }
        }
        Err("the task goes on without end")
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The clock of a conversation in virtual time.
pub(in crate::runner::shared) struct VirtualClock(pub(in crate::runner::shared) Arc<Time>);

impl Clock for VirtualClock {
    fn now(&self) -> Duration {
        self.0.now()
    }

    fn sleep(&self, _: Duration, _: Option<BorrowedFd<'_>>) -> bool {
        unreachable!("the thread does not wait")
    }

    fn sleep_until(&self, time: Duration) -> Sleep {
        Box::pin(self.0.until(time))
    }

    fn jitter(&self, limit: Duration) -> Duration {
        let fraction = self.0.inner().random.fraction();
        limit.mul_f64(fraction)
    }

    fn pick(&self, count: usize) -> usize {
        let mut inner = self.0.inner();
        if inner.picks { inner.random.below(count) } else { 0 }
    }

    fn is_virtual(&self) -> bool {
        true
    }
}

impl Time {
    pub(in crate::runner::shared) fn now(&self) -> Duration {
        self.inner().now
    }
}
