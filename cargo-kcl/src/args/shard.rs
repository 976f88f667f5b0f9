//! Shards by id or number.

use std::str::FromStr;

/// A shard's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShardName(pub(crate) String);

impl FromStr for ShardName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<u64>() {
            Ok(number) => Ok(Self(format!("shardId-{number:012}"))),
            Err(_) if text.starts_with("shardId-") => Ok(Self(text.to_owned())),
            Err(_) => Err("give a shard by its id, such as shardId-000000000000, or by its number, such as 0"),
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
            ("shardId-x", Some("shardId-x")),
            ("x", None),
            ("", None),
            ("-1", None),
        ] {
            assert_eq!(text.parse::<ShardName>().ok().map(|shard| shard.0).as_deref(), id, "{text}");
        }
    }
}
