//! The scanner that reads the daemon's lines while they arrive: in whatever pieces they come, its messages and its errors
//! are those of `Message::from_line`.

use std::fmt::Write as _;

use kcl::__private::Scanner;
use kcl::protocol::{Message, MessageError, ProcessRecordsMessage, WireRecord};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

type Read = Result<Message, MessageError>;

/// Reads all lines, from pieces of these lengths, over and over.
fn scan(text: &[u8], pieces: &[usize]) -> Vec<Read> {
    let mut scanner = Scanner::default();
    let (mut read, mut unread, mut at) = (Vec::new(), Vec::new(), 0);
    for length in pieces.iter().cycle() {
        if at == text.len() {
            break;
        }
        let end = text.len().min(at + length);
        unread.extend_from_slice(&text[at..end]);
        at = end;
        loop {
            let (taken, message) = scanner.push(&unread);
            unread.drain(..taken);
            match message {
                Some(message) => read.push(message),
                None => break,
            }
        }
    }
    read.extend(scanner.end(&unread));
    assert!(scanner.end(b"").is_none(), "the last line has ended");
    read
}

fn read_lines(text: &[u8]) -> Vec<Read> {
    text.split_inclusive(|&byte| byte == b'\n')
        .map(|line| Message::from_line(line.strip_suffix(b"\n").unwrap_or(line)))
        .collect()
}

/// Everything about a message or an error.
fn show(read: &Read) -> String {
    match read {
        Ok(Message::ProcessRecords { records, millis_behind_latest }) => {
            let records: Vec<_> = records.iter().map(WireRecord::from).collect();
            format!("{records:?} {millis_behind_latest:?}")
        }
        Ok(message) => format!("{message:?}"),
        Err(error) => format!("{error} {}", error.is_truncated()),
    }
}

fn assert_same(text: &[u8], pieces: &[usize]) {
    let expected: Vec<_> = read_lines(text).iter().map(show).collect();
    let scanned: Vec<_> = scan(text, pieces).iter().map(show).collect();
    assert_eq!(scanned, expected, "{pieces:?} {}", text.escape_ascii());
}

/// One of many sequences of pieces: single bytes, large pieces, and mixtures of both.
fn pieces() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        Just(vec![1]),
        Just(vec![1 << 20]),
        vec(1..8_usize, 1..6),
        vec(prop_oneof![1..4_usize, 1..400_usize], 1..8)
    ]
}

/// A line as the daemon writes it.
fn daemon_line() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof!["49[0-9]{54}", "[0-9]{1,20}", "[1-9][0-9]{0,128}"];
    let record =
        (vec(any::<u8>(), 0..120), "[a-z]{0,12}|\\PC{0,12}", number, 0..3_u64, proptest::option::of(any::<i64>()));
    let records =
        (vec(record, 0..6), proptest::option::of(any::<u64>())).prop_map(|(records, millis_behind_latest)| {
            let records: Vec<_> = records
                .iter()
                .map(|(data, key, number, sub, arrival)| WireRecord {
                    data,
                    partition_key: key,
                    sequence_number: number.parse().expect("digits"),
                    sub_sequence_number: *sub,
                    approximate_arrival_timestamp: *arrival,
                })
                .collect();
            let mut line = Vec::new();
            ProcessRecordsMessage { records: &records[..], millis_behind_latest }.write(&mut line);
            line
        });
    let others = select(vec![
        r#"{"action":"initialize","shardId":"shardId-000000000000","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}"#,
        r#"{"action":"checkpoint","sequenceNumber":"7","subSequenceNumber":0,"error":null}"#,
        r#"{"action":"leaseLost"}"#,
        r#"{"action":"shutdown","reason":"ZOMBIE"}"#,
    ]);
    prop_oneof![4 => records, 1 => others.prop_map(|line| line.as_bytes().to_vec())]
}

/// A change of a line, which may break it.
#[derive(Clone, Debug)]
enum Change {
    Cut(Index),
    Remove(Index, usize),
    Insert(Index, Vec<u8>),
    Replace(Index, u8),
    Repeat(Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let words: Vec<&[u8]> = vec![
        b"\"",
        b"\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b" ",
        b"\t",
        b"\r",
        b"\n",
        b"null",
        b"0",
        b"-0",
        b"1e5",
        b"1.5",
        b"\\u0041",
        b"\\/",
        b"\xff",
        b"\0",
        b"\"records\":[",
        b"\"records\":null,",
        b"{}",
        b"{},",
        b"\"x\":{\"records\":[1,{}]},",
        b"\"sequenceNumber\":\"7\",",
        b"99999999999999999999",
        b"=",
    ];
    prop_oneof![
        any::<Index>().prop_map(Change::Cut),
        (any::<Index>(), 1..40_usize).prop_map(|(at, length)| Change::Remove(at, length)),
        (any::<Index>(), select(words).prop_map(<[u8]>::to_vec)).prop_map(|(at, word)| Change::Insert(at, word)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Replace(at, byte)),
        (any::<Index>(), 1..200_usize).prop_map(|(at, length)| Change::Repeat(at, length)),
    ]
}

fn apply(text: &mut Vec<u8>, change: Change) {
    if text.is_empty() {
        return;
    }
    let end = |text: &Vec<u8>, start: usize, length: usize| text.len().min(start + length);
    match change {
        Change::Cut(at) => text.truncate(at.index(text.len())),
        Change::Remove(at, length) => {
            let at = at.index(text.len());
            text.drain(at..end(text, at, length));
        }
        Change::Insert(at, word) => {
            let at = at.index(text.len() + 1);
            text.splice(at..at, word);
        }
        Change::Replace(at, byte) => {
            let at = at.index(text.len());
            text[at] = byte;
        }
        Change::Repeat(at, length) => {
            let at = at.index(text.len());
            let again = text[at..end(text, at, length)].to_vec();
            text.splice(at..at, again);
        }
    }
}

/// JSON text of any shape, from a sequence of choices.
struct Writer<'a> {
    choices: std::slice::Iter<'a, u8>,
    text: Vec<u8>,
}

impl Writer<'_> {
    fn choose(&mut self, from: u8) -> u8 {
        self.choices.next().map_or(0, |choice| choice % from)
    }

    fn put(&mut self, text: &[u8]) {
        self.text.extend_from_slice(text);
    }

    fn space(&mut self) {
        let spaces: [&[u8]; 4] = [b" ", b"\t", b"\r", b"  "];
        if self.choose(6) == 5 {
            let space = spaces[usize::from(self.choose(4))];
            self.put(space);
        }
    }

    fn string(&mut self) {
        let strings: [&[u8]; 12] = [
            b"\"\"",
            b"\"eA==\"",
            b"\"49680458979218711847687915154908745076173470095856631826\"",
            b"\"7\"",
            b"\"order-3\"",
            b"\"\\u0065A==\"",
            b"\"a\\\"b\\\\\"",
            b"\"\xc3\xa9\xe2\x80\xa8\"",
            b"\"\xff\"",
            b"\"a\x01\"",
            b"\"\\ud800\"",
            b"\"[{]}\"",
        ];
        let string = strings[usize::from(self.choose(12))];
        self.put(string);
    }

    fn scalar(&mut self) {
        let scalars: [&[u8]; 14] = [
            b"null",
            b"0",
            b"1795348277691",
            b"-0",
            b"-1",
            b"true",
            b"1.0",
            b"1e400",
            b"18446744073709551616",
            b"00",
            b"nul",
            b"999999999999999999",
            b"1000000000000000000",
            b"9223372036854775808",
        ];
        let scalar = scalars[usize::from(self.choose(14))];
        self.put(scalar);
    }

    fn value(&mut self, depth: u8) {
        match self.choose(if depth == 0 { 4 } else { 7 }) {
            0 | 1 => self.scalar(),
            2 | 3 => self.string(),
            4 => self.list(b"[", b"]", |this| this.value(depth - 1)),
            _ => self.list(b"{", b"}", |this| {
                this.field(&[b"\"x\"", b"\"records\"", b"\"data\""], |this| this.value(depth - 1))
            }),
        }
    }

    fn list(&mut self, open: &[u8], close: &[u8], element: impl Fn(&mut Self)) {
        self.put(open);
        for index in 0..self.choose(5) {
            if index > 0 {
                let comma: &[u8] = if self.choose(60) == 59 { b"" } else { b"," };
                self.put(comma);
            }
            self.space();
            element(self);
            self.space();
        }
        let close = if self.choose(60) == 59 { b"," } else { close };
        self.put(close);
    }

    fn field(&mut self, names: &[&[u8]], value: impl Fn(&mut Self)) {
        let name = names[usize::from(self.choose(names.len() as u8))];
        self.put(name);
        self.space();
        self.put(b":");
        self.space();
        value(self);
    }

    fn record(&mut self) {
        if self.choose(3) > 0 {
            let number = 1000 + u32::from(self.choose(200));
            let data: &[u8] = if self.choose(20) == 19 { b"e" } else { b"eHl6" };
            self.put(b"{\"data\":\"");
            self.put(data);
            let rest = format!(
                "\",\"partitionKey\":\"k\",\"sequenceNumber\":\"{number}\",\"approximateArrivalTimestamp\":1,\"subSequenceNumber\":0,\"action\":\"record\"}}"
            );
            return self.put(rest.as_bytes());
        }
        let names: [&[u8]; 9] = [
            b"\"data\"",
            b"\"partitionKey\"",
            b"\"sequenceNumber\"",
            b"\"sequenceNumber\"",
            b"\"subSequenceNumber\"",
            b"\"approximateArrivalTimestamp\"",
            b"\"action\"",
            b"\"new\"",
            b"\"d\\u0061ta\"",
        ];
        self.list(b"{", b"}", |this| this.field(&names, |this| this.value(2)));
    }

    fn records(&mut self) {
        self.list(b"[", b"]", |this| if this.choose(30) == 29 { this.value(1) } else { this.record() });
    }

    fn message(&mut self) {
        self.put(b"{");
        for index in 0..1 + self.choose(5) {
            if index > 0 {
                self.put(b",");
            }
            self.space();
            match self.choose(9) {
                0..=2 => self.field(&[b"\"records\"", b"\"records\"", b"\"rec\\u006frds\""], Self::records),
                3 | 4 => self.field(&[b"\"action\""], |this| this.put(b"\"processRecords\"")),
                5 => self.field(&[b"\"millisBehindLatest\"", b"\"subSequenceNumber\""], Self::scalar),
                6 => self.field(&[b"\"action\"", b"\"error\"", b"\"shardId\"", b"\"records\""], Self::string),
                _ => self.field(&[b"\"new\"", b"\"records\"", b"\"records \""], |this| this.value(3)),
            }
            self.space();
        }
        self.put(b"}");
        let rest: [&[u8]; 5] = [b"", b"", b" \r", b"}", b" {\"records\":[{}]}"];
        let rest = rest[usize::from(self.choose(5))];
        self.put(rest);
    }
}

fn generated(choices: &[u8]) -> Vec<u8> {
    let mut writer = Writer { choices: choices.iter(), text: Vec::new() };
    writer.message();
    writer.text
}

fn cases(default: u32) -> ProptestConfig {
    ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").map_or(default, |cases| cases.parse().expect("a number")),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn lines_of_the_daemon_are_read(lines in vec(daemon_line(), 1..4), pieces in pieces(), ends in any::<bool>()) {
        let mut text = lines.join(&b'\n');
        if ends {
            text.push(b'\n');
        }
        assert_same(&text, &pieces);
    }

    #[test]
    fn changed_lines_are_read_or_refused_alike(lines in vec(daemon_line(), 1..3), changes in vec(change(), 1..4), pieces in pieces()) {
        let mut text = lines.join(&b'\n');
        for change in changes {
            apply(&mut text, change);
        }
        assert_same(&text, &pieces);
    }

    #[test]
    fn other_json_is_read_or_refused_alike(choices in vec(any::<u8>(), 0..300), cut in any::<Index>(), whole in any::<bool>(), pieces in pieces()) {
        let mut text = generated(&choices);
        if !whole {
            text.truncate(cut.index(text.len()));
        }
        assert_same(&text, &pieces);
    }

    #[test]
    fn any_bytes_are_read_or_refused_alike(text in vec(any::<u8>(), 0..60), pieces in pieces()) {
        assert_same(&text, &pieces);
    }
}

const RECORD: &str = r#"{"data":"eHl6","partitionKey":"k","sequenceNumber":"7","approximateArrivalTimestamp":1,"subSequenceNumber":0,"action":"record"}"#;

#[test]
fn every_cut_and_every_piece_of_a_line_gives_the_same() {
    let odd = r#" { "sequenceNumber" : "8", "data" : "\u0065A==", "new" : {"records":["}"]} }"#;
    for line in [
        format!(r#"{{"action":"processRecords","records":[{RECORD},{odd} , {RECORD}],"millisBehindLatest":5}}"#),
        format!(r#"{{"new":[{{"records":[]}}],"records" : [ {RECORD} ],"action":"processRecords"}} "#),
        format!(r#"{{"action":"processRecords","records":[{RECORD}],"records":[{RECORD}]}}"#),
        format!(r#"["processRecords",null,null,null,[{RECORD}],3,null,null]"#),
    ] {
        for cut in 0..=line.len() {
            assert_same(&line.as_bytes()[..cut], &[1]);
            assert_same(&line.as_bytes()[..cut], &[1 << 20]);
        }
        for length in 1..line.len() {
            assert_same(format!("{line}\n{line}").as_bytes(), &[length]);
        }
    }
}

#[test]
fn every_byte_of_a_line_may_be_any_other() {
    let line = format!(r#"{{"action":"processRecords","records":[{RECORD}],"millisBehindLatest":5}}"#);
    for place in 0..line.len() {
        for byte in
            [b'"', b'\\', b' ', b'0', b'9', b'-', b'e', b'{', b'}', b'[', b']', b',', b':', b'\n', b'\r', 0, 0xc3, 0xff]
        {
            let mut line = line.clone().into_bytes();
            line[place] = byte;
            assert_same(&line, &[1 << 20]);
            assert_same(&line, &[7]);
        }
    }
}

#[test]
fn numbers_are_read_alike() {
    for number in [
        "0",
        "-0",
        "-1",
        "00",
        "01",
        "-01",
        "7",
        "12345678",
        "012345678",
        "123456789012345678",
        "999999999999999999",
        "1000000000000000000",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "1.0",
        "1e3",
        "12345678.5",
        "12345678e1",
        "",
        "-",
        "+1",
        " 1",
        "1 ",
        "null",
        "nul",
        "nullx",
        "\"1\"",
        "true",
    ] {
        for field in ["approximateArrivalTimestamp\":1", "subSequenceNumber\":0", "millisBehindLatest\":5"] {
            let line = format!(r#"{{"action":"processRecords","records":[{RECORD}],"millisBehindLatest":5}}"#);
            let name = field.split_once(':').expect("a value").0;
            assert_same(line.replace(field, &format!("{name}:{number}")).as_bytes(), &[1 << 20]);
        }
    }
}

#[test]
fn deep_nesting_is_read_alike() {
    for depth in [1, 100, 126, 127, 128, 129, 100_000] {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        for line in [
            format!(r#"{{"action":"processRecords","records":[{{"sequenceNumber":"7","new":{open}{close}}}]}}"#),
            format!(r#"{{"action":"processRecords","records":[{{"sequenceNumber":{open}{close}}}]}}"#),
            format!(r#"{{"action":"processRecords","new":{open}{close},"records":[{RECORD}]}}"#),
            format!(r#"{{"action":"processRecords","records":{open}{close}}}"#),
        ] {
            assert_same(line.as_bytes(), &[1 << 20]);
        }
    }
}

#[test]
fn records_are_the_same_after_a_line_that_was_refused() {
    let mut text = String::new();
    for number in 0..40 {
        let rest = if number % 3 == 0 { "," } else { "" };
        writeln!(
            text,
            r#"{{"action":"processRecords","records":[{RECORD},{RECORD}{rest}],"millisBehindLatest":{number}}}"#
        )
        .expect("memory");
    }
    assert_same(text.as_bytes(), &[100]);
}
