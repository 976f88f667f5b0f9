//! Reads a line as a record: either the line is the data, or it is JSON with all fields of a record.

use std::borrow::Cow;
use std::num::ParseIntError;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::key::{KeyError, Pointer, hash};
use crate::report;

/// The most data of a record on a Kinesis stream with default settings.
pub(crate) const LONGEST_RECORD: usize = 1 << 20;
/// The most characters that Kinesis allows in a partition key.
const LONGEST_KEY: usize = 256;

/// The format of an input line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LineFormat {
    Lines,
    Json,
}

impl std::fmt::Display for LineFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Lines => "lines",
            Self::Json => "json",
        })
    }
}

/// The format of a line.
#[derive(Clone, Debug)]
pub(crate) enum Format {
    /// The line is the record's data. Its key is the value at the pointer, or without a pointer the record's number.
    Lines(Option<Pointer>),
    /// The line is an object with data, key and other fields.
    Json,
}

/// A record read from a line.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    pub(crate) data: Cow<'a, [u8]>,
    pub(crate) key: Cow<'a, str>,
    /// The hash key, which decides the record's shard.
    pub(crate) hash: u128,
    /// In milliseconds since 1970, if the line contains it.
    pub(crate) arrival: Option<i64>,
}

/// The reason why a line is not a record.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(
        "not a record: {0}. A line is an object with `data` (text) or `dataBase64`, and may have `partitionKey`, `explicitHashKey` and `approximateArrivalTimestamp` (milliseconds since 1970)"
    )]
    Json(serde_json::Error),
    #[error("neither `data` nor `dataBase64`; a record needs one of them")]
    NoData,
    #[error("both `data` and `dataBase64`; a record has only one of them")]
    TwiceData,
    #[error("`dataBase64` is not valid base64: {0}")]
    Base64(base64::DecodeError),
    #[error("the explicitHashKey `{text}` is not a decimal number below 2^128 ({error})")]
    HashKey { text: String, error: ParseIntError },
    #[error("the partition key is empty; Kinesis requires 1 to {LONGEST_KEY} characters")]
    EmptyKey,
    #[error("the partition key has {0} characters; Kinesis allows at most {LONGEST_KEY}")]
    LongKey(usize),
    #[error("a record of {bytes} bytes; Kinesis allows at most {} MiB{}", longest >> 20, hint(*longest))]
    TooLong { bytes: usize, longest: usize },
}

fn hint(longest: usize) -> &'static str {
    if longest < super::lines::LONGEST_LINE { ", or 10 MiB on a stream that allows it (--large-records)" } else { "" }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow)]
    data: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data_base64: Option<Cow<'a, str>>,
    #[serde(borrow)]
    partition_key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    explicit_hash_key: Option<Cow<'a, str>>,
    approximate_arrival_timestamp: Option<i64>,
    // The other fields that `kcl::dead_letter::JsonLines` writes, so that its files can be used as input.
    #[serde(rename = "sequenceNumber")]
    _sequence_number: Option<IgnoredAny>,
    #[serde(rename = "subSequenceNumber")]
    _sub_sequence_number: Option<IgnoredAny>,
    #[serde(rename = "shardId")]
    _shard_id: Option<IgnoredAny>,
    #[serde(rename = "error")]
    _error: Option<IgnoredAny>,
    #[serde(rename = "attempts")]
    _attempts: Option<IgnoredAny>,
}

impl Format {
    /// The format given by `--format` and `--key`.
    pub(crate) fn new(format: LineFormat, key: Option<Pointer>) -> Self {
        match format {
            LineFormat::Lines => Self::Lines(key),
            LineFormat::Json => Self::Json,
        }
    }

    /// The longest line that can hold a record of `longest` bytes.
    pub(crate) fn longest_line(&self, longest: usize) -> usize {
        match self {
            Self::Lines(_) => longest,
            // In JSON, a byte takes at most six bytes (`\u0000`), and the other members are short.
            Self::Json => 6 * longest + (64 << 10),
        }
    }

    /// Reads a line as the record with this number and at most `longest` bytes of data.
    pub(crate) fn record<'a>(&self, line: &'a [u8], number: u64, longest: usize) -> Result<Record<'a>, RecordError> {
        let own_key = || Cow::Owned(Decimal::new(number).as_str().to_owned());
        let record = match self {
            Self::Lines(pointer) => {
                let key = pointer.as_ref().map_or_else(|| Ok(own_key()), |pointer| pointer.key(line))?;
                let hash = hash(&key);
                Record { data: Cow::Borrowed(line), key, hash, arrival: None }
            }
            Self::Json => {
                let line: Line<'a> = serde_json::from_slice(line).map_err(RecordError::Json)?;
                let data = match (line.data, line.data_base64) {
                    (Some(Cow::Borrowed(text)), None) => Cow::Borrowed(text.as_bytes()),
                    (Some(Cow::Owned(text)), None) => Cow::Owned(text.into_bytes()),
                    (None, Some(text)) => {
                        Cow::Owned(BASE64_STANDARD.decode(text.as_bytes()).map_err(RecordError::Base64)?)
                    }
                    (None, None) => return Err(RecordError::NoData),
                    (Some(_), Some(_)) => return Err(RecordError::TwiceData),
                };
                let key = line.partition_key.unwrap_or_else(own_key);
                let hash = match line.explicit_hash_key {
                    Some(text) => text
                        .parse()
                        .map_err(|error| RecordError::HashKey { text: report::excerpt(text.as_bytes()), error })?,
                    None => hash(&key),
                };
                Record { data, key, hash, arrival: line.approximate_arrival_timestamp }
            }
        };
        if record.data.len() > longest {
            return Err(RecordError::TooLong { bytes: record.data.len(), longest });
        }
        if record.key.is_empty() {
            return Err(RecordError::EmptyKey);
        }
        // A character takes at least one byte, so a short key needs no count.
        match record.key.len() {
            0..=LONGEST_KEY => Ok(record),
            _ => match record.key.chars().count() {
                0..=LONGEST_KEY => Ok(record),
                characters => Err(RecordError::LongKey(characters)),
            },
        }
    }
}

/// A number as decimal text, without a heap allocation.
struct Decimal {
    digits: [u8; 20],
    start: usize,
}

impl Decimal {
    fn new(mut number: u64) -> Self {
        let mut decimal = Self { digits: [b'0'; 20], start: 20 };
        loop {
            decimal.start -= 1;
            decimal.digits[decimal.start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return decimal;
            }
        }
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.digits[self.start..]).unwrap_or_default()
    }
}

/// What a line is as a record, with nothing of this module's own types.
pub(crate) fn json_record(line: &[u8]) -> Result<(Vec<u8>, String, u128), String> {
    let record = Format::Json.record(line, 1, LONGEST_RECORD).map_err(|error| error.to_string())?;
    Ok((record.data.into_owned(), record.key.into_owned(), record.hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(line: &str) -> Result<Record<'_>, String> {
        Format::Json.record(line.as_bytes(), 7, 16).map_err(|error| error.to_string())
    }

    #[test]
    fn an_object_is_a_record() {
        let record = json(
            r#"{"dataBase64":"/wA=","partitionKey":"é","approximateArrivalTimestamp":5,"explicitHashKey":"340282366920938463463374607431768211455"}"#,
        )
        .unwrap();
        assert_eq!((&*record.data, &*record.key, record.arrival), (&b"\xff\0"[..], "é", Some(5)));
        assert_eq!(record.hash, u128::MAX);

        let record = json(r#"{"data":"a\nb"}"#).unwrap();
        assert_eq!((&*record.data, &*record.key, record.arrival), (&b"a\nb"[..], "7", None));
        assert_eq!(record.hash, hash("7"));
        assert_eq!(json(r#"{"data":""}"#).unwrap().data.len(), 0);
    }

    #[test]
    fn a_dead_letter_is_a_record() {
        let record = json(
            r#"{"data":"x","partitionKey":"k","sequenceNumber":"7","subSequenceNumber":0,"approximateArrivalTimestamp":5,"shardId":"shardId-000000000000","error":"it broke","attempts":4}"#,
        )
        .unwrap();
        assert_eq!((&*record.data, &*record.key, record.arrival), (&b"x"[..], "k", Some(5)));
    }

    #[test]
    fn an_invalid_record_is_explained() {
        for (line, says) in [
            ("x", "not a record: expected value"),
            ("[1]", "not a record: invalid type"),
            (r#"{"data":"x","key":"k"}"#, "unknown field `key`"),
            (r#"{"data":7}"#, "not a record: invalid type"),
            ("{}", "neither `data` nor `dataBase64`"),
            (r#"{"data":"x","dataBase64":""}"#, "both `data`"),
            (r#"{"dataBase64":"a"}"#, "not valid base64"),
            (r#"{"data":"x","explicitHashKey":"-1"}"#, "`-1` is not a decimal number"),
            (r#"{"data":"x","explicitHashKey":"340282366920938463463374607431768211456"}"#, "below 2^128"),
            (r#"{"data":"x","partitionKey":""}"#, "the partition key is empty"),
            (r#"{"data":"12345678901234567"}"#, "a record of 17 bytes"),
        ] {
            let error = json(line).unwrap_err();
            assert!(error.contains(says), "{line}: {error}");
        }
    }

    #[test]
    fn a_key_has_256_characters_at_most() {
        let format = Format::Lines(Some("/k".parse().unwrap()));
        let record = |key: &str| format.record(format!(r#"{{"k":"{key}"}}"#).as_bytes(), 1, 1 << 20).map(|_| ());
        assert!(record(&"é".repeat(256)).is_ok());
        assert!(matches!(record(&"é".repeat(257)), Err(RecordError::LongKey(257))));
        assert!(matches!(record(""), Err(RecordError::EmptyKey)));
    }

    #[test]
    fn decimals_match_the_standard_format() {
        for number in [0, 7, 10, 1_234_567_890, u64::MAX] {
            assert_eq!(Decimal::new(number).as_str(), number.to_string());
        }
    }
}
