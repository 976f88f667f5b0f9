//! The checkpointer of `async` code.

use crate::checkpoint::Checkpointer;
use crate::checkpoint::error::CheckpointError;
use crate::record::Record;
use crate::sequence::SequenceNumber;

/// Reports to the daemon how far a shard has been processed. An `async` handler takes it as `&mut AsyncCheckpointer`, and a blocking
/// one takes a [`Checkpointer`].
///
/// Its methods mean what those of [`Checkpointer`] mean. While one of them waits for the daemon, or for another attempt after a refusal,
/// the thread runs other tasks.
///
/// If the future of a method is dropped before it is ready, the checkpoint may or may not be made. The daemon's answer is read before
/// anything else is sent to it.
///
#[cfg_attr(feature = "tokio", doc = "```")]
#[cfg_attr(not(feature = "tokio"), doc = "```ignore")]
/// # use kcl::{AsyncCheckpointer, CheckpointError, Record};
/// # struct Audit;
/// # impl Audit {
/// async fn records(&mut self, records: &[Record], checkpointer: &mut AsyncCheckpointer) -> Result<(), CheckpointError> {
///     for (count, record) in (1..).zip(records) {
///         // … store it …
///         if count % 100 == 0 {
///             checkpointer.checkpoint_at(record).await?;
///         }
///     }
///     checkpointer.checkpoint().await
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct AsyncCheckpointer {
    pub(crate) inner: Checkpointer,
}

impl AsyncCheckpointer {
    pub(crate) fn new(inner: Checkpointer) -> Self {
        Self { inner }
    }

    /// Checkpoints everything up to here; see [`Checkpointer::checkpoint_all`].
    pub(crate) fn checkpoint_all(&mut self) -> impl Future<Output = Result<(), CheckpointError>> {
        self.inner.checkpoint_all(self.inner.conversation.waits)
    }

    /// Checkpoints the records that this call of the handler received; see [`Checkpointer`].
    ///
    /// # Errors
    ///
    /// The daemon's refusal after all retries, or a broken connection; see [`CheckpointError`].
    pub async fn checkpoint(&mut self) -> Result<(), CheckpointError> {
        let waits = self.inner.conversation.waits;
        self.inner.checkpoint_scope(waits).await
    }

    /// Checkpoints up to and including this record. The record's sub-sequence number is taken into account.
    ///
    /// # Errors
    ///
    /// The errors of [`checkpoint`](Self::checkpoint), and [`CheckpointError::OutOfRange`] for a record before the last
    /// checkpoint or after the last record that was delivered.
    pub async fn checkpoint_at(&mut self, record: &Record) -> Result<(), CheckpointError> {
        self.checkpoint_at_sequence(record.sequence_number(), record.sub_sequence_number()).await
    }

    /// Checkpoints up to and including this sequence number and sub-sequence number (0 if the record was not
    /// aggregated).
    ///
    /// # Errors
    ///
    /// The errors of [`checkpoint_at`](Self::checkpoint_at).
    pub async fn checkpoint_at_sequence(
        &mut self,
        sequence_number: SequenceNumber,
        sub_sequence_number: u64,
    ) -> Result<(), CheckpointError> {
        let waits = self.inner.conversation.waits;
        self.inner.checkpoint_to(sequence_number, sub_sequence_number, waits).await
    }
}
