//! Digests of the input as it was processed, so that a later run notices if it has changed.

use std::cmp::Reverse;
use std::collections::VecDeque;

use kcl::{Position, SequenceNumber};

use crate::local::place::Place;

/// The most batch ends to remember.
const MOST: usize = 1_024;

/// A record, and the digest of all records up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) sequence_number: SequenceNumber,
    pub(crate) digest: u32,
}

/// A record at a place of the input, and the digest of all records up to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlacedMark {
    pub(crate) place: Place,
    pub(crate) digest: u32,
}

impl PlacedMark {
    pub(crate) fn mark(&self) -> Mark {
        Mark { sequence_number: self.place.sequence_number(), digest: self.digest }
    }
}

/// The last records that the processors of a shard met in this run. If the input is read again, these must be the same.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Met {
    /// The last record that checkpoints cover.
    pub(crate) covered: Option<Mark>,
    /// The last record of the last batch.
    pub(crate) delivered: Option<Mark>,
}

impl Met {
    /// The last records after one more processor.
    pub(crate) fn and(self, last: Self) -> Self {
        Self { covered: last.covered.or(self.covered), delivered: last.delivered.or(self.delivered) }
    }

    pub(crate) fn marks(self) -> impl Iterator<Item = Mark> {
        self.covered.into_iter().chain(self.delivered)
    }
}

/// The digest of all records up to this one, computed from the digest of the records before it.
pub(crate) fn digest(before: u32, record: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(before);
    hasher.update(record);
    hasher.update(b"\n");
    hasher.finalize()
}

/// Marks of the records delivered to a shard since its checkpoint: each record of the last batch, and the last record of each
/// earlier batch.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    ends: VecDeque<Mark>,
    batch: Vec<PlacedMark>,
}

impl Trail {
    /// Adds a batch that is about to be delivered.
    pub(crate) fn deliver(&mut self, batch: impl Iterator<Item = PlacedMark>) {
        self.ends.extend(self.batch.last().map(PlacedMark::mark));
        if self.ends.len() > MOST {
            let mut nth = 0_usize;
            self.ends.retain(|_| {
                nth += 1;
                // The first and the last one stay: there is one more than the most, which is even.
                !nth.is_multiple_of(2)
            });
        }
        self.batch.clear();
        self.batch.extend(batch);
    }

    /// The mark of the last record that was delivered.
    pub(crate) fn last(&self) -> Option<Mark> {
        // The last batch may have no records.
        self.batch.last().map(PlacedMark::mark).or_else(|| self.ends.back().copied())
    }

    /// The last mark that a checkpoint covers; earlier marks are discarded.
    pub(crate) fn up_to(&mut self, position: &Position) -> Option<Mark> {
        let covers = |mark: &Mark| match position {
            Position::After { sequence_number, .. } => mark.sequence_number <= *sequence_number,
            position => *position == Position::ShardEnd,
        };
        let in_batch = self.batch.partition_point(|placed| covers(&placed.mark()));
        if let Some(last) = in_batch.checked_sub(1) {
            self.ends.clear();
            return self.batch.get(last).map(PlacedMark::mark);
        }
        let covered = self.ends.partition_point(covers);
        self.ends.drain(..covered.saturating_sub(1));
        self.ends.front().copied().filter(covers)
    }
}

/// The marks of an earlier run, to be matched against the input.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// In reverse order: the next mark is the last element.
    awaited: Vec<Mark>,
}

impl Marks {
    pub(crate) fn new(mut marks: Vec<Mark>) -> Self {
        marks.sort_by_key(|mark| Reverse(mark.sequence_number));
        Self { awaited: marks }
    }

    /// Compares the next mark with a record of the input.
    ///
    /// # Errors
    ///
    /// The mark that is missing or different.
    pub(crate) fn meet(&mut self, number: impl FnOnce() -> SequenceNumber, digest: u32) -> Result<(), Mark> {
        if self.awaited.is_empty() {
            return Ok(());
        }
        let met = Mark { sequence_number: number(), digest };
        while let Some(next) = self.awaited.last().filter(|next| next.sequence_number <= met.sequence_number) {
            if *next != met {
                return Err(*next);
            }
            self.awaited.pop();
        }
        Ok(())
    }

    /// Checks, at the end of the input, that all marks were met.
    ///
    /// # Errors
    ///
    /// A mark that was not met.
    pub(crate) fn end(&self) -> Result<(), Mark> {
        self.awaited.last().map_or(Ok(()), |mark| Err(*mark))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(number: u64) -> Mark {
        Mark { sequence_number: number.into(), digest: number as u32 }
    }

    fn placed(number: u64) -> PlacedMark {
        PlacedMark { place: Place { record: number, ..Place::default() }, digest: number as u32 }
    }

    fn after(number: u64) -> Position {
        Position::after(placed(number).place.sequence_number(), 0)
    }

    #[test]
    fn a_checkpoint_is_marked_by_the_last_record_it_covers() {
        let mut trail = Trail::default();
        let last = |number| Some(placed(number).mark());
        for batch in [[1, 2, 3], [4, 5, 6], [7, 8, 9]] {
            trail.deliver(batch.into_iter().map(placed));
        }
        assert_eq!(trail.up_to(&after(2)), None, "it is no longer known");
        assert_eq!(trail.up_to(&after(3)), last(3));
        assert_eq!(trail.up_to(&after(5)), last(3), "only the end of that batch is known");
        assert_eq!(trail.up_to(&after(6)), last(6));
        assert_eq!(trail.up_to(&after(8)), last(8));
        assert_eq!(trail.up_to(&Position::ShardEnd), last(9));
        assert_eq!(Trail::default().up_to(&Position::ShardEnd), None);
    }

    #[test]
    fn the_last_record_is_known_after_a_batch_without_records() {
        let mut trail = Trail::default();
        assert_eq!(trail.last(), None);
        for number in 1..=3_000 {
            trail.deliver([placed(number)].into_iter());
            trail.deliver(std::iter::empty());
            trail.deliver(std::iter::empty());
            assert_eq!(trail.last(), Some(placed(number).mark()));
        }
        assert_eq!(trail.up_to(&after(3_000)), trail.last());
    }

    #[test]
    fn a_trail_does_not_grow_forever() {
        let mut trail = Trail::default();
        for number in 1..=100_000 {
            trail.deliver([placed(number)].into_iter());
        }
        assert!(trail.ends.len() <= MOST);
    }

    #[test]
    fn marks_are_met_or_missed() {
        let met = |awaited: &[u64], numbers: &[u64]| {
            let mut marks = Marks::new(awaited.iter().copied().map(mark).collect());
            numbers.iter().try_for_each(|&number| marks.meet(|| number.into(), number as u32))?;
            marks.end()
        };
        assert_eq!(met(&[3, 1, 3], &[1, 2, 3, 4]), Ok(()));
        assert_eq!(met(&[3, 5], &[1, 2, 3, 4]), Err(mark(5)));
        assert_eq!(met(&[3], &[1, 2, 4]), Err(mark(3)));
        assert_eq!(Marks::new(vec![mark(3)]).meet(|| 3.into(), 7), Err(mark(3)));
    }

    #[test]
    fn a_digest_depends_on_where_records_end() {
        let of = |records: &[&[u8]]| records.iter().fold(0, |before, record| digest(before, record));
        assert_eq!(of(&[b"ab", b"c"]), of(&[b"ab", b"c"]));
        assert_ne!(of(&[b"ab", b"c"]), of(&[b"a", b"bc"]));
    }
}
