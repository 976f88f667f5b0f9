//! Aggregates of the Kinesis Producer Library, made by Amazon's own library.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use libtest_mimic::Failed;
use serde_json::{Value, json};

use crate::harness::Place;

/// A record made by Amazon's library, and its parts according to Amazon's KCL, on a shard with these hash keys.
pub(crate) struct Vector {
    name: String,
    pub(crate) data: Vec<u8>,
    /// The shard's first and last hash key.
    range: [String; 2],
    /// `None` for a plain record.
    parts: Option<Vec<Vec<u8>>>,
}

fn vectors() -> Result<Vec<Vector>, Failed> {
    let path = tests::workspace().join("cargo-kcl/src/input/kpl/vectors/vectors.jsonl");
    std::fs::read_to_string(path)?.lines().map(read).collect()
}

fn read(line: &str) -> Result<Vector, Failed> {
    let line: Value = serde_json::from_str(line)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let bytes = |value: &Value| BASE64_STANDARD.decode(text(value));
    let parts = line["records"].as_array().into_iter().flatten().map(|record| bytes(&record["data"]));
    let parts = parts.collect::<Result<_, _>>()?;
    Ok(Vector {
        name: text(&line["name"]),
        data: bytes(&line["data"])?,
        range: [text(&line["range"][0]), text(&line["range"][1])],
        parts: (line["aggregated"] == true).then_some(parts),
    })
}

/// The vector with this name.
pub(crate) fn vector(name: &str) -> Result<Vector, Failed> {
    vectors()?.into_iter().find(|vector| vector.name == name).ok_or_else(|| format!("no vector {name}").into())
}

pub(crate) fn taken_apart(place: &Place) -> Result<(), Failed> {
    place.create(1)?;
    let all = ["0".to_owned(), u128::MAX.to_string()];
    let (whole, halves): (Vec<_>, Vec<_>) = vectors()?.into_iter().partition(|vector| vector.range == all);
    let mut expected = put(place, whole)?;
    let middle = (1_u128 << 127).to_string();
    place.reshape("SplitShard", json!({ "ShardToSplit": "shardId-000000000000", "NewStartingHashKey": middle }))?;
    expected.extend(put(place, halves)?);
    let limit = expected.len().to_string();
    let ended = place.start(&["--limit", &limit])?.end()?;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let ledger = place.ledger();
    let mut seen: Vec<_> = ledger.all("record ").map(|entry| entry.what.clone()).collect();
    seen.sort_unstable();
    expected.sort_unstable();
    assert_eq!(seen, expected);
    Ok(())
}

/// Puts each vector at the start of its range, and returns the lines that a processor must write to the ledger.
fn put(place: &Place, vectors: Vec<Vector>) -> Result<Vec<String>, Failed> {
    let mut expected = Vec::new();
    for vector in vectors {
        let input = json!({
            "StreamName": place.name,
            "PartitionKey": "k",
            "ExplicitHashKey": vector.range[0],
            "Data": BASE64_STANDARD.encode(&vector.data),
        });
        let output = place.aws.kinesis("PutRecord", &input)?;
        let number = output["SequenceNumber"].as_str().ok_or("no sequence number")?;
        for (sub, data) in vector.parts.unwrap_or(vec![vector.data]).iter().enumerate() {
            let shown = &data[..data.len().min(200)];
            expected.push(format!("record {number}/{sub} {} {}", data.len(), shown.escape_ascii()));
        }
    }
    Ok(expected)
}
