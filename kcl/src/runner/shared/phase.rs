//! The conversation while records are handled at once: messages are received, held back and answered beside the handlers.
//!
//! A message that needs the processor alone ends the phase. By then, no handler is left that borrows the processor.

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::async_processor::AsyncProcessor;
use crate::checkpoint::{Checkpointer, Scope};
use crate::clock::Sleep;
use crate::concurrency::{Concurrency, ConcurrentTick};
use crate::error::{BoxError, Failure, Fatal, HandlerError};
use crate::io::lines::Watcher;
use crate::protocol::{Message, ShutdownReason};
use crate::record::Record;
use crate::runner::call::{clear, guard};
use crate::runner::conversation::{Broken, Conversation, Waits};
use crate::runner::events::Event;
use crate::runner::session::Next;
use crate::runner::shared::ring::Arrival;
use crate::runner::shared::slots::poll_beside_slots;
use crate::runner::shared::work::{Job, Work};
use crate::runner::watermark::Watermark;
use crate::shard::{MillisBehindLatest, Shard};

/// The reason the phase is over.
pub(crate) enum Left {
    /// The conversation is over.
    End,
    /// A message needs the processor alone. With `hole`, records were dropped that are not settled.
    Message { message: Message, hole: bool },
}

/// The event that ends the wait of a message that is held back.
enum Held {
    /// It may be answered.
    Released,
    /// A checkpoint is due.
    Due,
    /// A record failed, and the policy does not pass over it.
    Failed,
    /// The daemon is gone, and no reply can reach it.
    Gone,
}

/// The phase.
pub(super) struct Phase<'s, P, M, F> {
    pub(super) processor: &'s P,
    pub(super) shard: &'s Shard,
    pub(super) checkpointer: &'s mut Checkpointer,
    pub(super) watermark: &'s mut Watermark,
    /// The time of the last tick.
    pub(super) ticked: &'s mut Duration,
    pub(super) concurrency: Concurrency,
    pub(super) work: Work<'s, M, F>,
    /// The number of records that the watermark has passed.
    pub(super) reached: Arrival,
    /// The number of records of a message that came too late to be handled.
    pub(super) untouched: usize,
    /// The wait for the next event that is due, and the time of that event.
    pub(super) timer: Option<(Duration, Sleep)>,
    /// The time at which the present wait has to end.
    pub(super) due: Option<Duration>,
    /// The end of the time that running handlers get after a failure, or before a shutdown.
    pub(super) limit: Option<Duration>,
    /// Notices the end of the daemon while a message is held back.
    pub(super) watcher: Option<Box<dyn Watcher>>,
    /// The lease is gone, so no checkpoint is made.
    pub(super) is_lost: bool,
}

impl<P, M, F> Phase<'_, P, M, F>
where
    P: AsyncProcessor,
    M: Fn(Job) -> F,
    F: Future<Output = Result<(), BoxError>>,
{
    /// Converses until a message needs the processor alone, or until the conversation is over.
    pub(super) async fn run(&mut self) -> Result<Left, Fatal> {
        loop {
            let Some(message) = self.receive().await? else { return Ok(Left::End) };
            let action = message.action();
            let next = match message {
                Message::ProcessRecords { records, millis_behind_latest } => {
                    let behind = MillisBehindLatest(millis_behind_latest.map(Duration::from_millis));
                    self.process_records(records, behind).await?
                }
                Message::ShardEnded | Message::Shutdown { reason: ShutdownReason::Terminate } => {
                    match self.shard_ended().await? {
                        None => return Ok(Left::Message { message, hole: false }),
                        Some(next) => next,
                    }
                }
                Message::ShutdownRequested => match self.shutdown_requested().await? {
                    None => return Ok(Left::Message { message, hole: self.work.ring.open() > 0 }),
                    Some(next) => next,
                },
                Message::LeaseLost | Message::Shutdown { reason: ShutdownReason::Zombie } => {
                    self.leave();
                    return Ok(Left::Message { message, hole: false });
                }
                // Nobody handles it, and that ends the run.
                Message::Initialize { .. } | Message::Checkpoint { .. } => {
                    self.break_off();
                    return Ok(Left::Message { message, hole: false });
                }
            };
            let goes_on = match next {
                Next::Acknowledge => match self.conversation().acknowledge(action) {
                    Ok(()) => true,
                    Err(Broken::End) => false,
                    Err(Broken::Error(error)) => return Err(error),
                },
                Next::End => {
                    self.report_line(format_args!("the daemon was gone before {action} could be acknowledged"));
                    self.work.give_up_parked(&mut self.checkpointer.conversation);
                    false
                }
            };
            if !goes_on {
                self.work.cancel(&mut self.checkpointer.conversation);
                // The end of the daemon does not excuse the failure.
                return self.work.failed.take().map_or(Ok(Left::End), |failed| Err(self.end_with(failed)));
            }
        }
    }

    /// Waits for a message, beside the handlers. `None` at the end of the input.
    ///
    /// After a failure, it waits only as long as running handlers may take. Without a message, nothing can be checkpointed.
    async fn receive(&mut self) -> Result<Option<Message>, Fatal> {
        let message = self
            .beside(|this, cx| match this.conversation().poll_receive(cx, Waits::Task) {
                Poll::Pending if this.work.failed.is_some() && this.is_past_limit() => Poll::Ready(Ok(None)),
                received => received,
            })
            .await?;
        if message.is_none() {
            self.work.cancel(&mut self.checkpointer.conversation);
            if let Some(failed) = self.work.failed.take() {
                return Err(self.end_with(failed));
            }
        }
        Ok(message)
    }

    /// Waits until `done` is ready, while handlers go on.
    pub(super) async fn beside<T>(&mut self, mut done: impl FnMut(&mut Self, &mut Context<'_>) -> Poll<T>) -> T {
        poll_fn(|cx| {
            self.work.turn(cx.waker(), &mut self.checkpointer.conversation);
            if self.work.failed.is_some() && self.limit.is_none() {
                self.limit_to_drain();
            }
            // The limit holds whatever the conversation waits for, such as the answer to a checkpoint.
            if self.work.is_running() && self.is_past_limit() {
                self.work.cancel(&mut self.checkpointer.conversation);
            }
            self.due = None;
            let done = done(self, cx);
            if done.is_pending() {
                self.poll_timer(cx);
            }
            done
        })
        .await
    }

    /// Wakes the task when an event is due that comes neither from a handler nor from the daemon.
    fn poll_timer(&mut self, cx: &mut Context<'_>) {
        loop {
            let limit = self.limit.filter(|_| self.work.is_running());
            let due = self.work.next_due().into_iter().chain(self.due).chain(limit).min();
            let Some(due) = due else { return self.timer = None };
            let clock = &self.checkpointer.conversation.clock;
            // A timer that goes off too early is cheaper than a new one for each change.
            if self.timer.as_ref().is_none_or(|(until, _)| *until > due) {
                self.timer = Some((due, clock.sleep_until(due)));
            }
            let Some((until, timer)) = &mut self.timer else { return };
            let until = *until;
            if timer.as_mut().poll(cx).is_pending() {
                return;
            }
            self.timer = None;
            if until >= due {
                return cx.waker().wake_by_ref();
            }
        }
    }

    /// Takes a batch, and holds its status back until it may be acknowledged.
    async fn process_records(&mut self, records: Vec<Record>, behind: MillisBehindLatest) -> Result<Next, Fatal> {
        self.checkpointer.enter_message(Scope::Batch);
        self.conversation().emit(Event::Batch(&records));
        self.conversation().emit(Event::Behind(behind));
        if self.work.failed.is_some() {
            self.untouched = records.len();
            return self.fail().await;
        }
        self.work.arrive(records, behind, &self.checkpointer.conversation);
        let Concurrency { ahead, ahead_bytes, .. } = self.concurrency;
        // A batch without records is acknowledged at once, because the one before it was.
        let next = self.hold(|work| work.ring.may_acknowledge(ahead.into(), ahead_bytes)).await?;
        if let Some(next) = next {
            return Ok(next);
        }
        if self.tick_if_due(behind).await.is_break() {
            return Ok(Next::End);
        }
        if self.is_due() {
            if let Some(next) = self.checkpoint().await? {
                return Ok(next);
            }
        }
        if self.work.failed.is_some() { self.fail().await } else { Ok(Next::Acknowledge) }
    }

    /// Holds the status of a message back until it may be sent, and makes the checkpoints that are due meanwhile. Returns the next step
    /// if the status is not to be sent.
    async fn hold(&mut self, may: impl Fn(&Work<'_, M, F>) -> bool) -> Result<Option<Next>, Fatal> {
        loop {
            let held = self.beside(|this, cx| {
                if this.work.failed.is_some() {
                    Poll::Ready(Held::Failed)
                } else if may(&this.work) {
                    Poll::Ready(Held::Released)
                } else if this.is_due_meanwhile() {
                    Poll::Ready(Held::Due)
                } else {
                    this.poll_gone(cx).map(|()| Held::Gone)
                }
            });
            match held.await {
                Held::Released => return Ok(None),
                Held::Due => {
                    if let Some(next) = self.checkpoint().await? {
                        return Ok(Some(next));
                    }
                }
                Held::Failed => return self.fail().await.map(Some),
                Held::Gone => return Ok(Some(Next::End)),
            }
        }
    }

    /// Calls the tick if it is due. Its failure ends the process, whatever the policy is. Breaks if the daemon is gone.
    async fn tick_if_due(&mut self, millis_behind_latest: MillisBehindLatest) -> ControlFlow<()> {
        let now = self.now();
        if P::TICK.is_none_or(|every| now.saturating_sub(*self.ticked) < every) {
            return ControlFlow::Continue(());
        }
        *self.ticked = now;
        self.conversation().emit(Event::Called { action: "tick", records: None });
        let (processor, shard) = (self.processor, self.shard);
        let input = ConcurrentTick { millis_behind_latest, shard };
        let mut call = Some(|| processor.concurrent_tick(&input));
        let mut tick = pin!(None);
        let result = self.beside(|this, cx| {
            let polled = guard(|| {
                if let Some(call) = call.take() {
                    tick.set(Some(call()));
                }
                let poll =
                    |cx: &mut Context<'_>| tick.as_mut().as_pin_mut().map_or(Poll::Pending, |tick| tick.poll(cx));
                poll_beside_slots(cx, poll)
            });
            // Like a running handler, it has a limited time after a failure.
            if polled.is_pending() && (this.is_past_limit() || this.poll_gone(cx).is_ready()) {
                return Poll::Ready(Err(Failure::Gone));
            }
            polled
        });
        let result = result.await;
        clear(tick);
        self.conversation().emit(Event::Attempted(result.as_ref().map(drop)));
        self.conversation().emit(Event::Returned);
        match result {
            Ok(()) => {}
            // A record failed, and that ends the message.
            Err(Failure::Gone) if self.work.failed.is_some() => {}
            Err(Failure::Gone) => return ControlFlow::Break(()),
            Err(failure) => {
                let failed = HandlerError::new(shard, "tick", failure);
                self.work.fail(failed, &mut self.checkpointer.conversation);
            }
        }
        ControlFlow::Continue(())
    }

    /// Settles everything, and leaves the end of the shard to the processor alone.
    async fn shard_ended(&mut self) -> Result<Option<Next>, Fatal> {
        self.checkpointer.enter_message(Scope::Batch);
        self.hold(|work| work.ring.open() == 0).await
    }

    /// Lets the running handlers finish, drops what is left, and leaves the message to the processor alone.
    async fn shutdown_requested(&mut self) -> Result<Option<Next>, Fatal> {
        self.checkpointer.enter_message(Scope::Batch);
        if self.work.failed.is_none() {
            self.work.close(&mut self.checkpointer.conversation);
            self.limit_to_drain();
            if self.drain().await.is_break() {
                return Ok(Some(Next::End));
            }
        }
        if self.work.failed.is_some() {
            return self.fail().await.map(Some);
        }
        let is_past_limit = self.is_past_limit();
        self.work.cancel(&mut self.checkpointer.conversation);
        self.advance();
        self.report_left(is_past_limit);
        Ok(None)
    }

    /// Says how many records are left at a shutdown.
    fn report_left(&self, is_past_limit: bool) {
        let open = self.work.ring.open();
        let (records, its, it) = match open {
            0 => return,
            1 => ("record was", "its", "it"),
            _ => ("records were", "their", "them"),
        };
        let drain = self.concurrency.drain;
        let when = match is_past_limit {
            true => format!("still not done {drain:?} after the shutdown was requested"),
            // Their attempts had not begun, or had failed.
            false => "not done before the shutdown".to_owned(),
        };
        self.report_line(format_args!("{open} {records} {when}; {its} next owner gets {it}"));
    }

    /// Waits until no handler runs, which is at the limit at the latest. Breaks if the daemon is gone.
    pub(super) async fn drain(&mut self) -> ControlFlow<()> {
        self.beside(|this, cx| {
            if !this.work.is_running() {
                return Poll::Ready(ControlFlow::Continue(()));
            }
            this.poll_gone(cx).map(ControlFlow::Break)
        })
        .await
    }

    fn limit_to_drain(&mut self) {
        self.limit = Some(self.now().saturating_add(self.concurrency.drain));
    }

    /// Whether the time of the running handlers is over. If not, the wait ends with that time.
    fn is_past_limit(&mut self) -> bool {
        self.due = self.limit;
        self.limit.is_some_and(|limit| self.now() >= limit)
    }

    /// Waits until nobody can read the reply. If the input has ended, a record that waits for its next attempt fails here; running
    /// handlers may finish.
    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.work.has_parked() && self.poll_input(cx).is_ready() {
            self.work.give_up_parked(&mut self.checkpointer.conversation);
            cx.waker().wake_by_ref();
        }
        self.watcher.as_mut().map_or(Poll::Pending, |watcher| watcher.poll_both(cx))
    }

    /// Waits for the end of the input.
    pub(super) fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.watcher {
            Some(watcher) if !self.checkpointer.conversation.has_unread() => watcher.poll_input(cx),
            _ => Poll::Pending,
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.checkpointer.conversation.clock.now()
    }

    pub(super) fn conversation(&mut self) -> &mut Conversation {
        &mut self.checkpointer.conversation
    }

    pub(super) fn report_line(&self, text: impl std::fmt::Display) {
        self.checkpointer.conversation.report.line(format_args!("shard {}: {text}", self.shard.id()));
    }
}
