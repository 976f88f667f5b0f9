//! Batches without records, which the KCL delivers if its polls find none and `callProcessRecordsEvenForEmptyRecordList` is set.

use std::time::{Duration, Instant};

use crate::local::source::queue::{Batch, End, Queue};

/// Decides when a batch without records is due: some time after the last batch, whether the processor was busy or waited since.
#[derive(Debug)]
pub(crate) struct Empties {
    every: Option<Duration>,
    /// When the last batch was sent; before the first one, when the processor was initialized.
    sent: Instant,
    /// Whether the last batch had records.
    had_records: bool,
}

impl Empties {
    pub(crate) fn new(every: Option<Duration>) -> Self {
        Self { every, sent: Instant::now(), had_records: false }
    }

    /// Waits for the next batch, which is without records if such a batch is due first. A processor that is slower than this time
    /// gets one of them between two batches with records.
    pub(crate) fn next(&mut self, queue: &Queue, batch: &mut Batch) -> Result<(), End> {
        let patience = self.every.map(|every| every.saturating_sub(self.sent.elapsed()));
        if patience == Some(Duration::ZERO) && self.had_records && queue.has_batch() {
            batch.empty();
        } else {
            queue.pop(batch, patience)?;
        }
        self.had_records = batch.len() > 0;
        self.sent = Instant::now();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::source::queue::Stamp;

    fn batch(millis_behind: u64) -> Batch {
        let mut batch = Batch::default();
        batch.push(b"x", "key", Stamp::default());
        batch.set_millis_behind(millis_behind);
        batch
    }

    /// The number of records in the next batch.
    fn next(empties: &mut Empties, queue: &Queue) -> Result<usize, End> {
        let mut taken = batch(7);
        empties.next(queue, &mut taken).map(|()| taken.len())
    }

    #[test]
    fn a_slow_processor_gets_one_between_two_batches() {
        let queue = Queue::default();
        queue.set_millis_behind(0);
        let mut empties = Empties::new(Some(Duration::ZERO));
        let push = || queue.push(&mut batch(7));
        push();
        assert_eq!(next(&mut empties, &queue), Ok(1), "records come first");
        push();
        assert_eq!(next(&mut empties, &queue), Ok(0));
        assert_eq!(next(&mut empties, &queue), Ok(1));
        assert_eq!(next(&mut empties, &queue), Ok(0), "there are no records");
        queue.end(End::Finished);
        assert_eq!(next(&mut empties, &queue), Err(End::Finished));
    }

    #[test]
    fn a_fast_processor_gets_none_between_two_batches() {
        let queue = Queue::default();
        queue.set_millis_behind(0);
        for every in [None, Some(Duration::MAX)] {
            let mut empties = Empties::new(every);
            for _ in 0..2 {
                queue.push(&mut batch(7));
                assert_eq!(next(&mut empties, &queue), Ok(1));
            }
        }
    }

    #[test]
    fn one_between_two_batches_is_as_far_behind_as_the_first() {
        let queue = Queue::default();
        let mut empties = Empties::new(Some(Duration::ZERO));
        let mut taken = Batch::default();
        queue.push(&mut batch(7));
        empties.next(&queue, &mut taken).unwrap();
        queue.push(&mut batch(3));
        let behind = [(); 2].map(|()| {
            empties.next(&queue, &mut taken).unwrap();
            (taken.len(), taken.millis_behind())
        });
        assert_eq!(behind, [(0, 7), (1, 3)]);
    }
}
