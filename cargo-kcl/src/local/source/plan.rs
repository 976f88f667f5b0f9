//! The shards of a run and when each exists: the initial ones, and those that result from splits and merges.

use std::fmt;
use std::str::FromStr;

use crate::args::quantities::split_number;
use crate::local::place::ranges;

/// Splits and merges, in the order of the records after which they happen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reshard(Vec<(Change, u64)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Split,
    Merge,
}

impl fmt::Display for Reshard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (change, records)) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let change = match change {
                Change::Split => "split",
                Change::Merge => "merge",
            };
            write!(f, "{comma}{change}@{records}")?;
        }
        Ok(())
    }
}

impl FromStr for Reshard {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str =
            "expected `split@RECORDS` or `merge@RECORDS`, separated by commas, as in split@10000,merge@20000";
        let change = |text: &str| {
            let (change, records) = text.split_once('@')?;
            let change = match change {
                "split" => Change::Split,
                "merge" => Change::Merge,
                _ => return None,
            };
            let (digits, "") = split_number(records.trim())? else { return None };
            Some((change, digits.parse().ok()?))
        };
        let changes: Vec<_> = text.split(',').map(change).collect::<Option<_>>().ok_or(FORM)?;
        if changes.first().is_some_and(|(_, first)| *first == 0) {
            return Err(
                "each change must come after at least one record; `--shards` says how many shards there are before",
            );
        }
        if !changes.is_sorted_by(|(_, one), (_, next)| one < next) {
            return Err("each change must come after more records than the previous one");
        }
        Ok(Self(changes))
    }
}

/// All shards of a run.
#[derive(Debug)]
pub(crate) struct Plan {
    shards: Vec<Planned>,
    /// The hash key ranges after each change, in order; the first generation starts before any record.
    generations: Vec<Generation>,
}

#[derive(Debug)]
struct Planned {
    parents: Vec<u32>,
    /// The number of records before its start.
    starts_after: u64,
    /// The number of records after which other shards replace it, if they do.
    until: Option<u64>,
}

#[derive(Clone, Debug)]
struct Generation {
    starts_after: u64,
    /// The start of each shard's range, in order; the first one starts at 0.
    ranges: Vec<(u128, u32)>,
}

/// The plan has a merge where only one shard is left.
#[derive(Debug, thiserror::Error)]
#[error("--reshard cannot merge the only shard")]
pub(crate) struct PlanError;

impl Plan {
    /// Starts with `shards` shards. A split halves the widest shard; a merge joins the two neighbours that are narrowest
    /// together. If several qualify, the first is taken.
    pub(crate) fn new(shards: u32, reshard: &Reshard) -> Result<Self, PlanError> {
        let planned = |_| Planned { parents: Vec::new(), starts_after: 0, until: None };
        let mut plan = Self {
            shards: (0..shards).map(planned).collect(),
            generations: vec![Generation { starts_after: 0, ranges: ranges(shards).zip(0..).collect() }],
        };
        for (change, records) in &reshard.0 {
            let mut ranges = plan.generations.last().ok_or(PlanError)?.ranges.clone();
            let width = |at: usize, count: usize| {
                // Computed modulo 2^128. A single range covers all of it, so its width only fits less 1.
                let end = ranges.get(at + count).map_or(0, |(start, _)| *start);
                end.wrapping_sub(ranges.get(at).map_or(0, |(start, _)| *start)).wrapping_sub(1)
            };
            match change {
                Change::Split => {
                    let at = (0..ranges.len()).rev().max_by_key(|&at| width(at, 1)).ok_or(PlanError)?;
                    let half = width(at, 1) / 2 + 1;
                    let (start, parent) = ranges[at];
                    let (one, other) = (plan.add(&[parent], *records), plan.add(&[parent], *records));
                    ranges.splice(at..=at, [(start, one), (start + half, other)]);
                }
                Change::Merge => {
                    let at = (0..ranges.len().saturating_sub(1)).min_by_key(|&at| width(at, 2)).ok_or(PlanError)?;
                    let (start, one) = ranges[at];
                    let merged = plan.add(&[one, ranges[at + 1].1], *records);
                    ranges.splice(at..=at + 1, [(start, merged)]);
                }
            }
            plan.generations.push(Generation { starts_after: *records, ranges });
        }
        Ok(plan)
    }

    fn add(&mut self, parents: &[u32], starts_after: u64) -> u32 {
        for &parent in parents {
            self.shards[parent as usize].until = Some(starts_after);
        }
        self.shards.push(Planned { parents: parents.to_owned(), starts_after, until: None });
        (self.shards.len() - 1) as u32
    }

    /// The total number of shards.
    pub(crate) fn len(&self) -> u32 {
        self.shards.len() as u32
    }

    /// The shards that must have ended before this one starts.
    pub(crate) fn parents(&self, shard: u32) -> &[u32] {
        self.shards.get(shard as usize).map_or(&[], |shard| &shard.parents)
    }

    /// The number of records after which others replace the shard. Without any, it is the greatest number.
    pub(crate) fn until(&self, shard: u32) -> u64 {
        self.shards.get(shard as usize).and_then(|shard| shard.until).unwrap_or(u64::MAX)
    }

    /// Whether the shard lasts to the end of the input, so that no other replaces it.
    pub(crate) fn is_last(&self, shard: u32) -> bool {
        self.until(shard) == u64::MAX
    }

    /// The number of records before the shard's start; with fewer, it never starts.
    pub(crate) fn starts_after(&self, shard: u32) -> u64 {
        self.shards.get(shard as usize).map_or(0, |shard| shard.starts_after)
    }

    /// The shards that start after exactly this many records.
    pub(crate) fn born_after(&self, records: u64) -> impl Iterator<Item = u32> {
        let born = (0..).zip(&self.shards).filter(move |(_, shard)| shard.starts_after == records);
        born.map(|(number, _)| number)
    }

    /// The shards that others replace after exactly this many records.
    pub(crate) fn ended_by(&self, records: u64) -> impl Iterator<Item = u32> {
        let ended = (0..).zip(&self.shards).filter(move |(_, shard)| shard.until == Some(records));
        ended.map(|(number, _)| number)
    }

    /// The number of records after which shards change next.
    pub(crate) fn next_change(&self, records: u64) -> u64 {
        let changes = self.generations.iter().map(|generation| generation.starts_after);
        changes.filter(|change| *change > records).min().unwrap_or(u64::MAX)
    }

    /// The shard of a record, given the hash of its key and its number. With one shard, the hash is not asked for.
    pub(crate) fn shard(&self, hash: impl FnOnce() -> u128, record: u64) -> u32 {
        let ranges = match &self.generations[..] {
            [only] => &only.ranges[..],
            generations => {
                let generation = generations.partition_point(|generation| generation.starts_after < record);
                generations.get(generation.saturating_sub(1)).map_or(&[][..], |generation| &generation.ranges)
            }
        };
        let at = match ranges {
            [_] => 0,
            ranges => {
                let hash = hash();
                ranges.partition_point(|(start, _)| *start <= hash).saturating_sub(1)
            }
        };
        ranges.get(at).map_or(0, |(_, shard)| *shard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::key::hash;

    fn plan(shards: u32, reshard: &str) -> Plan {
        Plan::new(shards, &reshard.parse().unwrap()).unwrap()
    }

    #[test]
    fn keys_fall_where_kinesis_puts_them() {
        // md5("alice") = 6384e2b2…, md5("bob") = 9f9d51bc…, md5("charlie") = bf779e05…
        let shards = |count| {
            let plan = Plan::new(count, &Reshard::default()).unwrap();
            ["alice", "bob", "charlie"].map(|key| plan.shard(|| hash(key), 1))
        };
        assert_eq!([shards(1), shards(4), shards(16)], [[0, 0, 0], [1, 2, 2], [6, 9, 11]]);
    }

    #[test]
    fn a_split_halves_the_widest() {
        let plan = plan(2, "split@10,split@20");
        assert_eq!((plan.len(), plan.parents(2), plan.parents(3), plan.parents(5)), (6, &[0][..], &[0][..], &[1][..]));
        let quarters = [0, 1, 2, 3].map(|quarter| quarter << 126);
        for (record, shards) in [(1, [0, 0, 1, 1]), (10, [0, 0, 1, 1]), (11, [2, 3, 1, 1]), (21, [2, 3, 4, 5])] {
            assert_eq!(quarters.map(|hash| plan.shard(|| hash, record)), shards, "{record}");
        }
        assert_eq!(plan.shard(|| u128::MAX, 21), 5);
        assert_eq!(plan.ended_by(10).collect::<Vec<_>>(), [0]);
        assert_eq!(plan.born_after(10).collect::<Vec<_>>(), [2, 3]);
        assert_eq!([plan.next_change(0), plan.next_change(10), plan.next_change(20)], [10, 20, u64::MAX]);
        assert_eq!([plan.starts_after(1), plan.starts_after(5)], [0, 20]);
    }

    #[test]
    fn a_merge_joins_the_narrowest_neighbours() {
        let plan = plan(1, "split@5,split@6,merge@7,merge@8");
        assert_eq!((plan.parents(5), plan.parents(6)), (&[3, 4][..], &[5, 2][..]));
        assert!([0, 1 << 127, u128::MAX].iter().all(|&hash| plan.shard(|| hash, 9) == 6));
        assert!(Plan::new(1, &"merge@5".parse().unwrap()).is_err(), "there is only one");
    }

    #[test]
    fn changes_come_one_after_the_other() {
        let wrong =
            ["", "split", "split@", "split@x", "join@5", "split@5,", "split@5,merge@5", "split@5,split@4", "split@0"];
        for text in wrong {
            assert!(text.parse::<Reshard>().is_err(), "{text}");
        }
        let grouped: Reshard = "split@10_000,merge@20 000".parse().unwrap();
        assert_eq!(grouped.to_string(), "split@10000,merge@20000");
    }
}
