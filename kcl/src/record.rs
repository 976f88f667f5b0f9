//! A record, which shares the buffers of its batch.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde::Deserialize;

use crate::buffers::{Batch, Entry};
use crate::sequence::SequenceNumber;

/// One record of a Kinesis stream. If the Kinesis Producer Library aggregated several user records into one, this is
/// one of the user records.
///
/// A record is cheap to clone: it shares the buffers of its batch, which live until the last of the batch's records is
/// dropped. To keep a few of many records for a long time, copy the data that you need.
#[derive(Clone)]
pub struct Record {
    batch: Arc<Batch>,
    index: usize,
}

impl Record {
    /// A record of a batch. Its name is not `new`, so that a program which calls that has one error.
    pub(crate) fn of(batch: Arc<Batch>, index: usize) -> Self {
        Self { batch, index }
    }

    #[inline]
    fn entry(&self) -> &Entry {
        self.batch.entry(self.index)
    }

    /// The payload, decoded from the daemon's base64. It is empty for a record without data.
    #[inline]
    pub fn data(&self) -> &[u8] {
        self.batch.data(self.index)
    }

    /// The payload as a share of the batch's buffer. Use it to keep the payload without a copy.
    pub fn bytes(&self) -> Bytes {
        self.batch.bytes(self.index)
    }

    /// The key that the producer chose, of up to 256 characters. It decides the record's shard.
    #[inline]
    pub fn partition_key(&self) -> &str {
        self.batch.key(self.index)
    }

    /// The record's number in its shard. The user records of one aggregated record share it.
    #[inline]
    pub fn sequence_number(&self) -> SequenceNumber {
        self.entry().sequence_number
    }

    /// The record's place among the user records of an aggregated record, or else 0.
    #[inline]
    pub fn sub_sequence_number(&self) -> u64 {
        self.entry().sub_sequence_number
    }

    /// The time when Kinesis received the record, to the millisecond. Not every source reports it.
    pub fn approximate_arrival_timestamp(&self) -> Option<SystemTime> {
        let millis = self.approximate_arrival_millis()?;
        let distance = Duration::from_millis(millis.unsigned_abs());
        if millis < 0 {
            SystemTime::UNIX_EPOCH.checked_sub(distance)
        } else {
            SystemTime::UNIX_EPOCH.checked_add(distance)
        }
    }

    /// The arrival time as it is on the wire: milliseconds since 1970.
    pub(crate) fn approximate_arrival_millis(&self) -> Option<i64> {
        self.entry().arrival
    }

    /// Reads the payload as JSON. `T` may borrow from the record. For strings, use `Cow<'_, str>` with
    /// `#[serde(borrow)]` rather than `&str`: a string that contains an escape, such as `"Zo\u00eb"`, cannot be
    /// borrowed, so `&str` is an error for it.
    ///
    /// ```
    /// # use std::borrow::Cow;
    /// # use kcl::Record;
    /// #[derive(serde::Deserialize)]
    /// struct Order<'a> {
    ///     #[serde(borrow)]
    ///     customer: Cow<'a, str>,
    /// }
    ///
    /// fn customer(record: &Record) -> Result<String, serde_json::Error> {
    ///     let order: Order = record.json()?;
    ///     Ok(order.customer.into_owned())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The error of `serde_json`, with line and column, if the payload is not one JSON value of this type.
    pub fn json<'r, T: Deserialize<'r>>(&'r self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(self.data())
    }
}

/// The size of the data of a whole batch.
#[cfg(feature = "metrics")]
pub(crate) fn data_size(records: &[Record]) -> u64 {
    records.last().map_or(0, |last| last.batch.size_up_to(last.index))
}

/// The records of a batch, but not a share of it: it may be over at any time.
#[derive(Clone, Default)]
pub(crate) struct WeakRecords {
    batch: Weak<Batch>,
    count: usize,
}

impl WeakRecords {
    /// The records of a whole batch.
    pub(crate) fn of(records: &[Record]) -> Self {
        let batch = records.first().map(|first| Arc::downgrade(&first.batch)).unwrap_or_default();
        Self { batch, count: records.len() }
    }

    /// The records, unless the batch is over.
    pub(crate) fn upgrade(&self) -> Vec<Record> {
        let record = |batch: &Arc<Batch>| (0..self.count).map(|index| Record::of(Arc::clone(batch), index)).collect();
        self.batch.upgrade().as_ref().map(record).unwrap_or_default()
    }
}

impl fmt::Debug for WeakRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} records", self.count)
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("sequence_number", &self.sequence_number())
            .field("sub_sequence_number", &self.sub_sequence_number())
            .field("partition_key", &self.partition_key())
            .field("data", &format_args!("{} bytes", self.data().len()))
            .finish_non_exhaustive()
    }
}
