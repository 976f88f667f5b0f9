//! The records that are handled at the same time, as the watch sees them: which one has been running for the longest time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::At;
use crate::record::Record;
use crate::runner::watch::SHORTEST;
use crate::shard::Shard;

/// The records that are handled at the same time, by the start of their first attempt and their arrival.
#[derive(Debug, Default)]
pub(super) struct Running {
    records: BTreeMap<(Duration, u64), Record>,
}

impl Running {
    /// A record is handled since then. Further attempts, and the waits before them, do not begin the time anew.
    pub(super) fn begin(&mut self, since: Duration, at: u64, record: &Record) {
        self.records.entry((since, at)).or_insert_with(|| record.clone());
    }

    /// A record is done, or was dropped.
    pub(super) fn end(&mut self, since: Duration, at: u64) {
        self.records.remove(&(since, at));
    }

    /// The oldest record, with the start of its first attempt and its arrival.
    pub(super) fn oldest(&self) -> Option<((Duration, u64), &Record)> {
        self.records.first_key_value().map(|(key, record)| (*key, record))
    }
}

/// The record that was the oldest at the last look, and when to warn of it.
#[derive(Debug)]
pub(super) struct Oldest {
    after: Duration,
    seen: Option<(Duration, u64)>,
    next: Duration,
}

impl Oldest {
    pub(super) fn new(after: Duration) -> Self {
        Self { after, seen: None, next: after }
    }

    /// Looks at the oldest record. If a warning is due, returns it. The next one is due after twice the time.
    pub(super) fn look(&mut self, running: &Running, now: Duration, shard: &Shard) -> Option<String> {
        let (key, record) = running.oldest()?;
        if self.seen != Some(key) {
            (self.seen, self.next) = (Some(key), self.after);
        }
        let elapsed = now.saturating_sub(key.0);
        if elapsed < self.next {
            return None;
        }
        while self.next <= elapsed && self.next < Duration::MAX {
            self.next = self.next.saturating_mul(2).max(SHORTEST);
        }
        let late = |&&(since, _): &&(Duration, u64)| now.saturating_sub(since) >= self.after;
        let others = running.records.keys().skip(1).take_while(late).count();
        let others = match others {
            0 => String::new(),
            1 => ", and 1 other record for a shorter time".to_owned(),
            others => format!(", and {others} other records for shorter times"),
        };
        let at = At::new(&[], Some(record), shard.log_payloads);
        let elapsed = Duration::from_millis(elapsed.as_millis().try_into().unwrap_or(u64::MAX));
        Some(format!("shard {}: processRecords{at} has been running for {elapsed:.0?}{others}", shard.id()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::shared::records;
    use crate::shard::Position;

    #[test]
    fn the_oldest_record_is_named_after_the_time_and_twice_the_time() {
        let shard = Shard::new("shard", Position::TrimHorizon);
        let (mut running, mut oldest) = (Running::default(), Oldest::new(Duration::from_secs(60)));
        let records = records(2, 3);
        let seconds = Duration::from_secs;
        let mut look = |running: &Running, now| oldest.look(running, seconds(now), &shard);
        assert_eq!(look(&running, 100), None);
        running.begin(seconds(100), 7, &records[0]);
        running.begin(seconds(110), 8, &records[1]);
        running.begin(seconds(120), 9, &records[2]);
        assert_eq!(look(&running, 159), None);
        let text = "shard shard: processRecords at record 1/0 with partition key `k` has been running for";
        assert_eq!(look(&running, 175), Some(format!("{text} 75s, and 1 other record for a shorter time")));
        // Another attempt.
        running.begin(seconds(100), 7, &records[0]);
        assert_eq!(look(&running, 219), None);
        assert_eq!(look(&running, 220), Some(format!("{text} 120s, and 2 other records for shorter times")));
        running.end(seconds(100), 7);
        running.end(seconds(120), 9);
        let text = "shard shard: processRecords at record 1/1 with partition key `k` has been running for 111s";
        assert_eq!(look(&running, 221), Some(text.to_owned()), "the next one has its own time");
        running.end(seconds(110), 8);
        assert_eq!(look(&running, 9000), None);
    }
}
