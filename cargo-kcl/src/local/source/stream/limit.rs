//! `--limit` of a stream: which records may still be delivered.

use std::collections::BTreeMap;

use kcl::SequenceNumber;

/// The sequence and sub-sequence number of a record.
pub(super) type Number = (SequenceNumber, u64);

/// Counts records. Those that a restarted processor gets again are not counted again.
#[derive(Debug, Default)]
pub(super) struct Limit {
    /// How many records may still be counted; `None` for no limit.
    remaining: Option<u64>,
    /// The last record of each shard that was counted.
    counted: BTreeMap<u32, Number>,
}

impl Limit {
    pub(super) fn new(limit: Option<u64>) -> Self {
        Self { remaining: limit, counted: BTreeMap::new() }
    }

    /// Counts the next record of a shard; false if the limit was reached before it.
    pub(super) fn admits(&mut self, shard: u32, number: Number) -> bool {
        let Some(remaining) = &mut self.remaining else { return true };
        if self.counted.get(&shard).is_some_and(|last| number <= *last) {
            return true;
        }
        if *remaining == 0 {
            return false;
        }
        *remaining -= 1;
        self.counted.insert(shard, number);
        true
    }

    /// Whether no more records are counted.
    pub(super) fn is_reached(&self) -> bool {
        self.remaining == Some(0)
    }

    /// Whether records of a shard were counted that come after this one, the last that its queue received.
    pub(super) fn owes(&self, shard: u32, received: Option<Number>) -> bool {
        self.counted.get(&shard).copied() > received
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u64) -> Number {
        (number.into(), 0)
    }

    #[test]
    fn a_record_that_is_read_again_is_not_counted_again() {
        let mut limit = Limit::new(Some(3));
        assert!([1, 2].iter().all(|&nth| limit.admits(0, number(nth))));
        assert!(limit.admits(1, number(1)));
        assert!(limit.is_reached());
        assert!(!limit.admits(0, number(3)) && !limit.admits(2, number(1)));
        // The processor of shard 0 restarts.
        assert!(limit.owes(0, None) && limit.owes(0, Some(number(1))) && !limit.owes(0, Some(number(2))));
        assert!([1, 2].iter().all(|&nth| limit.admits(0, number(nth))));
        assert!(!limit.admits(0, number(3)));
        assert!(!limit.owes(2, None));
    }

    #[test]
    fn without_a_limit_every_record_is_admitted() {
        let mut limit = Limit::new(None);
        assert!((0..9).all(|nth| limit.admits(0, number(nth))));
        assert!(!limit.is_reached() && !limit.owes(0, None));
    }
}
