//! One batch of records: handed over until each has succeeded, or was dealt with as the policy says.

use std::ops::Range;
use std::sync::Arc;

use super::{Session, guard};
use crate::checkpoint::Scope;
use crate::error::{DeadLetterFailed, Failure, HandlerFailed, Passed};
use crate::payload::{UndecodablePayload, UndecodablePayloads};
use crate::processor::Progress;
use crate::trace;
use crate::watch::Running;
use crate::{DeadLetter, MillisBehindLatest, Otherwise, ProcessRecords, Processor, Record};

const ACTION: &str = "processRecords";

/// A batch, and how far it has come.
struct Batch<'r> {
    records: &'r Arc<Vec<Record>>,
    millis_behind_latest: MillisBehindLatest,
    /// How many of the first records are done.
    first: usize,
    /// The places, in order, of those that were skipped or dead-lettered.
    left_out: Vec<usize>,
    /// How often the handler was called with what is not done, and failed.
    attempts: u32,
    /// How often of these no record was to blame.
    whole: u32,
}

impl Batch<'_> {
    /// An attempt ended this far into the batch.
    fn reach(&mut self, progress: Progress) {
        match progress {
            Progress::Records(done) if done > self.first => (self.first, self.attempts) = (done, 0),
            Progress::Records(_) => {}
            Progress::Whole => self.first = 0,
        }
    }

    /// The handler failed once more.
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

/// Why an attempt did not succeed.
enum Blame {
    /// Some payloads cannot be decoded: the places of their records, and the errors.
    Invalid(Vec<(usize, UndecodablePayload)>),
    /// The handler failed, this far into the batch.
    Handler(Failure, Progress),
}

/// What no attempt is left for, and the user's word on it.
struct GivenUp {
    word: Otherwise,
    places: Range<usize>,
    failed: HandlerFailed,
}

impl<P: Processor> Session<'_, P> {
    /// Moves the watermark over the records that succeed, and over those that are skipped or dead-lettered.
    pub(super) fn hand_over(
        &mut self,
        records: &Arc<Vec<Record>>,
        millis_behind_latest: MillisBehindLatest,
    ) -> Result<(), HandlerFailed> {
        let mut batch = Batch { records, millis_behind_latest, first: 0, left_out: Vec::new(), attempts: 0, whole: 0 };
        let result = self.hand_over_batch(&mut batch);
        let done = if result.is_ok() { records.len() } else { batch.first };
        self.watermark.reach(&records[..done]);
        self.counts.records += done as u64;
        result
    }

    fn hand_over_batch(&mut self, batch: &mut Batch<'_>) -> Result<(), HandlerFailed> {
        loop {
            // To the watch all attempts are one call: what it tells is how long a record takes, waits included.
            let running = self.watch.enter(ACTION, Some(batch.records));
            let given_up = self.attempt_patiently(batch, &running)?;
            drop(running);
            if given_up.is_empty() {
                return Ok(());
            }
            for GivenUp { word, places, failed } in given_up {
                self.pass(word, batch, places, failed)?;
            }
        }
    }

    /// Calls the handler until it succeeds, or no attempt is left for what failed: that is returned.
    fn attempt_patiently(&mut self, batch: &mut Batch<'_>, running: &Running) -> Result<Vec<GivenUp>, HandlerFailed> {
        let records = batch.records;
        while let Err(blame) = self.attempt(batch, running) {
            let (failure, progress) = match blame {
                Blame::Handler(failure, progress) => (failure, progress),
                Blame::Invalid(undecodable) => {
                    let given_up = undecodable.into_iter().map(|(place, error)| GivenUp {
                        word: P::POLICY.invalid,
                        places: place..place + 1,
                        failed: HandlerFailed::new(&self.shard, ACTION, Failure::Error(error.into()))
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
            let failed = HandlerFailed::new(&self.shard, ACTION, failure)
                .with_records(records, one)
                .with_attempts(batch.attempts);
            if batch.attempts > P::POLICY.retry && !self.checkpointer.is_over() {
                return match places.is_empty() {
                    // An empty batch has no record to go on without.
                    true => Err(failed),
                    false => Ok(vec![GivenUp { word: P::POLICY.otherwise, places, failed }]),
                };
            }
            if !self.checkpointer.is_over() {
                trace::retry(&failed);
                self.checkpointer.wait(P::POLICY.backoff, batch.attempts);
            }
            // Without a lease or a daemon there is nothing to try again for.
            if self.checkpointer.is_over() {
                return Err(failed);
            }
            self.counts.retries += 1;
        }
        Ok(Vec::new())
    }

    /// Calls the handler with what is not done.
    fn attempt(&mut self, batch: &mut Batch<'_>, running: &Running) -> Result<(), Blame> {
        let all = batch.records.len();
        if all > 0 && batch.left_out.len() == all {
            return Ok(());
        }
        self.checkpointer.enter(Scope::Batch);
        let mut input = ProcessRecords {
            records: batch.records,
            millis_behind_latest: batch.millis_behind_latest,
            shard: &self.shard,
            checkpointer: &mut self.checkpointer,
            progress: Progress::Whole,
            first: batch.first,
            left_out: &batch.left_out,
            running,
        };
        let result = guard(|| self.processor.process_records(&mut input));
        let progress = input.progress;
        let failure = match result {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        batch.reach(progress);
        let error = match failure {
            Failure::Error(error) => error,
            panicked => return Err(Blame::Handler(panicked, progress)),
        };
        let error = match error.downcast::<UndecodablePayloads>() {
            Ok(undecodable) => return Err(Blame::Invalid(undecodable.0)),
            Err(error) => error,
        };
        Err(match (error.downcast::<UndecodablePayload>(), progress) {
            (Ok(undecodable), Progress::Records(place)) => Blame::Invalid(vec![(place, *undecodable)]),
            (Ok(undecodable), Progress::Whole) => Blame::Handler(Failure::Error(undecodable), progress),
            (Err(error), _) => Blame::Handler(Failure::Error(error), progress),
        })
    }

    /// Lets the batch go on without the records of these places, if that is the user's word.
    fn pass(
        &mut self,
        word: Otherwise,
        batch: &mut Batch<'_>,
        places: Range<usize>,
        failed: HandlerFailed,
    ) -> Result<(), HandlerFailed> {
        for place in places {
            let Err(index) = batch.left_out.binary_search(&place) else { continue };
            let record = &batch.records[place];
            let how = match word {
                Otherwise::Fail => return Err(failed),
                Otherwise::Skip => {
                    self.counts.skipped += 1;
                    "skipped"
                }
                Otherwise::DeadLetter => {
                    let letter = DeadLetter::new(record, &self.shard, failed.failure().as_error(), failed.attempts());
                    let running = self.watch.enter("dead_letter", Some(batch.records));
                    running.reach(place);
                    let taken = guard(|| self.processor.dead_letter(&letter));
                    drop(running);
                    if let Err(failure) = taken {
                        let both = DeadLetterFailed::new(failure, failed.failure());
                        return Err(HandlerFailed::new(&self.shard, ACTION, Failure::Error(both.into()))
                            .with_records(batch.records, Some(record))
                            .with_attempts(failed.attempts()));
                    }
                    self.counts.dead_lettered += 1;
                    "dead-lettered"
                }
            };
            let passed = Passed { how, record, failed: &failed };
            trace::passed(&passed);
            self.report.line(passed);
            batch.left_out.insert(index, place);
        }
        Ok(())
    }
}
