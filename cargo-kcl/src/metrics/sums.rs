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
    pub(super) fn add_missing(&mut self, reported: &Totals, seen: &Seen) {
        let totals = &mut self.totals;
        for (sum, reported, seen) in [
            (&mut totals.settled, reported.settled, seen.records),
            (&mut totals.delivered, reported.delivered, seen.records),
            (&mut totals.bytes, reported.bytes, seen.bytes),
            (&mut totals.batches, reported.batches, seen.batches.count()),
            (&mut totals.checkpoints, reported.checkpoints, seen.checkpoints),
        ] {
            *sum = sum.saturating_add(seen.saturating_sub(reported));
        }
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
