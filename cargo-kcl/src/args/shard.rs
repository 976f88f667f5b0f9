//! The ids of shards.

use std::str::FromStr;

const PREFIX: &str = "shardId-";
/// The least digits of a shard's number in its id.
const DIGITS: usize = 12;

/// The id of the shard with this number, as Kinesis writes it.
pub(crate) fn shard_id(number: u32) -> String {
    format!("{PREFIX}{number:0DIGITS$}")
}

/// The number of the shard with this id.
pub(crate) fn shard_number(id: &str) -> Option<u32> {
    id.strip_prefix(PREFIX).filter(|digits| digits.len() >= DIGITS).and_then(number)
}

/// The first id of a shard in a text.
pub(crate) fn shard_id_in(text: &str) -> Option<&str> {
    let id = &text[text.find(PREFIX)?..];
    let end = id.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).unwrap_or(id.len());
    Some(&id[..end])
}

/// A number without a sign.
fn number(digits: &str) -> Option<u32> {
    digits.parse().ok().filter(|_| digits.starts_with(|c: char| c.is_ascii_digit()))
}

/// A shard that the user names: its id. The user may write its number instead, or leave out zeros of the id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShardName(pub(crate) String);

impl ShardName {
    /// The shard's number, unless the id is not one of Kinesis.
    pub(crate) fn number(&self) -> Option<u32> {
        shard_number(&self.0)
    }
}

impl FromStr for ShardName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix(PREFIX);
        match number(digits.unwrap_or(text)) {
            Some(number) => Ok(Self(shard_id(number))),
            None if digits.is_some_and(|rest| !rest.is_empty()) => Ok(Self(text.to_owned())),
            None => Err("give a shard by its id, such as shardId-000000000000, or by its number, such as 0"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_goes_by_its_id_or_its_number() {
        for (text, id) in [
            ("0", Some("shardId-000000000000")),
            ("12", Some("shardId-000000000012")),
            ("shardId-12", Some("shardId-000000000012")),
            ("shardId-000000000012", Some("shardId-000000000012")),
            ("shardId-x", Some("shardId-x")),
            ("shardId-", None),
            ("x", None),
            ("", None),
            ("-1", None),
            ("+1", None),
        ] {
            assert_eq!(text.parse::<ShardName>().ok().map(|shard| shard.0).as_deref(), id, "{text}");
        }
    }

    #[test]
    fn an_id_and_its_number_can_be_converted() {
        for number in [0, 7, u32::MAX] {
            assert_eq!(shard_number(&shard_id(number)), Some(number));
        }
        for id in ["", "7", "shardId-7", "shardId-+00000000007", "shardId-00000000000x", "shardId-999999999999"] {
            assert_eq!(shard_number(id), None, "{id}");
        }
    }

    #[test]
    fn the_first_id_in_a_text_is_found() {
        assert_eq!(shard_id_in("for shard shardId-000000000001: hello"), Some("shardId-000000000001"));
        assert_eq!(shard_id_in("of (shardId-7)"), Some("shardId-7"));
        assert_eq!(shard_id_in("of a shard"), None);
    }
}
