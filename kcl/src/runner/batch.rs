//! One batch of records, which is handled until each record has succeeded, or was skipped or dead-lettered.

use std::ops::Range;
use std::sync::Arc;

use crate::checkpoint::Scope;
use crate::dead_letter::letter::DeadLetter;
use crate::error::{DeadLetterFailed, Failure, HandlerError, How, Passed};
use crate::payload::{UndecodablePayload, UndecodablePayloads};
use crate::permanent::is_permanent;
use crate::policy::FailureAction;
use crate::processor::{ProcessRecords, Processor, Progress};
use crate::record::Record;
use crate::runner::events::Event;
use crate::runner::session::{Session, guard};
use crate::runner::watermark::is_finer;
use crate::shard::MillisBehindLatest;

const ACTION: &str = "processRecords";

/// A batch, and its progress.
struct Batch<'r> {
    records: &'r Arc<Vec<Record>>,
    millis_behind_latest: MillisBehindLatest,
    /// The number of first records that are done.
    first: usize,
    /// The places, in order, of records that were skipped or dead-lettered.
    left_out: Vec<usize>,
    /// The number of times the handler was called with the remaining records, and failed.
    attempts: u32,
    /// The number of these failures that concerned the whole batch.
    whole: u32,
}

impl Batch<'_> {
    /// Records how far an attempt came.
    fn reach(&mut self, progress: Progress) {
        match progress {
            Progress::Records(done) if done > self.first => (self.first, self.attempts) = (done, 0),
            Progress::Records(_) => {}
            Progress::Whole => self.first = 0,
        }
    }

    /// Counts a failure of the handler.
    fn count(&mut self, progress: Progress) {
        match progress {
            Progress::Records(_) => self.attempts += 1,
            Progress::Whole => {
                self.whole += 1;
                self.attempts = self.whole;
            }
        }
    }
}

/// The reason an attempt failed.
enum Blame {
    /// Some payloads cannot be decoded: the places of their records, and the errors.
    Invalid(Vec<(usize, UndecodablePayload)>),
    /// The handler failed, after this progress.
    Handler(Failure, Progress),
}

/// Records without an attempt left, and the user's choice for them.
struct GivenUp {
    word: FailureAction,
    places: Range<usize>,
    failed: HandlerError,
}

impl<P: Processor> Session<P> {
    /// Whether checkpoints may be due between records.
    pub(super) const BETWEEN: bool = is_finer(P::CHECKPOINTS);

    /// Handles a batch, and moves the watermark past the records that succeed and those that are skipped or
    /// dead-lettered.
    pub(super) fn hand_over(
        &mut self,
        records: &Arc<Vec<Record>>,
        millis_behind_latest: MillisBehindLatest,
    ) -> Result<(), HandlerError> {
        let mut batch = Batch { records, millis_behind_latest, first: 0, left_out: Vec::new(), attempts: 0, whole: 0 };
        let result = self.hand_over_batch(&mut batch);
        let done = match result {
            Ok(()) => self.watermark.stopped.filter(|_| Self::BETWEEN).unwrap_or(records.len()),
            Err(_) => batch.first,
        };
        let settled = self.watermark.end_batch(records, done);
        self.emit(Event::Settled(settled));
        result
    }

    fn hand_over_batch(&mut self, batch: &mut Batch<'_>) -> Result<(), HandlerError> {
        loop {
            // For the watch, all attempts are one call: it reports the time that a record takes, including the waits.
            self.emit(Event::Called { action: ACTION, records: Some(batch.records) });
            let given_up = self.attempt_with_retries(batch);
            self.emit(Event::Returned);
            let given_up = given_up?;
            if given_up.is_empty() {
                return Ok(());
            }
            for GivenUp { word, places, failed } in given_up {
                self.pass(word, batch, places, failed)?;
            }
        }
    }

    /// Calls the handler until it succeeds, or until no attempt is left. Returns the records that failed then.
    fn attempt_with_retries(&mut self, batch: &mut Batch<'_>) -> Result<Vec<GivenUp>, HandlerError> {
        let records = batch.records;
        while let Err(blame) = self.attempt(batch) {
            let (failure, progress) = match blame {
                Blame::Handler(failure, progress) => (failure, progress),
                Blame::Invalid(undecodable) => {
                    let given_up = undecodable.into_iter().map(|(place, error)| GivenUp {
                        word: P::POLICY.on_undecodable,
                        places: place..place + 1,
                        failed: HandlerError::new(&self.shard, ACTION, Failure::Error(error.into()))
                            .with_records(records, records.get(place))
                            .with_attempts(0),
                    });
                    return Ok(given_up.collect());
                }
            };
            batch.count(progress);
            let (one, places) = match progress {
                Progress::Whole => (None, 0..records.len()),
                Progress::Records(done) => (records.get(done), done..records.len().min(done + 1)),
            };
            let failed = HandlerError::new(&self.shard, ACTION, failure)
                .with_records(records, one)
                .with_attempts(batch.attempts);
            let is_last = batch.attempts > P::POLICY.retry || is_permanent(failed.failure().as_error());
            if is_last && !self.checkpointer.is_over() {
                return match places.is_empty() {
                    // An empty batch has no record to skip.
                    true => Err(failed),
                    false => Ok(vec![GivenUp { word: P::POLICY.on_failure, places, failed }]),
                };
            }
            if !self.checkpointer.is_over() {
                self.emit(Event::Failed(&failed));
                self.checkpoint_before_wait(batch);
            }
            if !self.checkpointer.is_over() {
                self.checkpointer.wait(P::POLICY.backoff, batch.attempts);
            }
            // Without a lease or a daemon, a retry is pointless.
            if self.checkpointer.is_over() {
                return Err(failed);
            }
            self.emit(Event::Retried);
        }
        Ok(Vec::new())
    }

    /// Checkpoints the records that are done, if a checkpoint is due.
    fn checkpoint_before_wait(&mut self, batch: &Batch<'_>) {
        let clock = &self.checkpointer.conversation.clock;
        if Self::BETWEEN && self.watermark.settles && self.watermark.is_due_between(batch.first, || Some(clock.now())) {
            self.emit(Event::At(None));
            // The caller asks the checkpointer whether the lease or the daemon is gone.
            _ = self.watermark.checkpoint_between(batch.records, batch.first, &mut self.checkpointer, &self.shard);
            self.emit(Event::At(Some(batch.first)));
        }
    }

    /// Calls the handler with the remaining records.
    fn attempt(&mut self, batch: &mut Batch<'_>) -> Result<(), Blame> {
        let all = batch.records.len();
        if all > 0 && batch.left_out.len() == all {
            return Ok(());
        }
        self.checkpointer.enter(Scope::Batch);
        if Self::BETWEEN {
            self.watermark.settles = false;
            // Waits and dead letters take time.
            self.conversation().events.watch.look_again();
        }
        let mut input = ProcessRecords {
            records: batch.records,
            millis_behind_latest: batch.millis_behind_latest,
            shard: &self.shard,
            checkpointer: &mut self.checkpointer,
            progress: Progress::Whole,
            first: batch.first,
            left_out: &batch.left_out,
            watermark: &mut self.watermark,
        };
        let result = guard(|| self.processor.process_records(&mut input));
        let progress = input.progress;
        if Self::BETWEEN && self.watermark.stopped.is_some() {
            // Whatever the handler made of it.
            return Ok(());
        }
        let failure = match result {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        batch.reach(progress);
        if matches!(failure, Failure::Panic(_)) {
            return Err(Blame::Handler(failure, progress));
        }
        let error = match failure.into_error().downcast::<UndecodablePayloads>() {
            Ok(undecodable) => return Err(Blame::Invalid(undecodable.0)),
            Err(error) => error,
        };
        Err(match (error.downcast::<UndecodablePayload>(), progress) {
            (Ok(undecodable), Progress::Records(place)) => Blame::Invalid(vec![(place, *undecodable)]),
            (Ok(undecodable), Progress::Whole) => Blame::Handler(Failure::Error(undecodable), progress),
            (Err(error), _) => Blame::Handler(Failure::Error(error), progress),
        })
    }

    /// Skips or dead-letters the records at these places, if that is the user's choice.
    fn pass(
        &mut self,
        word: FailureAction,
        batch: &mut Batch<'_>,
        places: Range<usize>,
        failed: HandlerError,
    ) -> Result<(), HandlerError> {
        for place in places {
            let Err(index) = batch.left_out.binary_search(&place) else { continue };
            let record = &batch.records[place];
            let how = match word {
                FailureAction::Fail => return Err(failed),
                FailureAction::Skip => How::Skipped,
                FailureAction::DeadLetter => {
                    let letter = DeadLetter::new(record, &self.shard, failed.failure().as_error(), failed.attempts());
                    let conversation = &mut self.checkpointer.conversation;
                    conversation.emit(Event::Called { action: "dead_letter", records: Some(batch.records) });
                    conversation.emit(Event::At(Some(place)));
                    let taken = guard(|| self.processor.dead_letter(&letter));
                    conversation.emit(Event::Returned);
                    if let Err(failure) = taken {
                        let both = DeadLetterFailed::new(failure, &failed);
                        return Err(HandlerError::new(&self.shard, ACTION, Failure::Error(both.into()))
                            .with_records(batch.records, Some(record))
                            .with_attempts(failed.attempts()));
                    }
                    How::DeadLettered
                }
            };
            let passed = Passed { how, record, failed: &failed };
            self.emit(Event::Passed(&passed));
            self.conversation().report.line(format_args!("{passed}{}", failed.backtrace()));
            batch.left_out.insert(index, place);
        }
        Ok(())
    }
}
