//! `cargo kcl why`, against a fake stream and a fake lease table.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::tool::Ended;
use crate::world::{Services, World, put, row};

const SHARDS: [&str; 8] = [
    "shardId-000000000000",
    "shardId-000000000001",
    "shardId-000000000002",
    "shardId-000000000003",
    "shardId-000000000004",
    "shardId-000000000005",
    "shardId-000000000006",
    "shardId-000000000007",
];
const NUMBER: u128 = 49_590_338_271_490_256_608_559_692_538_361_571_096;

/// The line about a shard.
fn line<'a>(ended: &'a Ended, shard: &str) -> &'a str {
    ended.stdout.lines().find(|line| line.starts_with(shard)).unwrap_or_else(|| panic!("{shard} is not in {ended:?}"))
}

pub(crate) fn states() {
    let hour = Duration::from_secs(3600);
    let before = (NUMBER - 5).to_string();
    let world = World {
        shards: vec![
            (SHARDS[0], None, true),
            (SHARDS[1], Some(SHARDS[0]), false),
            (SHARDS[2], None, false),
            (SHARDS[3], None, false),
            (SHARDS[4], None, false),
            (SHARDS[5], None, false),
            (SHARDS[6], None, true),
            (SHARDS[7], Some(SHARDS[6]), false),
        ],
        rows: vec![
            // Processed to the end, which was not checkpointed.
            row(SHARDS[0], Some("alive"), &NUMBER.to_string(), 0),
            row(SHARDS[1], None, "TRIM_HORIZON", 0),
            row(SHARDS[2], Some("dead"), "TRIM_HORIZON", 0),
            row(SHARDS[3], None, "TRIM_HORIZON", 0),
            // Its record has expired.
            row(SHARDS[4], Some("alive"), &before, 0),
            row(SHARDS[5], Some("alive"), &NUMBER.to_string(), 0),
            row(SHARDS[7], Some("alive"), &NUMBER.to_string(), 0),
            row("shardId-000000000099", Some("alive"), &NUMBER.to_string(), 0),
        ],
        records: vec![
            put(SHARDS[0], NUMBER, hour, b"x"),
            put(SHARDS[2], NUMBER, hour, b"x"),
            put(SHARDS[4], NUMBER, 23 * hour, b"x"),
            put(SHARDS[5], NUMBER, 2 * hour, b"x"),
            put(SHARDS[5], NUMBER + 1, hour, b"x"),
            put(SHARDS[7], NUMBER, hour, b"x"),
        ],
        alive: Some("alive"),
        ..World::default()
    };
    let services = Services::new(world);
    let ended = services.run("why", &[]);
    ended.expect(1, &[]);
    for (shard, says) in [
        (SHARDS[0], "no SHARD_END checkpoint: all its records are processed, and its end was not checkpointed"),
        (SHARDS[1], "it waits for shardId-000000000000, which is not read to its end"),
        (SHARDS[2], "its owner is dead: worker `dead` has not renewed the lease"),
        (SHARDS[3], "it has no owner: no worker took the lease"),
        (
            SHARDS[4],
            "past retention: the stream keeps records for 24 h and no longer holds the record of its checkpoint",
        ),
        (SHARDS[5], "its processor is slow or stuck: worker `alive` renews the lease, but the checkpoint did not move"),
        (SHARDS[6], "done: it has ended, and its lease was removed"),
        (SHARDS[7], "up to date: no record follows its checkpoint"),
        ("shardId-000000000099", "past retention: the shard is no longer in the stream"),
    ] {
        assert!(line(&ended, shard).contains(says), "{says}: {ended:?}");
    }
    assert!(line(&ended, SHARDS[5]).contains(&format!("record {} has been waiting for 1 h", NUMBER + 1)), "{ended:?}");

    let ended = services.run("why", &["--shard", "7", "--json"]);
    ended.expect(0, &[]);
    let shown: Value = serde_json::from_str(&ended.stdout).expect("one object");
    assert_eq!((&shown["shards"][0]["state"], &shown["shards"][0]["fine"]), (&"up-to-date".into(), &true.into()));
    services
        .run("why", &["--shard", "12"])
        .expect(2, &["no lease for `shardId-000000000012`, and its stream no such shard"]);

    // Without a worker.
    services.world().alive = None;
    let ended = services.run("why", &[]);
    assert!(line(&ended, SHARDS[2]).contains("no worker is alive: start `dead` again"), "{ended:?}");
    assert!(line(&ended, SHARDS[3]).contains("it has no owner, and no worker is running; start a worker"), "{ended:?}");
}

pub(crate) fn moves() {
    let world = World {
        shards: vec![(SHARDS[0], None, false)],
        rows: vec![row(SHARDS[0], Some("alive"), &NUMBER.to_string(), 0)],
        records: (0..100).map(|index| put(SHARDS[0], NUMBER + index, Duration::from_secs(90), b"x")).collect(),
        alive: Some("alive"),
        step: 2,
        ..World::default()
    };
    let ended = Services::new(world).run("why", &[]);
    ended.expect(0, &[]);
    assert!(line(&ended, SHARDS[0]).contains("it moves: its checkpoint went from"), "{ended:?}");
    assert!(line(&ended, SHARDS[0]).contains(" behind"), "{ended:?}");
}

/// A world in which a processor does not move.
fn stuck() -> World {
    World {
        shards: vec![(SHARDS[0], None, false)],
        rows: vec![row(SHARDS[0], Some("alive"), &NUMBER.to_string(), 0)],
        records: (0..2).map(|index| put(SHARDS[0], NUMBER + index, Duration::from_secs(90), b"x")).collect(),
        alive: Some("alive"),
        ..World::default()
    }
}

pub(crate) fn logs() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("daemon.log");
    let services = Services::new(stuck());
    let slow = format!(
        "[{0}] kcl: shard {0}: processRecords at record {1}/0, number 1 of 1 in its batch, has been running for 120s",
        SHARDS[0],
        NUMBER + 1
    );
    let answered = format!(
        "12:00:09.000 INFO  MultiLangProtocol: Received response {{\"action\":\"status\",\"responseFor\":\"processRecords\"}} from subprocess while waiting for processRecords while processing shard {}",
        SHARDS[0]
    );
    let throttled = format!(
        "12:00:01.000 ERROR PrefetchRecordsPublisher: orders:{} :  ProvisionedThroughputExceededException thrown while fetching records from Kinesis\n\
         software.amazon.awssdk.services.kinesis.model.ProvisionedThroughputExceededException: Rate exceeded\n\tat x",
        SHARDS[0]
    );
    let credentials = "12:00:01.000 ERROR Scheduler: Worker.run caught exception, sleeping for 1000 milli seconds!\n\
                       java.lang.RuntimeException: no\nCaused by: software.amazon.awssdk.core.exception.SdkClientException: Unable to load credentials from any of the providers in the chain";
    let json = format!(
        r#"{{"time":"2026-01-31T12:00:00.000Z","level":"warn","source":"processor","stream":"orders","shard":"{0}","message":"kcl: shard {0}: processRecords has been running for 61s"}}"#,
        SHARDS[0]
    );
    for (log, state, says) in [
        (
            slow.clone(),
            "handler-stuck",
            format!("processRecords at record {}/0, number 1 of 1 in its batch, has been running for 120s", NUMBER + 1),
        ),
        (json, "handler-stuck", "has been running for 61s (logged at 2026-01-31T12:00:00.000Z)".to_owned()),
        (throttled.clone(), "throttled", "AWS throttles: other consumers share the shard's read throughput".to_owned()),
        (credentials.to_owned(), "credentials", "no AWS credentials were found".to_owned()),
        // What has been answered is over.
        (format!("{slow}\n{answered}"), "slow", "its processor is slow or stuck".to_owned()),
        // Problems from before a restart are over, too.
        (
            format!("{credentials}\n12:00:05.000 INFO  Scheduler: Initialization complete. Starting worker loop."),
            "slow",
            "its processor is slow".to_owned(),
        ),
    ] {
        fs::write(&path, &log).expect("it can be written");
        let ended = services.run("why", &["--json", "--log", path.to_str().expect("UTF-8")]);
        let shown: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
        let shown = &shown["shards"][0];
        assert_eq!(shown["state"], state, "{log}: {ended:?}");
        assert!(shown["sentence"].as_str().is_some_and(|sentence| sentence.contains(&says)), "{says}: {shown}");
    }
    services.run("why", &["--log", "missing"]).expect(2, &["the log missing cannot be read"]);
}

pub(crate) fn throttled() {
    let mut world = stuck();
    world.is_throttled = true;
    let services = Services::new(world);
    let ended = services.run("why", &["--idle-timeout", "100ms"]);
    ended.expect(1, &[]);
    assert!(line(&ended, SHARDS[0]).contains("AWS throttles reads of the shard"), "{ended:?}");
}
