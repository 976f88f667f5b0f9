//! The interface to a source of records, independent of its kind.

pub(crate) mod feed;
pub(crate) mod files;
pub(crate) mod plan;
pub(crate) mod queue;
mod rotated;
#[cfg(feature = "aws")]
pub(crate) mod stream;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kcl::Position;

use self::queue::Queue;
use super::state::marks::Met;
use super::state::{Run, Store, StoreError};
use crate::args::shard_id;
use crate::exit::WRONG_USE;
use crate::input::kpl::Dropped;
use crate::input::source::InputError;

/// The reason why the records cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("these shards wait for each other, so none of them can start: {0}")]
    Cycle(String),
    #[cfg(feature = "aws")]
    #[error(transparent)]
    Stream(#[from] stream::StreamError),
}

impl SourceError {
    /// The exit code of a run that cannot start because of it.
    pub(crate) fn code(&self) -> u8 {
        match self {
            #[cfg(feature = "aws")]
            Self::Stream(error) => error.code(),
            _ => WRONG_USE,
        }
    }
}

/// The state of a shard before the run.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) number: u32,
    /// The position at which its checkpoint stands.
    pub(crate) position: Position,
    /// The shards that must have ended before this one starts.
    pub(crate) parents: Vec<u32>,
    /// Whether it exists from the start of the run.
    pub(crate) born: bool,
}

/// The shards that descend from these, given the parents of each shard. Each shard is visited once, however often its ancestors
/// were split and merged.
pub(crate) fn descendants<'a>(
    mut from: Vec<u32>,
    parents: impl IntoIterator<Item = (u32, &'a [u32])>,
) -> BTreeSet<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (shard, parents) in parents {
        parents.iter().for_each(|parent| children.entry(*parent).or_default().push(shard));
    }
    let mut found = BTreeSet::new();
    while let Some(shard) = from.pop() {
        let children = children.get(&shard).into_iter().flatten();
        from.extend(children.copied().filter(|child| found.insert(*child)));
    }
    found
}

/// Checks that every shard can start after its parents.
///
/// # Errors
///
/// The shards that wait for each other, and those that wait for them.
pub(crate) fn check_order(shards: &[Standing]) -> Result<(), SourceError> {
    let mut waiting: BTreeMap<u32, BTreeSet<u32>> =
        shards.iter().map(|shard| (shard.number, shard.parents.iter().copied().collect())).collect();
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (shard, parents) in &waiting {
        parents.iter().for_each(|parent| children.entry(*parent).or_default().push(*shard));
    }
    // A parent that does not exist is not waited for.
    let missing = children.keys().filter(|parent| !waiting.contains_key(parent)).copied();
    let mut done: Vec<u32> = missing.collect();
    done.extend(waiting.iter().filter(|(_, parents)| parents.is_empty()).map(|(shard, _)| *shard));
    while let Some(shard) = done.pop() {
        waiting.remove(&shard);
        for child in children.get(&shard).into_iter().flatten() {
            if let Some(parents) = waiting.get_mut(child)
                && parents.remove(&shard)
                && parents.is_empty()
            {
                done.push(*child);
            }
        }
    }
    let ids: Vec<_> = waiting.into_keys().map(shard_id).collect();
    if ids.is_empty() { Ok(()) } else { Err(SourceError::Cycle(ids.join(", "))) }
}

/// Fills the queues of shards. It reports new shards ([`Event::Born`](super::event::Event::Born)) and errors
/// ([`Event::BadInput`](super::event::Event::BadInput)) before a queue ends because of them.
pub(crate) trait Supply {
    /// The settings that must be the same for saved checkpoints to mean the same records.
    fn identity(&self) -> Run;

    /// The place where a run without checkpoints starts, in a form that a later run of this supply understands.
    fn start(&self) -> Option<String>;

    /// The offset at which each input ends, in bytes, counted as if they were concatenated; `None` if an end is unknown.
    fn ends(&self) -> Option<Vec<u64>> {
        None
    }

    /// Whether the user types the records.
    fn is_typed(&self) -> bool {
        false
    }

    /// The aggregates that were dropped.
    fn dropped(&self) -> &Dropped;

    /// The existing shards and the known future ones, with their positions from saved checkpoints.
    fn load(&mut self, store: Option<Arc<Store>>) -> Result<Vec<Standing>, SourceError>;

    /// Compares the whole input with what earlier runs saved, if all shards have ended, so that nothing is read for them.
    fn check(&mut self) -> Result<(), SourceError> {
        Ok(())
    }

    /// Begins to read for the shards whose processors start now, and for those that wait. Returns the queues that must be filled
    /// by the time their processors start.
    fn begin(&mut self, ready: Vec<(u32, Position)>, waiting: Vec<(u32, Position)>) -> BTreeMap<u32, Arc<Queue>>;

    /// A queue that delivers a shard's records after a position, for a shard that starts later or restarts. `met` are the last
    /// records that its processors met in this run.
    fn fill(&mut self, shard: u32, position: &Position, met: Met) -> Arc<Queue>;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shard that is split and merged again, this many times: 3 shards each time.
    fn diamonds(count: u32) -> Vec<Standing> {
        let standing = |number, parents| Standing { number, position: Position::TrimHorizon, parents, born: true };
        let mut shards = vec![standing(0, vec![])];
        for last in (0..count).map(|diamond| 3 * diamond) {
            shards.push(standing(last + 1, vec![last]));
            shards.push(standing(last + 2, vec![last]));
            shards.push(standing(last + 3, vec![last + 1, last + 2]));
        }
        shards
    }

    #[test]
    fn each_descendant_is_visited_once() {
        let shards = diamonds(2_000);
        let parents = || shards.iter().map(|shard| (shard.number, &shard.parents[..]));
        assert_eq!(descendants(vec![0], parents()).len(), 6_000);
        assert_eq!(descendants(vec![5_998], parents()).into_iter().collect::<Vec<_>>(), [6_000]);
        assert!(descendants(vec![], parents()).is_empty());
    }

    #[test]
    fn shards_that_wait_for_each_other_are_an_error() {
        let mut shards = diamonds(2_000);
        check_order(&shards).unwrap();
        shards[6_000].parents.push(9_999);
        check_order(&shards).unwrap();
        shards[5_997].parents.push(6_000);
        let error = check_order(&shards).unwrap_err().to_string();
        let ids = [5_997, 5_998, 5_999, 6_000].map(shard_id).join(", ");
        assert_eq!(error, format!("these shards wait for each other, so none of them can start: {ids}"));
        let own_parent = Standing { number: 7, position: Position::TrimHorizon, parents: vec![7], born: true };
        assert!(check_order(&[own_parent]).is_err());
    }
}
