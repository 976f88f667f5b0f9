//! Decides which shards of a stream a run processes, and from which positions.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use kcl::Position;

use crate::args::StartAt;
use crate::local::source::Standing;

/// A shard, as the stream lists it.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) number: u32,
    pub(crate) parents: Vec<u32>,
    /// Whether records can still be put on it.
    pub(crate) is_open: bool,
    pub(crate) range: RangeInclusive<u128>,
}

/// The positions of the shards, given those that an earlier run kept: a shard that it did not know descends from one that it
/// knew.
pub(crate) fn standings(shards: &[Listed], kept: &BTreeMap<u32, Position>, from: StartAt) -> Vec<Standing> {
    let skipped = match from {
        StartAt::Latest if kept.is_empty() => {
            shards.iter().filter(|shard| !shard.is_open).map(|shard| shard.number).collect()
        }
        StartAt::Latest => ancestors(shards, kept),
        StartAt::TrimHorizon | StartAt::Time(_) => BTreeSet::new(),
    };
    let initial = match from {
        StartAt::Latest if kept.is_empty() => Position::Latest,
        StartAt::Time(_) => Position::AtTimestamp,
        StartAt::Latest | StartAt::TrimHorizon => Position::TrimHorizon,
    };
    let present: BTreeSet<_> =
        shards.iter().map(|shard| shard.number).filter(|number| !skipped.contains(number)).collect();
    let standings = shards.iter().filter(|shard| present.contains(&shard.number)).map(|shard| Standing {
        number: shard.number,
        position: kept.get(&shard.number).cloned().unwrap_or(initial.clone()),
        // A run does not wait for parents that no longer exist.
        parents: shard.parents.iter().copied().filter(|parent| present.contains(parent)).collect(),
        born: true,
    });
    standings.collect()
}

/// The ancestors of shards with kept positions that do not have a kept position themselves.
fn ancestors(shards: &[Listed], kept: &BTreeMap<u32, Position>) -> BTreeSet<u32> {
    let parents: BTreeMap<_, _> = shards.iter().map(|shard| (shard.number, &shard.parents)).collect();
    let mut ancestors = BTreeSet::new();
    let mut next: Vec<_> = kept.keys().copied().collect();
    while let Some(number) = next.pop() {
        for &parent in parents.get(&number).into_iter().copied().flatten() {
            if !kept.contains_key(&parent) && ancestors.insert(parent) {
                next.push(parent);
            }
        }
    }
    ancestors
}

/// The shards that were not processed to their end and no longer exist.
pub(crate) fn gone(shards: &[Listed], kept: &BTreeMap<u32, Position>) -> Vec<u32> {
    let present: BTreeSet<_> = shards.iter().map(|shard| shard.number).collect();
    let unfinished = kept.iter().filter(|(_, position)| **position != Position::ShardEnd);
    unfinished.map(|(number, _)| *number).filter(|number| !present.contains(number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::start::Moment;
    use std::time::UNIX_EPOCH;

    /// 0 was split into 1 and 2, which were merged into 3; 4 is unrelated.
    fn shards() -> Vec<Listed> {
        let shard = |number, parents: &[u32], is_open| Listed {
            number,
            parents: parents.to_owned(),
            is_open,
            range: 0..=u128::MAX,
        };
        vec![
            shard(0, &[], false),
            shard(1, &[0], false),
            shard(2, &[0], false),
            shard(3, &[1, 2], true),
            shard(4, &[], true),
        ]
    }

    fn stand(shards: &[Listed], kept: &[(u32, Position)], from: StartAt) -> Vec<(u32, Position, Vec<u32>)> {
        let standings = standings(shards, &kept.iter().cloned().collect(), from);
        assert!(standings.iter().all(|shard| shard.born));
        standings.into_iter().map(|shard| (shard.number, shard.position, shard.parents)).collect()
    }

    #[test]
    fn parents_come_first_from_the_oldest_record() {
        for (from, position) in [
            (StartAt::TrimHorizon, Position::TrimHorizon),
            (StartAt::Time(Moment::At(UNIX_EPOCH)), Position::AtTimestamp),
        ] {
            let expected = [(0, vec![]), (1, vec![0]), (2, vec![0]), (3, vec![1, 2]), (4, vec![])];
            let expected = expected.map(|(number, parents)| (number, position.clone(), parents));
            assert_eq!(stand(&shards(), &[], from), expected);
        }
    }

    #[test]
    fn only_open_shards_start_at_the_latest_record() {
        let expected = [(3, Position::Latest, vec![]), (4, Position::Latest, vec![])];
        assert_eq!(stand(&shards(), &[], StartAt::Latest), expected);
    }

    #[test]
    fn a_later_run_resumes_and_skips_shards_from_before_the_start() {
        // The first run began when 1 and 2 were open.
        let kept = [(1, Position::ShardEnd), (2, Position::after(7.into(), 2)), (4, Position::Latest)];
        let expected = [
            (1, Position::ShardEnd, vec![]),
            (2, Position::after(7.into(), 2), vec![]),
            (3, Position::TrimHorizon, vec![1, 2]),
            (4, Position::Latest, vec![]),
        ];
        assert_eq!(stand(&shards(), &kept, StartAt::Latest), expected);
        // From the start of the stream, no shard is skipped.
        assert_eq!(stand(&shards(), &kept, StartAt::TrimHorizon).len(), 5);
    }

    #[test]
    fn shards_that_are_gone_are_not_waited_for() {
        let kept = [(0, Position::ShardEnd), (1, Position::after(7.into(), 0)), (2, Position::ShardEnd)];
        let left: Vec<_> = shards().into_iter().filter(|shard| shard.number > 2).collect();
        assert_eq!(gone(&left, &kept.iter().cloned().collect()), [1]);
        let expected = [(3, Position::TrimHorizon, vec![]), (4, Position::TrimHorizon, vec![])];
        assert_eq!(stand(&left, &kept, StartAt::TrimHorizon), expected);
    }
}
