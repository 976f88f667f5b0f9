//! `cargo kcl stream`, `put` and `tail` together, against the emulator.

use std::collections::{BTreeMap, HashSet};
use std::io::Write as _;
use std::process::{ChildStdin, Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;
use tests::emulators::emulators;

use crate::fake::{Fake, Verdict};
use crate::tool::{Ended, Printing, end, run, signal, start, tool};

/// The emulator's URL.
fn url() -> String {
    emulators().expect("the emulators start").kinesis
}

/// A name that is unique to this run of the tests, so that several can run at once.
fn unique(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

fn tail(arguments: &[&str]) -> Printing {
    Printing::start(tool(&url(), &[&["tail"], arguments].concat()))
}

fn kcl(arguments: &[&str]) -> Ended {
    run(tool(&url(), arguments), b"")
}

pub(crate) fn reshaped() {
    let name = unique("reshaped");
    kcl(&["stream", "create", &name, "--shards", "2"]).expect(0, &["was created with 2 shards"]);
    kcl(&["stream", "create", &name]).expect(1, &["already exists"]);
    kcl(&["stream", "split", &name, "0"]).expect(0, &["into `shardId-000000000002` and `shardId-000000000003`"]);
    kcl(&["stream", "split", &name, "shardId-000000000000"]).expect(2, &["was already split or merged"]);
    kcl(&["stream", "split", &name, "7"])
        .expect(2, &["has no shard `shardId-000000000007`; it has shardId-000000000001, "]);
    kcl(&["stream", "split", &name, "1", "--at", "5"]).expect(2, &["the second part must start at one of"]);
    kcl(&["stream", "merge", &name, "1", "2"]).expect(2, &["are not neighbours; "]);
    kcl(&["stream", "merge", &name, "3", "2"]).expect(0, &["were merged into `shardId-000000000004`"]);
    let at = (u128::MAX / 4 * 3).to_string();
    kcl(&["stream", "split", &name, "1", "--at", &at]).expect(0, &[&format!("was split at {at} into")]);

    let described = kcl(&["stream", "describe", &name, "--json"]);
    let described: Value = serde_json::from_str(&described.expect(0, &[]).stdout).expect("it is JSON");
    assert_eq!((&described["streamStatus"], &described["openShardCount"]), (&"ACTIVE".into(), &3.into()));
    let shards = described["shards"].as_array().expect("shards");
    let merged = &shards[4];
    assert_eq!(merged["open"], true);
    let parents: HashSet<_> = ["parentShardId", "adjacentParentShardId"].map(|name| merged[name].as_str()).into();
    assert_eq!(parents, HashSet::from([Some("shardId-000000000002"), Some("shardId-000000000003")]));
    assert_eq!(shards[6]["startingHashKey"], at.as_str());
    let text = kcl(&["stream", "describe", &name]).stdout;
    assert!(text.contains("3 shards open") && text.lines().count() == 9, "{text}");

    kcl(&["stream", "delete", &name]).expect(0, &["was deleted"]);
    kcl(&["stream", "describe", &name]).expect(1, &[&format!("there is no stream `{name}` at {}", url())]);
}

/// Writes more lines to the stdin of a running `put`.
fn feed(put: &mut ChildStdin, from: usize, count: usize) {
    let lines: String =
        (from..from + count).map(|number| format!("{{\"key\":\"k{}\",\"n\":{number}}}\n", number % 7)).collect();
    put.write_all(lines.as_bytes()).expect("it reads");
}

pub(crate) fn in_order() {
    let name = unique("in_order");
    kcl(&["stream", "create", &name, "--shards", "2"]).expect(0, &[]);
    let tail = tail(&["--stream", &name, "--json", "--limit", "900"]);
    tail.wait_for("reading 2 shards");
    let mut put = tool(&url(), &["put", "--stream", &name, "--key", "/key"]);
    put.stdin(Stdio::piped());
    let mut put = start(put);
    let mut input = put.stdin.take().expect("piped");
    feed(&mut input, 0, 300);
    let mut got = tail.take(100);
    kcl(&["stream", "split", &name, "0"]).expect(0, &[]);
    feed(&mut input, 300, 300);
    got.extend(tail.take(350));
    kcl(&["stream", "merge", &name, "2", "3"]).expect(0, &[]);
    feed(&mut input, 600, 300);
    drop(input);
    end(put).expect(0, &["900 records ("]);
    got.extend(tail.take(450));
    assert_eq!(tail.code(), Some(0));

    let mut by_key: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut shards = HashSet::new();
    for line in &got {
        let record: Value = serde_json::from_str(line).expect("it is JSON");
        let data: Value = serde_json::from_str(record["data"].as_str().expect("text")).expect("it is JSON");
        assert_eq!(record["partitionKey"], data["key"]);
        shards.insert(record["shardId"].clone());
        by_key.entry(data["key"].to_string()).or_default().push(data["n"].as_u64().expect("a number"));
    }
    assert_eq!(by_key.len(), 7);
    for (key, numbers) in &by_key {
        let expected: Vec<_> = (numbers[0] % 7..900).step_by(7).collect();
        assert_eq!(*numbers, expected, "{key}");
    }
    assert!(shards.len() >= 4, "{shards:?}");

    // The printed records can be put again.
    let fake = Fake::new(|_, _| Verdict::Take);
    let again = run(tool(&fake.url(), &["put", "--stream", "copy", "--format", "json"]), got.join("\n").as_bytes());
    again.expect(0, &["900 records ("]);
    assert_eq!(fake.taken().len(), 900);
}

pub(crate) fn from_the_start() {
    let name = unique("from_the_start");
    kcl(&["stream", "create", &name, "--shards", "2"]).expect(0, &[]);
    run(tool(&url(), &["put", "--stream", &name]), b"1\n2\n3\n4\n5\n6\n").expect(0, &[]);
    kcl(&["stream", "split", &name, "1"]).expect(0, &[]);
    run(tool(&url(), &["put", "--stream", &name]), b"a\x01\nb\n").expect(0, &[]);

    let all = kcl(&["tail", "--stream", &name, "--from", "trim-horizon", "--limit", "8", "--quiet"]);
    assert_eq!((all.code, all.stderr.as_str()), (Some(0), ""));
    let mut lines: Vec<_> = all.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["1", "2", "3", "4", "5", "6", "a\x01", "b"]);

    let one = kcl(&["tail", "--stream", &name, "--from", "2020-01-01T00:00:00Z", "--shard", "1"]);
    one.expect(0, &["shardId-000000000001 has ended"]);
    assert!((1..6).contains(&one.stdout.lines().count()), "{one:?}");
    kcl(&["tail", "--stream", &name, "--shard", "9"]).expect(2, &["has no shard `shardId-000000000009`"]);
    kcl(&["tail", "--stream", "nowhere"]).expect(1, &["there is no stream `nowhere`"]);

    let tail = tail(&["--stream", &name]);
    tail.wait_for("reading 3 shards");
    signal(&tail.child, Signal::INT);
    assert_eq!(tail.code(), Some(130));
}

pub(crate) fn producer() {
    let name = unique("producer");
    kcl(&["stream", "create", &name]).expect(0, &[]);
    let example = tests::build(&["--package", "examples", "--features", "aws", "--example", "producer"]);
    let of = |stream: &str| {
        let mut command = Command::new(&example);
        command.arg(stream).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (variable, value) in tool(&url(), &[]).get_envs() {
            match value {
                Some(value) => command.env(variable, value),
                None => command.env_remove(variable),
            };
        }
        command
    };
    let nowhere = end(start(of("nowhere")));
    nowhere.expect(1, &["producer: service error: ResourceNotFoundException: ", "nowhere not found\n"]);
    assert_eq!(nowhere.stderr.lines().count(), 1, "{nowhere:?}");
    let producer = Printing::start(of(&name));
    assert_eq!(producer.take(2), ["produced record to shard shardId-000000000000"; 2]);
    signal(&producer.child, Signal::INT);
    assert_eq!(producer.code(), Some(0));
    let records = kcl(&["tail", "--stream", &name, "--from", "trim-horizon", "--limit", "2", "--json"]).stdout;
    for (number, line) in records.lines().enumerate() {
        let record: Value = serde_json::from_str(line).expect("it is JSON");
        assert_eq!(record["data"], format!("message data {number}"));
        assert_eq!(record["partitionKey"], format!("key{number}"));
    }
}
