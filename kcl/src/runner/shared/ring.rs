//! The records that arrived and are not all done: which of them are settled, and what follows from that.
//!
//! Records are known by their arrival, never by their sequence numbers: the user records of an aggregated record share one.

use std::collections::VecDeque;
use std::ops::Range;

use crate::record::Record;
use crate::sequence::SequenceNumber;
use crate::shard::MillisBehindLatest;

/// A record's place in the order in which the records arrived, counted from 0.
pub(super) type Arrival = u64;

/// The batches that arrived, from the oldest one that has an unsettled record.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Ring {
    batches: VecDeque<Batch>,
    /// The number of batches with records that have arrived.
    batch_count: u64,
    /// The arrival of the next record.
    end: Arrival,
    /// The arrival of the first record that is not settled, or `end`.
    prefix: Arrival,
    /// The last record before `prefix`.
    last: Option<(SequenceNumber, u64)>,
    /// The number of records that are not settled.
    open: usize,
    /// The size of the records that are not settled: data and keys.
    bytes: u64,
}

#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
struct Batch {
    /// The number of batches with records that had arrived before it.
    number: u64,
    first: Arrival,
    behind: MillisBehindLatest,
    /// The records, until all of them are settled.
    records: Vec<Record>,
    settled: Box<[bool]>,
    open: usize,
    /// The numbers of its last record.
    last: (SequenceNumber, u64),
}

impl Ring {
    /// Adds a batch, which is this far behind the newest record. Returns the arrivals of its records.
    pub(super) fn push(&mut self, records: Vec<Record>, behind: MillisBehindLatest) -> Range<Arrival> {
        let first = self.end;
        let Some(last) = records.last().map(numbers) else { return first..first };
        let open = records.len();
        self.end += open as u64;
        self.open += open;
        self.bytes += records.iter().map(size).sum::<u64>();
        let settled = vec![false; open].into();
        self.batches.push_back(Batch { number: self.batch_count, first, behind, records, settled, open, last });
        self.batch_count += 1;
        first..self.end
    }

    fn index(&self, at: Arrival) -> Option<usize> {
        // There are few batches, and the newest ones have the most unsettled records.
        self.batches.iter().rposition(|batch| batch.first <= at)
    }

    /// A record that is not settled, and how far its batch is behind the newest record.
    pub(super) fn record(&self, at: Arrival) -> Option<(&Record, MillisBehindLatest)> {
        let batch = &self.batches[self.index(at)?];
        Some((batch.records.get((at - batch.first) as usize)?, batch.behind))
    }

    /// Settles a record. If all records of its batch are settled now, returns them: their buffer is free.
    pub(super) fn settle(&mut self, at: Arrival) -> Option<Vec<Record>> {
        let index = self.index(at)?;
        let batch = &mut self.batches[index];
        let place = (at - batch.first) as usize;
        let settled = batch.settled.get_mut(place).filter(|settled| !**settled)?;
        *settled = true;
        batch.open -= 1;
        self.open -= 1;
        self.bytes -= batch.records.get(place).map_or(0, size);
        if at == self.prefix {
            self.advance();
        }
        let batch = self.batches.get_mut(index).filter(|batch| batch.open == 0)?;
        let records = std::mem::take(&mut batch.records);
        while self.batches.front().is_some_and(|batch| batch.open == 0) {
            self.batches.pop_front();
        }
        Some(records)
    }

    /// Moves the end of the prefix to the first record that is not settled.
    fn advance(&mut self) {
        for batch in &self.batches {
            let from = self.prefix.saturating_sub(batch.first) as usize;
            let settled = batch.settled.iter().skip(from).take_while(|settled| **settled).count();
            let to = from + settled;
            self.prefix = batch.first + to as u64;
            if to == batch.settled.len() {
                self.last = Some(batch.last);
                continue;
            }
            if settled > 0 {
                self.last = batch.records.get(to - 1).map(numbers);
            }
            return;
        }
    }

    /// The number of records up to which all are settled.
    pub(super) fn prefix(&self) -> Arrival {
        self.prefix
    }

    /// The last record up to which all are settled.
    pub(super) fn last(&self) -> Option<(SequenceNumber, u64)> {
        self.last
    }

    /// The number of records that arrived.
    pub(super) fn arrived(&self) -> Arrival {
        self.end
    }

    /// The number of records that are not settled.
    pub(super) fn open(&self) -> usize {
        self.open
    }

    /// Whether the newest batch may be acknowledged: all batches are settled except for the `ahead` newest ones, and at most
    /// this many bytes are not settled.
    ///
    /// The distance from the oldest unsettled record counts. If the number of batches with an unsettled record counted, one slow record
    /// would let batches pass without end.
    pub(super) fn may_acknowledge(&self, ahead: u64, bytes: u64) -> bool {
        let Some(oldest) = self.batches.front() else { return true };
        self.batch_count - oldest.number <= ahead && self.bytes <= bytes
    }
}

/// The numbers of a record, which a checkpoint names.
fn numbers(record: &Record) -> (SequenceNumber, u64) {
    (record.sequence_number(), record.sub_sequence_number())
}

/// The size of a record in memory.
fn size(record: &Record) -> u64 {
    (record.data().len() + record.partition_key().len()) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::runner::shared::records;

    const BEHIND: MillisBehindLatest = MillisBehindLatest(None);

    /// A ring, and a plain list with the state that it should have.
    #[derive(Clone, Default)]
    struct Both {
        ring: Ring,
        /// The batches: for each record, whether it is settled.
        batches: Vec<Vec<bool>>,
    }

    impl Both {
        fn push(&mut self, size: usize) {
            let before = self.flags().len();
            assert_eq!(self.ring.push(records(before, size), BEHIND), before as u64..(before + size) as u64);
            if size > 0 {
                self.batches.push(vec![false; size]);
            }
            self.check();
        }

        fn settle(&mut self, at: usize) {
            let (mut batch, mut place) = (0, at);
            while place >= self.batches[batch].len() {
                place -= self.batches[batch].len();
                batch += 1;
            }
            self.batches[batch][place] = true;
            let is_done = self.batches[batch].iter().all(|&settled| settled);
            let given_back = self.ring.settle(at as u64);
            assert_eq!(given_back.map(|records| records.len()), is_done.then(|| self.batches[batch].len()));
            assert!(self.ring.settle(at as u64).is_none(), "a second time has no effect");
            self.check();
        }

        fn flags(&self) -> Vec<bool> {
            self.batches.concat()
        }

        fn check(&self) {
            let (ring, flags) = (&self.ring, self.flags());
            let prefix = flags.iter().take_while(|settled| **settled).count();
            assert_eq!((ring.prefix(), ring.arrived()), (prefix as u64, flags.len() as u64));
            let last = prefix.checked_sub(1).map(|last| (SequenceNumber::from(last as u64 / 2), last as u64 % 2));
            assert_eq!(ring.last(), last, "{flags:?}");
            let open: Vec<_> = (0..flags.len()).filter(|&at| !flags[at]).collect();
            assert_eq!((ring.open(), ring.bytes), (open.len(), open.len() as u64 * 5));
            for &at in &open {
                let expected = (SequenceNumber::from(at as u64 / 2), at as u64 % 2);
                assert_eq!(ring.record(at as u64).map(|(record, _)| numbers(record)), Some(expected));
            }
            for ahead in 0..4 {
                let old = self.batches.len().saturating_sub(ahead);
                let may = self.batches[..old].iter().flatten().all(|settled| *settled);
                assert_eq!(ring.may_acknowledge(ahead as u64, u64::MAX), may, "{ahead} ahead of {:?}", self.batches);
            }
            if !open.is_empty() {
                assert!(!ring.may_acknowledge(3, ring.bytes - 1) && ring.may_acknowledge(3, ring.bytes));
            }
            // Buffers are given back as early as they can be.
            let kept = ring.batches.iter().filter(|batch| !batch.records.is_empty()).count();
            assert_eq!(kept, self.batches.iter().filter(|batch| batch.iter().any(|settled| !settled)).count());
        }

        /// Takes every step that is possible now, and then every step that is possible after it. Two orders of the same steps must lead
        /// to the same ring, so their common continuation is tried once. Returns the number of orders from here on.
        fn go_on(self, sizes: &[usize], seen: &mut HashMap<Vec<Vec<bool>>, (String, u64)>) -> u64 {
            let ring = format!("{:?}", self.ring);
            let place = self.batches.iter().cloned().chain([vec![true; sizes.len()]]).collect::<Vec<_>>();
            if let Some((same, orders)) = seen.get(&place) {
                assert_eq!(ring, *same, "the order matters");
                return *orders;
            }
            let (mut orders, flags) = (0, self.flags());
            if let Some((&size, rest)) = sizes.split_first() {
                let mut after = self.clone();
                after.push(size);
                orders += after.go_on(rest, seen);
            }
            for at in (0..flags.len()).filter(|&at| !flags[at]) {
                let mut after = self.clone();
                after.settle(at);
                orders += after.go_on(sizes, seen);
            }
            let orders = orders.max(1);
            seen.insert(place, (ring, orders));
            orders
        }
    }

    /// Every order in which any three batches, with up to six records together, can arrive and settle.
    #[test]
    fn every_order_of_settling_is_right() {
        let mut orders = 0;
        for first in 0..=6 {
            for second in 0..=6 - first {
                for third in 0..=6 - first - second {
                    orders += Both::default().go_on(&[first, second, third], &mut HashMap::new());
                }
            }
        }
        // Of the 28 ways to divide six records alone, each can settle in at least 720 orders.
        assert!(orders > 28 * 720, "{orders}");
    }

    #[test]
    fn a_slow_record_does_not_let_batches_pass_without_end() {
        let mut ring = Ring::default();
        let slow = ring.push(records(0, 2), BEHIND).start;
        ring.settle(slow + 1);
        assert!(ring.may_acknowledge(1, u64::MAX));
        let next = ring.push(records(2, 1), BEHIND);
        assert!(!ring.may_acknowledge(1, u64::MAX));
        ring.settle(next.start);
        assert!(!ring.may_acknowledge(1, u64::MAX), "the batch is settled, and still too far from the slow record");
        ring.settle(slow);
        assert!(ring.may_acknowledge(0, 0));
    }
}
