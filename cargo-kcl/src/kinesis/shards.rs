//! A stream's shards.

use aws_sdk_kinesis::types::ChildShard;
use serde::Serialize;

use super::connection::Connection;
use super::error::AwsError;

/// A shard, as `ListShards` has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shard {
    #[serde(rename = "shardId")]
    pub(crate) id: String,
    /// None if it was never split or merged out of others, or they are gone.
    #[serde(rename = "parentShardId")]
    pub(crate) parent: Option<String>,
    /// The second of two that were merged.
    #[serde(rename = "adjacentParentShardId")]
    pub(crate) adjacent_parent: Option<String>,
    #[serde(flatten)]
    pub(crate) range: Range,
    /// Whether records can still be put on it.
    #[serde(rename = "open")]
    pub(crate) is_open: bool,
}

/// The hash keys of a shard's records, both ends among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Range {
    #[serde(rename = "startingHashKey", serialize_with = "text")]
    pub(crate) start: u128,
    #[serde(rename = "endingHashKey", serialize_with = "text")]
    pub(crate) end: u128,
}

/// A JSON number of this size is none to most readers.
fn text<S: serde::Serializer>(number: &u128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

impl Range {
    /// Where the second half starts. None if there is nothing to halve.
    pub(crate) fn middle(self) -> Option<u128> {
        (self.end > self.start).then(|| self.start + (self.end - self.start) / 2 + 1)
    }

    /// Whether the two stand side by side.
    pub(crate) fn touches(self, other: Self) -> bool {
        self.end.checked_add(1) == Some(other.start) || other.end.checked_add(1) == Some(self.start)
    }
}

impl Shard {
    /// Those it came from by a split or a merge.
    pub(crate) fn parents(&self) -> impl Iterator<Item = &str> {
        self.parent.as_deref().into_iter().chain(self.adjacent_parent.as_deref())
    }
}

impl TryFrom<aws_sdk_kinesis::types::Shard> for Shard {
    type Error = AwsError;

    fn try_from(shard: aws_sdk_kinesis::types::Shard) -> Result<Self, AwsError> {
        let unknown = || AwsError::Other {
            operation: "ListShards",
            why: format!("{} has no hash key range that is understood", shard.shard_id()),
        };
        let range = shard.hash_key_range().ok_or_else(unknown)?;
        let key = |text: &str| text.parse().map_err(|_| unknown());
        let range = Range { start: key(range.starting_hash_key())?, end: key(range.ending_hash_key())? };
        let is_open = shard.sequence_number_range().is_none_or(|range| range.ending_sequence_number().is_none());
        Ok(Self {
            id: shard.shard_id,
            parent: shard.parent_shard_id,
            adjacent_parent: shard.adjacent_parent_shard_id,
            range,
            is_open,
        })
    }
}

impl TryFrom<ChildShard> for Shard {
    type Error = AwsError;

    fn try_from(child: ChildShard) -> Result<Self, AwsError> {
        let mut parents = child.parent_shards.into_iter();
        let shard = aws_sdk_kinesis::types::Shard::builder()
            .shard_id(child.shard_id)
            .set_parent_shard_id(parents.next())
            .set_adjacent_parent_shard_id(parents.next())
            .set_hash_key_range(child.hash_key_range);
        match shard.build() {
            Ok(shard) => shard.try_into(),
            Err(error) => Err(AwsError::Other { operation: "GetRecords", why: error.to_string() }),
        }
    }
}

impl Connection {
    /// All shards of a stream that still hold records or take them, by id.
    ///
    /// # Errors
    ///
    /// If the call is not answered as it should be.
    pub(crate) async fn shards(&self, stream: &str) -> Result<Vec<Shard>, AwsError> {
        let mut shards = Vec::new();
        let mut call = self.client.list_shards().stream_name(stream);
        loop {
            let output = match call.send().await {
                Ok(output) => output,
                Err(error) => return Err(self.explain("ListShards", stream, error).await),
            };
            for shard in output.shards.unwrap_or_default() {
                shards.push(shard.try_into()?);
            }
            match output.next_token {
                // A token says which stream.
                Some(token) => call = self.client.list_shards().next_token(token),
                None => break,
            }
        }
        shards.sort_by(|a: &Shard, b| a.id.cmp(&b.id));
        Ok(shards)
    }

    /// Those that follow a shard which is at its end; `told` are those that its last call told of, if it did.
    ///
    /// # Errors
    ///
    /// If the stream must be asked, and does not answer as it should.
    pub(crate) async fn followers(
        &self,
        stream: &str,
        shard: &str,
        told: &[Shard],
        is_known: impl Fn(&str) -> bool,
    ) -> Result<Followers, AwsError> {
        let suffices = !told.is_empty() && told.iter().all(|child| child.parents().all(&is_known));
        let listed = if suffices { Vec::new() } else { self.shards(stream).await? };
        Ok(Followers::new(shard, told, &listed, is_known))
    }
}

/// What follows a shard.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Followers {
    /// Each behind its parents, of which those are among them that nobody knew of: a neighbour that a shard is merged with may
    /// come of a shard that is not read to its end yet.
    pub(crate) shards: Vec<Shard>,
    /// Whether all of them are there: those who know of shards may lag behind.
    pub(crate) complete: bool,
}

impl Followers {
    fn new(shard: &str, told: &[Shard], listed: &[Shard], is_known: impl Fn(&str) -> bool) -> Self {
        let mut followers = Self { shards: Vec::new(), complete: true };
        if told.is_empty() {
            let children = listed.iter().filter(|child| child.parents().any(|parent| parent == shard));
            children.for_each(|child| followers.add(child, listed, &is_known));
        } else {
            told.iter().for_each(|child| followers.add(child, listed, &is_known));
        }
        followers.complete &= !followers.shards.is_empty();
        followers
    }

    fn add(&mut self, shard: &Shard, listed: &[Shard], is_known: &impl Fn(&str) -> bool) {
        for parent in shard.parents().filter(|parent| !is_known(parent)) {
            if self.shards.iter().any(|shard| shard.id == parent) {
                continue;
            }
            match listed.iter().find(|shard| shard.id == parent) {
                Some(parent) => self.add(parent, listed, is_known),
                None => self.complete = false,
            }
        }
        self.shards.push(shard.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_halved_in_the_middle() {
        let range = |start, end| Range { start, end };
        assert_eq!(range(0, u128::MAX).middle(), Some(1 << 127));
        assert_eq!(range(4, 5).middle(), Some(5));
        assert_eq!(range(7, 7).middle(), None);
    }

    #[test]
    fn neighbours_touch() {
        let range = |start, end| Range { start, end };
        assert!(range(0, 4).touches(range(5, 9)) && range(5, u128::MAX).touches(range(0, 4)));
        assert!(!range(0, 4).touches(range(6, 9)) && !range(0, 4).touches(range(0, 4)));
        assert!(!range(5, u128::MAX).touches(range(0, 3)));
    }

    #[test]
    fn a_shard_is_followed_by_those_that_nobody_knew_of_parents_first() {
        let shard = |id: &str, parents: &[&str]| Shard {
            id: id.to_owned(),
            parent: parents.first().map(|id| (*id).to_owned()),
            adjacent_parent: parents.get(1).map(|id| (*id).to_owned()),
            range: Range { start: 0, end: u128::MAX },
            is_open: true,
        };
        // 0 was split into 2 and 3, 3 into 4 and 5, and 5 was merged with 1.
        let listed = [
            shard("0", &[]),
            shard("1", &[]),
            shard("2", &["0"]),
            shard("3", &["0"]),
            shard("4", &["3"]),
            shard("5", &["3"]),
            shard("6", &["5", "1"]),
        ];
        let told = [listed[6].clone()];
        let followers = |told: &[Shard], listed: &[Shard], known: &[&str]| {
            let followers = Followers::new("1", told, listed, |id| known.contains(&id));
            (followers.shards.into_iter().map(|shard| shard.id).collect::<Vec<_>>().concat(), followers.complete)
        };
        let said = |ids: &str, complete| (ids.to_owned(), complete);
        assert_eq!(followers(&told, &[], &["0", "1", "3", "5"]), said("6", true));
        for told in [&told[..], &[]] {
            assert_eq!(followers(told, &listed, &["0", "1"]), said("356", true));
        }
        assert_eq!(followers(&told, &listed[..3], &["0", "1"]), said("6", false));
        assert_eq!(followers(&[], &listed[..6], &["0", "1"]), said("", false));
    }
}
