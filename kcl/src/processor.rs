//! The trait that the macro implements: one method for each message, with typed input.

use std::time::Duration;

use crate::checkpoint::pace::Checkpoints;
use crate::checkpoint::{Checkpointer, Scope};
use crate::dead_letter::letter::DeadLetter;
use crate::error::BoxError;
use crate::policy::FailurePolicy;
use crate::record::Record;
use crate::runner::conversation::Conversation;
use crate::runner::events::Event;
use crate::runner::watermark::Watermark;
use crate::shard::{MillisBehindLatest, Shard};
use crate::trace;

/// A processor of one shard's records, with one method for each message of the daemon.
///
/// `#[kcl::processor]` writes the implementation. By hand it is just as short:
///
/// ```
/// use kcl::{BoxError, Initialize, ProcessRecords, Processor, Shard};
///
/// struct Count(u64);
///
/// impl Processor for Count {
///     fn process_records(&mut self, input: &mut ProcessRecords<'_>) -> Result<(), BoxError> {
///         self.0 += input.records().len() as u64;
///         Ok(())
///     }
/// }
///
/// impl Initialize for Count {
///     fn initialize(_: &Shard) -> Result<Self, BoxError> {
///         Ok(Count(0))
///     }
/// }
///
/// fn main() -> std::process::ExitCode {
/// #   if true { return std::process::ExitCode::SUCCESS }
///     kcl::run::<Count>()
/// }
/// ```
///
/// If a method returns an error or panics, it has failed. The message is never acknowledged and the process ends with
/// exit code 1, so that the daemon redelivers the records that were not checkpointed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a processor",
    label = "must implement `kcl::Processor`",
    note = "put `#[kcl::processor]` on its `impl` block, or implement `kcl::Processor` for it by hand"
)]
pub trait Processor {
    /// Who checkpoints the records, and when. With [`Checkpoints::Handler`], the runtime checkpoints only SHARD_END.
    const CHECKPOINTS: Checkpoints = Checkpoints::Batch;

    /// The policy for records that fail. By default, the first failure ends the process.
    ///
    /// A retry calls [`process_records`](Self::process_records) again.
    /// [`for_each_record`](ProcessRecords::for_each_record) then resumes at the record that failed, or after it if that
    /// record was skipped or dead-lettered. If the method fails without `for_each_record`, or after it has returned,
    /// the batch is retried, skipped or dead-lettered as a whole.
    const POLICY: FailurePolicy = FailurePolicy::new();

    /// The time after which a running method is reported on stderr, with the shard, the record or records, and the time
    /// that it has taken. In [`for_each_record`](ProcessRecords::for_each_record), the time counts for each record. The
    /// report is repeated after twice the time, and so on. Retries by the [`POLICY`](Self::POLICY), and the waits
    /// before them, count as one call with the first attempt. A report may be late by an eighth of the time, but at
    /// most by 5 s. With [`Duration::MAX`], nothing is reported.
    const WARN_AFTER: Duration = Duration::from_secs(60);

    /// Whether messages may quote payloads and partition keys. `KCL_LOG_PAYLOADS=0` in the environment has the same effect as
    /// `false`; see [payloads in messages](macro@crate::processor#payloads-in-messages).
    const LOG_PAYLOADS: bool = true;

    /// The shortest time between two calls of [`tick`](Self::tick). Without it, `tick` is not called.
    const TICK: Option<Duration> = None;

    /// Processes a batch of records, in the order of the shard. Delivery is at least once.
    ///
    /// # Errors
    ///
    /// Any error; see the trait.
    fn process_records(&mut self, input: &mut ProcessRecords<'_>) -> Result<(), BoxError>;

    /// Takes a record that failed permanently, if the [`POLICY`](Self::POLICY) asks for
    /// [`DeadLetter`](crate::FailureAction::DeadLetter). After success, checkpoints move past the record.
    ///
    /// # Errors
    ///
    /// Any error; the record then counts as failed. The default implementation always fails.
    fn dead_letter(&mut self, input: &DeadLetter<'_>) -> Result<(), BoxError> {
        let _ = input;
        Err("the processor does not take dead letters".into())
    }

    /// Called when [`TICK`](Self::TICK) has passed since the last call, or since the start: within a message that brings records, after
    /// its records, or within one that brings none. It is never called between messages, because the daemon would not read a checkpoint
    /// then. A quiet shard therefore needs `callProcessRecordsEvenForEmptyRecordList=true` in the daemon's properties.
    ///
    /// A processor with a tick does not get batches without records.
    ///
    /// # Errors
    ///
    /// Any error; see the trait. The [`POLICY`](Self::POLICY) does not apply.
    fn tick(&mut self, input: &mut Tick<'_>) -> Result<(), BoxError> {
        let _ = input;
        Ok(())
    }

    /// Called when another worker has the lease. Checkpoints are no longer possible.
    ///
    /// # Errors
    ///
    /// Any error; see the trait.
    fn lease_lost(&mut self, input: &mut LeaseLost<'_>) -> Result<(), BoxError> {
        let _ = input;
        Ok(())
    }

    /// Called when the shard has been read to its end. After success, the runtime checkpoints SHARD_END, unless this
    /// call has already done so.
    ///
    /// # Errors
    ///
    /// Any error; see the trait.
    fn shard_ended(&mut self, input: &mut ShardEnded<'_>) -> Result<(), BoxError> {
        let _ = input;
        Ok(())
    }

    /// Called when the worker is about to stop or to hand over the lease. This is the last chance to checkpoint.
    ///
    /// # Errors
    ///
    /// Any error; see the trait.
    fn shutdown_requested(&mut self, input: &mut ShutdownRequested<'_>) -> Result<(), BoxError> {
        let _ = input;
        Ok(())
    }
}

/// A [`Processor`] that needs nothing but its shard to start. For other processors, give a factory to
/// [`Runner::new`](crate::Runner::new).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a processor that can start by itself",
    label = "must implement `kcl::Initialize`",
    note = "`#[kcl::processor]` implements it for a type that has an `#[on_init]` constructor, or else `Default`",
    note = "a processor that your own function creates is run by `kcl::Runner::new(function).run()`"
)]
pub trait Initialize: Processor + Sized {
    /// Makes the processor of this shard, on the daemon's `initialize`.
    ///
    /// # Errors
    ///
    /// Any error. The message is then not acknowledged, and the process ends with exit code 1.
    fn initialize(shard: &Shard) -> Result<Self, BoxError>;
}

/// A handler of one record.
type Handle<'f> = dyn FnMut(&mut ProcessRecord<'_>) -> Result<(), BoxError> + 'f;

/// The input of [`Processor::process_records`].
#[derive(Debug)]
pub struct ProcessRecords<'a> {
    pub(crate) records: &'a [Record],
    pub(crate) millis_behind_latest: MillisBehindLatest,
    pub(crate) shard: &'a Shard,
    pub(crate) checkpointer: &'a mut Checkpointer,
    pub(crate) progress: Progress,
    /// The meaning of a checkpoint of all records.
    pub(crate) scope: Scope,
    /// The number of the batch's first records that an earlier attempt completed.
    pub(crate) first: usize,
    /// The places, in order, of records that were skipped or dead-lettered.
    pub(crate) left_out: &'a [usize],
    /// The places of the records in the batch that the daemon sent, if this is a part of it.
    pub(crate) places: Option<&'a [usize]>,
    pub(crate) watermark: &'a mut Watermark,
}

/// The progress of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The batch succeeds or fails as a whole: nothing is known about its records.
    Whole,
    /// The records are handled one by one: this many of the first ones have succeeded, and the next one is running or
    /// has failed.
    Records(usize),
}

impl<'a> ProcessRecords<'a> {
    /// The records, in order. The batch may be empty if the daemon's `callProcessRecordsEvenForEmptyRecordList` is set.
    pub fn records(&self) -> &'a [Record] {
        self.records
    }

    /// How far the batch is behind the newest record of the shard.
    pub fn millis_behind_latest(&self) -> MillisBehindLatest {
        self.millis_behind_latest
    }

    /// The shard.
    pub fn shard(&self) -> &'a Shard {
        self.shard
    }

    /// The checkpointer, for a processor with [`Checkpoints::Handler`]. [`checkpoint()`](Checkpointer::checkpoint)
    /// means this whole batch.
    pub fn checkpointer(&mut self) -> &mut Checkpointer {
        self.checkpointer
    }

    /// Calls `handle` for each record in turn and keeps count, so that on failure the runtime can name the record that
    /// failed and checkpoint the records before it.
    ///
    /// While nothing fails, no checkpoint is made between the records, because work may follow the last one. If none does,
    /// prefer [`settle_each_record`](Self::settle_each_record).
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
    /// With [`Checkpoints::Interval`] and [`Checkpoints::Records`], the runtime then also checkpoints between the records
    /// of a batch, each time explicitly up to the last record that is done. If such a checkpoint shows that the lease or
    /// the daemon is gone, no further record is handled, whatever the method returns.
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
        let is_batch = self.scope == Scope::Batch;
        if is_batch && self.watermark.has_finer_pace() {
            self.settle_each(&mut handle)
        } else {
            self.for_each_record(handle)
        }
    }

    /// Hands over each record, and makes the checkpoints that are due between them.
    fn settle_each(&mut self, handle: &mut Handle<'_>) -> Result<(), BoxError> {
        self.watermark.settles = true;
        let before = |this: &mut Self, index| {
            let Conversation { clock, events, .. } = &this.checkpointer.conversation;
            if !this.watermark.is_due_between(index, || events.watch.may_look().then(|| clock.now())) {
                return Ok(());
            }
            this.checkpointer.conversation.emit(Event::At(None));
            let made = this.watermark.checkpoint_between(this.records, index, this.checkpointer, this.shard);
            made.map_err(|error| {
                this.watermark.stopped = Some(index);
                this.first = this.records.len();
                error.into()
            })
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
        let result = records.iter().enumerate().skip(self.first).try_for_each(|(index, record)| {
            if self.left_out.binary_search(&index).is_ok() {
                return Ok(());
            }
            self.progress = Progress::Records(index);
            before(self, index)?;
            self.checkpointer.conversation.emit(Event::Record(self.places.map_or(index, |places| places[index])));
            let _entered = trace::record(record);
            self.checkpointer.enter(Scope::Record(record.sequence_number(), record.sub_sequence_number()));
            let handled = handle(&mut ProcessRecord {
                record,
                millis_behind_latest: self.millis_behind_latest,
                shard: self.shard,
                checkpointer: self.checkpointer,
            });
            self.checkpointer.conversation.emit(Event::Handled(&handled));
            handled
        });
        // From here on, the batch counts as a whole again: the rest of the call may fail too.
        self.checkpointer.enter(self.scope);
        if result.is_ok() {
            self.progress = Progress::Whole;
            self.checkpointer.conversation.emit(Event::At(None));
        }
        result
    }
}

/// One record of a batch, from [`ProcessRecords::for_each_record`].
#[derive(Debug)]
pub struct ProcessRecord<'a> {
    pub(crate) record: &'a Record,
    pub(crate) millis_behind_latest: MillisBehindLatest,
    pub(crate) shard: &'a Shard,
    pub(crate) checkpointer: &'a mut Checkpointer,
}

impl<'a> ProcessRecord<'a> {
    /// The record.
    pub fn record(&self) -> &'a Record {
        self.record
    }

    /// How far the record's batch is behind the newest record of the shard.
    pub fn millis_behind_latest(&self) -> MillisBehindLatest {
        self.millis_behind_latest
    }

    /// The shard.
    pub fn shard(&self) -> &'a Shard {
        self.shard
    }

    /// The checkpointer, for a processor with [`Checkpoints::Handler`]. [`checkpoint()`](Checkpointer::checkpoint)
    /// means up to and including this record.
    pub fn checkpointer(&mut self) -> &mut Checkpointer {
        self.checkpointer
    }
}

/// The input of [`Processor::tick`].
#[derive(Debug)]
pub struct Tick<'a> {
    pub(crate) millis_behind_latest: MillisBehindLatest,
    pub(crate) shard: &'a Shard,
    pub(crate) checkpointer: &'a mut Checkpointer,
}

impl<'a> Tick<'a> {
    /// How far the message is behind the newest record of the shard.
    pub fn millis_behind_latest(&self) -> MillisBehindLatest {
        self.millis_behind_latest
    }

    /// The shard.
    pub fn shard(&self) -> &'a Shard {
        self.shard
    }

    /// The checkpointer, for a processor with [`Checkpoints::Handler`]. [`checkpoint()`](Checkpointer::checkpoint) means every record
    /// that was handed over.
    pub fn checkpointer(&mut self) -> &mut Checkpointer {
        self.checkpointer
    }
}

/// The input of [`Processor::lease_lost`]. It has no checkpointer, because the lease is gone.
#[derive(Debug)]
pub struct LeaseLost<'a> {
    pub(crate) shard: &'a Shard,
}

impl<'a> LeaseLost<'a> {
    /// The shard.
    pub fn shard(&self) -> &'a Shard {
        self.shard
    }
}

/// The input of [`Processor::shard_ended`].
#[derive(Debug)]
pub struct ShardEnded<'a> {
    pub(crate) shard: &'a Shard,
    pub(crate) checkpointer: &'a mut Checkpointer,
}

impl<'a> ShardEnded<'a> {
    /// The shard.
    pub fn shard(&self) -> &'a Shard {
        self.shard
    }

    /// The checkpointer. [`checkpoint()`](Checkpointer::checkpoint) means SHARD_END.
    pub fn checkpointer(&mut self) -> &mut Checkpointer {
        self.checkpointer
    }
}

/// The input of [`Processor::shutdown_requested`].
#[derive(Debug)]
pub struct ShutdownRequested<'a> {
    pub(crate) shard: &'a Shard,
    pub(crate) checkpointer: &'a mut Checkpointer,
}

impl<'a> ShutdownRequested<'a> {
    /// The shard.
    pub fn shard(&self) -> &'a Shard {
        self.shard
    }

    /// The checkpointer. [`checkpoint()`](Checkpointer::checkpoint) means the last record that was delivered.
    pub fn checkpointer(&mut self) -> &mut Checkpointer {
        self.checkpointer
    }
}
