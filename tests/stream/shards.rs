//! Runs on a stream whose shards are split and merged.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::SystemTime;

use libtest_mimic::Failed;
use serde_json::json;

use crate::harness::{Place, Running, until};

pub(crate) fn split_and_merge(place: &Place) -> Result<(), Failed> {
    const KEYS: usize = 20;
    place.create(2)?;
    let mut run = place.start(&["--app", "a", "--state", "state"])?;
    let mut number = 0;
    let mut put = |count: usize| {
        let records: Vec<_> = (number..number + count)
            .map(|number| (format!("key{}", number % KEYS), format!("{number} of key{}", number % KEYS)))
            .collect();
        number += count;
        place.put(&records.iter().map(|(key, data)| (key.as_str(), data.as_str())).collect::<Vec<_>>())
    };
    put(400)?;
    // Split in the middle of the lower half, then merge the second quarter with the upper half.
    place.reshape(
        "SplitShard",
        json!({ "ShardToSplit": "shardId-000000000000", "NewStartingHashKey": (1_u128 << 126).to_string() }),
    )?;
    put(400)?;
    run.until("the split is seen", || place.ledger().place("shardId-000000000003", "record").is_some())?;
    place.reshape(
        "MergeShards",
        json!({ "ShardToMerge": "shardId-000000000003", "AdjacentShardToMerge": "shardId-000000000001" }),
    )?;
    put(400)?;
    run.until("all is seen", || place.ledger().data().len() == 1_200)?;
    run.interrupt()?;

    let ledger = place.ledger();
    let mut by_key: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for data in place.data() {
        let (number, key) = data.split_once(" of ").ok_or("another record")?;
        by_key.entry(key.to_owned()).or_default().push(number.parse()?);
    }
    for (nth, key) in (0..KEYS).map(|nth| (nth, format!("key{nth}"))) {
        assert_eq!(by_key[&key], (nth..1_200).step_by(KEYS).collect::<Vec<_>>(), "{key}");
    }
    let id = |number: u32| format!("shardId-{number:012}");
    for (parent, child) in [(0, 2), (0, 3), (3, 4), (1, 4)] {
        let ended = ledger.place(&id(parent), "shardEnded").ok_or("the parent did not end")?;
        let started = ledger.place(&id(child), "initialize TRIM_HORIZON").ok_or("the child did not start")?;
        assert!(ended < started, "{child} started before {parent} ended");
    }

    // Shards that have ended are also ended for the next run, which has no records to deliver.
    let mut run = place.start(&["--app", "a", "--state", "state"])?;
    run.until_said("resuming after the saved checkpoints")?;
    run.until("the open shards are started", || place.ledger().all("initialize").count() == 7)?;
    run.interrupt()?;
    assert_eq!(place.data().len(), 1_200);
    Ok(())
}

pub(crate) fn merged_with_an_unknown(place: &Place) -> Result<(), Failed> {
    place.create(2)?;
    // This key lies in the second quarter.
    let put = |data: &str| place.put(&[("alice", data)]);
    let gate = place.path("gate");
    put(&format!("wait-for {}", gate.display()))?;
    for data in ["1", "2", "3"] {
        put(data)?;
    }
    let mut run = place.start(&["--max-records", "1"])?;
    run.until("the processor waits", || place.ledger().place("shardId-000000000000", "waiting").is_some())?;
    place.reshape(
        "SplitShard",
        json!({ "ShardToSplit": "shardId-000000000000", "NewStartingHashKey": (1_u128 << 126).to_string() }),
    )?;
    put("4")?;
    place.reshape(
        "MergeShards",
        json!({ "ShardToMerge": "shardId-000000000003", "AdjacentShardToMerge": "shardId-000000000001" }),
    )?;
    put("5")?;
    run.until("the other parent ends", || place.ledger().place("shardId-000000000001", "shardEnded").is_some())?;
    fs::write(gate, "")?;
    run.until("all is seen", || place.data().len() == 6)?;
    run.interrupt()?;
    assert_eq!(place.data()[1..], ["1", "2", "3", "4", "5"]);
    Ok(())
}

pub(crate) fn from_a_time(place: &Place) -> Result<(), Failed> {
    place.create(1)?;
    place.put(&[("a", "before")])?;
    // Arrival times are in milliseconds.
    let start = SystemTime::now();
    until("a millisecond has passed", || start.elapsed().is_ok_and(|elapsed| elapsed.as_millis() > 1))?;
    let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
    place.put(&[("a", "after")])?;
    let ended = place.start(&["--from", &time, "--limit", "1"])?.end()?;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(place.data(), ["after"]);
    assert!(place.ledger().place("shardId-000000000000", "initialize AT_TIMESTAMP").is_some());
    Ok(())
}

pub(crate) fn restarted(place: &Place) -> Result<(), Failed> {
    place.create(1)?;
    let order = format!("fail-once {}", place.path("failed").display());
    place.put(&[("a", "1"), ("a", &order), ("a", "3")])?;
    let mut run = place.start(&["--restarts", "1"])?;
    run.until("the last is seen", || place.ledger().data().contains("3"))?;
    let ended = run.interrupt()?;
    assert!(ended.stderr.contains("restart 1 of 1"), "{}", ended.stderr);
    assert_eq!(place.data(), ["1", order.as_str(), order.as_str(), "3"]);
    Ok(())
}

pub(crate) fn restarted_at_a_limit(place: &Place) -> Result<(), Failed> {
    place.create(1)?;
    let order = format!("fail-once {}", place.path("failed").display());
    place.put(&[("a", &order), ("a", "2"), ("a", "3"), ("a", "4")])?;
    let ended = place.start(&["--restarts", "1", "--limit", "2", "--max-records", "1"])?.end()?;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(place.data(), [order.as_str(), order.as_str(), "2"]);
    Ok(())
}

pub(crate) fn quiet(place: &Place) -> Result<(), Failed> {
    place.create(1)?;
    let messages = || fs::read_to_string(place.path("recorded/shardId-000000000000/in.jsonl")).unwrap_or_default();
    let empties = || messages().matches("\"records\":[]").count();
    // More often than the shard is read.
    let mut run = place.start(&["--empty-every", "50ms", "--record", "recorded"])?;
    run.until("batches without records arrive", || empties() >= 3)?;
    place.put(&[("a", "1")])?;
    run.until("the record is seen", || place.data() == ["1"])?;
    let before = empties();
    run.until("batches without records arrive again", || empties() > before)?;
    run.interrupt()?;
    for line in messages().lines().filter(|line| line.contains("processRecords")) {
        let message: serde_json::Value = serde_json::from_str(line)?;
        assert!(message["millisBehindLatest"].is_u64(), "{message}");
    }
    assert_eq!(place.data(), ["1"]);
    Ok(())
}

pub(crate) fn consumer(place: &Place) -> Result<(), Failed> {
    place.create(2)?;
    let consumer = tests::build(&["--package", "examples", "--example", "consumer"]);
    let data: Vec<_> = (0..20).map(|number| (format!("key{number}"), format!("message data {number}"))).collect();
    let put = place.put(&data.iter().map(|(key, data)| (key.as_str(), data.as_str())).collect::<Vec<_>>())?;
    let consumer = consumer.to_str().ok_or("no text")?;
    let arguments =
        ["--stream", &place.name, "--endpoint", &place.aws.kinesis, "--region", "us-east-1", "--limit", "20"];
    let ended = Running::start(place.tool(&[&arguments[..], &["--", consumer]].concat()))?.end()?;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let lines: BTreeSet<_> =
        ended.stderr.lines().filter_map(|line| line.split_once("] ").map(|(_, said)| said)).collect();
    for ((shard, _), (_, data)) in put.iter().zip(&data) {
        assert!(lines.contains(format!("shard {shard} data: {data}").as_str()), "{shard} {data}: {}", ended.stderr);
    }
    for shard in ["shardId-000000000000", "shardId-000000000001"] {
        let count = put.iter().filter(|(put, _)| put == shard).count();
        assert!(lines.contains(format!("shard {shard} got {count} records").as_str()), "{}", ended.stderr);
    }
    Ok(())
}
