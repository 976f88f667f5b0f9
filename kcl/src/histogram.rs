//! A distribution of numbers in fixed buckets, so that two of them can be added.

use serde::{Deserialize, Serialize};

/// The number of buckets for each power of two.
const PARTS: usize = 16;
/// The number of buckets that a number of 64 bits can fall into.
const BUCKETS: usize = PARTS * 61;

/// A distribution of numbers, such as nanoseconds or sizes of batches.
///
/// A number falls into one of 16 buckets for its power of two, so the error of a [`quantile`](Self::quantile) is at most a
/// sixteenth. All histograms have the same buckets, so [`merge`](Self::merge) loses nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Sparse", try_from = "Sparse")]
pub struct Histogram {
    /// The count of each bucket, up to the last one that is not empty.
    buckets: Vec<u64>,
    count: u64,
    sum: u64,
    max: u64,
}

impl Histogram {
    /// Adds a number.
    pub fn add(&mut self, value: u64) {
        self.add_times(value, 1);
    }

    /// Adds a number as often as this.
    pub fn add_times(&mut self, value: u64, times: u64) {
        let bucket = bucket(value);
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] = self.buckets[bucket].saturating_add(times);
        self.count = self.count.saturating_add(times);
        self.sum = self.sum.saturating_add(value.saturating_mul(times));
        self.max = self.max.max(value);
    }

    /// Adds the numbers of another histogram.
    pub fn merge(&mut self, other: &Self) {
        if self.buckets.len() < other.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (own, other) in self.buckets.iter_mut().zip(&other.buckets) {
            *own = own.saturating_add(*other);
        }
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
    }

    /// The numbers that were added since this histogram was `earlier`. The largest of them is known to a sixteenth.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = earlier.buckets.iter().copied().chain(std::iter::repeat(0));
        let mut buckets: Vec<_> =
            self.buckets.iter().zip(before).map(|(now, before)| now.saturating_sub(before)).collect();
        let filled = buckets.iter().rposition(|&count| count > 0).map_or(0, |last| last + 1);
        buckets.truncate(filled);
        Self {
            max: filled.checked_sub(1).map_or(0, |last| last_of(last).min(self.max)),
            buckets,
            count: self.count.saturating_sub(earlier.count),
            sum: self.sum.saturating_sub(earlier.sum),
        }
    }

    /// The number that this share of all numbers does not exceed, such as 0.99; 0 without any numbers.
    pub fn quantile(&self, share: f64) -> u64 {
        let rank = (self.count as f64 * share.clamp(0.0, 1.0)).ceil() as u64;
        let mut below = 0_u64;
        let found = self.buckets.iter().position(|&count| {
            below = below.saturating_add(count);
            below >= rank.max(1)
        });
        found.map_or(self.max, |bucket| last_of(bucket).min(self.max))
    }

    /// How many numbers are below this power of two.
    pub fn below_power(&self, exponent: u32) -> u64 {
        let end = 1_u64.checked_shl(exponent).map_or(BUCKETS, bucket);
        self.buckets.iter().take(end).fold(0, |sum, &count| sum.saturating_add(count))
    }

    /// The number of numbers.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The sum of the numbers.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The largest number.
    pub fn max(&self) -> u64 {
        self.max
    }
}

/// A histogram as it is written: the buckets that are not empty, with their places.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Sparse {
    count: u64,
    sum: u64,
    max: u64,
    buckets: Vec<(usize, u64)>,
}

impl From<Histogram> for Sparse {
    fn from(Histogram { buckets, count, sum, max }: Histogram) -> Self {
        let buckets = buckets.into_iter().enumerate().filter(|&(_, count)| count > 0).collect();
        Self { count, sum, max, buckets }
    }
}

impl TryFrom<Sparse> for Histogram {
    type Error = &'static str;

    fn try_from(Sparse { count, sum, max, buckets: sparse }: Sparse) -> Result<Self, Self::Error> {
        let mut buckets = Vec::new();
        for (place, count) in sparse {
            if place >= BUCKETS {
                return Err("a histogram has no such bucket");
            }
            if buckets.len() <= place {
                buckets.resize(place + 1, 0);
            }
            buckets[place] = count;
        }
        Ok(Self { buckets, count, sum, max })
    }
}

fn bucket(value: u64) -> usize {
    if value < PARTS as u64 {
        return value as usize;
    }
    let exponent = value.ilog2() as usize;
    let part = (value >> (exponent - 4)) as usize % PARTS;
    (exponent - 3) * PARTS + part
}

/// The largest number that falls into a bucket.
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

    fn of(values: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::default();
        values.into_iter().for_each(|value| histogram.add(value));
        histogram
    }

    #[test]
    fn every_number_falls_into_its_bucket() {
        let mut last = 0;
        for place in 1..BUCKETS - 1 {
            let most = last_of(place);
            assert!(most > last, "{place}");
            assert_eq!([bucket(last + 1), bucket(most)], [place; 2]);
            last = most;
        }
        assert_eq!((bucket(u64::MAX), last_of(BUCKETS - 1)), (BUCKETS - 1, u64::MAX));
    }

    #[test]
    fn quantiles_are_right_to_a_sixteenth() {
        assert_eq!(Histogram::default().quantile(0.5), 0);
        let histogram = of(1..=1_000);
        for (share, expected) in [(0.0, 1.0), (0.5, 500.0), (0.99, 990.0), (1.0, 1_000.0)] {
            let found = histogram.quantile(share) as f64;
            assert!((expected..=expected * 17.0 / 16.0).contains(&found), "{share}: {found}");
        }
        assert_eq!((histogram.count(), histogram.sum(), histogram.max()), (1_000, 500_500, 1_000));
        assert_eq!([0, 1, 5, 10, 64].map(|power| histogram.below_power(power)), [0, 1, 31, 1_000, 1_000]);
    }

    #[test]
    fn histograms_are_added_and_subtracted() {
        let (few, many) = (of([3, 70]), of(0..=100));
        let mut both = few.clone();
        both.merge(&many);
        assert_eq!((both.count(), both.sum(), both.max()), (103, 5123, 100));
        let rest = both.since(&many);
        assert_eq!((rest.count(), rest.sum(), rest.quantile(0.5)), (2, 73, 3));
        assert!((70..=74).contains(&rest.max()), "{}", rest.max());
        assert_eq!(both.since(&both), Histogram { max: 0, ..Histogram::default() });
        let mut weighed = Histogram::default();
        weighed.add_times(7, 64);
        assert_eq!((weighed.count(), weighed.sum(), weighed.quantile(0.5)), (64, 448, 7));
    }

    #[test]
    fn a_histogram_survives_being_written() {
        let histogram = of([0, 0, 17, 1 << 40, u64::MAX]);
        let text = serde_json::to_string(&histogram).expect("it has a form");
        assert_eq!(serde_json::from_str::<Histogram>(&text).expect("it is read again"), histogram);
        for wrong in ["{\"buckets\":[[976,1]]}", "{\"buckets\":[[-1,1]]}", "{\"count\":1e99}", "[]x"] {
            assert!(serde_json::from_str::<Histogram>(wrong).is_err(), "{wrong}");
        }
    }
}
