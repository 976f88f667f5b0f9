//! The clock of this machine, whose waits are those of a task.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use tokio::task::coop::unconstrained;
use tokio::time::Instant;

use crate::clock::{Clock, Sleep, SystemClock};

/// The clock of this machine on a runtime.
#[derive(Debug)]
pub(crate) struct RuntimeClock(SystemClock);

impl RuntimeClock {
    pub(crate) fn new() -> Self {
        Self(SystemClock::new())
    }
}

impl Clock for RuntimeClock {
    fn now(&self) -> Duration {
        self.0.now()
    }

    fn sleep(&self, time: Duration, input: Option<BorrowedFd<'_>>) -> bool {
        self.0.sleep(time, input)
    }

    fn sleep_until(&self, time: Duration) -> Sleep {
        let left = time.saturating_sub(self.now());
        // A time that is too far away for an instant never comes.
        match Instant::now().checked_add(left) {
            // Busy handlers of the same task may have used up its budget.
            Some(at) => Box::pin(unconstrained(tokio::time::sleep_until(at))),
            None => Box::pin(std::future::pending()),
        }
    }

    fn jitter(&self, limit: Duration) -> Duration {
        self.0.jitter(limit)
    }
}
