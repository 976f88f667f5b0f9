//! Records that the Kinesis Producer Library aggregated.

use libtest_mimic::Failed;
use md5::{Digest as _, Md5};

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

/// The producer library's format: a magic number, a protobuf message and its MD5.
fn aggregate(key: &str, parts: &[&str]) -> Vec<u8> {
    let field = |number: u8, content: &[u8]| {
        let mut bytes = vec![number << 3 | 2, u8::try_from(content.len()).expect("a short field")];
        bytes.extend_from_slice(content);
        bytes
    };
    let mut message = field(1, key.as_bytes());
    for part in parts {
        // The index of the record's partition key, and its data.
        let record = [vec![1 << 3, 0], field(3, part.as_bytes())].concat();
        message.extend(field(3, &record));
    }
    let digest = Md5::digest(&message);
    [&[0xf3, 0x89, 0x9a, 0xc2], &message[..], &digest[..]].concat()
}
