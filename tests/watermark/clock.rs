//! The clock of the schedule that this thread runs. The world moves it forward.

use std::cell::Cell;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use kcl::__private::Clock;

thread_local!(static TIME: Cell<Duration> = const { Cell::new(Duration::ZERO) });

/// The clock that the processors see. Their waits pass its time.
pub(crate) struct Simulated;

impl Clock for Simulated {
    fn now(&self) -> Duration {
        time()
    }

    fn sleep(&self, time: Duration, _: Option<BorrowedFd<'_>>) -> bool {
        TIME.set(TIME.get() + time);
        false
    }

    fn jitter(&self, limit: Duration) -> Duration {
        limit
    }

    fn is_virtual(&self) -> bool {
        true
    }
}

pub(crate) fn time() -> Duration {
    TIME.get()
}

pub(crate) fn advance(seconds: usize) {
    TIME.set(TIME.get() + Duration::from_secs(seconds as u64));
}
