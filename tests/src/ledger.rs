//! The ledger in which processors record what happened.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// One line: an event of a shard in a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The id of the shard.
    pub shard: String,
    /// The process's id.
    pub process: i32,
    /// The event.
    pub what: String,
}

/// All events, in order.
#[derive(Debug, Clone, Default)]
pub struct Ledger(pub Vec<Entry>);

impl Ledger {
    /// Reads the entries written so far.
    pub fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_default();
        // The last line may be incomplete.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let entry = |line: &str| {
            let mut parts = line.splitn(3, ' ');
            let mut part = || parts.next().unwrap_or_default().to_owned();
            Entry { shard: part(), process: part().parse().unwrap_or_default(), what: part() }
        };
        Self(whole.lines().map(entry).collect())
    }

    /// The events that start with this, such as `initialize`.
    pub fn all<'a>(&'a self, what: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.0.iter().filter(move |entry| entry.what.starts_with(what))
    }

    /// The index of the shard's first event that starts with this.
    pub fn place(&self, shard: &str, what: &str) -> Option<usize> {
        self.0.iter().position(|entry| entry.shard == shard && entry.what.starts_with(what))
    }

    /// The data of the records as written, without duplicates.
    pub fn data(&self) -> BTreeSet<&str> {
        self.all("record ").filter_map(|entry| entry.what.splitn(4, ' ').nth(3)).collect()
    }

    /// The sequence numbers of each shard's records, in order of delivery.
    pub fn sequences(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut sequences: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for entry in self.all("record ") {
            let number = entry.what.split(' ').nth(1).and_then(|place| place.split('/').next()).unwrap_or_default();
            sequences.entry(&entry.shard).or_default().push(number);
        }
        sequences
    }
}
