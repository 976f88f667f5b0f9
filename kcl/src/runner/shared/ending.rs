//! The checkpoints of the phase, and its end after a failure or without the lease.

use std::task::Poll;

use crate::async_processor::AsyncProcessor;
use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::pace::Checkpoints;
use crate::checkpoint::{ALL, request_to};
use crate::error::{BoxError, Fatal, HandlerError};
use crate::protocol::Reply;
use crate::runner::conversation::{Broken, Waits};
use crate::runner::retry::Backoff;
use crate::runner::session::Next;
use crate::runner::shared::phase::Phase;
use crate::runner::shared::work::Job;

impl<P, M, F> Phase<'_, P, M, F>
where
    P: AsyncProcessor,
    M: Fn(Job) -> F,
    F: Future<Output = Result<(), BoxError>>,
{
    /// Moves the watermark to the end of the records that are settled without a gap.
    pub(super) fn advance(&mut self) {
        let prefix = self.work.ring.prefix();
        if let Some(last) = self.work.ring.last().filter(|_| prefix > self.reached) {
            self.watermark.advance(last, prefix - self.reached);
            self.reached = prefix;
        }
    }

    /// Whether a checkpoint may be made at all.
    fn may_checkpoint(&self) -> bool {
        P::CHECKPOINTS != Checkpoints::Handler && !self.checkpointer.gap && !self.is_lost
    }

    /// Whether a checkpoint is due before a status.
    pub(super) fn is_due(&mut self) -> bool {
        self.advance();
        self.may_checkpoint() && self.watermark.is_due(&*self.checkpointer.conversation.clock)
    }

    /// Whether a checkpoint is due while a status is held back. If not, the wait ends at the time at which one is due.
    pub(super) fn is_due_meanwhile(&mut self) -> bool {
        self.advance();
        if !self.may_checkpoint() {
            return false;
        }
        self.due = self.watermark.due_at();
        let clock = &self.checkpointer.conversation.clock;
        self.watermark.is_due_between(0, || Some(clock.now()))
    }

    /// Makes a checkpoint of the records that are settled without a gap, beside the handlers. The next checkpoint covers what they
    /// settle meanwhile. Returns the next step of the message if the lease or the daemon is gone.
    pub(super) async fn checkpoint(&mut self) -> Result<Option<Next>, Fatal> {
        self.advance();
        let count = self.watermark.outstanding;
        // Null means everything that was delivered.
        let request = match self.watermark.done {
            _ if self.work.ring.open() == 0 => Ok(ALL),
            Some((number, sub)) => request_to(number, sub),
            // Without a settled record, no checkpoint is due.
            None => return Ok(None),
        };
        match self.request(request).await {
            Ok(()) => self.watermark.confirm_first(count, &*self.checkpointer.conversation.clock),
            Err(CheckpointError::LeaseLost) => return Ok(Some(self.lose())),
            // A later checkpoint covers the same records.
            Err(error) => match self.conversation().take_broken() {
                Some(Broken::Error(error)) => return Err(error),
                Some(Broken::End) => return Ok(Some(Next::End)),
                None => {
                    self.watermark.refuse(&*self.checkpointer.conversation.clock);
                    self.report_line(format_args!("a checkpoint was not made: {error}"));
                }
            },
        }
        Ok(None)
    }

    /// Sends a request until it is accepted or no attempt is left, beside the handlers.
    async fn request(&mut self, request: Result<Reply, CheckpointError>) -> Result<(), CheckpointError> {
        self.checkpointer.asked = request?;
        let attempts = self.checkpointer.attempts();
        let mut attempt = 1;
        loop {
            self.checkpointer.ask()?;
            let result = self.beside(|this, cx| this.checkpointer.poll_answer(cx, Waits::Task)).await;
            if attempt == attempts || !result.as_ref().is_err_and(CheckpointError::is_retryable) {
                self.checkpointer.note(&result);
                return result;
            }
            let clock = &self.checkpointer.conversation.clock;
            let until = clock.now().saturating_add(clock.jitter(Backoff::CHECKPOINTS.limit(attempt)));
            self.beside(|this, cx| {
                if this.poll_input(cx).is_ready() {
                    this.conversation().lose();
                    return Poll::Ready(());
                }
                this.due = Some(until);
                if this.now() >= until { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            attempt += 1;
        }
    }

    /// Ends the phase within a message, after a failure that ends the process. Lets running handlers finish, checkpoints what is
    /// settled, and does not acknowledge the message.
    pub(super) async fn fail(&mut self) -> Result<Next, Fatal> {
        let is_gone = self.drain().await.is_break() || self.work.is_over;
        self.work.cancel(&mut self.checkpointer.conversation);
        self.advance();
        if self.watermark.outstanding > 0 && self.may_checkpoint() && !is_gone {
            if let Some((number, sub)) = self.watermark.done {
                let count = self.watermark.outstanding;
                // Explicitly, because null would pass the record that failed.
                match self.request(request_to(number, sub)).await {
                    Ok(()) => self.watermark.confirm_first(count, &*self.checkpointer.conversation.clock),
                    Err(CheckpointError::LeaseLost) => return Ok(self.lose()),
                    Err(error) => {
                        if let Some(Broken::Error(error)) = self.conversation().take_broken() {
                            return Err(error);
                        }
                        let text = "the records that succeeded could not be checkpointed";
                        self.report_line(format_args!("{text}: {error}"));
                    }
                }
            }
        }
        match self.work.failed.take() {
            Some(failed) => Err(self.end_with(failed)),
            None => Ok(Next::Acknowledge),
        }
    }

    /// The error with which the run ends. Reports how many records will be delivered again.
    pub(super) fn end_with(&mut self, failed: HandlerError) -> Fatal {
        self.advance();
        let open = self.work.ring.open() + self.untouched;
        let again = self.work.ring.arrived() - self.reached + self.watermark.outstanding + self.untouched as u64;
        let done = again.saturating_sub(open as u64);
        let records = if again == 1 { "record" } else { "records" };
        let done = match done {
            0 => String::new(),
            1 => ", although 1 of them is done".to_owned(),
            done => format!(", although {done} of them are done"),
        };
        if again > 0 {
            self.report_line(format_args!("{again} {records} will be delivered again{done}"));
        }
        Box::new(failed.into())
    }

    /// Drops everything, and acknowledges the message, after a checkpoint has found out that the lease is gone.
    fn lose(&mut self) -> Next {
        self.is_lost = true;
        self.work.cancel(&mut self.checkpointer.conversation);
        let open = self.work.ring.open() + self.untouched;
        if open > 0 {
            let records = if open == 1 { "record is" } else { "records are" };
            self.report_line(format_args!(
                "the lease is gone: {open} {records} left to its new owner, and the message is acknowledged"
            ));
            self.checkpointer.gap = true;
        }
        self.excuse();
        self.work.forget();
        (self.reached, self.untouched, self.limit) = (0, 0, None);
        Next::Acknowledge
    }

    /// Drops everything, because the message says that the lease is gone.
    pub(super) fn leave(&mut self) {
        self.work.cancel(&mut self.checkpointer.conversation);
        self.checkpointer.gap |= self.work.ring.open() > 0;
        self.excuse();
    }

    /// Drops everything before a message that breaks the conversation. A failure is reported, too.
    pub(super) fn break_off(&mut self) {
        self.work.cancel(&mut self.checkpointer.conversation);
        if let Some(failed) = self.work.failed.take() {
            self.conversation().report.lines(&failed, &failed.backtrace());
        }
    }

    /// Excuses a failure, because the lease is gone: the record belongs to its new owner.
    fn excuse(&mut self) {
        if let Some(failed) = self.work.failed.take() {
            let text = "the message is acknowledged anyway, because the lease is gone";
            self.conversation().report.line(format_args!("{failed}; {text}"));
        }
    }
}
