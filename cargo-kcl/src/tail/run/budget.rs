//! The memory for the answers of all shards. Without it, each shard would hold one while the output is slower than the stream.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The records of all answers that are held at once, in mebibytes.
const MEBIBYTES: usize = 96;
/// The records of an answer to a reader that is behind: Kinesis delivers up to ten mebibytes.
const FULL: u32 = 10;

/// The size in mebibytes of the records that a shard, which takes a megabyte a second, may have received since the last call.
pub(super) fn received(since: Duration) -> u32 {
    u32::try_from(since.as_secs()).unwrap_or(FULL).saturating_add(1).min(FULL)
}

/// The memory that readers share.
#[derive(Clone, Debug)]
pub(super) struct Budget(Arc<Semaphore>);

/// The part of it that a reader has until it has handed over an answer.
#[derive(Debug)]
pub(crate) struct Share {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MEBIBYTES)))
    }

    /// Waits for the memory for an answer of this size in mebibytes, or of all that an answer can have. The size may grow during the
    /// wait. Whoever waits first gets it first.
    pub(super) async fn share(&self, size: impl Fn() -> Option<u32>) -> Share {
        let size = || size().unwrap_or(FULL);
        loop {
            let taken = size();
            // The semaphore is never closed.
            let share = Share { _permit: Arc::clone(&self.0).acquire_many_owned(taken).await.ok() };
            if size() <= taken {
                return share;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    /// The result of a future that is ready at once.
    fn now<T>(future: impl Future<Output = T>) -> Option<T> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    #[test]
    fn many_shards_hold_few_full_answers() {
        let budget = Budget::new();
        let mut held: Vec<_> = (0..100).map_while(|_| now(budget.share(|| None))).collect();
        assert_eq!(held.len(), 9);
        let at_tip: Vec<_> = (0..100).map_while(|_| now(budget.share(|| Some(1)))).collect();
        assert_eq!(at_tip.len(), 6);
        held.pop();
        assert!(now(budget.share(|| None)).is_some(), "an answer was handed over");
    }

    #[test]
    fn a_full_answer_is_not_passed_by_small_ones() {
        let budget = Budget::new();
        let held: Vec<_> = (0..9).map_while(|_| now(budget.share(|| None))).collect();
        let mut waiting = pin!(budget.share(|| None));
        let mut context = Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        assert!(now(budget.share(|| Some(1))).is_none());
        drop(held);
        assert!(waiting.poll(&mut context).is_ready());
    }

    #[test]
    fn a_reader_that_waited_has_room_for_what_arrived_meanwhile() {
        let budget = Budget::new();
        let held: Vec<_> = (0..96).map_while(|_| now(budget.share(|| Some(1)))).collect();
        let size = Cell::new(1);
        let mut waiting = pin!(budget.share(|| Some(size.get())));
        let mut context = Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        size.set(8);
        drop(held);
        let Poll::Ready(_share) = waiting.poll(&mut context) else { panic!("there is room") };
        assert_eq!((0..100).map_while(|_| now(budget.share(|| Some(8)))).collect::<Vec<_>>().len(), 11);
    }

    #[test]
    fn an_answer_at_the_tip_has_what_arrived_since_the_last_one() {
        for (millis, size) in [(0, 1), (999, 1), (1_000, 2), (5_500, 6), (9_000, 10), (u64::MAX, 10)] {
            assert_eq!(received(Duration::from_millis(millis)), size, "{millis}");
        }
    }
}
