//! Records that the Kinesis Producer Library has put together, taken apart as the KCL takes them apart.
//!
//! An aggregate is a magic number, a protobuf message and the message's MD5. What is anything else, or does not match its MD5,
//! is a record as it is.

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

/// What a record of a stream holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Its data, as it is.
    Plain,
    /// Several records, the sub-sequence number of each being its place among them.
    Aggregate {
        records: Vec<UserRecord>,
        /// Why what follows them was lost.
        trouble: Option<Trouble>,
    },
    /// Several records of which one belongs to another shard: it was put before a split or a merge, and again behind it.
    Elsewhere,
}

/// A record as its producer had it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserRecord {
    pub(crate) partition_key: String,
    pub(crate) data: Bytes,
}

/// What is wrong with a part of an aggregate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("it names partition key {0}, which is not there")]
    PartitionKey(u64),
    #[error("it names explicit hash key {0}, which is not there")]
    ExplicitHashKey(u64),
    #[error("its explicit hash key `{0}` is no number")]
    NoNumber(String),
}

/// Takes a record of a shard apart. Of an aggregate all is dropped that the KCL drops: the whole, if a part falls outside the
/// shard's range of hash keys, and what follows a part that cannot be understood.
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

/// A part, and where it falls; nowhere if it says a number that no shard has.
fn user_record(aggregate: &Aggregate, part: &Part) -> Result<(Option<u128>, UserRecord), Trouble> {
    let index = part.partition_key_index.unwrap_or_default();
    let key = at(&aggregate.partition_keys, index).ok_or(Trouble::PartitionKey(index))?;
    let hash = match part.explicit_hash_key_index {
        None => Some(u128::from_be_bytes(Md5::digest(key.as_bytes()).into())),
        Some(index) => {
            let text = at(&aggregate.explicit_hash_keys, index).ok_or(Trouble::ExplicitHashKey(index))?;
            number(&text).ok_or_else(|| Trouble::NoNumber(text.into_owned()))?
        }
    };
    let data = part.data.clone().unwrap_or_default();
    Ok((hash, UserRecord { partition_key: key.into_owned(), data }))
}

/// An entry of a table, whose index the KCL cuts to 32 bits.
fn at(table: &[Bytes], index: u64) -> Option<Cow<'_, str>> {
    let index = usize::try_from(index as u32 as i32).ok()?;
    table.get(index).map(|text| String::from_utf8_lossy(text))
}

/// A decimal of any size and sign: inside it is `None` if it is no hash key. `None` if it is no decimal.
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
