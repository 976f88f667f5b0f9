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

impl Vector {
    fn range(&self) -> RangeInclusive<u128> {
        let [start, end] = self.range.each_ref().map(|end| end.parse().unwrap());
        start..=end
    }
}

#[test]
fn records_are_split_as_the_kcl_does() {
    for vector in vectors() {
        let data = bytes(&vector.data);
        let aggregate = match take_apart(&data, &vector.range()) {
            Content::Plain => {
                assert!(!vector.aggregated, "{}", vector.name);
                continue;
            }
            Content::Elsewhere => {
                assert!(vector.aggregated && vector.records.is_empty(), "{}", vector.name);
                continue;
            }
            Content::Aggregate(aggregate) => aggregate,
        };
        assert!(vector.aggregated, "{}", vector.name);
        let records: Vec<_> = aggregate.records().collect();
        assert_eq!((records.len(), aggregate.len()), (vector.records.len(), records.len() as u64), "{}", vector.name);
        for (sub, (record, expected)) in records.iter().zip(&vector.records).enumerate() {
            assert_eq!((sub, record.partition_key), (expected.sub, &*expected.key), "{}", vector.name);
            assert_eq!(record.data, bytes(&expected.data), "{}", vector.name);
            assert!(vector.range().contains(&record.hash), "{}", vector.name);
        }
    }
}

#[test]
fn the_reason_for_dropped_parts_is_given() {
    let troubles = vectors().filter_map(|vector| match take_apart(&bytes(&vector.data), &vector.range()) {
        Content::Aggregate(Aggregate { trouble: Some(trouble), .. }) => Some((vector.name, trouble)),
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
                if let Content::Aggregate(aggregate) = take_apart(&framed, &(0..=u128::MAX)) {
                    assert_eq!(aggregate.records().count() as u64, aggregate.len());
                }
            }
        }
    }
}

/// An aggregate whose parts, (index of the key, data), refer to these keys.
fn made(keys: &[&str], parts: &[(u8, &[u8])]) -> Vec<u8> {
    let field = |number: u8, content: &[u8]| {
        let mut length = content.len();
        let mut bytes = vec![number << 3 | 2];
        while length > 0x7f {
            bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        [bytes, content.to_owned()].concat()
    };
    let mut message: Vec<_> = keys.iter().flat_map(|key| field(1, key.as_bytes())).collect();
    for (key, data) in parts {
        message.extend(field(3, &[&[1 << 3, *key], &field(3, data)[..]].concat()));
    }
    [&MAGIC[..], &message, &Md5::digest(&message)].concat()
}

#[test]
fn parts_share_their_keys() {
    // With a key of its own for each part, this takes 36 GB.
    let key = "k".repeat(400_000);
    let whole = made(&[&key], &vec![(0, &b""[..]); 90_000]);
    let Content::Aggregate(aggregate) = take_apart(&whole, &(0..=u128::MAX)) else { panic!("an aggregate") };
    assert_eq!((aggregate.len(), aggregate.keys.len(), aggregate.hashes.len()), (90_000, 1, 1));
    assert!(matches!(aggregate.message, Cow::Borrowed(_)));
    let mut cursor = Cursor::default();
    for expected in 0..3 {
        let (sub, record) = aggregate.next(&mut cursor).unwrap();
        assert_eq!((sub, record.partition_key, record.data, record.hash), (expected, &*key, &b""[..], hash(&key)));
    }
}

#[test]
fn fields_in_an_unexpected_form_are_unknown() {
    // The number of a part's data, as a varint, and a table of keys that is a number.
    let message = b"\x08\x01\x0a\x01k\x1a\x07\x08\x00\x18\x05\x1a\x01x";
    let whole = [&MAGIC[..], message, &Md5::digest(message)].concat();
    let Content::Aggregate(aggregate) = take_apart(&whole, &(0..=u128::MAX)) else { panic!("an aggregate") };
    let records: Vec<_> = aggregate.records().map(|record| (record.partition_key, record.data)).collect();
    assert_eq!(records, [("k", &b"x"[..])]);
}
