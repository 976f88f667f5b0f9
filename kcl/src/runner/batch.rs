//! One batch of records, which is handled until each record has succeeded, or was skipped or dead-lettered.

use crate::async_processor::AsyncProcessor;
use crate::checkpoint::Scope;
use crate::dead_letter::letter::DeadLetter;
use crate::error::{BoxError, DeadLetterFailed, Failure, HandlerError, How, Passed};
use crate::failed_records::FailedRecords;
use crate::inputs::{Attempt, Deadline, ProcessRecords, Progress};
use crate::payload::{UndecodablePayload, UndecodablePayloads};
use crate::permanent::is_permanent;
use crate::policy::FailureAction;
use crate::record::Record;
use crate::runner::events::Event;
use crate::runner::remaining::{Batch, Part};
use crate::runner::session::Session;
use crate::runner::watermark::is_finer;
use crate::shard::MillisBehindLatest;
use crate::trace;

const ACTION: &str = "processRecords";

/// The reason an attempt failed. Places are those of the batch.
enum Blame {
    /// Some payloads cannot be decoded: the places of their records, and the errors.
    Invalid(Vec<(usize, UndecodablePayload)>, Progress),
    /// The handler named the records that failed, in order.
    Named(Vec<(usize, BoxError)>),
    /// The handler failed, after this progress.
    Handler(Failure, Progress),
}

/// Records without an attempt left, and the user's choice for them.
struct GivenUp {
    word: FailureAction,
    places: Vec<usize>,
    failed: Box<HandlerError>,
}

impl<P: AsyncProcessor> Session<P> {
    /// Whether checkpoints may be due between records.
    pub(super) const BETWEEN: bool = is_finer(P::CHECKPOINTS);

    /// Handles a batch, and moves the watermark past the records that succeed and those that are skipped or
    /// dead-lettered.
    pub(super) async fn hand_over(
        &mut self,
        records: &[Record],
        millis_behind_latest: MillisBehindLatest,
    ) -> Result<(), Box<HandlerError>> {
        let mut batch = Batch::new(records, millis_behind_latest);
        // For the watch, all attempts are one call: it reports the time that a record takes, including the waits.
        self.emit(Event::Called { action: ACTION, records: Some(records) });
        let mut part = Part::default();
        let result = match self.attempt(&mut batch, &mut part).await {
            Ok(()) => {
                self.emit(Event::Returned);
                Ok(())
            }
            Err(blame) => Box::pin(self.go_on(&mut batch, part, blame)).await,
        };
        let (done, first) = match result {
            Ok(()) => {
                let done = self.watermark.stopped.filter(|_| Self::BETWEEN).unwrap_or(records.len());
                (done, done)
            }
            Err(_) => (batch.done(), batch.first_done()),
        };
        let in_order = self.watermark.end_batch(records, first);
        self.emit(Event::Settled { done: done.max(in_order), in_order });
        result
    }

    /// Goes on with a batch after its first attempt has failed.
    #[cold]
    async fn go_on(&mut self, batch: &mut Batch<'_>, part: Part, blame: Box<Blame>) -> Result<(), Box<HandlerError>> {
        let mut failed = Some((part, blame));
        loop {
            let given_up = self.attempt_with_retries(batch, failed.take()).await;
            self.emit(Event::Returned);
            let given_up = given_up?;
            if given_up.is_empty() {
                return Ok(());
            }
            for GivenUp { word, places, failed } in given_up {
                self.pass(word, batch, places, failed).await?;
            }
            self.emit(Event::Called { action: ACTION, records: Some(batch.records) });
        }
    }

    /// Calls the handler until it succeeds, or until records have no attempt left. Returns those records. Begins with an
    /// attempt that has `failed`, if there is one.
    async fn attempt_with_retries(
        &mut self,
        batch: &mut Batch<'_>,
        mut failed: Option<(Part, Box<Blame>)>,
    ) -> Result<Vec<GivenUp>, Box<HandlerError>> {
        loop {
            let (part, blame) = match failed.take() {
                Some(failed) => failed,
                None => {
                    let Some(mut part) = batch.next_part() else { return Ok(Vec::new()) };
                    if part.is_half {
                        self.emit(Event::Retried);
                    }
                    match self.attempt(batch, &mut part).await {
                        Ok(()) if part.places.is_none() => return Ok(Vec::new()),
                        Ok(()) => {
                            batch.settle(&part, &[]);
                            continue;
                        }
                        Err(blame) => (part, blame),
                    }
                }
            };
            let given_up = self.judge(batch, part, blame).await?;
            if !given_up.is_empty() {
                return Ok(given_up);
            }
        }
    }

    /// Decides what follows a failed attempt. Returns the records that are given up, and leaves the others for another
    /// attempt.
    async fn judge(
        &mut self,
        batch: &mut Batch<'_>,
        part: Part,
        blame: Box<Blame>,
    ) -> Result<Vec<GivenUp>, Box<HandlerError>> {
        match *blame {
            Blame::Handler(failure, progress) => self.judge_handler(batch, part, failure, progress).await,
            Blame::Named(named) => self.judge_named(batch, &part, named).await,
            Blame::Invalid(undecodable, progress) => {
                let mut undecodable = undecodable.into_iter();
                // Without a lease or a daemon, nothing is passed.
                if self.checkpointer.inner.is_over() {
                    if let Some((place, error)) = undecodable.next() {
                        return Err(self.failed_at(batch, place, error.into(), 0));
                    }
                }
                let given_up = undecodable.map(|(place, error)| GivenUp {
                    word: P::POLICY.on_undecodable,
                    places: vec![place],
                    failed: self.failed_at(batch, place, error.into(), 0),
                });
                let given_up = given_up.collect();
                // The others are still to be handed over.
                batch.hand_over_again(match progress {
                    Progress::Whole => part.with_places(batch.places_of(&part)),
                    Progress::Records(_) => part,
                });
                Ok(given_up)
            }
        }
    }

    /// Decides what follows if the handler failed with a whole part, or with one record.
    async fn judge_handler(
        &mut self,
        batch: &mut Batch<'_>,
        mut part: Part,
        failure: Failure,
        progress: Progress,
    ) -> Result<Vec<GivenUp>, Box<HandlerError>> {
        part.count(progress);
        let failed = HandlerError::new(&self.shard, ACTION, failure).with_attempts(part.attempts);
        let (failed, places) = match progress {
            Progress::Records(done) => {
                let record = batch.records.get(done);
                (failed.with_records(batch.records, record), record.map(|_| done).into_iter().collect())
            }
            Progress::Whole => (failed.with_records(&batch.records_of(&part), None), batch.places_of(&part)),
        };
        let failed = Box::new(failed);
        if !self.is_last(&part, &failed) {
            self.wait_for_retry(batch, failed, places.first().filter(|_| progress != Progress::Whole)).await?;
            batch.hand_over_again(part);
            return Ok(Vec::new());
        }
        // Without a lease or a daemon, nothing is passed. An empty batch has no record to skip.
        if self.checkpointer.inner.is_over() || places.is_empty() {
            return Err(failed);
        }
        if P::POLICY.bisect && progress == Progress::Whole && places.len() > 1 {
            batch.halve(&part);
            return Ok(Vec::new());
        }
        batch.hand_over_again(part);
        Ok(vec![GivenUp { word: P::POLICY.on_failure, places, failed }])
    }

    /// Decides what follows if the handler named the records of a part that failed.
    async fn judge_named(
        &mut self,
        batch: &mut Batch<'_>,
        part: &Part,
        named: Vec<(usize, BoxError)>,
    ) -> Result<Vec<GivenUp>, Box<HandlerError>> {
        let places: Vec<_> = named.iter().map(|&(place, _)| place).collect();
        batch.settle(part, &places);
        self.emit(Event::Named(&places));
        let mut part = part.with_places(Vec::new());
        part.count(Progress::Whole);
        let (mut given_up, mut again, mut first) = (Vec::new(), Vec::new(), None);
        for (place, error) in named {
            let failed = self.failed_at(batch, place, error, part.attempts);
            if self.checkpointer.inner.is_over() {
                return Err(failed);
            }
            if self.is_last(&part, &failed) {
                given_up.push(GivenUp { word: P::POLICY.on_failure, places: vec![place], failed });
            } else {
                again.push(place);
                first.get_or_insert(failed);
            }
        }
        if let Some(failed) = first {
            self.wait_for_retry(batch, failed, again.first()).await?;
            batch.hand_over_again(part.with_places(again));
        }
        Ok(given_up)
    }

    /// Whether a part that failed gets no further attempt.
    fn is_last(&self, part: &Part, failed: &HandlerError) -> bool {
        part.is_half || part.attempts > P::POLICY.retry || is_permanent(failed.failure().as_error())
    }

    /// The failure at this place of the batch.
    fn failed_at(&self, batch: &Batch<'_>, place: usize, error: BoxError, attempts: u32) -> Box<HandlerError> {
        let failed = HandlerError::new(&self.shard, ACTION, Failure::Error(error)).with_attempts(attempts);
        Box::new(failed.with_records(batch.records, batch.records.get(place)))
    }

    /// Waits before another attempt. If the lease or the daemon is gone, there is none. `place` is that of the record that failed, if
    /// it is known.
    async fn wait_for_retry(
        &mut self,
        batch: &Batch<'_>,
        failed: Box<HandlerError>,
        place: Option<&usize>,
    ) -> Result<(), Box<HandlerError>> {
        if !self.checkpointer.inner.is_over() {
            let record = place.and_then(|&place| batch.records.get(place));
            self.emit(Event::Failed { failed: &failed, record });
            self.checkpoint_before_wait(batch).await;
        }
        if !self.checkpointer.inner.is_over() {
            let waits = self.conversation().waits;
            self.checkpointer.inner.wait(P::POLICY.backoff, failed.attempts(), waits).await;
        }
        if self.checkpointer.inner.is_over() {
            return Err(failed);
        }
        self.emit(Event::Retried);
        Ok(())
    }

    /// Checkpoints the records that are done, if a checkpoint is due.
    async fn checkpoint_before_wait(&mut self, batch: &Batch<'_>) {
        let clock = &self.checkpointer.inner.conversation.clock;
        if Self::BETWEEN && self.watermark.settles && self.watermark.is_due_between(batch.first, || Some(clock.now())) {
            self.emit(Event::At(None));
            // The caller asks the checkpointer whether the lease or the daemon is gone.
            let (watermark, checkpointer) = (&mut self.watermark, &mut self.checkpointer.inner);
            let waits = checkpointer.conversation.waits;
            _ = watermark.checkpoint_between(batch.records, batch.first, checkpointer, &self.shard, waits).await;
            self.emit(Event::At(Some(batch.first)));
        }
    }

    /// Calls the handler with a part of the batch.
    async fn attempt(&mut self, batch: &mut Batch<'_>, part: &mut Part) -> Result<(), Box<Blame>> {
        if Self::BETWEEN {
            self.watermark.settles = false;
            // Waits and dead letters take time.
            self.conversation().events.watch.look_again();
        }
        let records = batch.records_of(part);
        self.emit(Event::Attempt(part.places.as_deref()));
        let (scope, first, left_out) = match (&part.places, records.last()) {
            // Null would mean the end of the whole batch.
            (Some(_), Some(last)) => (Scope::Record(last.sequence_number(), last.sub_sequence_number()), 0, &[][..]),
            _ => (Scope::Batch, batch.first, &batch.left_out[..]),
        };
        self.checkpointer.inner.enter(scope);
        let deadline = Deadline::new(P::TIMEOUT);
        deadline.start(&*self.checkpointer.inner.conversation.clock);
        let mut attempt = Attempt { progress: Progress::Whole, first };
        let Self { processor, shard, caller, checkpointer, watermark, .. } = self;
        let input = &mut ProcessRecords {
            records: &records,
            millis_behind_latest: batch.millis_behind_latest,
            shard,
            checkpointer,
            attempt: &mut attempt,
            scope,
            left_out,
            places: part.places.as_deref(),
            watermark,
            deadline: &deadline,
        };
        let result = caller.call(Some(&deadline), move || processor.process_records(input)).await;
        self.finish(&result).await;
        let progress = attempt.progress;
        if Self::BETWEEN && self.watermark.stopped.is_some() {
            // Whatever the handler made of it.
            return Ok(());
        }
        let Err(failure) = result else { return Ok(()) };
        // The records before one that fails in a part are not told apart from it.
        let progress = if part.places.is_some() { Progress::Whole } else { progress };
        if part.places.is_none() {
            batch.reach(part, progress);
        }
        Err(Box::new(blame(failure, progress, batch, part)))
    }

    /// Skips or dead-letters the records at these places, if that is the user's choice.
    async fn pass(
        &mut self,
        word: FailureAction,
        batch: &mut Batch<'_>,
        places: Vec<usize>,
        failed: Box<HandlerError>,
    ) -> Result<(), Box<HandlerError>> {
        for place in places {
            let Err(index) = batch.left_out.binary_search(&place) else { continue };
            let record = &batch.records[place];
            let how = match word {
                FailureAction::Fail => return Err(failed),
                FailureAction::Skip => How::Skipped,
                FailureAction::DeadLetter => {
                    let letter = DeadLetter::new(record, &self.shard, failed.failure().as_error(), failed.attempts());
                    let conversation = &mut self.checkpointer.inner.conversation;
                    conversation.emit(Event::Called { action: "dead_letter", records: Some(batch.records) });
                    conversation.emit(Event::At(Some(place)));
                    let (processor, input) = (&mut self.processor, &letter);
                    let call = self.caller.call(None, move || processor.dead_letter(input));
                    let taken = trace::within(trace::record(record), call).await;
                    self.finish(&taken).await;
                    self.emit(Event::Returned);
                    if matches!(taken, Err(Failure::Gone)) {
                        return Err(Box::new(HandlerError::new(&self.shard, ACTION, Failure::Gone)));
                    }
                    if let Err(failure) = taken {
                        let both = DeadLetterFailed::new(failure, &failed);
                        return Err(self.failed_at(batch, place, both.into(), failed.attempts()));
                    }
                    How::DeadLettered
                }
            };
            let passed = Passed { how, record, failed: &failed };
            self.emit(Event::Passed(&passed));
            self.conversation().report.lines(passed, &failed.backtrace());
            batch.left_out.insert(index, place);
        }
        Ok(())
    }
}

/// Finds out what failed.
fn blame(failure: Failure, progress: Progress, batch: &Batch<'_>, part: &Part) -> Blame {
    if matches!(failure, Failure::Panic(_) | Failure::Gone) {
        return Blame::Handler(failure, progress);
    }
    let places = |place: usize| part.places.as_ref().map_or(place, |places| places[place]);
    let error = match failure.into_error().downcast::<UndecodablePayloads>() {
        Ok(undecodable) => {
            let undecodable = undecodable.0.into_iter().map(|(place, error)| (places(place), error)).collect();
            return Blame::Invalid(undecodable, progress);
        }
        Err(error) => error,
    };
    let error = match (error.downcast::<UndecodablePayload>(), progress) {
        (Ok(undecodable), Progress::Records(place)) => return Blame::Invalid(vec![(place, *undecodable)], progress),
        (Ok(undecodable), Progress::Whole) => undecodable,
        (Err(error), Progress::Records(_)) => return Blame::Handler(Failure::Error(error), progress),
        (Err(error), Progress::Whole) => match error.downcast::<FailedRecords>() {
            Ok(failed) => match failed.among(batch.records_of(part).len()) {
                Ok(named) => {
                    return Blame::Named(named.into_iter().map(|(place, error)| (places(place), error)).collect());
                }
                Err(failed) => failed.into(),
            },
            Err(error) => error,
        },
    };
    Blame::Handler(Failure::Error(error), progress)
}
