//! A batch while it is handled: which of its records are left, and in which parts they are handed over.

use std::borrow::Cow;

use crate::inputs::Progress;
use crate::record::Record;
use crate::shard::MillisBehindLatest;

/// A batch, and its progress.
pub(super) struct Batch<'r> {
    pub(super) records: &'r [Record],
    pub(super) millis_behind_latest: MillisBehindLatest,
    /// The number of first records that are done, for a handler of single records.
    pub(super) first: usize,
    /// The places, in order, of records that were skipped or dead-lettered.
    pub(super) left_out: Vec<usize>,
    /// The parts that are left to hand over after the first, which is the whole batch; the next one is last.
    parts: Vec<Part>,
    /// The places, in order, of the records that are not done, once it is known that others are. Those in `left_out` may
    /// be among them.
    open: Option<Vec<usize>>,
}

/// Records of a batch that are handed over together.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// Their places, in order; `None` for the whole batch.
    pub(super) places: Option<Vec<usize>>,
    /// It is a half of a part that failed, so it gets one attempt.
    pub(super) is_half: bool,
    /// The number of times the handler was called with all of the records, or with the current one, and failed.
    pub(super) attempts: u32,
    /// The number of these failures that concerned the whole part.
    whole: u32,
}

impl Part {
    /// Counts a failure of the handler.
    pub(super) fn count(&mut self, progress: Progress) {
        match progress {
            Progress::Records(_) => self.attempts += 1,
            Progress::Whole => {
                self.whole += 1;
                self.attempts = self.whole;
            }
        }
    }

    /// The part with only these places.
    pub(super) fn with_places(&self, places: Vec<usize>) -> Self {
        Self { places: Some(places), ..*self }
    }
}

impl<'r> Batch<'r> {
    pub(super) fn new(records: &'r [Record], millis_behind_latest: MillisBehindLatest) -> Self {
        let (left_out, parts, open) = (Vec::new(), Vec::new(), None);
        Self { records, millis_behind_latest, first: 0, left_out, parts, open }
    }

    /// Records how far an attempt with the whole batch came.
    pub(super) fn reach(&mut self, part: &mut Part, progress: Progress) {
        match progress {
            Progress::Records(done) if done > self.first => (self.first, part.attempts) = (done, 0),
            Progress::Records(_) => {}
            Progress::Whole => self.first = 0,
        }
    }

    fn is_left_out(&self, place: usize) -> bool {
        self.left_out.binary_search(&place).is_ok()
    }

    /// The number of records that are done after a failure.
    pub(super) fn done(&self) -> usize {
        let is_open = |&place: &usize| !self.is_left_out(place);
        let open = match &self.open {
            Some(open) => open.iter().copied().filter(is_open).count(),
            None => (self.first..self.records.len()).filter(is_open).count(),
        };
        self.records.len() - open
    }

    /// The number of first records that are done after a failure.
    pub(super) fn first_done(&self) -> usize {
        match &self.open {
            Some(open) => open.iter().copied().find(|&place| !self.is_left_out(place)).unwrap_or(self.records.len()),
            None => self.first,
        }
    }

    /// Leaves a part for another attempt, which is the next one.
    pub(super) fn hand_over_again(&mut self, part: Part) {
        self.parts.push(part);
    }

    /// The next part, without the records that were skipped or dead-lettered.
    pub(super) fn next_part(&mut self) -> Option<Part> {
        loop {
            let mut part = self.parts.pop()?;
            let left = match &mut part.places {
                Some(places) => {
                    places.retain(|&place| !self.is_left_out(place));
                    places.len()
                }
                // An empty batch is handed over, too.
                None if self.records.is_empty() => return Some(part),
                None => self.records.len() - self.left_out.len(),
            };
            if left > 0 {
                return Some(part);
            }
        }
    }

    /// The places of a part.
    pub(super) fn places_of(&self, part: &Part) -> Vec<usize> {
        match &part.places {
            Some(places) => places.clone(),
            None => (0..self.records.len()).filter(|&place| !self.is_left_out(place)).collect(),
        }
    }

    /// The records of a part. Those of the whole batch include records that were skipped or dead-lettered one by one.
    pub(super) fn records_of(&self, part: &Part) -> Cow<'r, [Record]> {
        let records = self.records;
        match &part.places {
            Some(places) => places.iter().map(|&place| records[place].clone()).collect(),
            None => Cow::Borrowed(records),
        }
    }

    /// Records that a part is done, except for the records that failed.
    pub(super) fn settle(&mut self, part: &Part, failed: &[usize]) {
        let places = self.places_of(part);
        let is_done = |place: &usize| places.binary_search(place).is_ok() && failed.binary_search(place).is_err();
        self.open().retain(|place| !is_done(place));
    }

    /// Leaves the two halves of a part for one attempt each.
    pub(super) fn halve(&mut self, part: &Part) {
        let places = self.places_of(part);
        self.open();
        let (left, right) = places.split_at(places.len().div_ceil(2));
        for half in [right, left] {
            self.parts.push(Part { is_half: true, ..part.with_places(half.to_vec()) });
        }
    }

    fn open(&mut self) -> &mut Vec<usize> {
        self.open.get_or_insert_with(|| (0..self.records.len()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::WireRecord;

    #[test]
    fn records_after_one_that_is_open_are_done_but_not_in_order() {
        let records = WireRecord::into_batch((0..5_u64).map(|number| WireRecord {
            data: b"data",
            partition_key: "k",
            sequence_number: number.into(),
            sub_sequence_number: 0,
            approximate_arrival_timestamp: None,
        }));
        let done = |batch: &Batch<'_>| (batch.done(), batch.first_done());
        // The handler named the record that failed.
        let mut batch = Batch::new(&records, MillisBehindLatest(None));
        batch.settle(&Part::default(), &[1]);
        assert_eq!(done(&batch), (4, 1));
        // Two records were skipped before the batch failed.
        let mut batch = Batch::new(&records, MillisBehindLatest(None));
        batch.left_out = vec![1, 3];
        assert_eq!(done(&batch), (2, 0));
        // A record failed after three that succeeded, one of which was skipped.
        batch.first = 3;
        batch.left_out = vec![1];
        assert_eq!(done(&batch), (3, 3));
    }
}
