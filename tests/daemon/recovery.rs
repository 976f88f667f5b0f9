//! A daemon that ends in the middle resumes where it stopped, and no record is lost.

use std::fs;

use libtest_mimic::Failed;
use rustix::process::Signal;

use crate::harness::{Ended, Place};

const RECORDS: usize = 400;

/// Records, of which the middle one is this order.
fn records(order: &str) -> Vec<(String, Vec<u8>)> {
    (0..RECORDS)
        .map(|number| {
            let data = if number == RECORDS / 2 { order.to_owned() } else { format!("record {number}") };
            (number.to_string(), data.into_bytes())
        })
        .collect()
}

/// Runs a second daemon until all records are seen, and then checks both runs.
fn resume(place: &Place, order: &str) -> Result<(), Failed> {
    let before = place.ledger();
    let mut daemon = place.start(1)?;
    let all = records(order);
    daemon.until("all are seen", || {
        let ledger = place.ledger();
        let data = ledger.data();
        all.iter().all(|(_, record)| data.iter().any(|seen| seen.as_bytes() == record))
    })?;
    daemon.stop()?.was_graceful()?;

    let ledger = place.ledger();
    let [first, second] = [&ledger.0[..before.0.len()], &ledger.0[before.0.len()..]];
    let number = |entry: &tests::ledger::Entry| {
        entry.what.strip_prefix("record ").and_then(|rest| rest.split('/').next()).map(str::to_owned)
    };
    let first: Vec<_> = first.iter().filter_map(number).collect();
    let delivered: Vec<_> = second.iter().filter_map(number).collect();
    // Delivery resumes directly after a record that was seen, and is in order to the end.
    let again = delivered.first().ok_or("nothing was delivered")?;
    let seen_before = first.iter().filter(|number| *number < again).count();
    assert_eq!(seen_before + delivered.len(), RECORDS, "from {again} on: {ledger:?}");
    assert!(delivered.is_sorted(), "{ledger:?}");
    Ok(())
}

pub(crate) fn stopped_in_the_middle(place: &Place) -> Result<(), Failed> {
    let gate = place.path("gate");
    let order = format!("wait-for {}", gate.display());
    let mut daemon = place.start(1)?;
    daemon.until("the shard is started", || place.ledger().all("initialize").count() == 1)?;
    place.aws.put(&place.name, &records(&order))?;
    daemon.until("a batch is half done", || place.ledger().all("waiting").count() == 1)?;
    daemon.signal(Signal::TERM)?;
    fs::write(gate, "")?;
    daemon.end()?.was_graceful()?;

    let ledger = place.ledger();
    assert_eq!(ledger.all("shutdownRequested").count(), 1, "{ledger:?}");
    // Processed records are not delivered again.
    let done = ledger.all("record ").count();
    let rest: Vec<_> = (0..10).map(|number| (number.to_string(), format!("later {number}").into_bytes())).collect();
    place.aws.put(&place.name, &rest)?;
    let mut daemon = place.start(1)?;
    daemon.until("the later ones are seen", || place.ledger().data().contains("later 9"))?;
    daemon.stop()?.was_graceful()?;
    let ledger = place.ledger();
    assert_eq!(ledger.all("record ").count(), RECORDS + rest.len(), "each once, {done} in the first run: {ledger:?}");
    Ok(())
}

/// Asserts that the daemon gave up, for this reason.
fn gave_up(ended: &Ended, why: &str) {
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(ended.stderr.contains(why), "`{why}` is not in: {}", ended.stderr);
}

pub(crate) fn killed_in_the_middle(place: &Place) -> Result<(), Failed> {
    let order = format!("die-once {}", place.path("died").display());
    let mut daemon = place.start(1)?;
    daemon.until("the shard is started", || place.ledger().all("initialize").count() == 1)?;
    place.aws.put(&place.name, &records(&order))?;
    gave_up(&daemon.end()?, "the processor of shardId-000000000000 ended before it answered");
    resume(place, &order)
}

pub(crate) fn failed_in_the_middle(place: &Place) -> Result<(), Failed> {
    let order = format!("fail-once {}", place.path("failed").display());
    let mut daemon = place.start(1)?;
    daemon.until("the shard is started", || place.ledger().all("initialize").count() == 1)?;
    let put = place.aws.put(&place.name, &records(&order))?;
    let ended = daemon.end()?;
    gave_up(&ended, "the processor of shardId-000000000000 ended before it answered");
    // The processor's own output, once, and the reason for its end.
    let of_processor = ended.stderr.lines().filter(|line| line.starts_with('[') && line.contains("as told"));
    assert_eq!(of_processor.count(), 1, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("ended before it answered; its last report is `processRecords failed: as told;"),
        "{}",
        ended.stderr
    );

    // The records before the failed one are checkpointed, and the next run starts with the failed one.
    let before = place.ledger().0.len();
    resume(place, &order)?;
    let failed = &put[RECORDS / 2].1;
    let ledger = place.ledger();
    let next = ledger.0[before..].iter().find(|entry| entry.what.starts_with("record ")).ok_or("no record")?;
    assert!(next.what.starts_with(&format!("record {failed}/")), "{next:?}");
    Ok(())
}
