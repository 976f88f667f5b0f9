//! A row of a lease table.

use kcl::{Position, SequenceNumber};
use serde_json::Value;

/// The attribute that tells the entities of KCL 3.5 apart. Rows of earlier versions do not have it.
const ENTITY: &str = "entityType";
/// Its value for a lease.
const LEASE: &str = "LEASE";
/// The start of a shard's id. No other entity has such a key.
const SHARD: &str = "shardId-";

/// A lease: who works on a shard, and how far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    /// The shard's id.
    pub(crate) shard: String,
    pub(crate) owner: Option<String>,
    /// Raised by the owner each time it renews the lease or checkpoints.
    pub(crate) counter: u64,
    pub(crate) checkpoint: Position,
    /// The shards that were split or merged into this one.
    pub(crate) parents: Vec<String>,
    /// The shards that this one was split or merged into, once the workers know them.
    pub(crate) children: Vec<String>,
    /// The hash keys of the shard, as decimals.
    pub(crate) range: Option<(String, String)>,
}

/// A row that is the lease of a shard, and lacks what every lease has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// The shard's id.
    pub(crate) shard: String,
    /// The reason: a phrase such as "`checkpoint` is missing or not a string".
    pub(crate) why: String,
}

/// The rows of a lease table that are leases, ordered by shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Leases {
    pub(crate) leases: Vec<Lease>,
    pub(crate) unreadable: Vec<Unreadable>,
}

impl Leases {
    pub(super) fn add(&mut self, row: &Value) {
        match Lease::parse(row) {
            Some(lease) => self.leases.push(lease),
            None => self.unreadable.extend(Unreadable::of(row)),
        }
    }

    pub(super) fn sort(&mut self) {
        self.leases.sort_by(|a, b| a.shard.cmp(&b.shard));
        self.unreadable.sort_by(|a, b| a.shard.cmp(&b.shard));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.leases.is_empty() && self.unreadable.is_empty()
    }

    /// The row of a shard that cannot be read, if it has one.
    pub(crate) fn unreadable(&self, shard: &str) -> Option<&Unreadable> {
        self.unreadable.iter().find(|row| row.shard == shard)
    }
}

impl Unreadable {
    /// The reason why a row is not a lease; `None` if it need not be one.
    fn of(row: &Value) -> Option<Self> {
        let shard = row["leaseKey"]["S"].as_str()?;
        let is_lease = row[ENTITY]["S"].as_str().map_or_else(|| shard.starts_with(SHARD), |entity| entity == LEASE);
        let why = match row["checkpoint"]["S"].as_str() {
            None => "`checkpoint` is missing or not a string",
            Some(_) => "`leaseCounter` is missing or not a number",
        };
        is_lease.then(|| Self { shard: shard.to_owned(), why: why.to_owned() })
    }
}

/// Whether a row is another entity than a lease.
fn is_other(row: &Value) -> bool {
    row[ENTITY]["S"].as_str().is_some_and(|entity| entity != LEASE)
}

impl Lease {
    /// The lease in a row; `None` if the row is another entity, or lacks what a lease has.
    pub(crate) fn parse(row: &Value) -> Option<Self> {
        if is_other(row) {
            return None;
        }
        let text = |name: &str| row[name]["S"].as_str().map(str::to_owned);
        let number = |name: &str| row[name]["N"].as_str().and_then(|digits| digits.parse::<u64>().ok());
        let texts = |name: &str| {
            let texts = row[name]["SS"].as_array().into_iter().flatten();
            let mut texts: Vec<_> = texts.filter_map(|text| text.as_str().map(str::to_owned)).collect();
            texts.sort();
            texts
        };
        let checkpoint = text("checkpoint")?;
        Some(Self {
            shard: text("leaseKey")?,
            // During a handover, the worker that still works on the shard.
            owner: text("checkpointOwner").or_else(|| text("leaseOwner")),
            counter: number("leaseCounter")?,
            checkpoint: position(&checkpoint, number("checkpointSubSequenceNumber").unwrap_or(0)),
            parents: texts("parentShardId"),
            children: texts("childShardIds"),
            range: text("startingHashKey").zip(text("endingHashKey")),
        })
    }

    /// Whether a processor of the shard has been started, as far as the lease shows.
    pub(crate) fn has_begun(&self) -> bool {
        self.owner.is_some() || matches!(self.checkpoint, Position::After { .. } | Position::ShardEnd)
    }
}

fn position(text: &str, sub: u64) -> Position {
    match text {
        "TRIM_HORIZON" => Position::TrimHorizon,
        "LATEST" => Position::Latest,
        "AT_TIMESTAMP" => Position::AtTimestamp,
        "SHARD_END" => Position::ShardEnd,
        digits => digits.parse::<SequenceNumber>().map_or(Position::Unknown, |number| Position::after(number, sub)),
    }
}

/// Whether delivery from `to` includes records that delivery from `from` does not; `None` if nobody can tell.
pub(crate) fn is_before(to: &Position, from: &Position) -> Option<bool> {
    match (to, from) {
        (_, Position::Unknown | Position::AtTimestamp) | (Position::Unknown, _) if *to != Position::TrimHorizon => None,
        (Position::TrimHorizon, Position::TrimHorizon) => Some(false),
        // Nothing is delivered yet, and what is delivered starts after all existing records.
        (Position::TrimHorizon, _) | (Position::After { .. }, Position::Latest) => Some(true),
        (Position::After { .. }, Position::ShardEnd) => Some(true),
        (
            Position::After { sequence_number: to, sub_sequence_number: to_sub },
            Position::After { sequence_number, sub_sequence_number },
        ) => Some((to, to_sub) < (sequence_number, sub_sequence_number)),
        _ => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_of_either_layout_is_a_lease() {
        let mut row = json!({
            "leaseKey": { "S": "shardId-000000000001" },
            "leaseOwner": { "S": "worker" },
            "leaseCounter": { "N": "7" },
            "checkpoint": { "S": "4959" },
            "checkpointSubSequenceNumber": { "N": "3" },
            "parentShardId": { "SS": ["shardId-000000000000"] },
            "startingHashKey": { "S": "0" },
            "endingHashKey": { "S": "9" },
        });
        let lease = Lease::parse(&row).unwrap();
        assert_eq!(
            (lease.shard.as_str(), lease.owner.as_deref(), lease.counter),
            ("shardId-000000000001", Some("worker"), 7)
        );
        assert_eq!(lease.checkpoint, Position::after(4959_u64.into(), 3));
        assert_eq!((lease.parents.len(), lease.children.len()), (1, 0));
        assert_eq!(lease.range, Some(("0".to_owned(), "9".to_owned())));
        row["entityType"] = json!({ "S": "LEASE" });
        row["checkpointOwner"] = json!({ "S": "before" });
        assert_eq!(Lease::parse(&row).unwrap().owner.as_deref(), Some("before"));
        for entity in ["LEADER", "WORKER_METRIC_STATS", "STREAM", "of a later version"] {
            row["entityType"] = json!({ "S": entity });
            assert_eq!(Lease::parse(&row), None, "{entity}");
        }
        assert_eq!(Lease::parse(&json!({ "leaseKey": { "S": "Leader" }, "ownerName": { "S": "worker" } })), None);
    }

    #[test]
    fn a_lease_that_lacks_something_is_unreadable_and_no_other_row_is() {
        let mut leases = Leases::default();
        let row = |shard: &str, counter: Value, checkpoint: Value| json!({ "leaseKey": { "S": shard }, "leaseCounter": counter, "checkpoint": checkpoint });
        leases.add(&row("shardId-000000000002", json!({ "S": "7" }), json!({ "S": "LATEST" })));
        leases.add(&row("shardId-000000000001", json!({ "N": "7" }), json!(null)));
        leases.add(&row("shardId-000000000000", json!({ "N": "7" }), json!({ "S": "LATEST" })));
        leases.add(&json!({ "leaseKey": { "S": "Leader" }, "ownerName": { "S": "worker" } }));
        leases.add(&json!({ "leaseKey": { "S": "shardId-000000000003" }, "entityType": { "S": "STREAM" } }));
        leases.add(&json!({ "other": { "S": "shardId-000000000004" } }));
        leases.sort();
        let whys: Vec<_> = leases.unreadable.iter().map(|row| (&row.shard[18..], &*row.why)).collect();
        assert_eq!(
            whys,
            [("01", "`checkpoint` is missing or not a string"), ("02", "`leaseCounter` is missing or not a number")]
        );
        assert_eq!(leases.leases.len(), 1);
        assert!(
            leases.unreadable("shardId-000000000001").is_some() && leases.unreadable("shardId-000000000000").is_none()
        );
    }

    #[test]
    fn positions_are_in_the_order_of_delivery() {
        let after = |number: u64, sub| Position::after(number.into(), sub);
        for (to, from, before) in [
            (after(1, 5), after(2, 0), Some(true)),
            (after(2, 0), after(2, 1), Some(true)),
            (after(2, 1), after(2, 1), Some(false)),
            (after(3, 0), after(2, 9), Some(false)),
            (after(9, 0), Position::ShardEnd, Some(true)),
            (after(9, 0), Position::Latest, Some(true)),
            (after(9, 0), Position::TrimHorizon, Some(false)),
            (after(9, 0), Position::AtTimestamp, None),
            (Position::TrimHorizon, Position::AtTimestamp, Some(true)),
            (Position::TrimHorizon, Position::Latest, Some(true)),
            (Position::TrimHorizon, after(1, 0), Some(true)),
            (Position::TrimHorizon, Position::ShardEnd, Some(true)),
            (Position::TrimHorizon, Position::Unknown, Some(true)),
            (Position::TrimHorizon, Position::TrimHorizon, Some(false)),
        ] {
            assert_eq!(is_before(&to, &from), before, "{to} and {from}");
        }
    }
}
