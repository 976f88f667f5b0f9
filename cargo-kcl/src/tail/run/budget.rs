//! The memory for the answers of all shards. Without it, each shard would hold one while the output is slower than the stream.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The records of all answers that are held at once, in mebibytes.
const MEBIBYTES: usize = 96;
/// The records of an answer to a reader that is behind: Kinesis delivers up to ten mebibytes.
const FULL: u32 = 10;
/// The records of an answer at the tip of a shard, which takes a megabyte a second.
const SMALL: u32 = 1;

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

    /// Waits for the memory for an answer. Whoever waits first gets it first.
    pub(super) async fn share(&self, is_behind: bool) -> Share {
        let size = if is_behind { FULL } else { SMALL };
        // The semaphore is never closed.
        Share { _permit: Arc::clone(&self.0).acquire_many_owned(size).await.ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let mut held: Vec<_> = (0..100).map_while(|_| now(budget.share(true))).collect();
        assert_eq!(held.len(), 9);
        let at_tip: Vec<_> = (0..100).map_while(|_| now(budget.share(false))).collect();
        assert_eq!(at_tip.len(), 6);
        held.pop();
        assert!(now(budget.share(true)).is_some(), "an answer was handed over");
    }

    #[test]
    fn a_full_answer_is_not_passed_by_small_ones() {
        let budget = Budget::new();
        let held: Vec<_> = (0..9).map_while(|_| now(budget.share(true))).collect();
        let mut waiting = pin!(budget.share(true));
        let mut context = Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        assert!(now(budget.share(false)).is_none());
        drop(held);
        assert!(waiting.poll(&mut context).is_ready());
    }
}
