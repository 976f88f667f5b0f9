//! A processor's shard, and its position in it.

use std::fmt;
use std::time::Duration;

use crate::sequence::SequenceNumber;

/// The shard whose records a processor receives. Each process has one shard.
///
/// ```
/// # use kcl::{Position, Shard};
/// let shard = Shard::new("shardId-000000000000", Position::TrimHorizon);
/// assert_eq!(shard.id(), "shardId-000000000000");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    id: String,
    position: Position,
    /// Whether messages about the shard's records may quote payloads and partition keys.
    pub(crate) log_payloads: bool,
}

impl Shard {
    /// Creates a shard from its id and the position where its records start. This is for tests: handlers receive their
    /// shard.
    pub fn new(id: impl Into<String>, position: Position) -> Self {
        Self { id: id.into(), position, log_payloads: true }
    }

    /// Sets whether messages may quote payloads and partition keys.
    pub(crate) fn with_payloads_logged(self, log_payloads: bool) -> Self {
        Self { log_payloads, ..self }
    }

    /// The shard's id, such as `shardId-000000000000`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The shard's position when this process received it: its records start after this checkpoint.
    pub fn position(&self) -> &Position {
        &self.position
    }
}

/// A place in a shard: where its records start, or where those that have been checkpointed end.
///
/// On the wire it is the `sequenceNumber` and `subSequenceNumber` of `initialize` (`InitializeMessage` of the
/// MultiLangDaemon).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Position {
    /// From the oldest record that the stream still holds.
    TrimHorizon,
    /// From the first record that arrives after the start.
    Latest,
    /// From the first record at or after a time in the daemon's configuration.
    AtTimestamp,
    /// The shard was read to its end.
    ShardEnd,
    /// After this record: it was checkpointed, so the next one comes first.
    After {
        /// The record's sequence number.
        sequence_number: SequenceNumber,
        /// The record's place among the user records of an aggregated record of the Kinesis Producer Library, or else
        /// 0.
        sub_sequence_number: u64,
    },
    /// The daemon did not name a position, or named one that this version does not know.
    Unknown,
}

impl Position {
    /// The position after a record.
    pub fn after(sequence_number: SequenceNumber, sub_sequence_number: u64) -> Self {
        Self::After { sequence_number, sub_sequence_number }
    }
}

/// Writes the position as the daemon does, and [`Position::After`] as `sequence number/sub-sequence number`.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TrimHorizon => f.write_str("TRIM_HORIZON"),
            Self::Latest => f.write_str("LATEST"),
            Self::AtTimestamp => f.write_str("AT_TIMESTAMP"),
            Self::ShardEnd => f.write_str("SHARD_END"),
            Self::After { sequence_number, sub_sequence_number } => {
                write!(f, "{sequence_number}/{sub_sequence_number}")
            }
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// How far the batch is behind the newest record of its shard; `None` if the daemon does not report it. The daemon reports
/// whole milliseconds.
///
/// ```
/// # use std::time::Duration;
/// # use kcl::{MillisBehindLatest, Record};
/// # struct Lag;
/// # impl Lag {
/// fn records(&mut self, records: &[Record], MillisBehindLatest(behind): MillisBehindLatest) {
///     if behind.is_some_and(|behind| behind > Duration::from_secs(60)) {
///         eprintln!("more than a minute behind, with {} records", records.len());
///     }
/// }
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MillisBehindLatest(pub Option<Duration>);
