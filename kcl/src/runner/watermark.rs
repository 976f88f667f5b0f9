//! The position up to which records are done.

use std::mem;
use std::time::Duration;

use crate::checkpoint::Checkpointer;
use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::pace::Checkpoints;
use crate::clock::Clock;
use crate::record::Record;
use crate::runner::conversation::{Conversation, Waits};
use crate::sequence::SequenceNumber;
use crate::shard::Shard;

/// The shortest time between two of the runtime's checkpoints.
const SHORTEST: Duration = Duration::from_millis(1);

/// Whether the pace is finer than one checkpoint for each batch.
pub(super) const fn is_finer(pace: Checkpoints) -> bool {
    matches!(pace, Checkpoints::Records(_) | Checkpoints::Interval(_))
}

/// The position up to which records are done, for a processor whose checkpoints the runtime makes.
#[derive(Debug)]
pub(crate) struct Watermark {
    pace: Checkpoints,
    /// The last record of which this holds: it and all records before it have succeeded, or were skipped or
    /// dead-lettered.
    pub(super) done: Option<(SequenceNumber, u64)>,
    /// The number of records that are done since the last checkpoint.
    pub(super) outstanding: u64,
    /// The number of the batch's first records that are done.
    in_batch: usize,
    /// The time of the last checkpoint.
    since: Duration,
    /// `outstanding` and the time when a checkpoint was last refused, if that is later than `since`. Between records, the
    /// next one is due as long after it as after a checkpoint that was made.
    refused: Option<(u64, Duration)>,
    /// The handler is done with each record when it has handled it, so that checkpoints between records are possible.
    pub(crate) settles: bool,
    /// The place of the first record of this batch that is not handed over, because a checkpoint before it showed that
    /// the lease or the daemon is gone.
    pub(crate) stopped: Option<usize>,
}

impl Watermark {
    pub(super) fn new(pace: Checkpoints, clock: &dyn Clock) -> Self {
        // With a pace of zero, a checkpoint that was refused would be due again at once.
        let pace = match pace {
            Checkpoints::Records(records) => Checkpoints::Records(records.max(1)),
            Checkpoints::Interval(interval) => Checkpoints::Interval(interval.max(SHORTEST)),
            Checkpoints::Batch | Checkpoints::Handler => pace,
        };
        Self {
            pace,
            done: None,
            outstanding: 0,
            in_batch: 0,
            since: clock.now(),
            refused: None,
            settles: false,
            stopped: None,
        }
    }

    /// Records that this many of the batch's first records are done.
    #[inline]
    fn reach(&mut self, batch: &[Record], done: usize) {
        if done > self.in_batch {
            if let Some(last) = batch.get(done - 1) {
                self.done = Some((last.sequence_number(), last.sub_sequence_number()));
                self.outstanding += (done - self.in_batch) as u64;
                self.in_batch = done;
            }
        }
    }

    /// Ends a batch. This many of its first records are done, or more if more were checkpointed. Returns the number.
    #[inline]
    pub(super) fn end_batch(&mut self, batch: &[Record], done: usize) -> usize {
        self.reach(batch, done);
        mem::take(&mut self.in_batch)
    }

    /// Records that this many more records are done, up to this last one. They are those of a phase in which many records are
    /// handled at once.
    #[cfg(any(feature = "tokio", test))]
    pub(super) fn advance(&mut self, last: (SequenceNumber, u64), count: u64) {
        self.done = Some(last);
        self.outstanding += count;
    }

    /// The time at which a checkpoint is due, if that depends on the time.
    #[cfg(any(feature = "tokio", test))]
    pub(super) fn due_at(&self) -> Option<Duration> {
        let Checkpoints::Interval(interval) = self.pace else { return None };
        let since = self.refused.map_or(self.since, |(_, at)| at);
        (self.outstanding > 0).then(|| since.saturating_add(interval))
    }

    /// Whether a checkpoint is due after a batch. One that was refused is due again after as many records, or as much time.
    pub(super) fn is_due(&self, clock: &dyn Clock) -> bool {
        let (refused, at) = self.refused.unwrap_or((0, self.since));
        self.outstanding > 0
            && match self.pace {
                Checkpoints::Batch => true,
                Checkpoints::Records(records) => self.outstanding >= refused.saturating_add(records),
                Checkpoints::Interval(interval) => clock.now().saturating_sub(at) >= interval,
                Checkpoints::Handler => false,
            }
    }

    /// Whether checkpoints may be due between the records of a batch.
    pub(crate) fn has_finer_pace(&self) -> bool {
        is_finer(self.pace)
    }

    /// Whether a checkpoint is due when this many of the batch's first records are done. The clock is read only if
    /// this matters; `now` returns `None` if it was read a moment ago.
    pub(crate) fn is_due_between(&self, done: usize, now: impl FnOnce() -> Option<Duration>) -> bool {
        let outstanding = self.outstanding + done.saturating_sub(self.in_batch) as u64;
        let (refused, at) = self.refused.unwrap_or((0, self.since));
        outstanding > 0
            && match self.pace {
                Checkpoints::Batch | Checkpoints::Handler => false,
                Checkpoints::Records(records) => outstanding >= refused.saturating_add(records),
                Checkpoints::Interval(interval) => now().is_some_and(|now| now.saturating_sub(at) >= interval),
            }
    }

    /// Makes a checkpoint between records, when this many of the batch's first records are done. A refusal is reported.
    ///
    /// # Errors
    ///
    /// If the lease or the daemon is gone, so that no record may follow.
    pub(crate) async fn checkpoint_between(
        &mut self,
        batch: &[Record],
        done: usize,
        checkpointer: &mut Checkpointer,
        shard: &Shard,
        waits: Waits,
    ) -> Result<(), CheckpointError> {
        self.reach(batch, done);
        let Some((sequence_number, sub_sequence_number)) = self.done.filter(|_| !checkpointer.gap) else {
            return Ok(());
        };
        // Null would mean the end of the whole batch.
        match checkpointer.checkpoint_to(sequence_number, sub_sequence_number, waits).await {
            Ok(()) => self.confirm(&*checkpointer.conversation.clock),
            Err(error) if checkpointer.is_over() => return Err(error),
            Err(error) => {
                let Conversation { clock, report, .. } = &checkpointer.conversation;
                self.refuse(&**clock);
                report.line(format_args!("shard {}: a checkpoint was not made: {error}", shard.id()));
            }
        }
        Ok(())
    }

    /// The time, if the pace depends on it; reading it costs something.
    fn time(&self, clock: &dyn Clock) -> Duration {
        if matches!(self.pace, Checkpoints::Interval(_)) { clock.now() } else { Duration::ZERO }
    }

    /// Records that a checkpoint of everything that is done was refused.
    pub(super) fn refuse(&mut self, clock: &dyn Clock) {
        self.refused = Some((self.outstanding, self.time(clock)));
    }

    /// Records a checkpoint of everything that is done.
    pub(super) fn confirm(&mut self, clock: &dyn Clock) {
        self.confirm_first(self.outstanding, clock);
    }

    /// Records a checkpoint of the first ones of the records that are done. The others were done while it was made.
    pub(super) fn confirm_first(&mut self, count: u64, clock: &dyn Clock) {
        self.outstanding = self.outstanding.saturating_sub(count);
        self.since = self.time(clock);
        self.refused = None;
    }
}
