//! Both sides of the protocol: each side reads what the other writes.

use std::time::{Duration, SystemTime};

use kcl::protocol::{Message, ProcessRecordsMessage, Reply, ReplyError, WireRecord};
use kcl::{Position, SequenceNumber};
use proptest::prelude::*;

fn sequence_numbers() -> impl Strategy<Value = SequenceNumber> {
    prop_oneof![Just("0".to_owned()), "[1-9][0-9]{0,128}", "49[0-9]{54}"]
        .prop_map(|digits| digits.parse().expect("a number of at most 129 digits"))
}

#[derive(Clone, Debug)]
struct AnyRecord {
    data: Vec<u8>,
    partition_key: String,
    sequence_number: SequenceNumber,
    sub_sequence_number: u64,
    approximate_arrival_timestamp: Option<i64>,
}

impl AnyRecord {
    fn wire(&self) -> WireRecord<'_> {
        WireRecord {
            data: &self.data,
            partition_key: &self.partition_key,
            sequence_number: self.sequence_number,
            sub_sequence_number: self.sub_sequence_number,
            approximate_arrival_timestamp: self.approximate_arrival_timestamp,
        }
    }
}

fn records() -> impl Strategy<Value = AnyRecord> {
    let millis = -62_135_596_800_000..=253_402_300_799_999_i64;
    (
        proptest::collection::vec(any::<u8>(), 0..300),
        "\\PC{0,64}|[\u{0}-\u{1f}\"\\\\\u{2028}\u{1f600}]{0,32}",
        sequence_numbers(),
        0..=i64::MAX as u64,
        proptest::option::of(millis),
    )
        .prop_map(|(data, partition_key, sequence_number, sub_sequence_number, approximate_arrival_timestamp)| {
            AnyRecord { data, partition_key, sequence_number, sub_sequence_number, approximate_arrival_timestamp }
        })
}

fn read(line: &[u8]) -> Message {
    Message::from_line(line).unwrap_or_else(|error| panic!("{error}"))
}

proptest! {
    #[test]
    fn any_record_survives_a_round_trip(records in proptest::collection::vec(records(), 0..20), millis in proptest::option::of(any::<u32>())) {
        let millis_behind_latest = millis.map(u64::from);
        let wire: Vec<_> = records.iter().map(AnyRecord::wire).collect();
        let line = serde_json::to_vec(&ProcessRecordsMessage { records: &wire, millis_behind_latest })?;
        prop_assert!(!line.contains(&b'\n'));

        let message = read(&line);
        let Message::ProcessRecords { records: received, millis_behind_latest: behind } = &message else {
            panic!("{message:?}");
        };
        prop_assert_eq!(*behind, millis_behind_latest);
        prop_assert_eq!(received.iter().map(WireRecord::from).collect::<Vec<_>>(), wire);
        for (received, sent) in received.iter().zip(&records) {
            prop_assert_eq!(received.data(), &sent.data[..]);
            prop_assert_eq!(received.bytes(), &sent.data[..]);
        }
        prop_assert_eq!(serde_json::to_vec(&message)?, line);
    }

    #[test]
    fn any_shard_survives_a_round_trip(id in "\\PC{1,64}", number in sequence_numbers(), sub in 0..=i64::MAX as u64) {
        for position in [Position::TrimHorizon, Position::Latest, Position::AtTimestamp, Position::ShardEnd, Position::Unknown,
                         Position::after(number, sub)] {
            let line = serde_json::to_vec(&Message::Initialize { shard_id: id.clone(), position: position.clone() })?;
            let message = read(&line);
            prop_assert!(matches!(&message, Message::Initialize { shard_id, position: read } if *shard_id == id && *read == position), "{message:?}");
        }
    }

    #[test]
    fn any_reply_survives_a_round_trip(text in proptest::option::of("\\PC{0,64}"), sub in proptest::option::of(any::<i64>())) {
        for reply in [
            Reply::Status { response_for: text.clone() },
            Reply::Checkpoint { sequence_number: text.clone(), sub_sequence_number: sub },
        ] {
            prop_assert_eq!(Reply::from_line(&serde_json::to_vec(&reply)?), Ok(reply));
        }
    }

    #[test]
    fn sequence_numbers_compare_as_numbers(one in sequence_numbers(), other in sequence_numbers()) {
        let (one_text, other_text) = (one.to_string(), other.to_string());
        let expected = one_text.len().cmp(&other_text.len()).then_with(|| one_text.cmp(&other_text));
        prop_assert_eq!(one.cmp(&other), expected);
        prop_assert_eq!(one_text.parse(), Ok(one));
    }

    #[test]
    fn neither_side_panics_on_any_line(line in proptest::collection::vec(any::<u8>(), 0..100), text in "\\PC{0,100}") {
        for line in [&line[..], text.as_bytes()] {
            _ = Message::from_line(line).map_err(|error| error.to_string());
            _ = Reply::from_line(line).map_err(|error| error.to_string());
        }
    }

    #[test]
    fn a_truncated_line_is_reported_as_truncated(records in proptest::collection::vec(records(), 1..4), cut in any::<prop::sample::Index>()) {
        let wire: Vec<_> = records.iter().map(AnyRecord::wire).collect();
        let line = serde_json::to_vec(&ProcessRecordsMessage { records: wire, millis_behind_latest: None })?;
        let error = Message::from_line(&line[..1 + cut.index(line.len() - 1)]).expect_err("half a message");
        prop_assert!(error.is_truncated(), "{error}");
    }
}

fn only_record(fields: &str) -> kcl::Record {
    let line = format!(r#"{{"records":[{{{fields}}}],"action":"processRecords"}}"#);
    let Message::ProcessRecords { records, millis_behind_latest: None } = read(line.as_bytes()) else {
        panic!("{line}");
    };
    records.into_iter().next().expect("one record")
}

#[test]
fn optional_fields_that_are_missing_or_null_have_defaults() {
    for fields in [
        r#""sequenceNumber":"7""#,
        r#""data":null,"partitionKey":null,"sequenceNumber":"7","approximateArrivalTimestamp":null,"subSequenceNumber":null"#,
        r#""data":"","newField":{"data":["x"]},"sequenceNumber":"7","action":"record""#,
    ] {
        let record = only_record(fields);
        assert_eq!((record.data(), record.partition_key(), record.sub_sequence_number()), (&b""[..], "", 0));
        assert_eq!(record.approximate_arrival_timestamp(), None);
        assert_eq!(record.sequence_number().to_string(), "7");
    }
}

#[test]
fn the_last_of_repeated_fields_counts() {
    let record = only_record(concat!(
        r#""data":"eA==","partitionKey":"a","sequenceNumber":null,"subSequenceNumber":1,"#,
        r#""data":"eQ==","partitionKey":"b","sequenceNumber":"7","subSequenceNumber":2"#
    ));
    assert_eq!((record.data(), record.partition_key(), record.sub_sequence_number()), (&b"y"[..], "b", 2));
    assert_eq!(record.sequence_number().to_string(), "7");

    let record = only_record(concat!(
        r#""data":"eA==","partitionKey":"a","sequenceNumber":"7","subSequenceNumber":1,"approximateArrivalTimestamp":5,"#,
        r#""data":null,"partitionKey":null,"subSequenceNumber":null,"approximateArrivalTimestamp":null"#
    ));
    assert_eq!((record.data(), record.partition_key(), record.sub_sequence_number()), (&b""[..], "", 0));
    assert_eq!(record.approximate_arrival_timestamp(), None);

    let line = r#"{"action":"processRecords","records":[{"sequenceNumber":"7","sequenceNumber":null}]}"#;
    let error = Message::from_line(line.as_bytes()).expect_err("no number").to_string();
    assert!(error.contains("missing field `sequenceNumber`"), "{error}");
}

#[test]
fn the_padding_of_data_is_optional() {
    for data in ["eA==", "eA=", "eA"] {
        let fields = format!(r#""data":"{data}","sequenceNumber":"7""#);
        assert_eq!(only_record(&fields).data(), b"x", "{data}");
    }
    // The characters before it must be canonical.
    for data in ["e", "eA===", "=", "eB==", "eA==eA==", "e A="] {
        let line = format!(r#"{{"action":"processRecords","records":[{{"data":"{data}","sequenceNumber":"7"}}]}}"#);
        let error = Message::from_line(line.as_bytes()).expect_err(data).to_string();
        assert!(error.contains("`data` is not base64"), "{data}: {error}");
    }
}

#[test]
fn escapes_and_other_charsets_are_read() {
    let record =
        only_record(r#""data":"\u0061GVs\u0062G8=","partitionKey":"\"\u00e9\u2028\ud83d\ude00","sequenceNumber":"7""#);
    assert_eq!((record.data(), record.partition_key()), (&b"hello"[..], "\"é\u{2028}😀"));

    // A JVM whose default charset is Latin-1 writes `é` as one byte.
    let line = b"{\"action\":\"processRecords\",\"records\":[{\"data\":\"aGVsbG8=\",\"partitionKey\":\"caf\xe9\",\"sequenceNumber\":\"7\"}]}";
    let Message::ProcessRecords { records, .. } = read(line) else { panic!("not processRecords") };
    assert_eq!((records[0].data(), records[0].partition_key()), (&b"hello"[..], "caf\u{fffd}"));
}

#[test]
fn the_arrival_timestamp_becomes_a_system_time() {
    let at = |millis: i64| only_record(&format!(r#""sequenceNumber":"7","approximateArrivalTimestamp":{millis}"#));
    let after = |millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
    assert_eq!(at(1_795_348_564_154).approximate_arrival_timestamp(), Some(after(1_795_348_564_154)));
    assert_eq!(at(-1).approximate_arrival_timestamp(), Some(SystemTime::UNIX_EPOCH - Duration::from_millis(1)));
    _ = at(i64::MIN).approximate_arrival_timestamp();
}

#[test]
fn a_record_outlives_its_message_and_crosses_threads() {
    let record = only_record(r#""data":"aGVsbG8=","partitionKey":"k","sequenceNumber":"7""#);
    let copy = record.clone();
    drop(record);
    assert_eq!(std::thread::spawn(move || copy.data().to_vec()).join().expect("no panic"), b"hello");
}

#[test]
fn messages_without_fields_need_none_and_ignore_any() {
    for action in ["leaseLost", "shardEnded", "shutdownRequested"] {
        for line in [
            format!(r#"{{"action":"{action}"}}"#),
            format!(r#"{{"checkpoint":{{"x":1}},"action":"{action}","sequenceNumber":null}} "#),
            format!("{{\"action\":\"{action}\"}}\r"),
        ] {
            assert_eq!(read(line.as_bytes()).action(), action);
        }
    }
    for (reason, action) in [("TERMINATE", "shutdown"), ("ZOMBIE", "shutdown")] {
        assert_eq!(read(format!(r#"{{"action":"shutdown","reason":"{reason}"}}"#).as_bytes()).action(), action);
    }
}

#[test]
fn a_shard_with_an_unknown_position_is_accepted() {
    for sequence_number in ["null", "\"A_NEW_SENTINEL\"", "\"\""] {
        let line = format!(
            r#"{{"action":"initialize","shardId":"s","sequenceNumber":{sequence_number},"subSequenceNumber":null}}"#
        );
        assert!(matches!(read(line.as_bytes()), Message::Initialize { position: Position::Unknown, .. }), "{line}");
    }
}

#[test]
fn a_line_that_is_not_a_message_is_shown() {
    for (line, expected) in [
        ("hello", "expected value at line 1 column 1; received `hello`"),
        ("", "the line is empty"),
        ("{}", "`action` is missing; received `{}`"),
        (r#"{"action":"dance"}"#, r#"unknown action `dance`; received `{"action":"dance"}`"#),
        (r#"{"action":"initialize"}"#, r#"`shardId` is missing; received `{"action":"initialize"}`"#),
        (r#"{"action":"processRecords"}"#, r#"`records` is missing; received `{"action":"processRecords"}`"#),
        (
            r#"{"action":"shutdown","reason":"BORED"}"#,
            r#"a `shutdown` with the unknown reason `BORED`; received `{"action":"shutdown","reason":"BORED"}`"#,
        ),
    ] {
        assert_eq!(Message::from_line(line.as_bytes()).expect_err(line).to_string(), expected);
    }
    for (fields, expected) in [
        (r#""data":"%","sequenceNumber":"7""#, "`data` is not base64"),
        (r#""data":5,"sequenceNumber":"7""#, "invalid type"),
        (r#""data":["a"],"sequenceNumber":"7""#, "invalid type"),
        (r#""data":"""#, "missing field `sequenceNumber`"),
        (r#""sequenceNumber":"-7""#, "`sequenceNumber`: a sequence number is made of the digits 0 to 9 only"),
        (r#""sequenceNumber":"7","subSequenceNumber":-1"#, "invalid value"),
    ] {
        let line = format!(r#"{{"action":"processRecords","records":[{{{fields}}}]}}"#);
        let error = Message::from_line(line.as_bytes()).expect_err(&line).to_string();
        assert!(error.contains(expected), "{line}: {error}");
    }
    let long = format!("{}\u{1b}[31m", "x".repeat(5000));
    let error = Message::from_line(long.as_bytes()).expect_err("not a message").to_string();
    assert!(error.len() < 400 && error.contains("more bytes"), "{error}");
}

#[test]
fn replies_are_read_as_strictly_as_the_daemon_reads_them() {
    let refused = |line: &str| Reply::from_line(line.as_bytes()).expect_err(line);
    for line in ["", "\n", "\r\n", " \t \r\n"] {
        assert_eq!(refused(line), ReplyError::Blank, "{line:?}");
    }
    assert_eq!(ReplyError::Blank.consequence(), "the MultiLangDaemon skips a blank line and reads the next one");
    for line in ["hello", "{\"action\":\"status\"", "noise{\"action\":\"status\"}", "\u{b}", "\u{a0}", "\0"] {
        assert!(matches!(refused(line), ReplyError::NotJson(_)), "{line:?}");
    }
    assert_eq!(refused("null"), ReplyError::Null);
    for line in ["42", "\"text\"", "[1,2]"] {
        assert_eq!(refused(line), ReplyError::NotAnObject);
    }
    assert_eq!(refused(r#"{"level":"info"}"#), ReplyError::NoAction);
    assert_eq!(refused(r#"{"action":"dance"}"#), ReplyError::UnknownAction("dance".to_owned()));
    assert_eq!(refused(r#"{"action":"leaseLost"}"#), ReplyError::NotAReply("leaseLost".to_owned()));
    let field =
        |action: &str, field: &str| ReplyError::UnknownField { action: action.to_owned(), field: field.to_owned() };
    assert_eq!(refused(r#"{"action":"status","responseFor":"initialize","extra":1}"#), field("status", "extra"));
    assert_eq!(refused(r#"{"action":"checkpoint","checkpoint":null}"#), field("checkpoint", "checkpoint"));
    assert!(matches!(refused(r#"{"action":"checkpoint","sequenceNumber":{}}"#), ReplyError::WrongType { .. }));

    for (line, sub_sequence_number) in [
        (r#"{"action":"checkpoint","sequenceNumber":7,"subSequenceNumber":"3"} trailing junk"#, Some(3)),
        (r#"{"subSequenceNumber":3.7,"sequenceNumber":"7","action":"checkpoint","error":null}"#, Some(3)),
        (r#"{"action":"checkpoint","sequenceNumber":"7"}"#, None),
    ] {
        let expected = Reply::Checkpoint { sequence_number: Some("7".to_owned()), sub_sequence_number };
        assert_eq!(Reply::from_line(line.as_bytes()), Ok(expected));
    }
}
