//! Formats records as lines.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

use crate::kinesis::reader::ShardRecord;
use crate::report;

/// The format of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// The data, as bytes.
    Data,
    /// The data, as text that cannot control a terminal.
    Terminal,
    Json,
}

/// A record, in the form that `--format json` reads.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_base64: Option<String>,
    partition_key: &'a str,
    sequence_number: String,
    sub_sequence_number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    approximate_arrival_timestamp: Option<i64>,
    shard_id: &'a str,
}

/// The line of a record of this shard, with its line feed.
pub(crate) fn line(record: ShardRecord<'_>, shard: &str, style: Style) -> Vec<u8> {
    let data = record.data;
    let mut line = match style {
        Style::Data => one_line(without_end(data)).into_owned(),
        Style::Terminal => printable(without_end(data)).into_bytes(),
        Style::Json => {
            let text = std::str::from_utf8(data).ok();
            let line = Line {
                data: text,
                data_base64: text.is_none().then(|| BASE64_STANDARD.encode(data)),
                partition_key: record.partition_key,
                sequence_number: record.sequence_number.to_string(),
                sub_sequence_number: record.sub_sequence_number,
                approximate_arrival_timestamp: record.arrival,
                shard_id: shard,
            };
            report::to_json(&line)
        }
    };
    line.push(b'\n');
    line
}

/// The data without the end of a line, which many producers add: it would otherwise become text that is not in the record.
fn without_end(data: &[u8]) -> &[u8] {
    data.strip_suffix(b"\n").map_or(data, |line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// The data with its line feeds escaped.
fn one_line(data: &[u8]) -> Cow<'_, [u8]> {
    if !data.contains(&b'\n') {
        return Cow::Borrowed(data);
    }
    Cow::Owned(data.split(|&byte| byte == b'\n').collect::<Vec<_>>().join(&br"\n"[..]))
}

/// The data as text, with its line feeds escaped and other control characters replaced.
fn printable(data: &[u8]) -> String {
    let text = String::from_utf8_lossy(data).replace('\n', r"\n");
    text.replace(|char: char| report::is_control(char) && char != '\t', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::record::{Format, LineFormat};

    fn written(data: &[u8], style: Style) -> Vec<u8> {
        let record = ShardRecord {
            data,
            partition_key: "é",
            sequence_number: 77.into(),
            sub_sequence_number: 0,
            arrival: Some(1_764_150_000_250),
            millis_behind: 0,
        };
        line(record, "shardId-000000000001", style)
    }

    #[test]
    fn a_record_is_a_line() {
        assert_eq!(written(b"a\nb\xff\x1b", Style::Data), b"a\\nb\xff\x1b\n");
        assert_eq!(written(b"a\nb\xff\x1b\t", Style::Terminal), "a\\nb\u{fffd}\u{fffd}\t\n".as_bytes());
        assert_eq!(written(b"", Style::Data), b"\n");
    }

    #[test]
    fn one_end_of_a_line_is_dropped_except_in_json() {
        for (data, line) in [
            ("{\"a\":1}\n", "{\"a\":1}\n"),
            ("a\r\n", "a\n"),
            ("a\n\n", "a\\n\n"),
            ("\r\n\r\n", "\r\\n\n"),
            ("a\r", "a\r\n"),
            ("\n", "\n"),
        ] {
            assert_eq!(String::from_utf8(written(data.as_bytes(), Style::Data)).unwrap(), line, "{data:?}");
        }
        assert_eq!(written(b"a\r\n", Style::Terminal), b"a\n");
        let json = String::from_utf8(written(b"a\r\n", Style::Json)).unwrap();
        assert!(json.starts_with("{\"data\":\"a\\r\\n\","), "{json}");
    }

    #[test]
    fn json_can_be_read_again() {
        for data in [&b"a\nb"[..], b"a\r\n", b"\xff\0", b""] {
            let line = written(data, Style::Json);
            let format = Format::new(LineFormat::Json, None, None).unwrap();
            let read = format.record(line.trim_ascii_end(), 1, 1 << 20).unwrap();
            assert_eq!((&*read.data, &*read.key, read.arrival), (data, "é", Some(1_764_150_000_250)));
        }
        let text = String::from_utf8(written(b"x", Style::Json)).unwrap();
        assert_eq!(
            text,
            "{\"data\":\"x\",\"partitionKey\":\"é\",\"sequenceNumber\":\"77\",\"subSequenceNumber\":0,\"approximateArrivalTimestamp\":1764150000250,\"shardId\":\"shardId-000000000001\"}\n"
        );
    }
}
