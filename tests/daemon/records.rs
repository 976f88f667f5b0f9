//! All records reach the processors.

use std::fs;

use libtest_mimic::Failed;

use crate::harness::Place;

/// The records of the sample's own integration test.
const NAMES: [&str; 3] = ["alice", "bob", "charlie"];

pub(crate) fn alice_bob_and_charlie(place: &Place) -> Result<(), Failed> {
    let mut daemon = place.start(4)?;
    daemon.until("four shards are started", || place.ledger().all("initialize TRIM_HORIZON").count() == 4)?;
    let records = NAMES.map(|name| (name.to_owned(), name.as_bytes().to_vec()));
    place.aws.put(&place.name, &records)?;
    daemon.until("all three are seen", || place.ledger().data().is_superset(&NAMES.into()))?;
    daemon.stop()?.was_graceful()?;

    let ledger = place.ledger();
    assert_eq!(ledger.all("record ").count(), 3, "each once: {ledger:?}");
    assert_eq!(ledger.all("shutdownRequested").count(), 4, "{ledger:?}");
    Ok(())
}

pub(crate) fn twenty_thousand(place: &Place) -> Result<(), Failed> {
    const RECORDS: usize = 20_000;
    let mut daemon = place.start(4)?;
    daemon.until("the stream is there", || place.ledger().all("initialize").count() == 4)?;
    // Records that are empty, short, contain every byte, or have a megabyte; keys with ASCII and other characters.
    let records: Vec<_> = (0..RECORDS)
        .map(|number| {
            let key = format!("key {number} \u{e9}\u{1f980}\u{2028}");
            let data = match number % 1_000 {
                0 => Vec::new(),
                1 => vec![b'x'; if number < 4_000 { 1_000_000 } else { 10_000 }],
                2 => (0..=u8::MAX).collect(),
                size => format!("{{\"number\":{number},\"text\":\"{}\"}}", "y".repeat(size / 5)).into_bytes(),
            };
            (key, data)
        })
        .collect();
    let put = place.aws.put(&place.name, &records)?;
    // Counting lines, because parsing the ledger each time would take longer than writing it.
    let lines = || fs::read(place.path("ledger")).map_or(0, |text| text.iter().filter(|&&byte| byte == b'\n').count());
    daemon.until("all are seen", || lines() >= RECORDS + 4)?;
    daemon.stop()?.was_graceful()?;

    let ledger = place.ledger();
    let seen = ledger.sequences();
    let leases = place.aws.leases(&place.name)?;
    for shard in leases.iter().filter(|lease| lease.shard.starts_with("shardId-")) {
        let put: Vec<_> = put.iter().filter(|(id, _)| *id == shard.shard).map(|(_, number)| number.as_str()).collect();
        assert_eq!(seen[shard.shard.as_str()], put, "each once and in order, on {}", shard.shard);
        assert_eq!(Some(shard.checkpoint.as_str()), put.last().copied(), "the checkpoint of {}", shard.shard);
    }
    assert_eq!(seen.len(), 4);
    let sizes: usize =
        ledger.all("record ").filter_map(|entry| entry.what.split(' ').nth(2)?.parse::<usize>().ok()).sum();
    assert_eq!(sizes, records.iter().map(|(_, data)| data.len()).sum::<usize>(), "bytes");
    Ok(())
}
