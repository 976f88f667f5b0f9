//! The position up to which records are done.

use std::time::Instant;

use crate::processor::Checkpoints;
use crate::record::Record;
use crate::sequence::SequenceNumber;

/// The position up to which records are done, for a processor whose checkpoints the runtime makes.
pub(super) struct Watermark {
    now: fn() -> Instant,
    /// The last record of which this holds: it and all records before it have succeeded, or were skipped or
    /// dead-lettered.
    pub(super) done: Option<(SequenceNumber, u64)>,
    /// The number of records that are done since the last checkpoint.
    pub(super) outstanding: u64,
    /// The time of the last checkpoint.
    since: Instant,
}

impl Watermark {
    pub(super) fn new(now: fn() -> Instant) -> Self {
        Self { now, done: None, outstanding: 0, since: now() }
    }

    /// Records that these records are done.
    pub(super) fn reach(&mut self, done: &[Record]) {
        if let Some(last) = done.last() {
            self.done = Some((last.sequence_number(), last.sub_sequence_number()));
            self.outstanding += done.len() as u64;
        }
    }

    /// Whether a checkpoint is due.
    pub(super) fn is_due(&self, checkpoints: Checkpoints) -> bool {
        self.outstanding > 0
            && match checkpoints {
                Checkpoints::Batch => true,
                Checkpoints::Records(records) => self.outstanding >= records,
                Checkpoints::Interval(interval) => (self.now)().duration_since(self.since) >= interval,
                Checkpoints::Handler => false,
            }
    }

    /// Records a checkpoint of everything that is done.
    pub(super) fn confirm(&mut self) {
        self.outstanding = 0;
        self.since = (self.now)();
    }
}
