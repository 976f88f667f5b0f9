//! `cargo kcl leases` and `cargo kcl why`, about the leases of real workers.

use std::cell::Cell;
use std::fs;
use std::process::Command;

use libtest_mimic::Failed;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tests::aws::Lease;
use tests::kpl::aggregate;

use crate::harness::{Daemon, Place};
use crate::life::children;

const SHARD: &str = "shardId-000000000000";
const MIDDLE: &str = "170141183460469231731687303715884105728";

/// Sends a signal to the worker of a launcher, which is its only child.
fn signal_worker(daemon: &Daemon, signal: Signal) -> Result<(), Failed> {
    let worker = children(daemon.id()).first().copied().and_then(Pid::from_raw).ok_or("no worker")?;
    Ok(kill_process(worker, signal)?)
}

/// The place of each record that a shard's processors got, as `number/part`.
fn delivered(place: &Place) -> Vec<String> {
    let ledger = place.ledger();
    let places = ledger.all("record ").filter_map(|entry| entry.what.split(' ').nth(1));
    places.map(str::to_owned).collect()
}

/// Waits until the lease of the first shard is checkpointed here.
fn until_checkpointed(place: &Place, daemon: &mut Daemon, number: &str) -> Result<(), Failed> {
    daemon.until("the last record is checkpointed", || {
        let leases = place.aws.leases(&place.name).unwrap_or_default();
        leases.iter().any(|lease| lease.shard == SHARD && lease.checkpoint == number)
    })
}

pub(crate) fn paused_worker(place: &Place) -> Result<(), Failed> {
    let mut daemon = place.start(1)?;
    daemon.until("the shard is started", || place.ledger().all("initialize").count() == 1)?;
    let gate = place.path("gate");
    let mut records: Vec<_> = (0..9).map(|number| ("k".to_owned(), format!("{number}").into_bytes())).collect();
    records.insert(0, ("k".to_owned(), format!("wait-for {}", gate.display()).into_bytes()));
    let put = place.aws.put(&place.name, &records)?;

    // The processor hangs, until it does not.
    daemon.until("the processor hangs", || place.ledger().all("waiting").count() == 1)?;
    let now = states_of(place.command("why", &["--json"]).env("XDG_RUNTIME_DIR", &place.folder))?;
    assert_eq!(now[0].0, "slow", "elsewhere, nobody knows what the processor does: {now:?}");
    assert!(now[0].1.contains(&format!("record {} has been waiting", put[0].1)), "{now:?}");
    let now = states(place, &[])?;
    assert_eq!(now[0].0, "handler-stuck", "the launcher knows what the processor does: {now:?}");
    assert!(now[0].1.contains(&format!("at record {}/0", put[0].1)), "{now:?}");
    fs::write(gate, "")?;
    until_checkpointed(place, &mut daemon, &put[9].1)?;
    let now = states(place, &[])?;
    assert_eq!(now[0].0, "up-to-date", "{now:?}");

    // While the worker runs, it keeps its lease.
    let rewind = format!("0={}", put[3].1);
    let refused = place.verb("leases", &["--rewind", &rewind, "--yes"])?;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");

    signal_worker(&daemon, Signal::STOP)?;
    let shown = place.verb("leases", &["--json"])?;
    let shown: Value = serde_json::from_slice(&shown.stdout)?;
    assert_eq!(shown["leases"][0]["renewed"], false, "{shown}");
    let now = states(place, &[])?;
    assert_eq!(now[0].0, "owner-dead", "{now:?}");
    let moved = place.verb("leases", &["--rewind", &rewind, "--yes"])?;
    assert!(moved.status.success(), "{moved:?}");
    signal_worker(&daemon, Signal::CONT)?;

    // The worker wakes up, loses the lease, and gets it again where it was moved to.
    daemon.until("the records are delivered again", || delivered(place).len() == 16)?;
    until_checkpointed(place, &mut daemon, &put[9].1)?;
    daemon.stop()?.was_graceful()?;
    let ledger = place.ledger();
    assert_eq!(ledger.all("leaseLost").next().map(|entry| entry.process), Some(ledger.0[0].process), "{ledger:?}");
    assert_eq!(ledger.all(&format!("initialize {}/0", put[3].1)).count(), 1, "{ledger:?}");
    let again: Vec<_> = put[4..].iter().map(|(_, number)| format!("{number}/0")).collect();
    assert_eq!(delivered(place)[10..], again);
    Ok(())
}

pub(crate) fn at_a_time(place: &Place) -> Result<(), Failed> {
    let batch = |names: [&str; 4]| {
        let [plain, parts @ ..] = names;
        [("k".to_owned(), plain.as_bytes().to_vec()), ("k".to_owned(), aggregate("k", &parts))]
    };
    let mut daemon = place.start(1)?;
    daemon.until("the shard is started", || place.ledger().all("initialize").count() == 1)?;
    let before = place.aws.put(&place.name, &batch(["a", "a1", "a2", "a3"]))?;
    until_checkpointed(place, &mut daemon, &before[1].1)?;
    let after = place.aws.put(&place.name, &batch(["b", "b1", "b2", "b3"]))?;
    until_checkpointed(place, &mut daemon, &after[1].1)?;
    daemon.stop()?.was_graceful()?;
    assert_eq!(delivered(place).len(), 8);

    let time = arrival(place, &after[0].1)?;
    let moved = place.verb("leases", &["--rewind", &format!("0={time}"), "--yes"])?;
    assert!(moved.status.success(), "{moved:?}");
    let leases = place.aws.leases(&place.name)?;
    assert_eq!((&leases[0].checkpoint, leases[0].sub.as_str()), (&before[1].1, "2"), "after the whole aggregate");

    // Exactly the records that arrived at the time or later are delivered again.
    let mut daemon = place.start(1)?;
    until_checkpointed(place, &mut daemon, &after[1].1)?;
    daemon.stop()?.was_graceful()?;
    let [first, second] = [&after[0].1, &after[1].1];
    let again = [format!("{first}/0"), format!("{second}/0"), format!("{second}/1"), format!("{second}/2")];
    assert_eq!(delivered(place)[8..], again);

    // Before the oldest record, there is none to name.
    let moved = place.verb("leases", &["--rewind", "0=2026-01-01", "--yes"])?;
    assert!(moved.status.success(), "{moved:?}");
    assert_eq!(place.aws.leases(&place.name)?[0].checkpoint, "TRIM_HORIZON");
    Ok(())
}

/// The time at which a record arrived.
fn arrival(place: &Place, number: &str) -> Result<String, Failed> {
    let iterator = place.aws.kinesis(
        "GetShardIterator",
        &json!({ "StreamName": place.name, "ShardId": SHARD, "ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": number }),
    )?;
    let records =
        place.aws.kinesis("GetRecords", &json!({ "ShardIterator": iterator["ShardIterator"], "Limit": 1 }))?;
    let seconds = records["Records"][0]["ApproximateArrivalTimestamp"].as_f64().ok_or("no arrival time")?;
    let millis = std::time::Duration::from_millis((seconds * 1e3).round() as u64);
    Ok(humantime::format_rfc3339_millis(std::time::UNIX_EPOCH + millis).to_string())
}

/// A processor that acknowledges everything and checkpoints nothing.
const CARELESS: &str = r#"#!/bin/sh
while read -r line; do
    for action in initialize processRecords shardEnded shutdownRequested leaseLost; do
        case $line in *'"action":"'$action'"'*) echo '{"action":"status","responseFor":"'$action'"}' ;; esac
    done
done
"#;

/// The state of each shard, as `why` names it, and its sentence.
fn states(place: &Place, arguments: &[&str]) -> Result<Vec<(String, String)>, Failed> {
    states_of(&mut place.command("why", &[&["--json"], arguments].concat()))
}

fn states_of(why: &mut Command) -> Result<Vec<(String, String)>, Failed> {
    let output = why.output()?;
    let shown: Value = serde_json::from_slice(&output.stdout)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let shards = shown["shards"].as_array().into_iter().flatten();
    Ok(shards.map(|shard| (text(&shard["state"]), text(&shard["sentence"]))).collect())
}

pub(crate) fn no_shard_end(place: &Place) -> Result<(), Failed> {
    let program = place.path("careless");
    fs::write(&program, CARELESS)?;
    let shell = ["/bin/sh".as_ref(), program.as_os_str()];
    let mut daemon = place.start_with(&["--shards", "1"], shell)?;
    daemon.until("the shard is started", || place.log().contains("while waiting for initialize"))?;
    let split = json!({ "StreamName": place.name, "ShardToSplit": SHARD, "NewStartingHashKey": MIDDLE });
    place.aws.kinesis("SplitShard", &split)?;
    daemon.until("the daemon complains", || place.log().contains("didn't checkpoint at end of shard"))?;
    let log = place.path("daemon.0.log");
    for arguments in [&[][..], &["--log", log.to_str().ok_or("UTF-8")?]] {
        let states = states(place, arguments)?;
        let names: Vec<_> = states.iter().map(|(state, _)| state.as_str()).collect();
        assert_eq!(names, ["no-shard-end", "waits-for-parent", "waits-for-parent"], "{states:?}");
    }
    daemon.stop()?;
    Ok(())
}

/// The path of the first daemon's log.
fn log_of(place: &Place) -> Result<String, Failed> {
    Ok(place.path("daemon.0.log").to_str().ok_or("UTF-8")?.to_owned())
}

pub(crate) fn hung_handler(place: &Place) -> Result<(), Failed> {
    let mut daemon = place.start_with(&["--shards", "1"], [place.poison()])?;
    daemon.until("the shard is started", || place.log().contains("while waiting for initialize"))?;
    let records = ["first", "wait"].map(|text| ("k".to_owned(), format!("\"{text}\"").into_bytes()));
    let put = place.aws.put(&place.name, &records)?;
    let hangs = format!("at record {}/0", put[1].1);
    daemon.until("the handler is reported", || {
        place.log().lines().any(|line| line.contains(&hangs) && line.contains(" has been running for "))
    })?;
    let log = log_of(place)?;
    let now = states(place, &["--log", &log])?;
    assert!(now[0].0 == "handler-stuck" && now[0].1.contains(&hangs), "{now:?}");

    // It was reported before, and its record is done now.
    fs::write(place.path("go"), "")?;
    until_checkpointed(place, &mut daemon, &put[1].1)?;
    let now = states(place, &["--log", &log])?;
    assert_eq!(now[0].0, "up-to-date", "{now:?}");
    let ended = daemon.stop()?;
    ended.was_graceful()
}

pub(crate) fn no_credentials(place: &Place) -> Result<(), Failed> {
    let provider = "AwsCredentialsProvider=EnvironmentVariableCredentialsProvider";
    let ended = place.start_with(&["--shards", "1", "--set", provider], place.processor())?.end()?;
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let now = states(place, &["--log", &log_of(place)?])?;
    assert!(now[0].0 == "credentials" && now[0].1.contains("no AWS credentials were found"), "{now:?}");
    Ok(())
}

/// Gives the lease of the first shard to a worker.
fn give(place: &Place, worker: &str) -> Result<(), Failed> {
    place.aws.dynamodb(
        "UpdateItem",
        &json!({
            "TableName": place.name,
            "Key": { "leaseKey": { "S": SHARD } },
            "UpdateExpression": "SET leaseOwner = :owner, leaseCounter = leaseCounter + :one REMOVE checkpointOwner",
            "ExpressionAttributeValues": { ":owner": { "S": worker }, ":one": { "N": "1" } },
        }),
    )?;
    Ok(())
}

pub(crate) fn two_workers(place: &Place) -> Result<(), Failed> {
    let mut first = place.start(2)?;
    first.until("both shards are started", || place.ledger().all("initialize").count() == 2)?;
    let processor = place.processor();
    let mut second = place.start_with(&["--shards", "2", "--set", "workerId=second"], processor)?;
    let logs = |text: &str| fs::read_to_string(place.path("daemon.1.log")).is_ok_and(|log| log.contains(text));
    second.until("it is up", || logs("Initialization complete"))?;
    // The workers would balance the shards themselves, but only after minutes. The leader may also move a lease back.
    let since = Cell::new(None::<Lease>);
    second.until("each worker keeps a shard", || {
        let leases = place.aws.leases(&place.name).unwrap_or_default();
        let own = leases.iter().find(|lease| lease.owner == "second");
        match (own, leases.iter().any(|lease| lease.owner == "local")) {
            (Some(own), true) => {
                let before = since.take().filter(|before| before.shard == own.shard).unwrap_or_else(|| own.clone());
                let is_kept = own.counter >= before.counter + 2;
                since.set(Some(before));
                is_kept
            }
            (own, _) => {
                since.set(None);
                _ = give(place, if own.is_none() { "second" } else { "local" });
                false
            }
        }
    })?;
    second.until("it has a shard", || logs("while waiting for initialize"))?;
    // The first worker is the leader, so its lease stays with it until another one leads.
    signal_worker(&first, Signal::KILL)?;
    let shown = place.verb("leases", &["--json"])?;
    let shown: Value = serde_json::from_slice(&shown.stdout)?;
    let leases = shown["leases"].as_array().ok_or("no leases")?;
    let mut owners: Vec<_> = leases.iter().map(|lease| (lease["owner"].as_str(), lease["renewed"].as_bool())).collect();
    owners.sort_unstable();
    assert_eq!(owners, [(Some("local"), Some(false)), (Some("second"), Some(true))], "{shown}");
    second.stop()?.was_graceful()
}
