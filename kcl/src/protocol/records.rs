//! The records of `processRecords` that `shape.rs` does not know.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use super::base64;
use crate::buffers::Buffers;
use crate::record::Record;
use crate::sequence::SequenceNumber;

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
