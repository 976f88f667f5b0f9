//! The reasons why a line or a document is not a record.

use std::num::ParseIntError;

use super::bracket::Bracket;
use super::key::{KeyError, LONGEST_KEY};
use super::limits::LONGEST_LINE;
use crate::report;

/// The reason why a line is not a record.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(
        "not a record: {0}. A line is an object with `data` (text) or `dataBase64`, and may have `partitionKey`, `explicitHashKey` and `approximateArrivalTimestamp` (milliseconds since 1970); without --format json, each line is data"
    )]
    Json(serde_json::Error),
    #[error("not a record of --format aws: {0}")]
    Aws(serde_json::Error),
    #[error("a record from `{}`, not from `aws:kinesis`", report::excerpt(.0))]
    Source(String),
    #[error("no `Data`, or `data` in an event; a record needs it")]
    NoAwsData,
    #[error("its data is not valid base64: {0}")]
    AwsBase64(base64::DecodeError),
    #[error("the indexes of its bytes are not 0, 1, 2 and so on")]
    AwsIndexes,
    #[error("a document of AWS; --format aws reads it")]
    AwsDocument,
    #[error("no `PartitionKey`; `--key-missing number` or `--key-missing TEXT` gives such a record a key")]
    NoAwsKey,
    #[error("only `{}`: JSON that was printed on several lines has no record per line; {}", .0, .0.advice())]
    Pretty(Bracket),
    #[error(
        "the approximateArrivalTimestamp {} is {}; it is in milliseconds since 1970",
        .0,
        if *.0 < 0 { "negative" } else { "probably in seconds" }
    )]
    Seconds(i64),
    #[error("neither `data` nor `dataBase64`; a record needs one of them")]
    NoData,
    #[error("both `data` and `dataBase64`; a record has only one of them")]
    TwiceData,
    #[error("`dataBase64` is not valid base64: {0}")]
    Base64(base64::DecodeError),
    #[error("the explicitHashKey `{text}` is not a decimal number below 2^128{}", error.as_ref().map_or(String::new(), |error| format!(" ({error})")))]
    HashKey { text: String, error: Option<ParseIntError> },
    #[error("the partition key is empty; Kinesis requires 1 to {LONGEST_KEY} characters")]
    EmptyKey,
    #[error("the partition key has {0} characters; Kinesis allows at most {LONGEST_KEY}")]
    LongKey(usize),
    #[error(
        "a record of {bytes} bytes with its key; Kinesis allows at most {} MiB{}{}",
        longest >> 20,
        hint(*longest),
        if *key_is_number { ". The key counts, too: it is the record's number" } else { "" }
    )]
    TooLong { bytes: usize, longest: usize, key_is_number: bool },
}

fn hint(longest: usize) -> &'static str {
    if longest < LONGEST_LINE { ", or 10 MiB on a stream that allows it (--large-records)" } else { "" }
}
