//! Places in a shard.

use std::time::SystemTime;

use aws_sdk_kinesis::operation::get_shard_iterator::builders::GetShardIteratorFluentBuilder;
use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::ShardIteratorType;
use kcl::SequenceNumber;

/// The place in a shard where reading starts or continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cursor {
    TrimHorizon,
    Latest,
    Time(SystemTime),
    /// At the record of a checkpoint, whose parts up to this one are processed.
    At(SequenceNumber, u64),
    /// After a record that was read.
    After(SequenceNumber),
}

impl Cursor {
    /// Adds the place to a call for an iterator.
    pub(crate) fn add_to(self, call: GetShardIteratorFluentBuilder) -> GetShardIteratorFluentBuilder {
        match self {
            Self::TrimHorizon => call.shard_iterator_type(ShardIteratorType::TrimHorizon),
            Self::Latest => call.shard_iterator_type(ShardIteratorType::Latest),
            Self::Time(time) => {
                call.shard_iterator_type(ShardIteratorType::AtTimestamp).timestamp(DateTime::from(time))
            }
            Self::At(number, _) => call
                .shard_iterator_type(ShardIteratorType::AtSequenceNumber)
                .starting_sequence_number(number.to_string()),
            Self::After(number) => call
                .shard_iterator_type(ShardIteratorType::AfterSequenceNumber)
                .starting_sequence_number(number.to_string()),
        }
    }

    /// The last record before this place and the last of its parts, if they are known.
    pub(crate) fn last(self) -> Option<(SequenceNumber, u64)> {
        match self {
            Self::At(number, sub) => Some((number, sub)),
            Self::After(number) => Some((number, u64::MAX)),
            Self::TrimHorizon | Self::Latest | Self::Time(_) => None,
        }
    }
}
