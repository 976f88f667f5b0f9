//! Splits the aggregates of the Kinesis Producer Library into their records, exactly as the KCL does.
//!
//! An aggregate is a magic number, a protobuf message and the message's MD5. Anything else, including a message that does not
//! match its MD5, is a plain record. The message has a table of partition keys, a table of explicit hash keys, and parts that refer
//! to them, so that its parts may be far larger in memory than the message. Therefore they are made one by one.

mod dropped;
mod wire;

use std::borrow::Cow;
use std::collections::HashMap;
use std::num::IntErrorKind;
use std::ops::{Range, RangeInclusive};

use md5::{Digest as _, Md5};

pub(crate) use self::dropped::{Dropped, sentence};

use self::wire::{Fields, Value};
use super::key::hash;

const MAGIC: [u8; 4] = [0xf3, 0x89, 0x9a, 0xc2];
const DIGEST: usize = 16;

/// The content of a record of a stream.
#[derive(Debug)]
pub(crate) enum Content<'a> {
    /// Plain data.
    Plain,
    /// Several records; the sub-sequence number of each is its index.
    Aggregate(Aggregate<'a>),
    /// Several records, one of which belongs to another shard: the aggregate was put before a split or a merge, and again after it.
    Elsewhere,
}

/// A record as its producer put it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UserRecord<'a> {
    pub(crate) partition_key: &'a str,
    pub(crate) data: &'a [u8],
    /// The hash key, which decides the record's shard.
    pub(crate) hash: u128,
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

/// A record of a stream that consists of several records.
#[derive(Debug)]
pub(crate) struct Aggregate<'a> {
    message: Cow<'a, [u8]>,
    keys: Vec<Text>,
    explicit_hash_keys: Vec<Text>,
    /// The hash keys of the table entries that parts refer to.
    hashes: HashMap<Hashed, u128>,
    len: u64,
    /// The reason why the parts after these records were dropped.
    pub(crate) trouble: Option<Trouble>,
}

/// The table entry that a hash key is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Hashed {
    Key(usize),
    Explicit(usize),
}

/// Text of a table.
#[derive(Debug)]
enum Text {
    In(Range<usize>),
    /// Text that is not UTF-8 in the message. The KCL's reader replaces what it cannot decode.
    Replaced(String),
}

/// A part of the message that was not resolved yet.
#[derive(Clone, Copy, Debug)]
struct Part<'a> {
    key: u64,
    explicit_hash_key: Option<u64>,
    data: &'a [u8],
}

/// Splits a record of a shard into its parts. Drops what the KCL drops: the whole aggregate if a part lies outside the shard's
/// range of hash keys, and any part that cannot be read along with all parts after it.
pub(crate) fn take_apart<'a>(data: &'a [u8], range: &RangeInclusive<u128>) -> Content<'a> {
    let Some(mut aggregate) = aggregate(data) else { return Content::Plain };
    let message = aggregate.message.clone();
    for part in parts(&message) {
        match aggregate.resolve(part) {
            Ok(hash) if !hash.is_some_and(|hash| range.contains(&hash)) => return Content::Elsewhere,
            Ok(_) => aggregate.len += 1,
            Err(trouble) => {
                aggregate.trouble = Some(trouble);
                break;
            }
        }
    }
    Content::Aggregate(aggregate)
}

/// The aggregate in this data, if it is one and complete. Its parts are not resolved yet.
fn aggregate(data: &[u8]) -> Option<Aggregate<'_>> {
    let rest = data.strip_prefix(&MAGIC)?;
    let (message, digest) = rest.split_at_checked(rest.len().checked_sub(DIGEST)?)?;
    if message.is_empty() || *Md5::digest(message) != *digest {
        return None;
    }
    let mut tables = [Vec::new(), Vec::new()];
    for field in Fields::new(message) {
        match field? {
            (table @ (1 | 2), Value::Bytes(text)) => tables[table as usize - 1].push(Text::new(text, message)),
            (3, Value::Bytes(text)) => _ = part(text)?,
            _ => {}
        }
    }
    let [keys, explicit_hash_keys] = tables;
    let hashes = HashMap::new();
    Some(Aggregate { message: Cow::Borrowed(message), keys, explicit_hash_keys, hashes, len: 0, trouble: None })
}

/// The parts of a message that was read before.
fn parts(message: &[u8]) -> impl Iterator<Item = Part<'_>> {
    Fields::new(message).flatten().filter_map(as_part)
}

/// The field of a message as a part, if it is one.
fn as_part<'a>(field: (u32, Value<'a>)) -> Option<Part<'a>> {
    match field {
        (3, Value::Bytes(text)) => part(text),
        _ => None,
    }
}

/// Reads a part. `None` if it is malformed, or a field that the format requires is missing.
fn part(message: &[u8]) -> Option<Part<'_>> {
    let (mut key, mut explicit_hash_key, mut data) = (None, None, None);
    for field in Fields::new(message) {
        match field? {
            (1, Value::Number(index)) => key = Some(index),
            (2, Value::Number(index)) => explicit_hash_key = Some(index),
            (3, Value::Bytes(bytes)) => data = Some(bytes),
            (4, Value::Bytes(tag)) => check_tag(tag)?,
            _ => {}
        }
    }
    Some(Part { key: key?, explicit_hash_key, data: data? })
}

/// Checks that a tag is well-formed and has its key.
fn check_tag(message: &[u8]) -> Option<()> {
    let mut has_key = false;
    for field in Fields::new(message) {
        has_key |= matches!(field?, (1, Value::Bytes(_)));
    }
    has_key.then_some(())
}

impl Text {
    /// Text in a message, of which it is a part.
    fn new(text: &[u8], message: &[u8]) -> Self {
        match String::from_utf8_lossy(text) {
            Cow::Borrowed(_) => {
                let start = text.as_ptr().addr() - message.as_ptr().addr();
                Self::In(start..start + text.len())
            }
            Cow::Owned(replaced) => Self::Replaced(replaced),
        }
    }

    fn get<'a>(&'a self, message: &'a [u8]) -> &'a str {
        match self {
            // It was checked before.
            Self::In(range) => std::str::from_utf8(&message[range.clone()]).unwrap_or_default(),
            Self::Replaced(text) => text,
        }
    }
}

/// The place of an entry in a table. The KCL truncates the index to 32 bits.
fn index(table: &[Text], index: u64) -> Option<usize> {
    usize::try_from(index as u32 as i32).ok().filter(|index| *index < table.len())
}

/// How far the records of an aggregate were read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cursor {
    /// The offset in the message.
    offset: usize,
    /// The sub-sequence number of the next record.
    next: u64,
}

impl Aggregate<'_> {
    /// The number of its records.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Its records, in order.
    pub(crate) fn records(&self) -> impl Iterator<Item = UserRecord<'_>> {
        let mut cursor = Cursor::default();
        std::iter::from_fn(move || self.next(&mut cursor).map(|(_, record)| record))
    }

    /// The record at the cursor with its sub-sequence number. Moves the cursor to the next one.
    pub(crate) fn next(&self, cursor: &mut Cursor) -> Option<(u64, UserRecord<'_>)> {
        if cursor.next >= self.len {
            return None;
        }
        let mut fields = Fields::new(self.message.get(cursor.offset..)?);
        let part = fields.by_ref().flatten().find_map(as_part)?;
        cursor.offset = self.message.len() - fields.rest_len();
        cursor.next += 1;
        let key = index(&self.keys, part.key)?;
        let hashed = match part.explicit_hash_key {
            Some(number) => Hashed::Explicit(index(&self.explicit_hash_keys, number)?),
            None => Hashed::Key(key),
        };
        let hash = *self.hashes.get(&hashed)?;
        let partition_key = self.keys.get(key)?.get(&self.message);
        Some((cursor.next - 1, UserRecord { partition_key, data: part.data, hash }))
    }

    /// The hash key of a part; `None` if its explicit hash key is a number outside the range of all shards.
    fn resolve(&mut self, part: Part<'_>) -> Result<Option<u128>, Trouble> {
        let key = index(&self.keys, part.key).ok_or(Trouble::PartitionKey(part.key))?;
        let hashed = match part.explicit_hash_key {
            None => Hashed::Key(key),
            Some(number) => {
                let entry = index(&self.explicit_hash_keys, number).ok_or(Trouble::ExplicitHashKey(number))?;
                Hashed::Explicit(entry)
            }
        };
        if let Some(hash) = self.hashes.get(&hashed) {
            return Ok(Some(*hash));
        }
        let hash = match hashed {
            Hashed::Key(key) => Some(hash(self.keys[key].get(&self.message))),
            Hashed::Explicit(entry) => {
                let text = self.explicit_hash_keys[entry].get(&self.message);
                number(text).ok_or_else(|| Trouble::NotANumber(text.to_owned()))?
            }
        };
        self.hashes.extend(hash.map(|hash| (hashed, hash)));
        Ok(hash)
    }

    /// The same aggregate, which owns its data.
    pub(crate) fn into_owned(self) -> Aggregate<'static> {
        let Self { message, keys, explicit_hash_keys, hashes, len, trouble } = self;
        Aggregate { message: Cow::Owned(message.into_owned()), keys, explicit_hash_keys, hashes, len, trouble }
    }
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
