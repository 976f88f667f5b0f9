//! The conversation of one shard: one message, one handler, one outcome, one reply.

use std::error::Error;
use std::future::ready;
use std::mem;
use std::time::Duration;

use crate::async_processor::AsyncProcessor;
use crate::checkpoint::Scope;
use crate::checkpoint::asynchronous::AsyncCheckpointer;
use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::pace::Checkpoints;
use crate::error::{Failure, Fatal, HandlerError, RunError};
use crate::inputs::{LeaseLost, ShardEnded, ShutdownRequested, Tick};
use crate::panics::causes;
use crate::protocol::{Message, ShutdownReason};
use crate::record::Record;
use crate::runner::call::Caller;
use crate::runner::conversation::{Broken, Conversation, now};
use crate::runner::events::Event;
#[cfg(any(feature = "tokio", test))]
use crate::runner::shared::Left;
use crate::runner::watermark::Watermark;
use crate::shard::{MillisBehindLatest, Shard};
use crate::trace;

/// One shard's conversation, from the status of `initialize` on.
pub(crate) struct Session<P> {
    pub(crate) processor: P,
    pub(super) shard: Shard,
    /// The shard's span.
    pub(crate) span: trace::Span,
    pub(super) caller: Caller,
    pub(super) checkpointer: AsyncCheckpointer,
    pub(super) watermark: Watermark,
    /// The time of the last tick, or of the start.
    pub(super) ticked: Duration,
    /// Records were dropped that are not done, and others after them may be done: checkpoints name the last record before them.
    pub(super) hole: bool,
}

/// The next step after a message was handled.
pub(super) enum Next {
    Acknowledge,
    /// The daemon is gone.
    End,
}

impl<P: AsyncProcessor> Session<P> {
    /// Converses until the daemon ends the conversation.
    pub(super) async fn converse(&mut self) -> Result<(), Fatal> {
        let mut goes_on = self.acknowledge("initialize")?;
        while goes_on {
            goes_on = self.turn().await?;
        }
        Ok(())
    }

    /// Does what [`turn`](Self::turn) does, within the shard's span.
    #[cfg(feature = "testing")]
    pub(crate) async fn turn_within_span(&mut self) -> Result<bool, RunError> {
        trace::within(self.span.clone(), self.turn()).await.map_err(|error| *error)
    }

    /// Receives one message, handles it and acknowledges it. Returns whether the conversation goes on.
    async fn turn(&mut self) -> Result<bool, Fatal> {
        let Some(message) = self.receive().await? else { return Ok(false) };
        let action = message.action();
        let next = trace::within(trace::message(action, message.records()), self.handle(&message)).await;
        if let Message::ProcessRecords { records, .. } = message {
            self.conversation().take_back(records);
        }
        match next? {
            Next::Acknowledge => self.acknowledge(action),
            Next::End => {
                self.report_line(format_args!("the daemon was gone before {action} could be acknowledged"));
                Ok(false)
            }
        }
    }

    /// Receives the next message for the processor alone.
    async fn receive(&mut self) -> Result<Option<Message>, Fatal> {
        #[cfg(any(feature = "tokio", test))]
        if let Some(concurrency) = P::CONCURRENCY {
            return Ok(match self.share(concurrency).await? {
                Left::End => None,
                Left::Message { message, hole } => {
                    self.hole = hole;
                    Some(message)
                }
            });
        }
        self.conversation().receive().await
    }

    /// Acknowledges a message. Returns whether the conversation goes on.
    pub(crate) fn acknowledge(&mut self, action: &str) -> Result<bool, Fatal> {
        match self.conversation().acknowledge(action) {
            Ok(()) => Ok(true),
            Err(Broken::End) => Ok(false),
            Err(Broken::Error(error)) => Err(error),
        }
    }

    /// Drops the processor at the end of a conversation with this result.
    pub(crate) fn close(self, result: Result<(), RunError>) -> Result<(), RunError> {
        let Session { processor, shard, span, mut caller, checkpointer, .. } = self;
        let _entered = trace::enter(&span);
        let mut conversation = checkpointer.inner.conversation;
        conversation.emit(Event::Called { action: "drop", records: None });
        let dropped = now(caller.call(None, || {
            drop(processor);
            ready(Ok(()))
        }));
        conversation.emit(Event::Attempted(dropped.as_ref().map(drop)));
        conversation.emit(Event::Returned);
        let dropped = dropped.map_err(|failure| HandlerError::new(&shard, "drop", failure));
        match (result, dropped) {
            (Ok(()), dropped) => Ok(dropped?),
            (Err(error), Ok(())) => Err(error),
            (Err(error), Err(failed)) => {
                conversation.report.lines(&failed, &failed.backtrace());
                Err(error)
            }
        }
    }

    async fn handle(&mut self, message: &Message) -> Result<Next, Fatal> {
        let action = message.action();
        match message {
            Message::ProcessRecords { records, millis_behind_latest } => {
                self.process_records(records, MillisBehindLatest(millis_behind_latest.map(Duration::from_millis))).await
            }
            Message::LeaseLost | Message::Shutdown { reason: ShutdownReason::Zombie } => self.lease_lost(action).await,
            Message::ShardEnded | Message::Shutdown { reason: ShutdownReason::Terminate } => {
                self.shard_ended(action).await
            }
            Message::ShutdownRequested => self.shutdown_requested().await,
            Message::Initialize { .. } | Message::Checkpoint { .. } => Err(Box::new(RunError::Unexpected {
                shard: Some(self.shard.id().to_owned()),
                action,
                expected: "a message that follows `initialize`",
            })),
        }
    }

    async fn process_records(
        &mut self,
        records: &[Record],
        millis_behind_latest: MillisBehindLatest,
    ) -> Result<Next, Fatal> {
        self.checkpointer.inner.enter_message(Scope::Batch);
        self.emit(Event::Batch(records));
        self.emit(Event::Behind(millis_behind_latest));
        let result = match P::TICK {
            Some(_) if records.is_empty() => Ok(()),
            _ => self.hand_over(records, millis_behind_latest).await,
        };
        if let Some(place) = self.watermark.stopped.take_if(|_| Self::BETWEEN) {
            if !self.conversation().is_broken() {
                return Ok(self.leave(&records[place..]));
            }
        }
        let result = match (result, P::TICK) {
            (Ok(()), Some(every)) => self.tick_if_due(every, millis_behind_latest).await,
            (result, _) => result,
        };
        match self.settle(result)? {
            Settled::Done if self.watermark.is_due(&*self.checkpointer.inner.conversation.clock) => {
                self.checkpoint_all(false).await
            }
            Settled::Done => Ok(Next::Acknowledge),
            Settled::Failed(failed) => self.fail(failed).await,
            Settled::Excused(failed) => Ok(self.excuse(&failed, LEASE_GONE)),
            Settled::End => Ok(Next::End),
        }
    }

    /// Calls the tick if it is due, and if the lease and the daemon are still there.
    async fn tick_if_due(
        &mut self,
        every: Duration,
        millis_behind_latest: MillisBehindLatest,
    ) -> Result<(), Box<HandlerError>> {
        let now = self.checkpointer.inner.conversation.clock.now();
        if self.checkpointer.inner.is_over() || now.saturating_sub(self.ticked) < every {
            return Ok(());
        }
        self.ticked = now;
        self.checkpointer.inner.enter(Scope::Batch);
        self.emit(Event::Called { action: "tick", records: None });
        let Self { processor, shard, caller, checkpointer, .. } = self;
        let input = &mut Tick { millis_behind_latest, shard, checkpointer };
        let result = caller.call(None, move || processor.tick(input)).await;
        self.finish(&result).await;
        self.emit(Event::Returned);
        result.map_err(|failure| HandlerError::new(&self.shard, "tick", failure).into())
    }

    async fn lease_lost(&mut self, action: &'static str) -> Result<Next, Fatal> {
        self.emit(Event::Called { action, records: None });
        let Self { processor, shard, caller, .. } = self;
        let input = &mut LeaseLost { shard };
        let result = caller.call(None, move || processor.lease_lost(input)).await;
        self.finish(&result).await;
        self.emit(Event::Returned);
        match result {
            Ok(()) => Ok(Next::Acknowledge),
            Err(Failure::Gone) => Ok(Next::End),
            Err(failure) => Err(Box::new(HandlerError::new(&self.shard, action, failure)).into()),
        }
    }

    async fn shard_ended(&mut self, action: &'static str) -> Result<Next, Fatal> {
        self.checkpointer.inner.enter_message(Scope::ShardEnd);
        self.emit(Event::Called { action, records: None });
        let Self { processor, shard, caller, checkpointer, .. } = self;
        let input = &mut ShardEnded { shard, checkpointer };
        let result = caller.call(None, move || processor.shard_ended(input)).await;
        self.finish(&result).await;
        self.emit(Event::Returned);
        let result = result.map_err(|failure| Box::new(HandlerError::new(&self.shard, action, failure)));
        match self.settle(result)? {
            Settled::Done if self.checkpointer.inner.seen.all_confirmed => Ok(Next::Acknowledge),
            Settled::Done => match self.checkpointer.checkpoint_all().await {
                Ok(()) => Ok(Next::Acknowledge),
                // The daemon's retry becomes `leaseLost`. That excuse does not hold for records that were never
                // processed.
                Err(CheckpointError::LeaseLost) if !self.checkpointer.inner.gap => Ok(Next::Acknowledge),
                Err(source) => match self.conversation().take_broken() {
                    Some(Broken::Error(error)) => Err(error),
                    _ => Err(Box::new(RunError::ShardEnd { shard: self.shard.id().to_owned(), source })),
                },
            },
            // No checkpoint of the records that are done: here the daemon reads the last record's number as SHARD_END.
            Settled::Failed(failed) => Err(failed.into()),
            Settled::Excused(failed) => Ok(self.excuse(&failed, LEASE_GONE)),
            Settled::End => Ok(Next::End),
        }
    }

    async fn shutdown_requested(&mut self) -> Result<Next, Fatal> {
        let hole = mem::take(&mut self.hole);
        let why = if self.checkpointer.inner.gap { LEASE_GONE } else { "no record is done" };
        self.checkpointer.inner.enter_message(match self.watermark.done {
            // Everything that was delivered would include the records that were dropped.
            Some((sequence_number, sub_sequence_number)) if hole => Scope::Record(sequence_number, sub_sequence_number),
            _ => Scope::Shutdown,
        });
        self.checkpointer.inner.gap |= hole && self.watermark.done.is_none();
        self.emit(Event::Called { action: "shutdownRequested", records: None });
        let Self { processor, shard, caller, checkpointer, .. } = self;
        let input = &mut ShutdownRequested { shard, checkpointer };
        let result = caller.call(None, move || processor.shutdown_requested(input)).await;
        self.finish(&result).await;
        self.emit(Event::Returned);
        let result = result.map_err(|failure| {
            let failed = HandlerError::new(&self.shard, "shutdownRequested", failure);
            Box::new(failed)
        });
        let next = match self.settle(result)? {
            Settled::Done if self.checkpointer.inner.seen.all_confirmed => Ok(Next::Acknowledge),
            Settled::Done if hole && self.watermark.outstanding == 0 => Ok(Next::Acknowledge),
            Settled::Done => self.checkpoint_all(hole).await,
            // No checkpoint was sent to the daemon, and it needs none: there are no more records.
            Settled::Failed(failed) if self.checkpointer.inner.gap && lacks_the_lease(&failed) => {
                Ok(self.excuse(&failed, why))
            }
            Settled::Failed(failed) => self.fail(failed).await,
            Settled::Excused(failed) => Ok(self.excuse(&failed, LEASE_GONE)),
            Settled::End => Ok(Next::End),
        };
        self.checkpointer.inner.gap |= hole;
        next
    }

    /// Notes what a call of user code left behind, before anything else is sent to the daemon.
    pub(super) async fn finish<T>(&mut self, result: &Result<T, Failure>) {
        if matches!(result, Err(Failure::Gone)) {
            self.conversation().lose();
        } else if self.checkpointer.inner.must_catch_up() {
            let waits = self.conversation().waits;
            self.checkpointer.inner.catch_up(waits).await;
        }
        self.emit(Event::Attempted(result.as_ref().map(drop)));
    }

    /// Judges a handler's result, before the runtime's own checkpoint.
    fn settle(&mut self, result: Result<(), Box<HandlerError>>) -> Result<Settled, Fatal> {
        let broken = self.conversation().take_broken();
        match (broken, result) {
            (Some(Broken::Error(error)), _) => Err(error),
            (None, Ok(())) => Ok(Settled::Done),
            (Some(Broken::End), Ok(())) => Ok(Settled::End),
            (Some(Broken::End), Err(failed)) if failed.is_gone() => Ok(Settled::End),
            (Some(Broken::End), Err(failed)) => Err(failed.into()),
            (None, Err(failed)) if self.checkpointer.inner.seen.lease_lost => Ok(Settled::Excused(failed)),
            (None, Err(failed)) => Ok(Settled::Failed(failed)),
        }
    }

    /// Makes the runtime's checkpoint for everything that was delivered, or for everything before a `hole`. Failure is not a
    /// reason to stop: the next checkpoint covers the same records.
    async fn checkpoint_all(&mut self, hole: bool) -> Result<Next, Fatal> {
        if P::CHECKPOINTS == Checkpoints::Handler || self.checkpointer.inner.gap {
            return Ok(Next::Acknowledge);
        }
        let made = match self.watermark.done.filter(|_| hole) {
            Some((number, sub)) => self.checkpointer.checkpoint_at_sequence(number, sub).await,
            None => self.checkpointer.checkpoint_all().await,
        };
        match made {
            Ok(()) => self.watermark.confirm(&*self.checkpointer.inner.conversation.clock),
            Err(error) => match self.conversation().take_broken() {
                Some(Broken::Error(error)) => return Err(error),
                Some(Broken::End) => return Ok(Next::End),
                None => {
                    self.watermark.refuse(&*self.checkpointer.inner.conversation.clock);
                    self.report_line(format_args!("a checkpoint was not made: {error}"));
                }
            },
        }
        Ok(Next::Acknowledge)
    }

    /// Handles a handler's failure: checkpoints the records that have succeeded, if the daemon does not know of them
    /// yet.
    async fn fail(&mut self, failed: Box<HandlerError>) -> Result<Next, Fatal> {
        let known = P::CHECKPOINTS == Checkpoints::Handler
            || self.watermark.outstanding == 0
            || self.checkpointer.inner.seen.all_confirmed;
        if let Some((sequence_number, sub_sequence_number)) = self.watermark.done.filter(|_| !known) {
            if let Err(error) = self.checkpointer.checkpoint_at_sequence(sequence_number, sub_sequence_number).await {
                self.report_line(format_args!("the records that succeeded could not be checkpointed: {error}"));
            }
        }
        if self.checkpointer.inner.seen.lease_lost { Ok(self.excuse(&failed, LEASE_GONE)) } else { Err(failed.into()) }
    }

    /// Excuses a handler's failure. The lease's new owner receives the records, and a failure here would only end the whole worker.
    fn excuse(&mut self, failed: &HandlerError, why: &str) -> Next {
        let report = &self.conversation().report;
        report.line(format_args!("{failed}; the message is acknowledged anyway, because {why}"));
        self.checkpointer.inner.gap = true;
        Next::Acknowledge
    }

    /// Leaves the rest of a batch to the lease's new owner, because a checkpoint between its records showed that the lease
    /// is gone.
    fn leave(&mut self, rest: &[Record]) -> Next {
        if let Some(first) = rest.first() {
            let (number, sub, count) = (first.sequence_number(), first.sub_sequence_number(), rest.len());
            let records = if count == 1 { "record of the batch is" } else { "records of the batch are" };
            self.report_line(format_args!(
                "the lease is gone before record {number}/{sub}: {count} {records} left to its new owner, and the message is \
                 acknowledged"
            ));
        }
        self.checkpointer.inner.gap = true;
        Next::Acknowledge
    }

    pub(super) fn report_line(&self, text: impl std::fmt::Display) {
        self.checkpointer.inner.conversation.report.line(format_args!("shard {}: {text}", self.shard.id()));
    }

    pub(super) fn conversation(&mut self) -> &mut Conversation {
        &mut self.checkpointer.inner.conversation
    }

    #[inline(always)]
    pub(super) fn emit(&mut self, event: Event<'_>) {
        self.checkpointer.inner.conversation.emit(event);
    }
}

/// The reason why a failure is excused.
const LEASE_GONE: &str = "the lease is gone";

/// Whether a handler failed because a checkpoint found that the lease is gone.
fn lacks_the_lease(failed: &HandlerError) -> bool {
    let is_lost = |error: &(dyn Error + 'static)| matches!(error.downcast_ref(), Some(CheckpointError::LeaseLost));
    causes(failed.failure().as_error()).any(is_lost)
}

/// A handler's result, judged.
enum Settled {
    /// The handler succeeded.
    Done,
    Failed(Box<HandlerError>),
    /// The handler failed, but the lease is gone.
    Excused(Box<HandlerError>),
    /// The daemon is gone.
    End,
}
