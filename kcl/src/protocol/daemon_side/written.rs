//! Messages and records as the daemon writes them.

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::encoding::encode;
use super::wire_text::WireText;
use crate::buffers::Buffers;
use crate::protocol::message::{Message, ShutdownReason};
use crate::record::Record;
use crate::sequence::SequenceNumber;
use crate::shard::Position;

/// A record as the daemon writes it (`JsonFriendlyRecord`), with borrowed data.
///
/// ```
/// use kcl::protocol::WireRecord;
///
/// let record = WireRecord {
///     data: b"hello",
///     partition_key: "alice",
///     sequence_number: 7.into(),
///     sub_sequence_number: 0,
///     approximate_arrival_timestamp: Some(1_795_348_564_154),
/// };
/// let [record] = &WireRecord::into_batch([record])[..] else { unreachable!() };
/// assert_eq!(record.partition_key(), "alice");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireRecord<'a> {
    /// The payload, before base64.
    pub data: &'a [u8],
    /// The key, of up to 256 characters.
    pub partition_key: &'a str,
    /// The record's number in its shard.
    pub sequence_number: SequenceNumber,
    /// The record's place among the user records of an aggregated record, or else 0.
    pub sub_sequence_number: u64,
    /// Milliseconds since 1970.
    pub approximate_arrival_timestamp: Option<i64>,
}

impl<'a> WireRecord<'a> {
    /// The same records as a processor receives them. They share the buffers of one batch.
    pub fn into_batch(records: impl IntoIterator<Item = WireRecord<'a>>) -> Vec<Record> {
        let mut buffers = Buffers::default();
        for record in records {
            let entry = buffers.start_record();
            entry.sequence_number = record.sequence_number;
            entry.sub_sequence_number = record.sub_sequence_number;
            entry.arrival = record.approximate_arrival_timestamp;
            buffers.set_data(record.data);
            buffers.set_key(record.partition_key.as_bytes());
        }
        buffers.finish()
    }
}

impl<'a> From<&'a Record> for WireRecord<'a> {
    fn from(record: &'a Record) -> Self {
        Self {
            data: record.data(),
            partition_key: record.partition_key(),
            sequence_number: record.sequence_number(),
            sub_sequence_number: record.sub_sequence_number(),
            approximate_arrival_timestamp: record.approximate_arrival_millis(),
        }
    }
}

impl Serialize for WireRecord<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut record = serializer.serialize_struct("Record", 6)?;
        record.serialize_field("data", &encode(self.data))?;
        record.serialize_field("partitionKey", self.partition_key)?;
        record.serialize_field("sequenceNumber", &format_args!("{}", self.sequence_number))?;
        record.serialize_field("approximateArrivalTimestamp", &self.approximate_arrival_timestamp)?;
        record.serialize_field("subSequenceNumber", &self.sub_sequence_number)?;
        record.serialize_field("action", "record")?;
        record.end()
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::ProcessRecords { records, millis_behind_latest } => ProcessRecordsMessage {
                records: records.iter().map(WireRecord::from).collect::<Vec<_>>(),
                millis_behind_latest: *millis_behind_latest,
            }
            .serialize(serializer),
            Self::Initialize { shard_id, position } => {
                let (sequence_number, sub_sequence_number) = match position {
                    Position::After { sequence_number, sub_sequence_number } => {
                        (Some(sequence_number.to_string()), *sub_sequence_number)
                    }
                    Position::Unknown => (None, 0),
                    sentinel => (Some(sentinel.to_string()), 0),
                };
                let mut message = serializer.serialize_struct("Message", 4)?;
                message.serialize_field("action", self.action())?;
                message.serialize_field("shardId", shard_id)?;
                message.serialize_field("sequenceNumber", &sequence_number)?;
                message.serialize_field("subSequenceNumber", &sub_sequence_number)?;
                message.end()
            }
            Self::LeaseLost | Self::ShardEnded | Self::ShutdownRequested => {
                let mut message = serializer.serialize_struct("Message", 1)?;
                message.serialize_field("action", self.action())?;
                message.end()
            }
            Self::Shutdown { reason } => {
                let mut message = serializer.serialize_struct("Message", 2)?;
                message.serialize_field("action", self.action())?;
                message.serialize_field(
                    "reason",
                    match reason {
                        ShutdownReason::Terminate => "TERMINATE",
                        ShutdownReason::Zombie => "ZOMBIE",
                    },
                )?;
                message.end()
            }
            Self::Checkpoint { sequence_number, sub_sequence_number, error } => {
                let mut message = serializer.serialize_struct("Message", 4)?;
                message.serialize_field("action", self.action())?;
                message.serialize_field("sequenceNumber", sequence_number)?;
                message.serialize_field("subSequenceNumber", sub_sequence_number)?;
                message.serialize_field("error", error)?;
                message.end()
            }
        }
    }
}

#[cfg(feature = "testing")]
impl Message {
    /// Appends the same bytes as serializing, but does not search names for characters to escape in the answer to a
    /// checkpoint, the most frequent message without records.
    pub(crate) fn write(&self, line: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        let Self::Checkpoint { sequence_number, sub_sequence_number, error } = self else {
            return serde_json::to_writer(line, self);
        };
        line.extend_from_slice(br#"{"action":"checkpoint","sequenceNumber":"#);
        serde_json::to_writer(&mut *line, sequence_number)?;
        line.extend_from_slice(br#","subSequenceNumber":"#);
        serde_json::to_writer(&mut *line, sub_sequence_number)?;
        line.extend_from_slice(br#","error":"#);
        serde_json::to_writer(&mut *line, error)?;
        line.push(b'}');
        Ok(())
    }
}

/// [`Message::ProcessRecords`] for a daemon whose records are not [`Record`]s. It serializes to the same line.
#[derive(Clone, Debug)]
pub struct ProcessRecordsMessage<R> {
    /// The records, in order.
    pub records: R,
    /// How far the batch is behind the newest record of the shard, in milliseconds.
    pub millis_behind_latest: Option<u64>,
}

impl<'a, R: AsRef<[WireRecord<'a>]>> Serialize for ProcessRecordsMessage<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut message = serializer.serialize_struct("Message", 3)?;
        message.serialize_field("action", "processRecords")?;
        message.serialize_field("records", self.records.as_ref())?;
        message.serialize_field("millisBehindLatest", &self.millis_behind_latest)?;
        message.end()
    }
}

impl ProcessRecordsMessage<&[WireRecord<'_>]> {
    /// Appends the message, without a line feed. This writes the same bytes as serializing, in a fraction of the time.
    pub fn write(&self, line: &mut Vec<u8>) {
        let mut text = WireText::default();
        self.records.iter().for_each(|record| text.push(record));
        line.extend_from_slice(WireText::BEFORE);
        line.extend_from_slice(text.as_bytes());
        line.extend_from_slice(WireText::after(self.millis_behind_latest).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "testing")]
    #[test]
    fn writing_an_answer_is_the_same_as_serializing() {
        let number = Some("\"49\n".to_owned());
        for (sequence_number, sub_sequence_number, error) in
            [(None, None, None), (number.clone(), Some(-7), number.clone()), (number, None, Some(String::new()))]
        {
            let message = Message::Checkpoint { sequence_number, sub_sequence_number, error };
            let mut line = Vec::new();
            message.write(&mut line).unwrap();
            assert_eq!(line, serde_json::to_vec(&message).unwrap());
        }
        let mut line = Vec::new();
        Message::ShardEnded.write(&mut line).unwrap();
        assert_eq!(line, serde_json::to_vec(&Message::ShardEnded).unwrap());
    }

    #[test]
    fn writing_is_the_same_as_serializing() {
        let record = WireRecord {
            data: b"",
            partition_key: "a\"\\\n\r\t\u{8}\u{c}\0\u{7f}\u{1f}\u{e9}\u{1f980}",
            sequence_number: 0.into(),
            sub_sequence_number: 0,
            approximate_arrival_timestamp: None,
        };
        let data: Vec<u8> = (0..=255).collect();
        let longest = "9".repeat(SequenceNumber::MAX_DIGITS);
        let records = [
            record,
            WireRecord { data: &data, partition_key: "", sub_sequence_number: u64::MAX, ..record },
            WireRecord { data: &data[..7], approximate_arrival_timestamp: Some(i64::MIN), ..record },
            WireRecord { sequence_number: longest.parse().unwrap(), approximate_arrival_timestamp: Some(0), ..record },
            WireRecord { sequence_number: longest[..56].parse().unwrap(), sub_sequence_number: 10, ..record },
            WireRecord { sequence_number: "10000000000000000000000000000000000000000".parse().unwrap(), ..record },
        ];
        for count in 0..=records.len() {
            for millis_behind_latest in [None, Some(0), Some(u64::MAX)] {
                let message = ProcessRecordsMessage { records: &records[..count], millis_behind_latest };
                let mut line = b"before".to_vec();
                message.write(&mut line);
                let serialized = serde_json::to_string(&message).unwrap();
                assert_eq!(line, [b"before", serialized.as_bytes()].concat());
            }
        }
    }
}
