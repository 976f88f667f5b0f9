//! Records that the Kinesis Producer Library aggregated.

use libtest_mimic::Failed;
use tests::kpl::aggregate;

use crate::harness::Place;

pub(crate) fn aggregated(place: &Place) -> Result<(), Failed> {
    let mut daemon = place.start(1)?;
    daemon.until("the shard is started", || place.ledger().all("initialize").count() == 1)?;
    let records = [
        ("a".to_owned(), b"alone".to_vec()),
        ("a".to_owned(), aggregate("a", &["first", "second", "third"])),
        ("a".to_owned(), aggregate("a", &["fourth", "fifth"])),
    ];
    let put = place.aws.put(&place.name, &records)?;
    daemon.until("the last is seen", || place.ledger().data().contains("fifth"))?;
    daemon.stop()?.was_graceful()?;

    let ledger = place.ledger();
    let seen: Vec<_> = ledger.all("record ").map(|entry| entry.what.as_str()).collect();
    let expected: Vec<_> =
        [(0, 0, "alone"), (1, 0, "first"), (1, 1, "second"), (1, 2, "third"), (2, 0, "fourth"), (2, 1, "fifth")]
            .iter()
            .map(|&(record, sub, data)| format!("record {}/{sub} {} {data}", put[record].1, data.len()))
            .collect();
    assert_eq!(seen, expected);
    // The checkpoint also names the part.
    let leases = place.aws.leases(&place.name)?;
    let lease = leases.iter().find(|lease| lease.shard == "shardId-000000000000").ok_or("no lease")?;
    assert_eq!((&lease.checkpoint, lease.sub.as_str()), (&put[2].1, "1"));
    Ok(())
}
