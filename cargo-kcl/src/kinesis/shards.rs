//! A stream's shards.

use aws_sdk_kinesis::types::ChildShard;
use serde::Serialize;

use super::connection::Connection;
use super::error::AwsError;

/// A shard, as `ListShards` describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shard {
    #[serde(rename = "shardId")]
    pub(crate) id: String,
    /// `None` if no split or merge created the shard, or its parents are gone.
    #[serde(rename = "parentShardId")]
    pub(crate) parent: Option<String>,
    /// The second parent of a merge.
    #[serde(rename = "adjacentParentShardId")]
    pub(crate) adjacent_parent: Option<String>,
    #[serde(flatten)]
    pub(crate) range: Range,
    /// Whether records can still be put on it.
    #[serde(rename = "open")]
    pub(crate) is_open: bool,
}

/// The hash keys of a shard's records, including both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Range {
    #[serde(rename = "startingHashKey", serialize_with = "text")]
    pub(crate) start: u128,
    #[serde(rename = "endingHashKey", serialize_with = "text")]
    pub(crate) end: u128,
}

/// Writes a number as a string: most JSON readers cannot read numbers of this size.
fn text<S: serde::Serializer>(number: &u128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

impl Range {
    /// The start of the second half. `None` for a single hash key, which cannot be split.
    pub(crate) fn middle(self) -> Option<u128> {
        (self.end > self.start).then(|| self.start + (self.end - self.start) / 2 + 1)
    }

    /// Whether the two ranges are adjacent.
    pub(crate) fn touches(self, other: Self) -> bool {
        self.end.checked_add(1) == Some(other.start) || other.end.checked_add(1) == Some(self.start)
    }
}

impl Shard {
    /// The shards that were split or merged into this one.
    pub(crate) fn parents(&self) -> impl Iterator<Item = &str> {
        self.parent.as_deref().into_iter().chain(self.adjacent_parent.as_deref())
    }
}

impl TryFrom<aws_sdk_kinesis::types::Shard> for Shard {
    type Error = AwsError;

    fn try_from(shard: aws_sdk_kinesis::types::Shard) -> Result<Self, AwsError> {
        let unknown = || AwsError::Other {
            operation: "ListShards",
            why: format!("{} does not have a valid hash key range", shard.shard_id()),
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
    /// All shards of a stream that still hold records or take new ones, ordered by id.
    ///
    /// # Errors
    ///
    /// If the call fails, or its answer is invalid.
    pub(crate) async fn shards(&self, stream: &str) -> Result<Vec<Shard>, AwsError> {
        let mut shards = Vec::new();
        let mut call = self.client.list_shards().stream_name(stream);
        loop {
            let output = match call.send().await {
                Ok(output) => output,
                Err(error) => return Err(self.explain("ListShards", stream, error).await),
            };
            let Some(page) = output.shards else {
                return Err(AwsError::foreign("ListShards", self.place(), "without shards"));
            };
            for shard in page {
                shards.push(shard.try_into()?);
            }
            match output.next_token {
                // The token identifies the stream.
                Some(token) => call = self.client.list_shards().next_token(token),
                None => break,
            }
        }
        shards.sort_by(|a: &Shard, b| a.id.cmp(&b.id));
        Ok(shards)
    }

    /// The shards that follow a shard that has ended. `reported` holds the children that its last `GetRecords` call reported, if
    /// any.
    ///
    /// # Errors
    ///
    /// If the shards must be listed, and that fails.
    pub(crate) async fn followers(
        &self,
        stream: &str,
        shard: &str,
        reported: &[Shard],
        is_known: impl Fn(&str) -> bool,
    ) -> Result<Followers, AwsError> {
        let suffices = !reported.is_empty() && reported.iter().all(|child| child.parents().all(&is_known));
        let listed = if suffices { Vec::new() } else { self.shards(stream).await? };
        Ok(Followers::new(shard, reported, &listed, is_known))
    }
}

/// The shards that follow a shard.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Followers {
    /// Each shard comes after its parents. Parents that were unknown are included: the neighbour in a merge may be a child of a
    /// shard that is not read to its end yet.
    pub(crate) shards: Vec<Shard>,
    /// Whether all of them were found: the list of shards may lag behind.
    pub(crate) complete: bool,
}

impl Followers {
    fn new(shard: &str, reported: &[Shard], listed: &[Shard], is_known: impl Fn(&str) -> bool) -> Self {
        let mut followers = Self { shards: Vec::new(), complete: true };
        if reported.is_empty() {
            let children = listed.iter().filter(|child| child.parents().any(|parent| parent == shard));
            children.for_each(|child| followers.add(child, listed, &is_known));
        } else {
            reported.iter().for_each(|child| followers.add(child, listed, &is_known));
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
    fn unknown_shards_follow_parents_first() {
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
        let reported = [listed[6].clone()];
        let followers = |reported: &[Shard], listed: &[Shard], known: &[&str]| {
            let followers = Followers::new("1", reported, listed, |id| known.contains(&id));
            (followers.shards.into_iter().map(|shard| shard.id).collect::<Vec<_>>().concat(), followers.complete)
        };
        let found = |ids: &str, complete| (ids.to_owned(), complete);
        assert_eq!(followers(&reported, &[], &["0", "1", "3", "5"]), found("6", true));
        for reported in [&reported[..], &[]] {
            assert_eq!(followers(reported, &listed, &["0", "1"]), found("356", true));
        }
        assert_eq!(followers(&reported, &listed[..3], &["0", "1"]), found("6", false));
        assert_eq!(followers(&[], &listed[..6], &["0", "1"]), found("", false));
    }
}
