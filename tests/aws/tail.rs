//! `cargo kcl tail`, against a Kinesis that delivers records as the test demands.

use std::sync::mpsc::channel;

use serde_json::{Value, json};

use crate::fake::{Fake, refusal};
use crate::tool::{Ended, run, tool};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

const SHARD: &str = "shardId-000000000000";

fn tail(fake: &Fake, arguments: &[&str]) -> Ended {
    let arguments = [&["tail", "--stream", "orders", "--from", "trim-horizon", "--quiet"], arguments].concat();
    run(tool(&fake.url(), &arguments), b"")
}

/// The answer that lists the only shard.
fn shards() -> (u16, Value) {
    let range = json!({ "StartingHashKey": "0", "EndingHashKey": u128::MAX.to_string() });
    let numbers = json!({ "StartingSequenceNumber": "0" });
    let shard = json!({ "ShardId": SHARD, "HashKeyRange": range, "SequenceNumberRange": numbers });
    (200, json!({ "Shards": [shard] }))
}

fn iterator() -> (u16, Value) {
    (200, json!({ "ShardIterator": "next" }))
}

/// The answer that delivers these records, given by their sequence numbers and their data in base64.
fn records(records: &[(&str, &str)]) -> (u16, Value) {
    let record = |(number, data): &(&str, &str)| json!({ "SequenceNumber": number, "PartitionKey": "k", "Data": data });
    let records: Vec<_> = records.iter().map(record).collect();
    (200, json!({ "Records": records, "NextShardIterator": "next", "MillisBehindLatest": 0 }))
}

fn not_found() -> (u16, Value) {
    refusal("ResourceNotFoundException", "not found")
}

pub(crate) fn gone() {
    for failing in ["GetShardIterator", "GetRecords"] {
        let mut is_gone = failing == "GetShardIterator";
        let fake = Fake::answering(move |operation, _| match operation {
            "ListShards" => shards(),
            "GetShardIterator" if !is_gone => iterator(),
            _ => {
                is_gone = true;
                not_found()
            }
        });
        let ended = tail(&fake, &[]);
        ended.expect(1, &[&format!("{SHARD} is no longer in the stream, and its unread records are lost")]);
        assert!(!ended.stderr.contains("there is no stream"), "{}", ended.stderr);
    }
}

pub(crate) fn expired() {
    let mut calls = 0;
    let fake = Fake::answering(move |operation, input| match operation {
        "ListShards" => shards(),
        "GetShardIterator" if input["ShardIteratorType"] == "TRIM_HORIZON" => iterator(),
        "GetShardIterator" => refusal("InvalidArgumentException", "the record has expired"),
        _ => {
            calls += 1;
            match calls {
                1 => records(&[("7", "c2V2ZW4=")]),
                2 => refusal("ExpiredIteratorException", "it is too old"),
                _ => records(&[("9", "bmluZQ==")]),
            }
        }
    });
    let ended = tail(&fake, &["--limit", "2"]);
    ended.expect(0, &["record 7, where reading stopped, is no longer in the stream; resuming at the oldest record"]);
    assert_eq!(ended.stdout, "seven\nnine\n");
}

/// The clock of Kinesis counts: that of this machine may be ahead, or behind.
pub(crate) fn wrong_clock() {
    for (date, seconds) in
        [("Sat, 31 Jan 2026 12:00:00 GMT", 1_769_860_800.0), ("Fri, 31 Jan 2053 12:00:00 GMT", 2_621_937_600.0)]
    {
        let (times, asked) = channel();
        let mut calls = 0;
        let fake = Fake::answering(move |operation, input| match operation {
            "ListShards" => shards(),
            "GetShardIterator" => {
                times.send(input["Timestamp"].as_f64()).expect("the test waits");
                iterator()
            }
            _ => {
                calls += 1;
                if calls == 1 {
                    refusal("ExpiredIteratorException", "it is too old")
                } else {
                    records(&[("7", "c2V2ZW4=")])
                }
            }
        });
        fake.set_date(date);
        let ended = run(tool(&fake.url(), &["tail", "--stream", "orders", "--limit", "1"]), b"");
        ended.expect(0, &[]);
        assert_eq!(ended.stdout, "seven\n");
        let asked: Vec<_> = asked.try_iter().collect();
        let [None, Some(time)] = asked[..] else {
            panic!("the latest records, and then those since the start: {asked:?}")
        };
        assert!((seconds..seconds + 3_600.0).contains(&time), "{date}: {time}");
    }
}

pub(crate) fn deleted() {
    let mut is_deleted = false;
    let fake = Fake::answering(move |operation, _| match operation {
        "ListShards" if !is_deleted => shards(),
        "GetShardIterator" if !is_deleted => iterator(),
        _ => {
            is_deleted = true;
            not_found()
        }
    });
    tail(&fake, &[]).expect(1, &["there is no stream `orders`"]);
}

/// The vector of this name of the tests for aggregates.
fn vector(name: &str) -> Value {
    let path = tests::workspace().join("cargo-kcl/src/input/kpl/vectors/vectors.jsonl");
    let vectors = std::fs::read_to_string(path).expect("the vectors are there");
    let mut vectors = vectors.lines().map(|line| serde_json::from_str::<Value>(line).expect("it is JSON"));
    vectors.find(|vector| vector["name"] == name).expect("a vector")
}

pub(crate) fn broken_aggregate() {
    let broken = vector("a key that does not exist");
    let data = broken["data"].as_str().expect("base64").to_owned();
    let parts = broken["records"].as_array().expect("parts").len();
    let fake = Fake::answering(move |operation, _| match operation {
        "ListShards" => shards(),
        "GetShardIterator" => iterator(),
        _ => records(&[("7", &data), ("8", "ZWlnaHQ=")]),
    });
    let ended = tail(&fake, &["--json", "--limit", &(parts + 1).to_string()]);
    ended.expect(0, &[&format!(
        "{SHARD}: part {parts} of the aggregate 7 cannot be read: it refers to partition key 2, which does not exist; \
         this part and those after it are dropped, as in the KCL"
    )]);
    let printed = ended.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("it is JSON"));
    let numbers: Vec<_> =
        printed.map(|line| (line["sequenceNumber"].clone(), line["subSequenceNumber"].clone())).collect();
    let mut expected: Vec<_> = (0..parts).map(|sub| (json!("7"), json!(sub))).collect();
    expected.push((json!("8"), json!(0)));
    assert_eq!(numbers, expected);
}

pub(crate) fn dropped_aggregate() {
    // Its only part has the explicit hash key 2^128, which no shard has.
    let outside = "340282366920938463463374607431768211456";
    let hash_key = [&[2 << 3 | 2, outside.len() as u8], outside.as_bytes()].concat();
    let message = [&b"\x0a\x01k"[..], &hash_key, b"\x1a\x07\x08\x00\x10\x00\x1a\x01x"].concat();
    let digest = <md5::Md5 as md5::Digest>::digest(&message);
    let data = BASE64_STANDARD.encode([&[0xf3, 0x89, 0x9a, 0xc2], &message[..], &digest].concat());
    let fake = Fake::answering(move |operation, _| match operation {
        "ListShards" => shards(),
        "GetShardIterator" => iterator(),
        _ => records(&[("7", &data), ("8", &data), ("9", "ZWlnaHQ=")]),
    });
    let ended = tail(&fake, &["--json", "--limit", "1"]);
    ended.expect(
        0,
        &[
            &format!("{SHARD}: 1 aggregate of the Kinesis Producer Library dropped, as in the KCL, because"),
            "cargo kcl: 2 aggregates of the Kinesis Producer Library dropped",
        ],
    );
    assert_eq!(ended.stderr.matches(SHARD).count(), 1, "one line every few seconds: {}", ended.stderr);
}
