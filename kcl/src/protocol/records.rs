//! The records of `processRecords`: how they serialize, and how those are read that `shape.rs` does not know.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde::{Deserialize, de};

use super::base64;
use crate::buffers::Buffers;
use crate::record::Record;
use crate::sequence::SequenceNumber;

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
        record.serialize_field("data", &base64::encode(self.data))?;
        record.serialize_field("partitionKey", self.partition_key)?;
        record.serialize_field("sequenceNumber", &format_args!("{}", self.sequence_number))?;
        record.serialize_field("approximateArrivalTimestamp", &self.approximate_arrival_timestamp)?;
        record.serialize_field("subSequenceNumber", &self.sub_sequence_number)?;
        record.serialize_field("action", "record")?;
        record.end()
    }
}

/// The `records` of an incoming message, which deserialize from the array.
pub(super) struct Records(pub(super) Vec<Record>);

impl<'de> Deserialize<'de> for Records {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RecordsVisitor;

        impl<'de> Visitor<'de> for RecordsVisitor {
            type Value = Records;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of records")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Records, A::Error> {
                let mut buffers = Buffers::default();
                while seq.next_element_seed(&mut buffers)?.is_some() {}
                Ok(Records(buffers.finish()))
            }
        }

        deserializer.deserialize_seq(RecordsVisitor)
    }
}

/// A field of a record, recognized by its bytes: names are too frequent to check each for UTF-8.
enum Field {
    Data,
    PartitionKey,
    SequenceNumber,
    SubSequenceNumber,
    ApproximateArrivalTimestamp,
    Other,
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldVisitor;

        impl Visitor<'_> for FieldVisitor {
            type Value = Field;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a field")
            }

            fn visit_bytes<E: de::Error>(self, name: &[u8]) -> Result<Field, E> {
                Ok(match name {
                    b"data" => Field::Data,
                    b"partitionKey" => Field::PartitionKey,
                    b"sequenceNumber" => Field::SequenceNumber,
                    b"subSequenceNumber" => Field::SubSequenceNumber,
                    b"approximateArrivalTimestamp" => Field::ApproximateArrivalTimestamp,
                    _ => Field::Other,
                })
            }
        }

        deserializer.deserialize_bytes(FieldVisitor)
    }
}

/// Reads one record and appends it.
impl<'de> DeserializeSeed<'de> for &mut Buffers {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Buffers {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.start_record();
        read_fields(self, map).inspect_err(|_| self.cancel_record())
    }
}

/// Reads the fields of the current record.
fn read_fields<'de, A: MapAccess<'de>>(buffers: &mut Buffers, mut map: A) -> Result<(), A::Error> {
    let mut sequence_number = None;
    let mut sub_sequence_number = None;
    let mut arrival = None;
    while let Some(field) = map.next_key()? {
        match field {
            Field::Data => {
                buffers.set_data(b"");
                map.next_value_seed(Text(|encoded: &[u8]| {
                    base64::decode(encoded, buffers).map_err(|error| format!("`data` is not base64: {error}"))
                }))?;
            }
            Field::PartitionKey => {
                buffers.set_key(b"");
                map.next_value_seed(Text(|text: &[u8]| {
                    buffers.set_key(text);
                    Ok(())
                }))?;
            }
            Field::SequenceNumber => {
                sequence_number = None;
                map.next_value_seed(Text(|digits: &[u8]| {
                    let number = SequenceNumber::from_ascii(digits);
                    sequence_number = Some(number.map_err(|error| format!("`sequenceNumber`: {error}"))?);
                    Ok(())
                }))?;
            }
            Field::SubSequenceNumber => sub_sequence_number = map.next_value::<Option<u64>>()?,
            Field::ApproximateArrivalTimestamp => arrival = map.next_value()?,
            Field::Other => {
                map.next_value::<IgnoredAny>()?;
            }
        }
    }
    let sequence_number = sequence_number.ok_or_else(|| de::Error::missing_field("sequenceNumber"))?;
    if let Some(record) = buffers.record() {
        record.sequence_number = sequence_number;
        record.sub_sequence_number = sub_sequence_number.unwrap_or(0);
        record.arrival = arrival;
    }
    Ok(())
}

/// A nullable string, taken as bytes: text without escapes is neither checked for UTF-8 nor copied. Null is not passed
/// on.
struct Text<F>(F);

impl<'de, F: FnMut(&[u8]) -> Result<(), String>> DeserializeSeed<'de> for Text<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, F: FnMut(&[u8]) -> Result<(), String>> Visitor<'de> for Text<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or null")
    }

    fn visit_none<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_bytes(self)
    }

    fn visit_bytes<E: de::Error>(mut self, bytes: &[u8]) -> Result<(), E> {
        (self.0)(bytes).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        // `serde_json` offers an array where bytes are requested.
        Err(A::Error::invalid_type(de::Unexpected::Seq, &self))
    }
}
