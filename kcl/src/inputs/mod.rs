//! The inputs of a processor's methods.
//!
//! Each has a form for blocking code, with a [`Checkpointer`], and a form for `async` code, with an [`AsyncCheckpointer`]. The form for
//! `async` code lends the other one.

mod deadline;
mod each;

pub(crate) use deadline::Deadline;

use crate::checkpoint::asynchronous::AsyncCheckpointer;
use crate::checkpoint::{Checkpointer, Scope};
use crate::record::Record;
use crate::runner::watermark::Watermark;
use crate::shard::{MillisBehindLatest, Shard};

/// The input of [`Processor::process_records`](crate::Processor::process_records).
#[derive(Debug)]
pub struct ProcessRecords<'a, C = Checkpointer> {
    pub(crate) records: &'a [Record],
    pub(crate) millis_behind_latest: MillisBehindLatest,
    pub(crate) shard: &'a Shard,
    pub(crate) checkpointer: &'a mut C,
    pub(crate) attempt: &'a mut Attempt,
    /// The meaning of a checkpoint of all records.
    pub(crate) scope: Scope,
    /// The places, in order, of records that were skipped or dead-lettered.
    pub(crate) left_out: &'a [usize],
    /// The places of the records in the batch that the daemon sent, if this is a part of it.
    pub(crate) places: Option<&'a [usize]>,
    pub(crate) watermark: &'a mut Watermark,
    pub(crate) deadline: &'a Deadline,
}

/// The state of an attempt with a batch, which the runtime reads after the call.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) progress: Progress,
    /// The number of the batch's first records that an earlier attempt completed.
    pub(crate) first: usize,
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

impl<'a, C> ProcessRecords<'a, C> {
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
}

impl ProcessRecords<'_> {
    /// The checkpointer, for a processor with [`Checkpoints::Handler`](crate::Checkpoints::Handler).
    /// [`checkpoint()`](Checkpointer::checkpoint) means this whole batch.
    pub fn checkpointer(&mut self) -> &mut Checkpointer {
        self.checkpointer
    }
}

impl ProcessRecords<'_, AsyncCheckpointer> {
    /// The checkpointer, for a processor with [`Checkpoints::Handler`](crate::Checkpoints::Handler).
    /// [`checkpoint()`](AsyncCheckpointer::checkpoint) means this whole batch.
    pub fn checkpointer(&mut self) -> &mut AsyncCheckpointer {
        // The future of a loop over the records may have been dropped before its end.
        self.checkpointer.inner.enter(self.scope);
        self.checkpointer
    }

    /// The same input for blocking code, whose checkpoints block the thread.
    pub fn blocking(&mut self) -> ProcessRecords<'_> {
        ProcessRecords {
            records: self.records,
            millis_behind_latest: self.millis_behind_latest,
            shard: self.shard,
            checkpointer: &mut self.checkpointer.inner,
            attempt: self.attempt,
            scope: self.scope,
            left_out: self.left_out,
            places: self.places,
            watermark: self.watermark,
            deadline: self.deadline,
        }
    }
}

/// One record of a batch, from [`ProcessRecords::for_each_record`].
#[derive(Debug)]
pub struct ProcessRecord<'a, C = Checkpointer> {
    pub(crate) record: &'a Record,
    pub(crate) millis_behind_latest: MillisBehindLatest,
    pub(crate) shard: &'a Shard,
    pub(crate) checkpointer: &'a mut C,
}

impl<'a, C> ProcessRecord<'a, C> {
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

    /// The checkpointer, for a processor with [`Checkpoints::Handler`](crate::Checkpoints::Handler).
    /// [`checkpoint()`](Checkpointer::checkpoint) means up to and including this record.
    pub fn checkpointer(&mut self) -> &mut C {
        self.checkpointer
    }
}

impl ProcessRecord<'_, AsyncCheckpointer> {
    /// The same input for blocking code, whose checkpoints block the thread.
    pub fn blocking(&mut self) -> ProcessRecord<'_> {
        ProcessRecord {
            record: self.record,
            millis_behind_latest: self.millis_behind_latest,
            shard: self.shard,
            checkpointer: &mut self.checkpointer.inner,
        }
    }
}

/// The input of [`Processor::tick`](crate::Processor::tick).
#[derive(Debug)]
pub struct Tick<'a, C = Checkpointer> {
    pub(crate) millis_behind_latest: MillisBehindLatest,
    pub(crate) shard: &'a Shard,
    pub(crate) checkpointer: &'a mut C,
}

impl<'a, C> Tick<'a, C> {
    /// How far the message is behind the newest record of the shard.
    pub fn millis_behind_latest(&self) -> MillisBehindLatest {
        self.millis_behind_latest
    }

    /// The shard.
    pub fn shard(&self) -> &'a Shard {
        self.shard
    }

    /// The checkpointer, for a processor with [`Checkpoints::Handler`](crate::Checkpoints::Handler).
    /// [`checkpoint()`](Checkpointer::checkpoint) means every record that was handed over.
    pub fn checkpointer(&mut self) -> &mut C {
        self.checkpointer
    }
}

impl Tick<'_, AsyncCheckpointer> {
    /// The same input for blocking code, whose checkpoints block the thread.
    pub fn blocking(&mut self) -> Tick<'_> {
        let (millis_behind_latest, shard) = (self.millis_behind_latest, self.shard);
        Tick { millis_behind_latest, shard, checkpointer: &mut self.checkpointer.inner }
    }
}

/// The input of [`Processor::lease_lost`](crate::Processor::lease_lost). It does not have a checkpointer, because the lease is gone.
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

/// The input of [`Processor::shard_ended`](crate::Processor::shard_ended).
#[derive(Debug)]
pub struct ShardEnded<'a, C = Checkpointer> {
    pub(crate) shard: &'a Shard,
    pub(crate) checkpointer: &'a mut C,
}

impl<'a, C> ShardEnded<'a, C> {
    /// The shard.
    pub fn shard(&self) -> &'a Shard {
        self.shard
    }

    /// The checkpointer. [`checkpoint()`](Checkpointer::checkpoint) means SHARD_END.
    pub fn checkpointer(&mut self) -> &mut C {
        self.checkpointer
    }
}

impl ShardEnded<'_, AsyncCheckpointer> {
    /// The same input for blocking code, whose checkpoints block the thread.
    pub fn blocking(&mut self) -> ShardEnded<'_> {
        ShardEnded { shard: self.shard, checkpointer: &mut self.checkpointer.inner }
    }
}

/// The input of [`Processor::shutdown_requested`](crate::Processor::shutdown_requested).
#[derive(Debug)]
pub struct ShutdownRequested<'a, C = Checkpointer> {
    pub(crate) shard: &'a Shard,
    pub(crate) checkpointer: &'a mut C,
}

impl<'a, C> ShutdownRequested<'a, C> {
    /// The shard.
    pub fn shard(&self) -> &'a Shard {
        self.shard
    }

    /// The checkpointer. [`checkpoint()`](Checkpointer::checkpoint) means the last record that was delivered.
    pub fn checkpointer(&mut self) -> &mut C {
        self.checkpointer
    }
}

impl ShutdownRequested<'_, AsyncCheckpointer> {
    /// The same input for blocking code, whose checkpoints block the thread.
    pub fn blocking(&mut self) -> ShutdownRequested<'_> {
        ShutdownRequested { shard: self.shard, checkpointer: &mut self.checkpointer.inner }
    }
}
