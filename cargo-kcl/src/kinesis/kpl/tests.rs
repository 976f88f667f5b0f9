//! Compares with how the KCL splits aggregates by Amazon's own library, some of them damaged, as `vectors/make.py` recorded it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Vector {
    name: String,
    data: String,
    range: [String; 2],
    aggregated: bool,
    records: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    sub: usize,
    key: String,
    data: String,
}

fn vectors() -> impl Iterator<Item = Vector> {
    include_str!("vectors/vectors.jsonl").lines().map(|line| serde_json::from_str(line).unwrap())
}

fn bytes(base64: &str) -> Vec<u8> {
    BASE64_STANDARD.decode(base64).unwrap()
}

fn content(vector: &Vector) -> Content {
    let [start, end] = vector.range.each_ref().map(|end| end.parse().unwrap());
    take_apart(&bytes(&vector.data), &(start..=end))
}

#[test]
fn records_are_split_as_the_kcl_does() {
    for vector in vectors() {
        let records = match content(&vector) {
            Content::Plain => {
                assert!(!vector.aggregated, "{}", vector.name);
                continue;
            }
            Content::Elsewhere => Vec::new(),
            Content::Aggregate { records, .. } => records,
        };
        assert!(vector.aggregated, "{}", vector.name);
        assert_eq!(records.len(), vector.records.len(), "{}", vector.name);
        for (sub, (record, expected)) in records.iter().zip(&vector.records).enumerate() {
            assert_eq!((sub, &record.partition_key), (expected.sub, &expected.key), "{}", vector.name);
            assert_eq!(record.data, bytes(&expected.data), "{}", vector.name);
        }
    }
}

#[test]
fn the_reason_for_dropped_parts_is_given() {
    let troubles = vectors().filter_map(|vector| match content(&vector) {
        Content::Aggregate { trouble: Some(trouble), .. } => Some((vector.name, trouble)),
        _ => None,
    });
    let expected = [
        ("a key that does not exist", Trouble::PartitionKey(2)),
        ("a hash key that does not exist", Trouble::ExplicitHashKey(2)),
        ("a hash key that is not a number", Trouble::NotANumber("x".to_owned())),
        ("an empty hash key", Trouble::NotANumber(String::new())),
        ("a hash key with two signs", Trouble::NotANumber("-+5".to_owned())),
    ];
    assert_eq!(troubles.collect::<Vec<_>>(), expected.map(|(name, trouble)| (name.to_owned(), trouble)));
}

#[test]
fn no_bytes_cause_a_panic() {
    // Flips bits in each byte of an aggregate, and fixes the frame, so that the damaged message is read.
    for vector in vectors().filter(|vector| vector.aggregated && vector.data.len() < 200) {
        let whole = bytes(&vector.data);
        let message = &whole[MAGIC.len()..whole.len() - DIGEST];
        for at in 0..message.len() {
            for flipped in [0x01, 0x80, 0xff] {
                let mut message = message.to_vec();
                message[at] ^= flipped;
                let framed = [&MAGIC[..], &message, &Md5::digest(&message)].concat();
                _ = take_apart(&framed, &(0..=u128::MAX));
            }
        }
    }
}
