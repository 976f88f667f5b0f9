//! Text from Kinesis that tries to control a terminal.

use serde_json::{Value, json};
use tests::hostile::{assert_bounded, assert_harmless, assert_json, long_text, texts};

use crate::fake::{Fake, Verdict, refusal};
use crate::tool::{run, tool};

/// The runs that call Kinesis, in two of the formats for one of them.
const RUNS: &[&[&str]] = &[
    &["put", "--stream", "orders", "--give-up", "1s"],
    &["tail", "--stream", "orders"],
    &["stream", "create", "orders"],
    &["stream", "describe", "orders"],
    &["stream", "split", "orders", "0"],
    &["stream", "merge", "orders", "0", "1"],
    &["stream", "delete", "orders"],
    &["leases", "--app", "orders", "--stream", "orders", "--failover", "100ms"],
    &["why", "--app", "orders", "--stream", "orders", "--failover", "100ms"],
    &["local", "--stream", "orders", "--", "true"],
    &["local", "--stream", "orders", "--log-format", "json", "--", "true"],
];

/// Exceptions that the tool knows and does not retry, one for each text.
const KNOWN: [&str; 5] = [
    "ResourceNotFoundException",
    "AccessDeniedException",
    "ValidationException",
    "InvalidArgumentException",
    "ExpiredTokenException",
];

/// A service that refuses every call with this exception and message.
fn refusing(kind: &str, message: &str) -> Fake {
    let [kind, message] = [kind, message].map(|text| &*text.to_owned().leak());
    let fake = Fake::answering(move |_, _| refusal(kind, message));
    fake.judge(move |_, _| Verdict::Refuse(400, kind, message));
    fake
}

pub(crate) fn errors() {
    for (text, known) in texts().into_iter().zip(KNOWN) {
        for kind in [known, &*text] {
            let fake = refusing(kind, &text);
            for arguments in RUNS {
                let ended = run(tool(&fake.url(), arguments), b"1\n");
                let output = ended.stdout + &ended.stderr;
                // A refusal of a known kind may be explained without the service's words.
                if output.contains(tests::hostile::MARK) {
                    assert_harmless(&arguments.join(" "), &output);
                }
                if arguments.contains(&"json") {
                    assert_json(&arguments.join(" "), &ended.stderr);
                }
            }
        }
    }
}

pub(crate) fn long_errors() {
    let text = long_text();
    for kind in ["AccessDeniedException", "ValidationException", &*text] {
        let fake = refusing(kind, &text);
        for arguments in RUNS.iter().copied().chain([&["put", "--stream", "orders", "--json"][..]]) {
            let ended = run(tool(&fake.url(), arguments), b"1\n");
            assert_bounded(&arguments.join(" "), &(ended.stdout + &ended.stderr));
        }
    }
}

pub(crate) fn names() {
    for text in texts() {
        let range = json!({ "StartingHashKey": "0", "EndingHashKey": u128::MAX.to_string() });
        let numbers = json!({ "StartingSequenceNumber": "0" });
        let shard = json!({ "ShardId": text, "HashKeyRange": range, "SequenceNumberRange": numbers, "ParentShardId": format!("{text}-") });
        let summary = json!({ "StreamName": text, "StreamARN": text, "StreamStatus": text, "RetentionPeriodHours": 24,
            "StreamCreationTimestamp": 0.0, "EnhancedMonitoring": [], "OpenShardCount": 1 });
        let record = json!({ "SequenceNumber": text, "PartitionKey": text, "Data": "eA==" });
        let texts = json!({ "SS": [text] });
        let lease = json!({ "leaseKey": { "S": text }, "leaseOwner": { "S": text }, "leaseCounter": { "N": "1" },
            "checkpoint": { "S": text }, "parentShardId": texts, "childShardIds": texts });
        let fake = Fake::answering(move |operation, _| {
            let answer = match operation {
                "Scan" => json!({ "Items": [lease] }),
                "GetItem" => json!({ "Item": lease }),
                "ListShards" => json!({ "Shards": [shard] }),
                "DescribeStreamSummary" => json!({ "StreamDescriptionSummary": summary }),
                "GetShardIterator" => json!({ "ShardIterator": "next" }),
                "GetRecords" => json!({ "Records": [record], "MillisBehindLatest": 0 }),
                _ => Value::Null,
            };
            (200, answer)
        });
        for arguments in [
            &["stream", "describe", "orders"][..],
            &["stream", "describe", "orders", "--json"],
            &["tail", "--stream", "orders", "--shard", &text, "--from", "trim-horizon", "--json"],
            &["local", "--stream", "orders", "--", "true"],
            &["leases", "--app", "revenue", "--stream", "orders", "--failover", "50ms"],
            &["leases", "--app", "revenue", "--stream", "orders", "--json", "--no-wait"],
            &["leases", "--app", "revenue", "--no-wait"],
            &["leases", "--app", "revenue", "--rewind", "0=TRIM_HORIZON"],
            &["why", "--app", "revenue", "--stream", "orders", "--failover", "50ms"],
            &["why", "--app", "revenue", "--stream", "orders", "--failover", "50ms", "--json"],
        ] {
            let ended = run(tool(&fake.url(), arguments), b"");
            assert_harmless(&arguments.join(" "), &(ended.stdout + &ended.stderr));
        }
    }
}
