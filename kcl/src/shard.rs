//! What a processor is told about its shard.

use std::fmt;

use crate::SequenceNumber;

/// The shard whose records a processor gets: one process, one shard.
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
}

impl Shard {
    /// A shard by its id and the position from which its records come. Handlers are given theirs; this is for tests.
    pub fn new(id: impl Into<String>, position: Position) -> Self {
        Self { id: id.into(), position }
    }

    /// The shard's id, such as `shardId-000000000000`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where the shard stood when this process got it: the checkpoint behind which its records start.
    pub fn position(&self) -> &Position {
        &self.position
    }
}

/// A place in a shard: where its records start, or up to where they are done.
///
/// On the wire it is `initialize`'s `sequenceNumber` and `subSequenceNumber` (`InitializeMessage` of the MultiLangDaemon).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Position {
    /// From the oldest record that the stream still holds.
    TrimHorizon,
    /// From the first record that comes after the start.
    Latest,
    /// From the first record at or after a time that the daemon was given.
    AtTimestamp,
    /// The shard was read to its end.
    ShardEnd,
    /// Behind this record: it was checkpointed, the next one comes first.
    After {
        /// The record's sequence number.
        sequence_number: SequenceNumber,
        /// Its place among the user records of an aggregated record of the Kinesis Producer Library, else 0.
        sub_sequence_number: u64,
    },
    /// The daemon named none, or one that this version does not know.
    Unknown,
}

impl Position {
    /// The position behind a record.
    pub fn after(sequence_number: SequenceNumber, sub_sequence_number: u64) -> Self {
        Self::After { sequence_number, sub_sequence_number }
    }
}

/// As the daemon writes it; [`Position::After`] as `sequence number/sub-sequence number`.
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

/// How far the batch is behind the newest record of its shard, in milliseconds; `None` where the daemon does not say.
///
/// ```
/// # use kcl::{MillisBehindLatest, Record};
/// # struct Lag;
/// # impl Lag {
/// fn records(&mut self, records: &[Record], MillisBehindLatest(behind): MillisBehindLatest) {
///     if behind.is_some_and(|millis| millis > 60_000) {
///         eprintln!("more than a minute behind, {} records at hand", records.len());
///     }
/// }
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MillisBehindLatest(pub Option<u64>);
