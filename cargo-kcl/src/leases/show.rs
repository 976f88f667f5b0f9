//! The table of the leases, for people and as JSON.

use std::time::{Duration, SystemTime};

use kcl::Position;
use serde::Serialize;
use serde_json::Value;

use crate::lease_table::{Look, Unreadable, Waiting, Watched, millis};
use crate::report;

/// A lease, and everything that was found out about it.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) watched: Watched,
    pub(super) look: Look,
    /// Whether the command waited for the owner to renew the lease.
    pub(super) was_watched: bool,
}

/// The output of `--json`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    shard_id: &'a str,
    owner: Option<&'a str>,
    /// Whether the owner renews the lease; null if there is no owner, the shard is done, or nobody waited for it.
    renewed: Option<bool>,
    lease_counter: u64,
    checkpoint: Value,
    sub_sequence_number: Option<u64>,
    /// Whether the record of the checkpoint is no longer in the stream.
    expired: bool,
    age_millis: Option<u64>,
    behind_millis: Option<u64>,
    parent_shard_ids: &'a [String],
    child_shard_ids: &'a [String],
}

/// A row of the lease table that cannot be read.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failed<'a> {
    shard_id: &'a str,
    reason: &'a str,
}

/// All leases.
#[derive(Serialize)]
struct Listing<'a> {
    application: &'a str,
    stream: Option<&'a str>,
    leases: Vec<Shown<'a>>,
    unreadable: Vec<Failed<'a>>,
}

/// The leases, and the rows that are leases and cannot be read.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    pub(super) unreadable: Vec<Unreadable>,
}

/// A position as the lease table writes it.
pub(super) fn parts(position: &Position) -> (Value, Option<u64>) {
    match position {
        Position::After { sequence_number, sub_sequence_number } => {
            (Value::String(sequence_number.to_string()), Some(*sub_sequence_number))
        }
        Position::Unknown => (Value::Null, None),
        sentinel => (Value::String(sentinel.to_string()), None),
    }
}

impl Row {
    /// How long ago the record of the checkpoint arrived.
    fn age(&self, now: SystemTime) -> Option<Duration> {
        self.look.arrival.map(|arrival| since(now, arrival))
    }

    /// How long the oldest record after the checkpoint has been waiting.
    fn behind(&self, now: SystemTime) -> Option<Duration> {
        match self.look.waiting {
            Waiting::Unknown => None,
            Waiting::Nothing | Waiting::End => Some(Duration::ZERO),
            Waiting::Record(entry) => Some(since(now, entry.arrival)),
        }
    }

    fn renewed(&self) -> Option<bool> {
        let is_asked = self.was_watched && !self.watched.is_done();
        (is_asked && self.watched.last.owner.is_some()).then(|| self.watched.is_renewed())
    }

    fn shown(&self, now: SystemTime) -> Shown<'_> {
        let lease = &self.watched.last;
        let (checkpoint, sub_sequence_number) = parts(&lease.checkpoint);
        let whole = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Shown {
            shard_id: &lease.shard,
            owner: lease.owner.as_deref(),
            renewed: self.renewed(),
            lease_counter: lease.counter,
            checkpoint,
            sub_sequence_number,
            expired: self.look.is_expired,
            age_millis: self.age(now).map(whole),
            behind_millis: self.behind(now).map(whole),
            parent_shard_ids: &lease.parents,
            child_shard_ids: &lease.children,
        }
    }

    fn cells(&self, now: SystemTime) -> [String; 6] {
        let lease = &self.watched.last;
        let unknown = || "?".to_owned();
        let time = |time: Option<Duration>| time.map_or_else(unknown, rounded);
        let is_read = matches!(lease.checkpoint, Position::After { .. } | Position::TrimHorizon);
        let age = match self.look {
            Look { is_expired: true, .. } => "expired".to_owned(),
            _ if matches!(lease.checkpoint, Position::After { .. }) => time(self.age(now)),
            _ => "-".to_owned(),
        };
        [
            report::excerpt(&lease.shard),
            lease.owner.as_deref().map_or("-".to_owned(), report::excerpt),
            match self.renewed() {
                Some(true) => "yes".to_owned(),
                Some(false) => format!("not for {}", rounded(self.watched.silent)),
                None if lease.owner.is_none() || self.watched.is_done() => "-".to_owned(),
                None => unknown(),
            },
            lease.checkpoint.to_string(),
            age,
            if is_read { time(self.behind(now)) } else { "-".to_owned() },
        ]
    }
}

fn since(now: SystemTime, arrival: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis(now).saturating_sub(arrival)).unwrap_or(0))
}

/// A duration for a table: whole seconds, or milliseconds below one.
fn rounded(time: Duration) -> String {
    match time.as_millis() {
        below @ 0..1_000 => report::duration(Duration::from_millis(u64::try_from(below).unwrap_or(0))),
        _ => report::duration(Duration::from_secs(time.as_secs())),
    }
}

impl Table {
    /// The leases as a JSON value.
    pub(super) fn json<'a>(
        &'a self,
        application: &'a str,
        stream: Option<&'a str>,
        now: SystemTime,
    ) -> impl Serialize + 'a {
        let unreadable = self.unreadable.iter().map(|row| Failed { shard_id: &row.shard, reason: &row.why }).collect();
        Listing { application, stream, leases: self.rows.iter().map(|row| row.shown(now)).collect(), unreadable }
    }

    /// The leases as lines of a table, and a line for each one that cannot be read.
    pub(super) fn lines(&self, now: SystemTime) -> Vec<String> {
        const HEAD: [&str; 6] = ["shard", "owner", "renewed", "checkpoint", "age", "behind"];
        let mut table = vec![HEAD.map(str::to_owned)];
        table.extend(self.rows.iter().map(|row| row.cells(now)));
        let mut lines = aligned(&table);
        let unreadable = self.unreadable.iter();
        lines.extend(unreadable.map(|row| format!("{}  unreadable: {}", report::excerpt(&row.shard), row.why)));
        lines
    }
}

/// Lines whose columns are aligned to the left.
fn aligned<const N: usize>(table: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| table.iter().map(|row| console::measure_text_width(&row[column])).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line += cell;
            line.extend(std::iter::repeat_n(' ', width - console::measure_text_width(cell) + 2));
        }
        line.trim_end().to_owned()
    };
    table.iter().map(line).collect()
}
