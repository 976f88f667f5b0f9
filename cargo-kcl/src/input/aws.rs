//! Records as AWS prints them: in the answer of GetRecords, by the AWS CLI or an SDK, and in an event of AWS Lambda.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use super::record_error::RecordError;

/// A record with what all of these have in common.
#[derive(Debug)]
pub(super) struct AwsRecord<'a> {
    pub(super) data: Vec<u8>,
    pub(super) partition_key: Option<Cow<'a, str>>,
    /// In milliseconds since 1970.
    pub(super) arrival: Option<i64>,
}

/// A record of GetRecords, or one of an event, in which another object holds it.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(rename = "Data", borrow)]
    data: Option<Data<'a>>,
    #[serde(rename = "PartitionKey", borrow)]
    partition_key: Option<Cow<'a, str>>,
    #[serde(rename = "ApproximateArrivalTimestamp")]
    arrival: Option<Arrival>,
    #[serde(borrow)]
    kinesis: Option<InEvent<'a>>,
    #[serde(rename = "eventSource", borrow)]
    source: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InEvent<'a> {
    #[serde(borrow)]
    data: Option<Data<'a>>,
    #[serde(borrow)]
    partition_key: Option<Cow<'a, str>>,
    approximate_arrival_timestamp: Option<Arrival>,
}

/// The data of a record, in the forms in which programs print it.
#[derive(Deserialize)]
#[serde(untagged, expecting = "the data is neither text nor bytes as Node prints them")]
enum Data<'a> {
    /// Base64, or bytes as Python prints them.
    Text(#[serde(borrow)] Cow<'a, str>),
    /// A `Buffer` of Node.
    Buffer {
        #[serde(rename = "type")]
        _type: IsBuffer,
        data: Vec<u8>,
    },
    /// A `Uint8Array` of JavaScript: each byte with its index.
    Indexed(HashMap<String, u8>),
}

#[derive(Deserialize)]
enum IsBuffer {
    Buffer,
}

impl Data<'_> {
    fn bytes(self) -> Result<Vec<u8>, RecordError> {
        match self {
            Self::Text(text) => match python_bytes(&text) {
                Some(bytes) => Ok(bytes),
                None => BASE64_STANDARD.decode(text.as_bytes()).map_err(RecordError::AwsBase64),
            },
            Self::Buffer { data, .. } => Ok(data),
            Self::Indexed(bytes) => {
                let byte = |index: usize| bytes.get(&index.to_string()).copied();
                (0..bytes.len()).map(byte).collect::<Option<_>>().ok_or(RecordError::AwsIndexes)
            }
        }
    }
}

/// A time, in milliseconds since 1970. It is written as a number of seconds or as text.
struct Arrival(i64);

/// Reads a record of a document.
pub(super) fn record(text: &[u8]) -> Result<AwsRecord<'_>, RecordError> {
    let entry: Entry<'_> = serde_json::from_slice(text).map_err(RecordError::Aws)?;
    let (data, partition_key, arrival) = match (entry.kinesis, entry.source) {
        (Some(inner), _) => (inner.data, inner.partition_key, inner.approximate_arrival_timestamp),
        (None, Some(source)) => return Err(RecordError::Source(source.into_owned())),
        (None, None) => (entry.data, entry.partition_key, entry.arrival),
    };
    let data = data.ok_or(RecordError::NoAwsData)?.bytes()?;
    Ok(AwsRecord { data, partition_key, arrival: arrival.map(|Arrival(millis)| millis) })
}

/// The bytes in text like `b'a\x00'`, which Python makes of them if they are printed as they are.
fn python_bytes(text: &str) -> Option<Vec<u8>> {
    let text = text.strip_prefix('b')?;
    let quote = text.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    let mut rest = text.get(1..)?.strip_suffix(quote)?.as_bytes();
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let (&escaped, after) = rest.split_first()?;
        rest = after;
        bytes.push(match escaped {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'x' => {
                let (digits, after) = rest.split_at_checked(2)?;
                rest = after;
                u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?
            }
            b'\\' | b'\'' | b'"' => escaped,
            _ => return None,
        });
    }
    Some(bytes)
}

impl<'de> Deserialize<'de> for Arrival {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ArrivalVisitor)
    }
}

struct ArrivalVisitor;

/// The number of seconds from which on it must be a number of milliseconds.
const MOST_SECONDS: f64 = 1e11;

impl Visitor<'_> for ArrivalVisitor {
    type Value = Arrival;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time: seconds since 1970, or text like 2026-01-31T12:00:00Z")
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<Arrival, E> {
        if seconds.abs() >= MOST_SECONDS {
            return Err(E::custom(format_args!(
                "the time {seconds} is probably in milliseconds; here it is in seconds"
            )));
        }
        Ok(Arrival((seconds * 1e3).round() as i64))
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Arrival, E> {
        self.visit_f64(seconds as f64)
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Arrival, E> {
        self.visit_f64(seconds as f64)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Arrival, E> {
        millis(text).map(Arrival).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }
}

/// Parses a time like `2026-01-31T12:00:00.25+01:00`; a space may stand for the `T`. In milliseconds since 1970.
fn millis(text: &str) -> Option<i64> {
    let (local, offset) = match text.strip_suffix(['Z', 'z']) {
        Some(local) => (local, 0),
        None => {
            let at = text.len().checked_sub(6)?;
            let (local, offset) = (text.get(..at)?, text.get(at..)?);
            let (sign, offset) = match offset.split_at_checked(1)? {
                ("+", offset) => (1, offset),
                ("-", offset) => (-1, offset),
                _ => return None,
            };
            let (hours, minutes) = offset.split_once(':')?;
            let number =
                |digits: &str| digits.parse::<i64>().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
            (local, sign * (number(hours)? * 60 + number(minutes)?))
        }
    };
    let time = humantime::parse_rfc3339_weak(local).ok()?;
    let millis = i64::try_from(time.duration_since(std::time::UNIX_EPOCH).ok()?.as_millis()).ok()?;
    Some(millis - offset * 60_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read = (Vec<u8>, Option<String>, Option<i64>);

    fn read(text: &str) -> Result<Read, String> {
        let record = record(text.as_bytes()).map_err(|error| error.to_string())?;
        Ok((record.data, record.partition_key.map(Cow::into_owned), record.arrival))
    }

    #[test]
    fn records_of_all_kinds_are_read() {
        let expected = Ok((b"hello".to_vec(), Some("p".to_owned()), Some(1_764_150_000_250)));
        for text in [
            r#"{"SequenceNumber":"49","ApproximateArrivalTimestamp":1764150000.25,"Data":"aGVsbG8=","PartitionKey":"p"}"#,
            r#"{"ApproximateArrivalTimestamp":"2025-11-26T10:40:00.250000+01:00","Data":"aGVsbG8=","PartitionKey":"p","EncryptionType":"KMS"}"#,
            r#"{"ApproximateArrivalTimestamp":"2025-11-26 09:40:00.250000+00:00","Data":"b'hello'","PartitionKey":"p"}"#,
            r#"{"eventSource":"aws:kinesis","kinesis":{"partitionKey":"p","data":"aGVsbG8=","approximateArrivalTimestamp":1764150000.25}}"#,
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        assert_eq!(read(r#"{"Data":"","PartitionKey":null}"#), Ok((vec![], None, None)));
        for text in
            [r#"{"Data":{"type":"Buffer","data":[0,255]}}"#, r#"{"Data":{"0":0,"1":255}}"#, r#"{"Data":"AP8\u003d"}"#]
        {
            assert_eq!(read(text).map(|(data, ..)| data), Ok(vec![0, 255]), "{text}");
        }
        assert_eq!(read(r#"{"Data":{}}"#), Ok((vec![], None, None)));
    }

    #[test]
    fn what_is_not_a_record_is_explained() {
        for (text, says) in [
            ("7", "not a record"),
            (r#"{"PartitionKey":"p"}"#, "no `Data`"),
            (r#"{"Data":"a","PartitionKey":"p"}"#, "not valid base64"),
            (r#"{"Data":"b'\\q'"}"#, "not valid base64"),
            (r#"{"Data":7}"#, "neither text nor bytes as Node prints them"),
            (r#"{"Data":{"0":256}}"#, "neither text nor bytes as Node prints them"),
            (r#"{"Data":{"type":"Blob","data":[0]}}"#, "neither text nor bytes as Node prints them"),
            (r#"{"Data":{"1":0}}"#, "indexes"),
            (r#"{"eventSource":"aws:sqs","body":"x"}"#, "`aws:sqs`"),
            (r#"{"Data":"","ApproximateArrivalTimestamp":1764150000250}"#, "probably in milliseconds"),
            (r#"{"Data":"","ApproximateArrivalTimestamp":"yesterday"}"#, "expected a time"),
            (r#"{"Data":"","PartitionKey":7}"#, "not a record"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn bytes_printed_by_python_are_read() {
        assert_eq!(python_bytes(r#"b'a\x00\xff\n\\\'"'"#).unwrap(), b"a\0\xff\n\\'\"");
        assert_eq!(python_bytes(r#"b"it's""#).unwrap(), b"it's");
        for text in ["", "b", "b'", "b'a", "a'a'", r"b'\x0'", r"b'\'"] {
            assert_eq!(python_bytes(text), None, "{text}");
        }
    }

    #[test]
    fn times_have_an_offset() {
        for (text, expected) in [
            ("1970-01-01T00:00:01Z", Some(1_000)),
            ("1970-01-01T00:00:00.5-01:30", Some(5_400_500)),
            ("1970-01-01 01:00:00+01:00", Some(0)),
            ("1970-01-01T00:00:01", None),
            ("1970-01-01T00:00:01+1:00", None),
            ("", None),
            ("é", None),
        ] {
            assert_eq!(millis(text), expected, "{text}");
        }
    }
}
