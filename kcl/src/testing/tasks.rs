//! The tasks of processors with `async` methods in a test, and their runtime: one thread, and a clock that goes on when nothing else can.

#[cfg(feature = "tokio")]
pub(crate) use runtime::{TaskTime, block_on};

use crate::runner::conversation::Waits;

/// The tasks that one process has spawned on its thread.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    #[cfg(feature = "tokio")]
    local: Option<tokio::task::LocalSet>,
}

impl Tasks {
    pub(crate) fn new(waits: Waits) -> Self {
        let _ = waits;
        Self {
            #[cfg(feature = "tokio")]
            local: (waits == Waits::Task).then(tokio::task::LocalSet::new),
        }
    }

    /// Leaks the tasks of a process that was killed: no destructor runs.
    pub(crate) fn leak(self) {
        #[cfg(feature = "tokio")]
        std::mem::forget(self.local);
    }

    /// Polls a future, and the tasks beside it.
    pub(crate) async fn beside<T>(&self, future: impl Future<Output = T>) -> T {
        #[cfg(feature = "tokio")]
        if let Some(local) = &self.local {
            return local.run_until(future).await;
        }
        future.await
    }
}

#[cfg(feature = "tokio")]
mod runtime {
    use std::io;
    use std::pin::pin;
    use std::task::{Context, Waker};
    use std::time::Duration;

    use tokio::runtime::{Builder, Handle};
    use tokio::task::coop::unconstrained;
    use tokio::time::{Instant, advance, sleep_until};

    use crate::clock::Sleep;

    /// The longest time that may pass at once: no test means more, and an instant cannot be much later.
    const LONGEST: Duration = Duration::from_secs(1000 * 365 * 24 * 3600);

    /// Runs a future on a runtime whose clock is virtual.
    ///
    /// # Panics
    ///
    /// If the thread is in a runtime already.
    #[track_caller]
    pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> io::Result<T> {
        assert!(
            Handle::try_current().is_err(),
            "a `Daemon` starts a runtime, so it cannot run within one: write `#[test]` instead of `#[tokio::test]`, and a test that is \
             not `async`"
        );
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build()?;
        let output = runtime.block_on(future);
        // Dropping the runtime would wait for blocking tasks.
        runtime.shutdown_background();
        Ok(output)
    }

    /// The virtual time of the runtime, from the start of a run.
    #[derive(Debug)]
    pub(crate) struct TaskTime(Instant);

    impl TaskTime {
        pub(crate) fn start() -> Self {
            Self(Instant::now())
        }

        pub(crate) fn now(&self) -> Duration {
            self.0.elapsed()
        }

        /// Lets time pass at once.
        pub(crate) fn pass(time: Duration) {
            // The clock moves within the first poll. After it, the future only lets other tasks run.
            _ = pin!(advance(time.min(LONGEST))).poll(&mut Context::from_waker(Waker::noop()));
        }

        pub(crate) fn sleep_until(&self, time: Duration) -> Sleep {
            match self.0.checked_add(time) {
                // Busy handlers of the same task may have used up its budget.
                Some(at) => Box::pin(unconstrained(sleep_until(at))),
                None => Box::pin(std::future::pending()),
            }
        }
    }
}
