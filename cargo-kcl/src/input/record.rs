//! Reads a line as a record: either the line is the data, or it is JSON with all fields of a record. Or reads a record of a document
//! that AWS printed.

use std::borrow::Cow;
use std::ops::Deref;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kcl::__private::Decimal;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::aws::{self, AwsRecord};
use super::bracket::Bracket;
use super::documents;
use super::key::{KeyError, LONGEST_KEY, Missing, Pointer, hash};
use super::kpl::{self, Content};
use super::limits::LONGEST_RECORD;
use super::lines::Framing;
use super::number_hashes::NumberHashes;
use super::record_error::RecordError;
use crate::report;

/// A smaller arrival time, in milliseconds, is in 1973 or before: it is probably in seconds.
const LEAST_MILLIS: i64 = 100_000_000_000;

/// The format of an input line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LineFormat {
    Lines,
    Json,
    Aws,
}

impl std::fmt::Display for LineFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Lines => "lines",
            Self::Json => "json",
            Self::Aws => "aws",
        })
    }
}

/// The format of a line.
#[derive(Clone, Debug)]
pub(crate) enum Format {
    /// The line is the record's data. Its key is the value at the pointer, or without a pointer the record's number.
    Lines(Option<(Pointer, Option<Missing>)>),
    /// The line is an object with data, key and other fields.
    Json(Missing),
    /// The text is a record of a document that AWS printed.
    Aws(Option<Missing>),
}

/// A record read from a line.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    pub(crate) data: Cow<'a, [u8]>,
    pub(crate) key: Key<'a>,
    /// The hash key, if it does not follow from the partition key.
    explicit_hash: Option<u128>,
    /// In milliseconds since 1970, if the line contains it.
    pub(crate) arrival: Option<i64>,
}

impl Record<'_> {
    /// The hash key, which decides the record's shard. To compute it takes longer than to read a short record.
    pub(crate) fn hash(&self) -> u128 {
        self.explicit_hash.unwrap_or_else(|| hash(&self.key))
    }

    /// The hash key of the record with this number.
    pub(crate) fn hash_of(&self, number: u64, hashes: &mut NumberHashes) -> u128 {
        match (self.explicit_hash, &self.key) {
            (None, Key::Number(_)) => hashes.get(number),
            _ => self.hash(),
        }
    }

    /// The record, unless it is too long for Kinesis.
    fn of_at_most(self, longest: usize) -> Result<Self, RecordError> {
        match self.data.len() + self.key.len() {
            bytes if bytes > longest => {
                let key_is_number = matches!(self.key, Key::Number(_));
                Err(RecordError::TooLong { bytes, longest, key_is_number })
            }
            _ => Ok(self),
        }
    }

    /// The record, unless its key is one that Kinesis refuses.
    fn with_valid_key(self) -> Result<Self, RecordError> {
        let Key::Text(key) = &self.key else { return Ok(self) };
        if key.is_empty() {
            return Err(RecordError::EmptyKey);
        }
        // A character takes at least one byte, so a short key needs no count.
        match key.len() {
            0..=LONGEST_KEY => Ok(self),
            _ => match key.chars().count() {
                0..=LONGEST_KEY => Ok(self),
                characters => Err(RecordError::LongKey(characters)),
            },
        }
    }

    /// The hash key, unless it follows from the partition key.
    pub(crate) fn explicit_hash_key(&self) -> Option<String> {
        self.explicit_hash.filter(|explicit| *explicit != hash(&self.key)).map(|explicit| explicit.to_string())
    }
}

/// The partition key of a record.
#[derive(Debug)]
pub(crate) enum Key<'a> {
    Text(Cow<'a, str>),
    /// The number of the record.
    Number(Decimal),
}

impl Deref for Key<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.as_str(),
        }
    }
}

impl From<Key<'_>> for String {
    fn from(key: Key<'_>) -> Self {
        match key {
            Key::Text(text) => text.into_owned(),
            Key::Number(number) => number.as_str().to_owned(),
        }
    }
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
    /// The format given by `--format`, `--key` and `--key-missing`.
    ///
    /// # Errors
    ///
    /// The reason why these options contradict each other.
    pub(crate) fn new(
        format: LineFormat,
        key: Option<Pointer>,
        missing: Option<Missing>,
    ) -> Result<Self, &'static str> {
        match (format, key) {
            (LineFormat::Lines, Some(key)) => Ok(Self::Lines(Some((key, missing)))),
            (LineFormat::Lines, None) if missing.is_some() => {
                Err("--key-missing requires --key, or --format json or aws")
            }
            (LineFormat::Lines, None) => Ok(Self::Lines(None)),
            (LineFormat::Json, None) => Ok(Self::Json(missing.unwrap_or(Missing::Number))),
            (LineFormat::Json, Some(_)) => {
                Err("--key requires --format lines; with json, a line names its `partitionKey`")
            }
            (LineFormat::Aws, None) => Ok(Self::Aws(missing)),
            (LineFormat::Aws, Some(_)) => {
                Err("--key requires --format lines; with aws, a record has its `PartitionKey`")
            }
        }
    }

    /// How the bytes of an input become texts that can hold a record of `longest` bytes.
    pub(crate) fn framing(&self, longest: usize) -> Framing {
        match self {
            Self::Lines(key) => Framing::Lines { longest, warns: key.is_none() },
            // In JSON, a byte takes at most six bytes (`\u0000`), and the other members are short.
            Self::Json(_) => Framing::Lines { longest: 6 * longest + (64 << 10), warns: false },
            Self::Aws(_) => Framing::Documents,
        }
    }

    /// The record as the aggregate of the Kinesis Producer Library that it is, or plain. The data of a line is always plain.
    pub(crate) fn take_apart<'a>(&self, record: &'a Record<'_>) -> Content<'a> {
        match self {
            Self::Lines(_) => Content::Plain,
            Self::Json(_) | Self::Aws(_) => kpl::take_apart(&record.data, &(0..=u128::MAX)),
        }
    }

    /// Reads a text as the record with this number and at most `longest` bytes of data and key, which Kinesis counts together.
    #[inline]
    pub(crate) fn record<'a>(&self, text: &'a [u8], number: u64, longest: usize) -> Result<Record<'a>, RecordError> {
        let record = match self {
            Self::Lines(None) => return line(text, own_key(number)).of_at_most(longest),
            Self::Lines(Some((pointer, missing))) => keyed_line(text, pointer, missing.as_ref(), number),
            Self::Json(missing) => json(text, missing, number),
            Self::Aws(missing) => of_document(text, missing.as_ref(), number),
        };
        record?.of_at_most(longest)?.with_valid_key()
    }
}

/// The record whose data is this line.
fn line<'a>(text: &'a [u8], key: Key<'a>) -> Record<'a> {
    Record { data: Cow::Borrowed(text), key, explicit_hash: None, arrival: None }
}

/// Reads a line that contains its key.
fn keyed_line<'a>(
    text: &'a [u8],
    pointer: &Pointer,
    missing: Option<&Missing>,
    number: u64,
) -> Result<Record<'a>, RecordError> {
    let key = match (pointer.key(text), missing) {
        (Ok(key), _) => Key::Text(key),
        (Err(KeyError::Missing(_) | KeyError::Null(_)), Some(missing)) => missing_key(missing, number),
        (Err(KeyError::Json(_)), _) if let Some(bracket) = Bracket::alone_in(text) => {
            return Err(RecordError::Pretty(bracket));
        }
        (Err(error), _) => return Err(error.into()),
    };
    Ok(line(text, key))
}

/// Reads a record of a document that AWS printed.
fn of_document<'a>(text: &'a [u8], missing: Option<&Missing>, number: u64) -> Result<Record<'a>, RecordError> {
    let AwsRecord { data, partition_key, arrival } = aws::record(text)?;
    let key = match (partition_key, missing) {
        (Some(key), _) => Key::Text(key),
        (None, Some(missing)) => missing_key(missing, number),
        (None, None) => return Err(RecordError::NoAwsKey),
    };
    Ok(Record { data: data.into(), key, explicit_hash: None, arrival })
}

/// Reads a line that describes a record in full.
fn json<'a>(text: &'a [u8], missing: &Missing, number: u64) -> Result<Record<'a>, RecordError> {
    let line: Line<'a> = match (serde_json::from_slice(text), Bracket::alone_in(text)) {
        (Ok(line), _) => line,
        (Err(_), Some(bracket)) => return Err(RecordError::Pretty(bracket)),
        (Err(_), None) if text.trim_ascii_start().starts_with(b"{") && documents::records(text).is_ok() => {
            return Err(RecordError::AwsDocument);
        }
        (Err(error), None) => return Err(RecordError::Json(error)),
    };
    let data = match (line.data, line.data_base64) {
        (Some(Cow::Borrowed(text)), None) => Cow::Borrowed(text.as_bytes()),
        (Some(Cow::Owned(text)), None) => Cow::Owned(text.into_bytes()),
        (None, Some(text)) => Cow::Owned(BASE64_STANDARD.decode(text.as_bytes()).map_err(RecordError::Base64)?),
        (None, None) => return Err(RecordError::NoData),
        (Some(_), Some(_)) => return Err(RecordError::TwiceData),
    };
    let key = line.partition_key.map_or_else(|| missing_key(missing, number), Key::Text);
    let explicit_hash = line.explicit_hash_key.map(|text| explicit_hash_key(&text)).transpose()?;
    match line.approximate_arrival_timestamp {
        Some(arrival) if arrival < LEAST_MILLIS => Err(RecordError::Seconds(arrival)),
        arrival => Ok(Record { data, key, explicit_hash, arrival }),
    }
}

fn explicit_hash_key(text: &str) -> Result<u128, RecordError> {
    let failed = |error| RecordError::HashKey { text: report::excerpt(text), error };
    if text.starts_with('+') {
        return Err(failed(None));
    }
    text.parse().map_err(|error| failed(Some(error)))
}

/// The number of a record as its key.
fn own_key(number: u64) -> Key<'static> {
    Key::Number(Decimal::new(number))
}

fn missing_key(missing: &Missing, number: u64) -> Key<'static> {
    match missing {
        Missing::Number => own_key(number),
        Missing::Text(text) => Key::Text(Cow::Owned(text.clone())),
    }
}

/// The content of a line as a record, without the types of this module.
pub(crate) fn json_record(line: &[u8]) -> Result<(Vec<u8>, String, u128), String> {
    let record = Format::Json(Missing::Number).record(line, 1, LONGEST_RECORD).map_err(|error| error.to_string())?;
    let hash = record.hash();
    Ok((record.data.into_owned(), record.key.into(), hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(line: &str) -> Result<Record<'_>, String> {
        Format::Json(Missing::Number).record(line.as_bytes(), 7, 16).map_err(|error| error.to_string())
    }

    #[test]
    fn an_object_is_a_record() {
        let record = json(
            r#"{"dataBase64":"/wA=","partitionKey":"é","approximateArrivalTimestamp":100000000000,"explicitHashKey":"340282366920938463463374607431768211455"}"#,
        )
        .unwrap();
        assert_eq!((&*record.data, &*record.key, record.arrival), (&b"\xff\0"[..], "é", Some(100_000_000_000)));
        assert_eq!(record.hash(), u128::MAX);

        let record = json(r#"{"data":"a\nb"}"#).unwrap();
        assert_eq!((&*record.data, &*record.key, record.arrival), (&b"a\nb"[..], "7", None));
        assert_eq!(record.hash(), hash("7"));
        assert_eq!(json(r#"{"data":""}"#).unwrap().data.len(), 0);
    }

    #[test]
    fn a_dead_letter_is_a_record() {
        let record = json(
            r#"{"data":"x","partitionKey":"k","sequenceNumber":"7","subSequenceNumber":0,"approximateArrivalTimestamp":1764150000250,"shardId":"shardId-000000000000","error":"it broke","attempts":4}"#,
        )
        .unwrap();
        assert_eq!((&*record.data, &*record.key, record.arrival), (&b"x"[..], "k", Some(1_764_150_000_250)));
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
            (r#"{"data":"x","explicitHashKey":"+1"}"#, "`+1` is not a decimal number below 2^128"),
            (r#"{"data":"x","approximateArrivalTimestamp":1764150000}"#, "1764150000 is probably in seconds"),
            (r#"{"data":"x","approximateArrivalTimestamp":99999999999}"#, "99999999999 is probably in seconds"),
            (r#"{"data":"x","approximateArrivalTimestamp":-5}"#, "-5 is negative; it is in milliseconds since 1970"),
            (" { ", "only `{`: JSON that was printed on several lines"),
            ("[", "only `[`: JSON that was printed on several lines has no record per line; `jq -c '.[]'` writes one"),
            (r#"{"Records":[],"NextShardIterator":"A"}"#, "a document of AWS; --format aws reads it"),
            (r#"{"Data":"","PartitionKey":"k"}"#, "a document of AWS; --format aws reads it"),
            (r#"{"data":"x","explicitHashKey":"340282366920938463463374607431768211456"}"#, "below 2^128"),
            (r#"{"data":"x","partitionKey":""}"#, "the partition key is empty"),
            (r#"{"data":"12345678901234567"}"#, "a record of 18 bytes with its key"),
        ] {
            let error = json(line).unwrap_err();
            assert!(error.contains(says), "{line}: {error}");
        }
    }

    #[test]
    fn a_key_has_256_characters_at_most() {
        let format = Format::Lines(Some(("/k".parse().unwrap(), None)));
        let record = |key: &str| format.record(format!(r#"{{"k":"{key}"}}"#).as_bytes(), 1, 1 << 20).map(|_| ());
        assert!(record(&"é".repeat(256)).is_ok());
        assert!(matches!(record(&"é".repeat(257)), Err(RecordError::LongKey(257))));
        assert!(matches!(record(""), Err(RecordError::EmptyKey)));
    }

    #[test]
    fn a_record_without_a_key_gets_the_given_one() {
        let key = |format: &Format, text: &str| {
            format
                .record(text.as_bytes(), 7, 99)
                .map(|record| String::from(record.key))
                .map_err(|error| error.to_string())
        };
        let lines = |missing| Format::new(LineFormat::Lines, Some("/id".parse().unwrap()), missing).unwrap();
        let other = |format, missing| Format::new(format, None, missing).unwrap();
        let text = || Some(Missing::Text("x".to_owned()));
        for record in [r#"{"id":null}"#, r#"{"x":1}"#] {
            assert!(key(&lines(None), record).unwrap_err().contains("`--key-missing number`"), "{record}");
            assert_eq!(key(&lines(Some(Missing::Number)), record).unwrap(), "7");
            assert_eq!(key(&lines(text()), record).unwrap(), "x");
        }
        for record in [r#"{"id":""}"#, r#"{"id":[1]}"#, "x"] {
            assert!(key(&lines(text()), record).is_err(), "{record}");
        }
        for record in [r#"{"data":"","partitionKey":null}"#, r#"{"data":""}"#] {
            assert_eq!(key(&other(LineFormat::Json, None), record).unwrap(), "7");
            assert_eq!(key(&other(LineFormat::Json, text()), record).unwrap(), "x");
        }
        for record in [r#"{"Data":"","PartitionKey":null}"#, r#"{"kinesis":{"data":""}}"#] {
            assert!(key(&other(LineFormat::Aws, None), record).unwrap_err().contains("no `PartitionKey`"));
            assert_eq!(key(&other(LineFormat::Aws, text()), record).unwrap(), "x");
        }
        assert!(Format::new(LineFormat::Lines, None, text()).is_err());
        assert!(Format::new(LineFormat::Aws, Some("/id".parse().unwrap()), None).is_err());
    }
}
