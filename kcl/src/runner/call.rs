//! Calls of user code: what polls its futures, and what ends a call before its future is ready.

use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::clock::{Clock, Sleep};
use crate::error::{BoxError, Failure};
use crate::inputs::Deadline;
use crate::io::lines::Watcher;
use crate::panics::{contain, discard};
use crate::runner::conversation::Conversation;

/// Polls user code, and turns a panic into a failure like any other.
pub(crate) fn guard<T>(poll: impl FnOnce() -> Poll<Result<T, BoxError>>) -> Poll<Result<T, Failure>> {
    match catch_unwind(AssertUnwindSafe(poll)) {
        Ok(polled) => polled.map(|result| result.map_err(Failure::Error)),
        Err(payload) => {
            let failure = Failure::panic(&*payload);
            discard(payload);
            Poll::Ready(Err(failure))
        }
    }
}

/// Drops a future of user code. A panic in a destructor has no effect.
pub(crate) fn clear<F>(mut future: Pin<&mut Option<F>>) {
    contain(|| future.set(None));
}

/// Calls user code. While its futures wait, it waits for the end of their time, and for that of the daemon.
pub(crate) struct Caller {
    clock: Arc<dyn Clock>,
    watcher: Option<Box<dyn Watcher>>,
    /// A wait for a deadline, perhaps that of an earlier attempt.
    alarm: Option<Sleep>,
}

impl Caller {
    pub(crate) fn new(conversation: &Conversation) -> Self {
        Self { clock: Arc::clone(&conversation.clock), watcher: conversation.watcher(), alarm: None }
    }

    /// Calls user code, and turns a panic into a failure like any other. `call` is run within the first poll.
    pub(crate) async fn call<T, F>(
        &mut self,
        deadline: Option<&Deadline>,
        call: impl FnOnce() -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, BoxError>>,
    {
        let mut future = pin!(None);
        let mut call = Some(call);
        let result = poll_fn(|cx| {
            let poll = || {
                if let Some(call) = call.take() {
                    future.set(Some(call()));
                }
                future.as_mut().as_pin_mut().map_or(Poll::Pending, |future| future.poll(cx))
            };
            match guard(poll) {
                Poll::Ready(result) => Poll::Ready(result),
                Poll::Pending => self.poll_end(deadline, cx).map(Err),
            }
        })
        .await;
        // Whatever is left of the future is dropped here, where a panic has no effect.
        clear(future);
        result
    }

    /// Waits for what ends a call before its future is ready.
    #[cold]
    fn poll_end(&mut self, deadline: Option<&Deadline>, cx: &mut Context<'_>) -> Poll<Failure> {
        if self.watcher.as_mut().is_some_and(|watcher| watcher.poll_both(cx).is_ready()) {
            return Poll::Ready(Failure::Gone);
        }
        while let Some(at) = deadline.and_then(Deadline::at) {
            if self.clock.now() >= at {
                let timeout = deadline.and_then(Deadline::timeout).unwrap_or_default();
                return Poll::Ready(Failure::Error(TimedOut(timeout).into()));
            }
            // The alarm of an earlier attempt goes off too early, which is cheaper than another alarm for each attempt.
            let alarm = self.alarm.get_or_insert_with(|| self.clock.sleep_until(at));
            if alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.alarm = None;
        }
        Poll::Pending
    }
}

/// The error of an attempt that took too long.
#[derive(Debug)]
pub(crate) struct TimedOut(pub(crate) Duration);

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cancelled after its `timeout` of {:?}", self.0)
    }
}

impl std::error::Error for TimedOut {}
