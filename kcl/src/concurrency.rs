//! The number of records of a shard that are handled at once, their order, and their limits.

use std::time::Duration;

use crate::record::Record;
use crate::shard::{MillisBehindLatest, Shard};

/// The largest number of records that are handled at once.
pub(crate) const MOST: u32 = 1 << 16;

/// The number of records of a shard that are handled at once, with their order and their limits.
///
/// ```
/// # #[cfg(feature = "tokio")] {
/// use std::time::Duration;
/// use kcl::{Concurrency, Order};
///
/// const CONCURRENCY: Concurrency =
///     Concurrency::new(64).order(Order::PartitionKey).ahead(1).ahead_bytes(64 << 20).drain(Duration::from_secs(10));
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concurrency {
    pub(crate) at_once: u32,
    pub(crate) order: Order,
    pub(crate) ahead: u32,
    pub(crate) ahead_bytes: u64,
    pub(crate) drain: Duration,
}

/// The order of records that are handled at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// Records with the same partition key are handled one after the other, in the order of the shard, retries included.
    PartitionKey,
    /// Records are started in the order of the shard. They may end in any order.
    None,
}

impl Concurrency {
    /// Creates the limits for this many records at once. By default, records with the same partition key are handled in order, no batch
    /// is acknowledged ahead of its records, and running records have 10 s at the end.
    ///
    /// # Panics
    ///
    /// If the number is 0 or greater than 65,536. In a constant, this is a compile error.
    #[must_use]
    pub const fn new(at_once: u32) -> Self {
        assert!(at_once >= 1 && at_once <= MOST, "`concurrency` must be from 1 to 65536");
        Self { at_once, order: Order::PartitionKey, ahead: 0, ahead_bytes: 64 << 20, drain: Duration::from_secs(10) }
    }

    /// Sets the order.
    #[must_use]
    pub const fn order(self, order: Order) -> Self {
        Self { order, ..self }
    }

    /// Sets the number of batches that may be acknowledged before all of their records are done. No checkpoint passes a record that is
    /// not done, but after a crash more records are delivered again.
    #[must_use]
    pub const fn ahead(self, batches: u32) -> Self {
        Self { ahead: batches, ..self }
    }

    /// Sets a limit in bytes on the records that are not done. Above this limit, no batch is acknowledged ahead of its records. The
    /// default is 64 MiB.
    #[must_use]
    pub const fn ahead_bytes(self, bytes: u64) -> Self {
        Self { ahead_bytes: bytes, ..self }
    }

    /// Sets the time that running records get to end after a failure, or when a shutdown is requested. The default is 10 s.
    #[must_use]
    pub const fn drain(self, time: Duration) -> Self {
        Self { drain: time, ..self }
    }
}

/// The input of `AsyncProcessor::process_record`.
#[derive(Clone, Copy, Debug)]
pub struct ConcurrentRecord<'a> {
    pub(crate) record: &'a Record,
    pub(crate) millis_behind_latest: MillisBehindLatest,
    pub(crate) shard: &'a Shard,
}

impl<'a> ConcurrentRecord<'a> {
    /// The record.
    pub fn record(&self) -> &'a Record {
        self.record
    }

    /// How far the record's batch was behind the newest record of the shard when it arrived.
    pub fn millis_behind_latest(&self) -> MillisBehindLatest {
        self.millis_behind_latest
    }

    /// The shard.
    pub fn shard(&self) -> &'a Shard {
        self.shard
    }
}

/// The input of `AsyncProcessor::concurrent_tick`.
#[derive(Clone, Copy, Debug)]
pub struct ConcurrentTick<'a> {
    pub(crate) millis_behind_latest: MillisBehindLatest,
    pub(crate) shard: &'a Shard,
}

impl<'a> ConcurrentTick<'a> {
    /// How far the message is behind the newest record of the shard.
    pub fn millis_behind_latest(&self) -> MillisBehindLatest {
        self.millis_behind_latest
    }

    /// The shard.
    pub fn shard(&self) -> &'a Shard {
        self.shard
    }
}
