//! The trait behind the macro: one method a message, typed input.

use std::time::Duration;

use crate::checkpoint::Scope;
use crate::trace;
use crate::watch::Running;
use crate::{BoxError, Checkpointer, DeadLetter, MillisBehindLatest, Policy, Record, Shard};

/// What handles the records of one shard: one method for each message of the daemon.
///
/// `#[kcl::processor]` writes the implementation; by hand it is as short:
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
/// A method that returns an error or panics has failed: the message is never acknowledged and the process ends with exit
/// code 1, so that the daemon delivers again what was not checkpointed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a processor",
    label = "must implement `kcl::Processor`",
    note = "put `#[kcl::processor]` on its `impl` block, or implement `kcl::Processor` for it by hand"
)]
pub trait Processor {
    /// Who checkpoints the records, and when. With [`Checkpoints::Handler`] the runtime sends none but SHARD_END.
    const CHECKPOINTS: Checkpoints = Checkpoints::Batch;

    /// What happens to records that fail. By default the first failure ends the process.
    ///
    /// To try again is to call [`process_records`](Self::process_records) again:
    /// [`for_each_record`](ProcessRecords::for_each_record) then goes on with the record that failed, or with the one behind it
    /// if that was skipped or dead-lettered. Where the batch fails without it, or behind it, it is tried, skipped or
    /// dead-lettered whole.
    const POLICY: Policy = Policy::new();

    /// How long a method may run, or take for one record of [`for_each_record`](ProcessRecords::for_each_record), before it is
    /// named on stderr, while it runs, with the shard, the record or the records, and the time; then again after twice as long
    /// and so on. Further attempts by the [`POLICY`](Self::POLICY), and the waits before them, count as one with the first. It may come late by an eighth of that time, or 5 s. [`Duration::MAX`]: never.
    const WARN_AFTER: Duration = Duration::from_secs(60);

    /// A batch of records, in the order of the shard; delivery is at least once.
    ///
    /// # Errors
    ///
    /// Any; see the trait.
    fn process_records(&mut self, input: &mut ProcessRecords<'_>) -> Result<(), BoxError>;

    /// A record that failed for good, if the [`POLICY`](Self::POLICY) says [`DeadLetter`](crate::Otherwise::DeadLetter). Once it
    /// is taken, checkpoints pass the record.
    ///
    /// # Errors
    ///
    /// Any: the record has failed then. Without an implementation, always.
    fn dead_letter(&mut self, input: &DeadLetter<'_>) -> Result<(), BoxError> {
        let _ = input;
        Err("the processor takes no dead letters".into())
    }

    /// Another worker has the lease now: nothing more can be checkpointed.
    ///
    /// # Errors
    ///
    /// Any; see the trait.
    fn lease_lost(&mut self, input: &mut LeaseLost<'_>) -> Result<(), BoxError> {
        let _ = input;
        Ok(())
    }

    /// The shard was read to its end. After success the runtime checkpoints SHARD_END, unless this call did.
    ///
    /// # Errors
    ///
    /// Any; see the trait.
    fn shard_ended(&mut self, input: &mut ShardEnded<'_>) -> Result<(), BoxError> {
        let _ = input;
        Ok(())
    }

    /// The worker is about to stop or to hand the lease over: the last moment to checkpoint.
    ///
    /// # Errors
    ///
    /// Any; see the trait.
    fn shutdown_requested(&mut self, input: &mut ShutdownRequested<'_>) -> Result<(), BoxError> {
        let _ = input;
        Ok(())
    }
}

/// How a [`Processor`] starts where nothing but its shard is needed; [`Runner::new`](crate::Runner::new) takes any other factory.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no processor that can start by itself",
    label = "must implement `kcl::Initialize`",
    note = "`#[kcl::processor]` implements it for a type that has an `#[on_init]` constructor, or else `Default`",
    note = "a processor that is made by a function of yours is run by `kcl::Runner::new(function).run()`"
)]
pub trait Initialize: Processor + Sized {
    /// Makes the processor of this shard, on the daemon's `initialize`.
    ///
    /// # Errors
    ///
    /// Any: the message is not acknowledged and the process ends with exit code 1.
    fn initialize(shard: &Shard) -> Result<Self, BoxError>;
}

/// Who checkpoints the records of a [`Processor`], and when.
///
/// Where the runtime does, it does so behind whole batches that succeeded, so that a checkpoint never passes what was not
/// processed. Whatever was not checkpointed by then is when a shutdown is requested, when a handler fails (the records that
/// succeeded before it), and by SHARD_END; but not if [`shard_ended`](Processor::shard_ended) fails, nor where nobody can be
/// asked any more: the lease is gone, or the daemon is.
///
/// ```
/// use std::time::Duration;
/// use kcl::{BoxError, Checkpoints, ProcessRecords, Processor};
///
/// struct Count(u64);
///
/// impl Processor for Count {
///     const CHECKPOINTS: Checkpoints = Checkpoints::Interval(Duration::from_secs(30));
///
///     fn process_records(&mut self, input: &mut ProcessRecords<'_>) -> Result<(), BoxError> {
///         self.0 += input.records().len() as u64;
///         Ok(())
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checkpoints {
    /// The runtime, after each batch.
    Batch,
    /// The runtime, behind the first batch that ends as long after the last checkpoint, or later.
    ///
    /// The daemon reads what a processor says only as an answer to a message, so such a checkpoint waits for one: on a shard
    /// where nothing happens, until the shutdown is requested or the lease is gone.
    Interval(Duration),
    /// The runtime, behind the batch with which so many records were processed since the last checkpoint: what may come again
    /// is fewer than that, and one batch.
    Records(u64),
    /// The record handler, through its [`Checkpointer`].
    Handler,
}

/// The input of [`Processor::process_records`].
#[derive(Debug)]
pub struct ProcessRecords<'a> {
    pub(crate) records: &'a [Record],
    pub(crate) millis_behind_latest: MillisBehindLatest,
    pub(crate) shard: &'a Shard,
    pub(crate) checkpointer: &'a mut Checkpointer,
    pub(crate) progress: Progress,
    /// How many of the first records are done, by an earlier attempt.
    pub(crate) first: usize,
    /// The places, in order, of records that the batch goes on without.
    pub(crate) left_out: &'a [usize],
    pub(crate) running: &'a Running,
}

/// How far a batch has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The batch succeeds or fails as one: nothing can be said about its records.
    Whole,
    /// One by one: as many of its first records have succeeded, and the next one is at work or has failed.
    Records(usize),
}

impl<'a> ProcessRecords<'a> {
    /// The records, in order. May be empty, if the daemon's `callProcessRecordsEvenForEmptyRecordList` is set.
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

    /// For a processor with [`Checkpoints::Handler`]: [`checkpoint()`](Checkpointer::checkpoint) means this whole batch.
    pub fn checkpointer(&mut self) -> &mut Checkpointer {
        self.checkpointer
    }

    /// Hands over the records one by one and keeps count, so that on failure the runtime can name the record that failed
    /// and checkpoint those before it.
    ///
    /// # Errors
    ///
    /// The first error of `handle`; the records behind it are not handed over.
    pub fn for_each_record<F>(&mut self, mut handle: F) -> Result<(), BoxError>
    where
        F: FnMut(&mut ProcessRecord<'_>) -> Result<(), BoxError>,
    {
        let result = self.records.iter().enumerate().skip(self.first).try_for_each(|(index, record)| {
            if self.left_out.binary_search(&index).is_ok() {
                return Ok(());
            }
            self.progress = Progress::Records(index);
            self.running.reach(index);
            let _entered = trace::record(record);
            self.checkpointer.enter(Scope::Record(*record.sequence_number(), record.sub_sequence_number()));
            handle(&mut ProcessRecord {
                record,
                millis_behind_latest: self.millis_behind_latest,
                shard: self.shard,
                checkpointer: self.checkpointer,
            })
        });
        // From here on the batch is one thing again: what follows in the same call may fail, too.
        self.checkpointer.enter(Scope::Batch);
        if result.is_ok() {
            self.progress = Progress::Whole;
            self.running.reach_end();
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

    /// How far its batch is behind the newest record of the shard.
    pub fn millis_behind_latest(&self) -> MillisBehindLatest {
        self.millis_behind_latest
    }

    /// The shard.
    pub fn shard(&self) -> &'a Shard {
        self.shard
    }

    /// For a processor with [`Checkpoints::Handler`]: [`checkpoint()`](Checkpointer::checkpoint) means up to and including this record.
    pub fn checkpointer(&mut self) -> &mut Checkpointer {
        self.checkpointer
    }
}

/// The input of [`Processor::lease_lost`]. There is no checkpointer: the lease is gone.
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

    /// [`checkpoint()`](Checkpointer::checkpoint) means SHARD_END.
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

    /// [`checkpoint()`](Checkpointer::checkpoint) means the last record that was handed over.
    pub fn checkpointer(&mut self) -> &mut Checkpointer {
        self.checkpointer
    }
}
