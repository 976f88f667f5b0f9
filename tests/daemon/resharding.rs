//! Splitting and merging shards while processors run.

use libtest_mimic::Failed;
use serde_json::json;

use crate::harness::{Daemon, Place};

const MIDDLE: &str = "170141183460469231731687303715884105728";

pub(crate) fn split_and_merge(place: &Place) -> Result<(), Failed> {
    let [parent, left, right, child] = [0, 1, 2, 3].map(|number| format!("shardId-{number:012}"));
    let mut daemon = place.start(1)?;
    daemon.until("the shard is started", || place.ledger().all("initialize").count() == 1)?;
    put_and_see(place, &mut daemon, "before")?;

    let split = json!({ "StreamName": place.name, "ShardToSplit": parent, "NewStartingHashKey": MIDDLE });
    place.aws.kinesis("SplitShard", &split)?;
    daemon.until("both halves are started", || {
        let ledger = place.ledger();
        [&left, &right].iter().all(|shard| ledger.place(shard, "initialize").is_some())
    })?;
    put_and_see(place, &mut daemon, "between")?;

    let merge = json!({ "StreamName": place.name, "ShardToMerge": left, "AdjacentShardToMerge": right });
    place.aws.kinesis("MergeShards", &merge)?;
    daemon.until("the merged shard is started", || place.ledger().place(&child, "initialize").is_some())?;
    put_and_see(place, &mut daemon, "after")?;
    daemon.stop()?.was_graceful()?;

    let ledger = place.ledger();
    for (earlier, later) in [(&parent, &left), (&parent, &right), (&left, &child), (&right, &child)] {
        let ended = ledger.place(earlier, "shardEnded").ok_or("a parent did not end")?;
        let last = ledger.0.iter().rposition(|entry| entry.shard == *earlier && entry.what.starts_with("record "));
        let started = ledger.place(later, "initialize").ok_or("a child did not start")?;
        assert!(last.is_none_or(|last| last < ended), "{earlier} had records after its end: {ledger:?}");
        assert!(ended < started, "{later} started before {earlier} was finished: {ledger:?}");
    }
    assert_eq!(ledger.all("record ").count(), 300, "each once: {ledger:?}");
    Ok(())
}

/// Puts a hundred records, spread over the open shards, and waits until they are seen.
fn put_and_see(place: &Place, daemon: &mut Daemon, when: &str) -> Result<(), Failed> {
    let records: Vec<_> =
        (0..100).map(|number| (number.to_string(), format!("{when} {number}").into_bytes())).collect();
    place.aws.put(&place.name, &records)?;
    daemon.until("they are seen", || {
        let ledger = place.ledger();
        let data = ledger.data();
        records.iter().all(|(_, record)| data.iter().any(|seen| seen.as_bytes() == record))
    })
}
