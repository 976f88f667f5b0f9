//! Batches that are handled record by record, with a count of the records that succeeded.

use crate::checkpoint::asynchronous::AsyncCheckpointer;
use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::{Checkpointer, Scope};
use crate::error::BoxError;
use crate::inputs::{ProcessRecord, ProcessRecords, Progress};
use crate::record::Record;
use crate::runner::conversation::{Conversation, Waits, now};
use crate::runner::events::Event;
use crate::trace;

/// A handler of one record.
type Handle<'f> = dyn FnMut(&mut ProcessRecord<'_>) -> Result<(), BoxError> + 'f;

impl ProcessRecords<'_> {
    /// Calls `handle` for each record in turn. It keeps count, so that on failure the runtime can name the record that failed and
    /// checkpoint the records before it.
    ///
    /// While nothing fails, no checkpoint is made between the records, because more work may follow the last record. If none
    /// follows, prefer [`settle_each_record`](Self::settle_each_record).
    ///
    /// # Errors
    ///
    /// The first error of `handle`. The records after that one are not handled.
    pub fn for_each_record<F>(&mut self, mut handle: F) -> Result<(), BoxError>
    where
        F: FnMut(&mut ProcessRecord<'_>) -> Result<(), BoxError>,
    {
        self.hand_over_each(|_, _| Ok(()), &mut handle)
    }

    /// Does the same as [`for_each_record`](Self::for_each_record), for a processor that is done with a record when
    /// `handle` has returned: no work of its batch may follow. An `#[on_record]` handler is called this way.
    ///
    /// With [`Checkpoints::Interval`](crate::Checkpoints::Interval) and [`Checkpoints::Records`](crate::Checkpoints::Records), the
    /// runtime then also checkpoints between the records of a batch, each time explicitly up to the last record that is done. If such
    /// a checkpoint shows that the lease or the daemon is gone, no further record is handled, whatever the method returns.
    ///
    /// ```
    /// use kcl::{BoxError, Checkpoints, ProcessRecords, Processor};
    ///
    /// struct Print;
    ///
    /// impl Processor for Print {
    ///     const CHECKPOINTS: Checkpoints = Checkpoints::Records(500);
    ///
    ///     fn process_records(&mut self, input: &mut ProcessRecords<'_>) -> Result<(), BoxError> {
    ///         input.settle_each_record(|input| {
    ///             eprintln!("{:?}", input.record());
    ///             Ok(())
    ///         })
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The first error of `handle`, or that of a checkpoint if the lease or the daemon is gone. The records after that
    /// are not handled.
    pub fn settle_each_record<F>(&mut self, mut handle: F) -> Result<(), BoxError>
    where
        F: FnMut(&mut ProcessRecord<'_>) -> Result<(), BoxError>,
    {
        if may_checkpoint_between(self) { self.settle_each(&mut handle) } else { self.for_each_record(handle) }
    }

    /// Hands over each record, and makes the checkpoints that are due between them.
    fn settle_each(&mut self, handle: &mut Handle<'_>) -> Result<(), BoxError> {
        self.watermark.settles = true;
        let before = |this: &mut Self, index| {
            if !is_due(this, index) {
                return Ok(());
            }
            this.checkpointer.conversation.emit(Event::At(None));
            let (watermark, checkpointer) = (&mut *this.watermark, &mut *this.checkpointer);
            let made = now(watermark.checkpoint_between(this.records, index, checkpointer, this.shard, Waits::Thread));
            judge(this, index, made)
        };
        self.hand_over_each(before, handle)
    }

    /// Hands over each record that is left, after a call of `before` with its place.
    #[inline]
    fn hand_over_each<B, F>(&mut self, mut before: B, handle: &mut F) -> Result<(), BoxError>
    where
        B: FnMut(&mut Self, usize) -> Result<(), BoxError>,
        F: FnMut(&mut ProcessRecord<'_>) -> Result<(), BoxError> + ?Sized,
    {
        let records = self.records;
        let result = records.iter().enumerate().skip(self.attempt.first).try_for_each(|(index, record)| {
            if self.left_out.binary_search(&index).is_ok() {
                return Ok(());
            }
            self.attempt.progress = Progress::Records(index);
            before(self, index)?;
            begin(self, index, record);
            let span = trace::record(record);
            let _entered = trace::enter(&span);
            let handled = handle(&mut ProcessRecord {
                record,
                millis_behind_latest: self.millis_behind_latest,
                shard: self.shard,
                checkpointer: self.checkpointer,
            });
            self.checkpointer.conversation.emit(Event::Handled(&handled));
            handled
        });
        end(self, result.is_ok());
        result
    }
}

impl ProcessRecords<'_, AsyncCheckpointer> {
    /// Calls `handle` for each record in turn, after the call before it is over. It keeps count, so that on failure the runtime can
    /// name the record that failed and checkpoint the records before it.
    ///
    /// While nothing fails, no checkpoint is made between the records, because more work may follow the last record. If none
    /// follows, prefer [`settle_each_record`](Self::settle_each_record).
    ///
    /// # Errors
    ///
    /// The first error of `handle`. The records after that one are not handled.
    pub async fn for_each_record<F>(&mut self, mut handle: F) -> Result<(), BoxError>
    where
        F: AsyncFnMut(&mut ProcessRecord<'_, AsyncCheckpointer>) -> Result<(), BoxError>,
    {
        self.await_each(false, &mut handle).await
    }

    /// Does the same as [`for_each_record`](Self::for_each_record), for a processor that is done with a record when the call of
    /// `handle` is over: no work of its batch may follow. An `#[on_record]` handler is called this way.
    ///
    /// With [`Checkpoints::Interval`](crate::Checkpoints::Interval) and [`Checkpoints::Records`](crate::Checkpoints::Records), the
    /// runtime then also checkpoints between the records of a batch, each time explicitly up to the last record that is done. If such
    /// a checkpoint shows that the lease or the daemon is gone, no further record is handled, whatever the method returns.
    ///
    /// # Errors
    ///
    /// The first error of `handle`, or that of a checkpoint if the lease or the daemon is gone. The records after that
    /// are not handled.
    pub async fn settle_each_record<F>(&mut self, mut handle: F) -> Result<(), BoxError>
    where
        F: AsyncFnMut(&mut ProcessRecord<'_, AsyncCheckpointer>) -> Result<(), BoxError>,
    {
        let between = may_checkpoint_between(self);
        self.watermark.settles |= between;
        self.await_each(between, &mut handle).await
    }

    /// Hands over each record that is left. With `between`, makes the checkpoints that are due between them.
    async fn await_each<F>(&mut self, between: bool, handle: &mut F) -> Result<(), BoxError>
    where
        F: AsyncFnMut(&mut ProcessRecord<'_, AsyncCheckpointer>) -> Result<(), BoxError>,
    {
        let mut result = Ok(());
        for (index, record) in self.records.iter().enumerate().skip(self.attempt.first) {
            if self.left_out.binary_search(&index).is_ok() {
                continue;
            }
            self.attempt.progress = Progress::Records(index);
            if between && is_due(self, index) {
                result = self.checkpoint_between(index).await;
                if result.is_err() {
                    break;
                }
            }
            begin(self, index, record);
            self.deadline.start(&*self.checkpointer.inner.conversation.clock);
            let mut input = ProcessRecord {
                record,
                millis_behind_latest: self.millis_behind_latest,
                shard: self.shard,
                checkpointer: self.checkpointer,
            };
            result = trace::within(trace::record(record), handle(&mut input)).await;
            self.checkpointer.inner.conversation.emit(Event::Handled(&result));
            if result.is_err() {
                break;
            }
        }
        self.deadline.start(&*self.checkpointer.inner.conversation.clock);
        end(self, result.is_ok());
        result
    }

    /// Makes the checkpoint that is due before the record at this place.
    async fn checkpoint_between(&mut self, index: usize) -> Result<(), BoxError> {
        self.deadline.stop();
        let checkpointer = &mut self.checkpointer.inner;
        checkpointer.conversation.emit(Event::At(None));
        let waits = checkpointer.conversation.waits;
        let made = self.watermark.checkpoint_between(self.records, index, checkpointer, self.shard, waits).await;
        judge(self, index, made)
    }
}

/// A checkpointer of either kind.
trait Either {
    fn blocking(&mut self) -> &mut Checkpointer;
    fn conversation(&self) -> &Conversation;
}

impl Either for Checkpointer {
    #[inline]
    fn blocking(&mut self) -> &mut Checkpointer {
        self
    }

    #[inline]
    fn conversation(&self) -> &Conversation {
        &self.conversation
    }
}

impl Either for AsyncCheckpointer {
    #[inline]
    fn blocking(&mut self) -> &mut Checkpointer {
        &mut self.inner
    }

    #[inline]
    fn conversation(&self) -> &Conversation {
        &self.inner.conversation
    }
}

/// Whether checkpoints may be made between the records.
fn may_checkpoint_between<C>(input: &ProcessRecords<'_, C>) -> bool {
    input.scope == Scope::Batch && input.watermark.has_finer_pace()
}

/// Whether a checkpoint is due before the record at this place.
#[inline]
fn is_due(input: &ProcessRecords<'_, impl Either>, index: usize) -> bool {
    let Conversation { clock, events, .. } = input.checkpointer.conversation();
    input.watermark.is_due_between(index, || events.watch.may_look().then(|| clock.now()))
}

/// Judges a checkpoint before the record at this place.
fn judge<C>(
    input: &mut ProcessRecords<'_, C>,
    index: usize,
    made: Result<(), CheckpointError>,
) -> Result<(), BoxError> {
    made.map_err(|error| {
        input.watermark.stopped = Some(index);
        input.attempt.first = input.records.len();
        error.into()
    })
}

/// Begins with the record at this place.
#[inline(always)]
fn begin(input: &mut ProcessRecords<'_, impl Either>, index: usize, record: &Record) {
    let place = input.places.map_or(index, |places| places[index]);
    let checkpointer = input.checkpointer.blocking();
    checkpointer.conversation.emit(Event::Record(place));
    checkpointer.enter(Scope::Record(record.sequence_number(), record.sub_sequence_number()));
}

/// Ends the loop. From here on, the batch counts as a whole again: the rest of the call may fail too.
#[inline(always)]
fn end(input: &mut ProcessRecords<'_, impl Either>, succeeded: bool) {
    let checkpointer = input.checkpointer.blocking();
    checkpointer.enter(input.scope);
    if succeeded {
        input.attempt.progress = Progress::Whole;
        checkpointer.conversation.emit(Event::At(None));
    }
}
