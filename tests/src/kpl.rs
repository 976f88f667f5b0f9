//! Records that the Kinesis Producer Library aggregated.

use md5::{Digest as _, Md5};

/// An aggregate of these parts, which share a key: a magic number, a protobuf message and its MD5.
///
/// # Panics
///
/// If a part or the key is longer than a few dozen bytes.
pub fn aggregate(key: &str, parts: &[&str]) -> Vec<u8> {
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
