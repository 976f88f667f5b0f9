//! The distribution of durations.

use std::time::Duration;

/// The number of buckets for each power of two.
const PARTS: usize = 16;

/// A distribution of durations, accurate to a sixteenth of each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times {
    /// The number of durations in each bucket of microseconds.
    buckets: Vec<u64>,
    count: u64,
    most: Duration,
}

impl Times {
    pub(crate) fn add(&mut self, time: Duration) {
        let bucket = bucket(time.as_micros().try_into().unwrap_or(u64::MAX));
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
        self.count += 1;
        self.most = self.most.max(time);
    }

    pub(crate) fn add_all(&mut self, other: &Self) {
        if self.buckets.len() < other.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (own, other) in self.buckets.iter_mut().zip(&other.buckets) {
            *own += other;
        }
        self.count += other.count;
        self.most = self.most.max(other.most);
    }

    /// The duration that this percentage of durations did not exceed, in milliseconds.
    pub(crate) fn percentile(&self, percent: u64) -> f64 {
        let rank = (self.count * percent).div_ceil(100);
        let mut below = 0;
        let found = self.buckets.iter().position(|count| {
            below += count;
            below >= rank
        });
        let most = self.max();
        found.map_or(0.0, |bucket| (last_of(bucket) as f64 / 1e3).min(most))
    }

    /// The number of durations.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The longest duration, in milliseconds.
    pub(crate) fn max(&self) -> f64 {
        self.most.as_secs_f64() * 1e3
    }
}

fn bucket(micros: u64) -> usize {
    if micros < PARTS as u64 {
        return micros as usize;
    }
    let exponent = micros.ilog2() as usize;
    let part = (micros >> (exponent - 4)) as usize % PARTS;
    (exponent - 3) * PARTS + part
}

/// The most microseconds that fall into a bucket.
fn last_of(bucket: usize) -> u64 {
    if bucket < PARTS {
        return bucket as u64;
    }
    let exponent = bucket / PARTS + 3;
    let part = (bucket % PARTS) as u128;
    u64::try_from(((PARTS as u128 + part + 1) << (exponent - 4)) - 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_falls_into_its_bucket() {
        let mut last = 0;
        for bucket_number in 1..PARTS * 60 {
            let most = last_of(bucket_number);
            assert!(most > last, "{bucket_number}");
            assert_eq!([bucket(last + 1), bucket(most)], [bucket_number; 2]);
            last = most;
        }
        assert!(last_of(bucket(u64::MAX)) == u64::MAX);
    }

    #[test]
    fn percentiles_are_right_to_a_sixteenth() {
        let mut times = Times::default();
        assert_eq!(times.percentile(50), 0.0);
        (1..=1_000).for_each(|millis| times.add(Duration::from_millis(millis)));
        for (percent, expected) in [(50, 500.0), (99, 990.0), (100, 1_000.0)] {
            let found = times.percentile(percent);
            assert!((expected..=expected * 17.0 / 16.0).contains(&found), "{percent}: {found}");
        }
        let mut both = Times::default();
        both.add_all(&times);
        assert_eq!((both.count(), both.max()), (1_000, 1_000.0));
    }
}
