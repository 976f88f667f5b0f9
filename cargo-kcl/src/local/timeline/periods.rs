//! Counts in periods of equal length, which double when there are too many.

use std::collections::BTreeMap;
use std::time::Duration;

/// The most periods. It is even, so that two neighbours can always become one.
pub(crate) const MOST: usize = 120;
/// The length of a period at first.
const FIRST: Duration = Duration::from_millis(5);

/// The counts of one period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) records: u64,
    pub(crate) batches: u64,
    /// The time that the batches took together.
    pub(crate) busy: Duration,
    /// The time that the slowest batch took.
    pub(crate) slowest: Duration,
    pub(crate) checkpoints: u64,
    pub(crate) refused: u64,
    pub(crate) skipped: u64,
    pub(crate) dead_lettered: u64,
    /// The attempts after the first one. Without metrics, only those with records that were passed over are known.
    pub(crate) retries: u64,
    /// The processors that started.
    pub(crate) starts: u64,
    /// The processors that failed.
    pub(crate) failures: u64,
    /// The faults of chaos by name.
    pub(crate) faults: BTreeMap<String, u64>,
}

impl Period {
    pub(crate) fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.batches += other.batches;
        self.busy += other.busy;
        self.slowest = self.slowest.max(other.slowest);
        self.checkpoints += other.checkpoints;
        self.refused += other.refused;
        self.skipped += other.skipped;
        self.dead_lettered += other.dead_lettered;
        self.retries += other.retries;
        self.starts += other.starts;
        self.failures += other.failures;
        for (name, count) in &other.faults {
            *self.faults.entry(name.clone()).or_default() += count;
        }
    }
}

/// The periods of a run so far.
#[derive(Clone, Debug)]
pub(crate) struct Periods {
    length: Duration,
    periods: Vec<Period>,
}

impl Default for Periods {
    fn default() -> Self {
        Self { length: FIRST, periods: Vec::new() }
    }
}

impl Periods {
    /// The period that this time since the start of the run falls into.
    pub(crate) fn at(&mut self, time: Duration) -> &mut Period {
        while self.index(time) >= MOST {
            self.double();
        }
        let index = self.index(time);
        if self.periods.len() <= index {
            self.periods.resize_with(index + 1, Period::default);
        }
        &mut self.periods[index]
    }

    fn index(&self, time: Duration) -> usize {
        (time.as_nanos() / self.length.as_nanos()).try_into().unwrap_or(usize::MAX)
    }

    /// Joins each pair of neighbours.
    fn double(&mut self) {
        self.length *= 2;
        let pairs = self.periods.chunks(2).map(|pair| {
            let mut joined = pair[0].clone();
            pair.iter().skip(1).for_each(|other| joined.add(other));
            joined
        });
        self.periods = pairs.collect();
    }

    /// Makes the periods at least this long, by doubling their length.
    pub(crate) fn lengthen(&mut self, length: Duration) {
        while self.length < length {
            self.double();
        }
    }

    /// The shortest length of a period with which a run of this time has at most [`MOST`].
    pub(crate) fn length_for(time: Duration) -> Duration {
        let mut length = FIRST;
        while time.as_nanos() / length.as_nanos() >= MOST as u128 {
            length *= 2;
        }
        length
    }

    /// The period with this number, if anything happened in it or later.
    pub(crate) fn get(&self, index: usize) -> Option<&Period> {
        self.periods.get(index)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Period> {
        self.periods.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_double_and_lose_nothing() {
        let mut periods = Periods::default();
        let times: Vec<_> = (0..10_000).map(|nth| Duration::from_millis(nth * nth / 7)).collect();
        for time in &times {
            let period = periods.at(*time);
            period.records += 1;
            *period.faults.entry("kill".to_owned()).or_default() += 1;
            assert!(periods.iter().count() <= MOST);
        }
        assert_eq!(periods.iter().map(|period| period.records).sum::<u64>(), 10_000);
        assert_eq!(periods.iter().map(|period| period.faults["kill"]).sum::<u64>(), 10_000);
        let last = times[times.len() - 1];
        assert_eq!(periods.length, Periods::length_for(last));
        for (index, period) in periods.iter().enumerate() {
            let within = |time: &&Duration| time.as_nanos() / periods.length.as_nanos() == index as u128;
            assert_eq!(period.records, times.iter().filter(within).count() as u64, "{index}");
        }
    }

    #[test]
    fn the_periods_of_two_shards_can_be_compared() {
        let (mut long, mut short) = (Periods::default(), Periods::default());
        long.at(Duration::from_secs(86_400 * 365)).records += 1;
        short.at(Duration::from_secs(1)).records += 1;
        short.lengthen(long.length);
        assert_eq!((short.length, short.get(0).map(|period| period.records)), (long.length, Some(1)));
    }
}
