//! The sums of several processors.

use kcl::__private::Histogram;
use kcl::metrics::{Snapshot, Totals};

use super::Seen;

/// The most classes of errors that are counted, of each kind. A processor has a handful.
const CLASSES: usize = 32;

/// The sums of a shard, over all of its processors.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    pub(super) totals: Totals,
    pub(super) handler: Histogram,
    pub(super) record: Histogram,
    pub(super) batch: Histogram,
}

impl Sums {
    pub(super) fn add(&mut self, snapshot: &Snapshot) {
        add_totals(&mut self.totals, &snapshot.totals);
        self.handler.merge(&snapshot.handler);
        self.record.merge(&snapshot.record);
        self.batch.merge(&snapshot.batch);
    }

    /// Adds what the tool has seen and nobody has reported. A process that was killed has not sent the last of its counts.
    pub(super) fn add_missing(&mut self, reported: Counts, seen: Counts) {
        let Totals { settled, delivered, bytes, batches, checkpoints, .. } = &mut self.totals;
        let sums = [settled, delivered, bytes, batches, checkpoints];
        for (sum, (reported, seen)) in sums.into_iter().zip(reported.0.into_iter().zip(seen.0)) {
            *sum = sum.saturating_add(seen.saturating_sub(reported));
        }
    }
}

/// The counts that a processor reports and the tool sees: settled and delivered records, bytes, batches and checkpoints.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts([u64; 5]);

impl Counts {
    pub(super) fn reported(totals: &Totals) -> Self {
        Self([totals.settled, totals.delivered, totals.bytes, totals.batches, totals.checkpoints])
    }

    pub(super) fn seen(seen: &Seen) -> Self {
        Self([seen.records, seen.records, seen.bytes, seen.batches.count(), seen.checkpoints])
    }

    /// The counts since then.
    pub(super) fn since(self, then: Self) -> Self {
        let mut counts = self;
        counts.0.iter_mut().zip(then.0).for_each(|(count, then)| *count = count.saturating_sub(then));
        counts
    }
}

/// Adds totals to others, with a limited number of classes.
pub(super) fn add_totals(totals: &mut Totals, more: &Totals) {
    let Totals { delivered, bytes, settled, batches, empty_batches, retries, checkpoints, .. } = more;
    for (sum, number) in [
        (&mut totals.delivered, delivered),
        (&mut totals.bytes, bytes),
        (&mut totals.settled, settled),
        (&mut totals.batches, batches),
        (&mut totals.empty_batches, empty_batches),
        (&mut totals.retries, retries),
        (&mut totals.checkpoints, checkpoints),
    ] {
        *sum = sum.saturating_add(*number);
    }
    for (sums, classes) in [
        (&mut totals.failures, &more.failures),
        (&mut totals.skipped, &more.skipped),
        (&mut totals.dead_lettered, &more.dead_lettered),
        (&mut totals.refused, &more.refused),
    ] {
        for (class, number) in classes {
            if sums.contains_key(class) || sums.len() < CLASSES {
                let sum = sums.entry(class.clone()).or_default();
                *sum = sum.saturating_add(*number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_classes_has_a_limit() {
        let mut sums = Sums::default();
        for number in 0..100 {
            let mut one = Snapshot::default();
            one.totals.failures.insert(number.to_string(), 1);
            sums.add(&one);
        }
        assert_eq!(sums.totals.failures.len(), CLASSES);
    }
}
