//! The certain nature of data that was expected to be JSON, and is not.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::de::IgnoredAny;

/// A clause for the message about a record that could not be decoded; `None` unless it is certain.
pub(crate) fn diagnose(data: &[u8]) -> Option<&'static str> {
    match data {
        _ if data.trim_ascii().is_empty() => Some("the record is empty"),
        [0x1f, 0x8b, ..] => Some("the data is compressed with gzip"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("the data is compressed with zstd"),
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, ..] => Some("the data is compressed with bzip2"),
        [0xef, 0xbb, 0xbf, ..] => Some("the data begins with a byte order mark, which JSON does not allow"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [b'{' | b'[' | b'"', 0, ..] | [0, b'{' | b'[' | b'"', ..] => {
            Some("the data is UTF-16; JSON is UTF-8")
        }
        _ if is_several(data) => Some("the record holds several JSON values, and one is expected"),
        _ if is_json_in_a_string(data) => Some("the data is a JSON string that contains JSON: it was serialized twice"),
        _ if is_base64_of_json(data) => {
            Some("the data is base64 of JSON: the producer encoded it, and the Kinesis client encodes it anyway")
        }
        _ => None,
    }
}

/// Whether the data is two or more JSON values.
fn is_several(data: &[u8]) -> bool {
    let mut values = 0_usize;
    let is_json = serde_json::Deserializer::from_slice(data).into_iter::<IgnoredAny>().all(|value| {
        values += 1;
        value.is_ok()
    });
    is_json && values > 1
}

fn is_json_in_a_string(data: &[u8]) -> bool {
    serde_json::from_slice::<String>(data).is_ok_and(|text| is_structure(text.as_bytes()))
}

fn is_base64_of_json(data: &[u8]) -> bool {
    let data = data.trim_ascii();
    STANDARD.decode(data).or_else(|_| STANDARD_NO_PAD.decode(data)).is_ok_and(|decoded| is_structure(&decoded))
}

/// Whether the data is a JSON object or array.
fn is_structure(data: &[u8]) -> bool {
    matches!(data.trim_ascii().first(), Some(b'{' | b'[')) && serde_json::from_slice::<IgnoredAny>(data).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_certain_is_said() {
        let cases: [(&[u8], &str); 18] = [
            (b"", "is empty"),
            (b" \n", "is empty"),
            (b"\x1f\x8b\x08\0", "gzip"),
            (b"\x28\xb5\x2f\xfd\0", "zstd"),
            (b"BZh91AY&SY", "bzip2"),
            (b"\xef\xbb\xbf{}", "byte order mark"),
            (b"\xff\xfe{\0}\0", "UTF-16"),
            (b"{\0}\0", "UTF-16"),
            (b"\0{\0}", "UTF-16"),
            (b"{\"a\":1}\n{\"a\":2}\n", "several"),
            (br#""{\"a\":1}""#, "serialized twice"),
            (b"eyJhIjoxfQ==", "base64"),
            (b"eyJhIjoxfQ", "base64"),
            (b"{\"a\":1", ""),
            (b"hello", ""),
            (b"BZh", ""),
            (b"\"text\"", ""),
            (b"{} x", ""),
        ];
        for (data, words) in cases {
            match diagnose(data) {
                Some(clause) => assert!(!words.is_empty() && clause.contains(words), "{data:?}: {clause}"),
                None => assert_eq!(words, "", "{data:?}"),
            }
        }
    }
}
