//! Checkpoints: a handler's requests, the daemon's answers, and the retries.

pub(crate) mod asynchronous;
pub(crate) mod error;
pub(crate) mod pace;

use std::future::poll_fn;
use std::task::{Context, Poll};

use crate::checkpoint::error::CheckpointError;
use crate::protocol::{Message, Reply};
use crate::record::Record;
use crate::runner::conversation::{Conversation, Waits, now};
use crate::runner::events::Event;
use crate::runner::retry::{ATTEMPTS, ATTEMPTS_AT_SHARD_END, Backoff};
use crate::sequence::SequenceNumber;

/// Reports to the daemon how far a shard has been processed. A handler takes it as `&mut Checkpointer`.
///
/// The meaning of [`checkpoint()`](Self::checkpoint) depends on the handler:
///
/// | in | it means |
/// |---|---|
/// | `#[on_records]` | the whole batch |
/// | `#[on_record]` | up to and including this record |
/// | `#[on_shard_end]` | SHARD_END |
/// | `#[on_shutdown_requested]` | the last record that was delivered |
///
/// If a record handler takes a `Checkpointer`, the handler alone decides when its records are checkpointed. The runtime
/// then checkpoints only SHARD_END.
///
/// Each call waits for the daemon's answer. After a [retryable](CheckpointError::is_retryable) refusal the call tries
/// again, up to 5 times in total (10 at the end of a shard). Between attempts, it waits for a random time of up to 100
/// ms, then of up to 200 ms, and so on, but at most 2 s.
///
/// ```
/// # use kcl::{CheckpointError, Checkpointer, Record};
/// # struct Audit;
/// # impl Audit {
/// fn records(&mut self, records: &[Record], checkpointer: &mut Checkpointer) -> Result<(), CheckpointError> {
///     for (count, record) in (1..).zip(records) {
///         // … store it …
///         if count % 100 == 0 {
///             checkpointer.checkpoint_at(record)?;
///         }
///     }
///     checkpointer.checkpoint()
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Checkpointer {
    pub(crate) conversation: Conversation,
    scope: Scope,
    /// The outcome of this message's checkpoints so far; reset by [`Checkpointer::enter_message`].
    pub(crate) seen: Seen,
    /// A message was acknowledged although its records were not processed, because the lease was gone: no checkpoint
    /// may pass them.
    pub(crate) gap: bool,
    /// The last request.
    pub(crate) asked: Reply,
    /// Its answer was not read yet. This remains so if the future that waits for the answer is dropped.
    is_owed: bool,
}

/// The request to checkpoint everything that was delivered.
pub(crate) const ALL: Reply = Reply::Checkpoint { sequence_number: None, sub_sequence_number: None };

/// The meaning of [`Checkpointer::checkpoint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The whole batch.
    Batch,
    /// One record of a batch.
    Record(SequenceNumber, u64),
    /// The shard's end.
    ShardEnd,
    /// Everything that was delivered.
    Shutdown,
}

/// The outcome of one message's checkpoints.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    /// The daemon answered that the lease is gone.
    pub(crate) lease_lost: bool,
    /// A checkpoint for everything that was delivered (at shard end: SHARD_END) was accepted.
    pub(crate) all_confirmed: bool,
}

impl Checkpointer {
    pub(crate) fn new(conversation: Conversation) -> Self {
        Self { conversation, scope: Scope::Batch, seen: Seen::default(), gap: false, asked: ALL, is_owed: false }
    }

    /// Starts a new message.
    pub(crate) fn enter_message(&mut self, scope: Scope) {
        self.seen = Seen::default();
        self.enter(scope);
    }

    /// Starts another part of the same message.
    pub(crate) fn enter(&mut self, scope: Scope) {
        self.scope = scope;
    }

    /// Whether no more checkpoints are possible in this message.
    pub(crate) fn is_over(&self) -> bool {
        self.seen.lease_lost || self.conversation.is_broken()
    }

    /// Checkpoints the records that this call of the handler received; see [`Checkpointer`].
    ///
    /// # Errors
    ///
    /// The daemon's refusal after all retries, or a broken connection; see [`CheckpointError`].
    pub fn checkpoint(&mut self) -> Result<(), CheckpointError> {
        now(self.checkpoint_scope(Waits::Thread))
    }

    /// Checkpoints up to and including this record. The record's sub-sequence number is taken into account.
    ///
    /// # Errors
    ///
    /// The errors of [`checkpoint`](Self::checkpoint), and [`CheckpointError::OutOfRange`] for a record before the last
    /// checkpoint or after the last record that was delivered.
    pub fn checkpoint_at(&mut self, record: &Record) -> Result<(), CheckpointError> {
        self.checkpoint_at_sequence(record.sequence_number(), record.sub_sequence_number())
    }

    /// Checkpoints up to and including this sequence number and sub-sequence number (0 if the record was not
    /// aggregated).
    ///
    /// # Errors
    ///
    /// The errors of [`checkpoint_at`](Self::checkpoint_at).
    pub fn checkpoint_at_sequence(
        &mut self,
        sequence_number: SequenceNumber,
        sub_sequence_number: u64,
    ) -> Result<(), CheckpointError> {
        now(self.checkpoint_to(sequence_number, sub_sequence_number, Waits::Thread))
    }

    /// Does what [`checkpoint`](Self::checkpoint) does.
    async fn checkpoint_scope(&mut self, waits: Waits) -> Result<(), CheckpointError> {
        match self.scope {
            // Null means the end of the whole batch, so this names the record.
            Scope::Record(sequence_number, sub_sequence_number) => {
                self.checkpoint_to(sequence_number, sub_sequence_number, waits).await
            }
            Scope::Batch | Scope::ShardEnd | Scope::Shutdown => self.checkpoint_all(waits).await,
        }
    }

    /// Does what [`checkpoint_at_sequence`](Self::checkpoint_at_sequence) does.
    pub(crate) async fn checkpoint_to(
        &mut self,
        sequence_number: SequenceNumber,
        sub_sequence_number: u64,
        waits: Waits,
    ) -> Result<(), CheckpointError> {
        self.request(request_to(sequence_number, sub_sequence_number)?, waits).await
    }

    /// Checkpoints everything up to here, including records that the daemon did not pass on; at shard end, SHARD_END.
    pub(crate) fn checkpoint_all(&mut self, waits: Waits) -> impl Future<Output = Result<(), CheckpointError>> {
        self.request(ALL, waits)
    }

    async fn request(&mut self, request: Reply, waits: Waits) -> Result<(), CheckpointError> {
        if self.is_owed {
            self.catch_up(waits).await;
        }
        if self.gap {
            return Err(CheckpointError::LeaseLost);
        }
        self.asked = request;
        let attempts = self.attempts();
        let mut attempt = 1;
        loop {
            let result = match self.ask() {
                Ok(()) => poll_fn(|cx| self.poll_answer(cx, waits)).await,
                Err(error) => Err(error),
            };
            match result {
                Err(error) if error.is_retryable() && attempt < attempts => {
                    self.wait(Backoff::CHECKPOINTS, attempt, waits).await;
                }
                result => {
                    self.note(&result);
                    return result;
                }
            }
            attempt += 1;
        }
    }

    /// The number of attempts to make a checkpoint.
    pub(crate) fn attempts(&self) -> u32 {
        if self.scope == Scope::ShardEnd { ATTEMPTS_AT_SHARD_END } else { ATTEMPTS }
    }

    /// Sends the last request, perhaps again.
    pub(crate) fn ask(&mut self) -> Result<(), CheckpointError> {
        self.conversation.ask(&self.asked).map_err(CheckpointError::Io)?;
        self.is_owed = true;
        Ok(())
    }

    /// Waits after attempt number `attempt`, counted from 1. The wait ends early if the daemon goes away.
    pub(crate) async fn wait(&mut self, backoff: Backoff, attempt: u32, waits: Waits) {
        self.conversation.wait(backoff.limit(attempt), waits).await;
    }

    /// Receives the answer to the last request.
    pub(crate) fn poll_answer(&mut self, cx: &mut Context<'_>, waits: Waits) -> Poll<Result<(), CheckpointError>> {
        let Poll::Ready(answer) = self.conversation.poll_answer(cx, waits) else { return Poll::Pending };
        self.is_owed = false;
        Poll::Ready(match answer.map_err(CheckpointError::Io)? {
            Message::Checkpoint { error: None, .. } => {
                self.conversation.emit(Event::Accepted);
                Ok(())
            }
            Message::Checkpoint { error: Some(name), .. } => Err(CheckpointError::from_daemon(name)),
            other => Err(CheckpointError::Io(self.conversation.unexpected(&other, "the answer to a checkpoint"))),
        })
    }

    /// Whether an answer is owed to a request that nobody waits for any more. Until it is read, the daemon would take whatever follows
    /// for something else.
    pub(crate) fn must_catch_up(&self) -> bool {
        self.is_owed
    }

    /// Reads the answer that is owed.
    #[cold]
    pub(crate) async fn catch_up(&mut self, waits: Waits) {
        let result = poll_fn(|cx| self.poll_answer(cx, waits)).await;
        self.note(&result);
    }

    /// Notes the outcome of the last request.
    pub(crate) fn note(&mut self, result: &Result<(), CheckpointError>) {
        match result {
            Ok(()) => self.seen.all_confirmed |= self.asked == ALL,
            Err(error) => self.seen.lease_lost |= matches!(error, CheckpointError::LeaseLost),
        }
        self.conversation.emit(Event::Checkpoint { request: &self.asked, result: result.as_ref().copied() });
    }
}

/// The request to checkpoint up to and including this record.
pub(crate) fn request_to(sequence_number: SequenceNumber, sub_sequence_number: u64) -> Result<Reply, CheckpointError> {
    Ok(Reply::Checkpoint {
        sequence_number: Some(sequence_number.to_string()),
        // The daemon reads it as a Java long; no record has a larger one.
        sub_sequence_number: Some(sub_sequence_number.try_into().map_err(|_| CheckpointError::OutOfRange)?),
    })
}
