//! Aggregates that were dropped because they belong to another shard: they are counted and reported.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::report;

/// How often a shard's dropped aggregates are reported.
const EVERY: Duration = Duration::from_secs(5);

/// The aggregates that were dropped, by shard.
#[derive(Debug, Default)]
pub(crate) struct Dropped {
    shards: Mutex<BTreeMap<String, Count>>,
}

#[derive(Debug, Default)]
struct Count {
    total: u64,
    unreported: u64,
    reported: Option<Instant>,
}

impl Dropped {
    /// Counts an aggregate, the record with this sequence number, and reports it unless the shard's last report is recent.
    pub(crate) fn add(&self, shard: &str, number: impl Display) {
        if let Some(text) = self.add_at(Instant::now(), shard, number) {
            report::warning(text);
        }
    }

    fn add_at(&self, now: Instant, shard: &str, number: impl Display) -> Option<String> {
        let mut shards = self.lock();
        if !shards.contains_key(shard) {
            shards.insert(shard.to_owned(), Count::default());
        }
        let count = shards.get_mut(shard)?;
        count.total += 1;
        count.unreported += 1;
        if count.reported.is_some_and(|reported| now.saturating_duration_since(reported) < EVERY) {
            return None;
        }
        count.reported = Some(now);
        let dropped = report::count(std::mem::take(&mut count.unreported), "aggregate");
        Some(format!(
            "{shard}: {dropped} of the Kinesis Producer Library dropped, as in the KCL, because a part's hash key belongs to another \
             shard; the last one is record {number}"
        ))
    }

    /// The number of aggregates that were dropped.
    pub(crate) fn total(&self) -> u64 {
        self.lock().values().map(|count| count.total).sum()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Count>> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many aggregates were dropped in a run, and why.
pub(crate) fn sentence(total: u64) -> String {
    let dropped = report::count(total, "aggregate");
    format!(
        "{dropped} of the Kinesis Producer Library dropped, as in the KCL, because a part's hash key belongs to another shard"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shard_is_reported_every_few_seconds() {
        let dropped = Dropped::default();
        assert_eq!(dropped.total(), 0);
        let start = Instant::now();
        let add = |seconds, shard| dropped.add_at(start + Duration::from_secs(seconds), shard, 7);
        assert!(add(0, "a").unwrap().starts_with("a: 1 aggregate of the Kinesis Producer Library dropped"));
        assert_eq!((add(1, "a"), add(4, "a")), (None, None));
        assert!(add(4, "b").unwrap().starts_with("b: 1 aggregate "));
        assert!(add(5, "a").unwrap().starts_with("a: 3 aggregates "));
        assert!(sentence(dropped.total()).starts_with("5 aggregates of the Kinesis Producer Library dropped"));
    }
}
