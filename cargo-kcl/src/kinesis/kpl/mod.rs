//! Splits the aggregates of the Kinesis Producer Library into their records, exactly as the KCL does.
//!
//! An aggregate is a magic number, a protobuf message and the message's MD5. Anything else, including a message that does not
//! match its MD5, is a plain record.

mod messages;

use std::borrow::Cow;
use std::num::IntErrorKind;
use std::ops::RangeInclusive;

use md5::{Digest as _, Md5};
use prost::Message as _;
use prost::bytes::Bytes;

use self::messages::{Aggregate, Part};

const MAGIC: [u8; 4] = [0xf3, 0x89, 0x9a, 0xc2];
const DIGEST: usize = 16;

/// The content of a record of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Plain data.
    Plain,
    /// Several records; the sub-sequence number of each is its index.
    Aggregate {
        records: Vec<UserRecord>,
        /// The reason why the parts after these records were dropped.
        trouble: Option<Trouble>,
    },
    /// Several records, one of which belongs to another shard: the aggregate was put before a split or a merge, and again after it.
    Elsewhere,
}

/// A record as its producer put it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserRecord {
    pub(crate) partition_key: String,
    pub(crate) data: Bytes,
}

/// An error in a part of an aggregate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("it refers to partition key {0}, which does not exist")]
    PartitionKey(u64),
    #[error("it refers to explicit hash key {0}, which does not exist")]
    ExplicitHashKey(u64),
    #[error("its explicit hash key `{0}` is not a number")]
    NotANumber(String),
}

/// Splits a record of a shard into its parts. Drops what the KCL drops: the whole aggregate if a part lies outside the shard's
/// range of hash keys, and any part that cannot be read along with all parts after it.
pub(crate) fn take_apart(data: &[u8], range: &RangeInclusive<u128>) -> Content {
    let Some(aggregate) = aggregate(data) else { return Content::Plain };
    let mut records = Vec::with_capacity(aggregate.records.len());
    let mut trouble = None;
    for part in &aggregate.records {
        match user_record(&aggregate, part) {
            Ok((hash, _)) if !hash.is_some_and(|hash| range.contains(&hash)) => return Content::Elsewhere,
            Ok((_, record)) => records.push(record),
            Err(error) => {
                trouble = Some(error);
                break;
            }
        }
    }
    Content::Aggregate { records, trouble }
}

fn aggregate(data: &[u8]) -> Option<Aggregate> {
    let rest = data.strip_prefix(&MAGIC)?;
    let (message, digest) = rest.split_at_checked(rest.len().checked_sub(DIGEST)?)?;
    if message.is_empty() || *Md5::digest(message) != *digest {
        return None;
    }
    Aggregate::decode(message).ok().filter(Aggregate::is_complete)
}

/// A part and its hash key; `None` if its explicit hash key is a number outside the range of all shards.
fn user_record(aggregate: &Aggregate, part: &Part) -> Result<(Option<u128>, UserRecord), Trouble> {
    let index = part.partition_key_index.unwrap_or_default();
    let key = at(&aggregate.partition_keys, index).ok_or(Trouble::PartitionKey(index))?;
    let hash = match part.explicit_hash_key_index {
        None => Some(u128::from_be_bytes(Md5::digest(key.as_bytes()).into())),
        Some(index) => {
            let text = at(&aggregate.explicit_hash_keys, index).ok_or(Trouble::ExplicitHashKey(index))?;
            number(&text).ok_or_else(|| Trouble::NotANumber(text.into_owned()))?
        }
    };
    let data = part.data.clone().unwrap_or_default();
    Ok((hash, UserRecord { partition_key: key.into_owned(), data }))
}

/// An entry of a table. The KCL truncates the index to 32 bits.
fn at(table: &[Bytes], index: u64) -> Option<Cow<'_, str>> {
    let index = usize::try_from(index as u32 as i32).ok()?;
    table.get(index).map(|text| String::from_utf8_lossy(text))
}

/// Parses a decimal of any size and sign. The outer `None` means that it is not a decimal, the inner that it is not a hash key.
fn number(text: &str) -> Option<Option<u128>> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    match digits.parse::<u128>() {
        Ok(_) if digits.starts_with('+') && digits.len() < text.len() => None,
        Ok(number) if digits.len() == text.len() || number == 0 => Some(Some(number)),
        Ok(_) => Some(None),
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => Some(None),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests;
