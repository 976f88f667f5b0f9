//! Records, and the batch whose buffers they share.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde::Deserialize;

use crate::SequenceNumber;

/// One record of a Kinesis stream; a user record where the Kinesis Producer Library aggregated several into one.
///
/// Cheap to clone: a share of the buffers of the batch it came with, which live as long as any record of it.
/// To keep a few records of many for long, copy out what is needed.
#[derive(Clone)]
pub struct Record {
    batch: Arc<Batch>,
    index: usize,
}

/// The records of one message: one buffer for their data, one for their keys.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) data: Bytes,
    pub(crate) keys: String,
    pub(crate) entries: Vec<Entry>,
}

pub(crate) struct Entry {
    pub(crate) data: Range<usize>,
    pub(crate) key: Range<usize>,
    pub(crate) sequence_number: SequenceNumber,
    pub(crate) sub_sequence_number: u64,
    /// Milliseconds since 1970.
    pub(crate) arrival: Option<i64>,
}

impl Batch {
    pub(crate) fn into_records(self) -> Vec<Record> {
        let batch = Arc::new(self);
        (0..batch.entries.len()).map(|index| Record { batch: Arc::clone(&batch), index }).collect()
    }
}

impl Record {
    fn entry(&self) -> &Entry {
        &self.batch.entries[self.index]
    }

    /// The payload, decoded from the daemon's base64. A record without data is empty.
    pub fn data(&self) -> &[u8] {
        &self.batch.data[self.entry().data.clone()]
    }

    /// The payload as a share of the batch's buffer, to be kept without a copy.
    pub fn bytes(&self) -> Bytes {
        self.batch.data.slice(self.entry().data.clone())
    }

    /// The key that the producer chose; it decides the shard. Up to 256 characters.
    pub fn partition_key(&self) -> &str {
        &self.batch.keys[self.entry().key.clone()]
    }

    /// The record's number in its shard; the user records of one aggregated record share it.
    pub fn sequence_number(&self) -> &SequenceNumber {
        &self.entry().sequence_number
    }

    /// The place among the user records of an aggregated record, else 0.
    pub fn sub_sequence_number(&self) -> u64 {
        self.entry().sub_sequence_number
    }

    /// When Kinesis got the record, to the millisecond; not given by every source.
    pub fn approximate_arrival_timestamp(&self) -> Option<SystemTime> {
        let millis = self.approximate_arrival_millis()?;
        let distance = Duration::from_millis(millis.unsigned_abs());
        if millis < 0 {
            SystemTime::UNIX_EPOCH.checked_sub(distance)
        } else {
            SystemTime::UNIX_EPOCH.checked_add(distance)
        }
    }

    /// As the wire has it: milliseconds since 1970.
    pub(crate) fn approximate_arrival_millis(&self) -> Option<i64> {
        self.entry().arrival
    }

    /// The payload read as JSON. `T` may borrow from the record.
    ///
    /// ```
    /// # use kcl::Record;
    /// #[derive(serde::Deserialize)]
    /// struct Order<'a> { customer: &'a str }
    ///
    /// fn customer(record: &Record) -> Result<String, serde_json::Error> {
    ///     let order: Order = record.json()?;
    ///     Ok(order.customer.to_owned())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `serde_json`'s, with line and column, if the payload is not one JSON value of this type.
    pub fn json<'r, T: Deserialize<'r>>(&'r self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(self.data())
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("sequence_number", self.sequence_number())
            .field("sub_sequence_number", &self.sub_sequence_number())
            .field("partition_key", &self.partition_key())
            .field("data", &format_args!("{} bytes", self.data().len()))
            .finish_non_exhaustive()
    }
}
