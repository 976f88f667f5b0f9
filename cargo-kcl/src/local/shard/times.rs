//! The distribution of durations.

use std::time::Duration;

use kcl::__private::Histogram;

/// A distribution of durations, accurate to a sixteenth of each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times(Histogram);

impl Times {
    pub(crate) fn add(&mut self, time: Duration) {
        self.0.add(time.as_nanos().try_into().unwrap_or(u64::MAX));
    }

    pub(crate) fn add_all(&mut self, other: &Self) {
        self.0.merge(&other.0);
    }

    /// The durations in nanoseconds.
    pub(crate) fn nanos(&self) -> &Histogram {
        &self.0
    }

    /// The duration that this percentage of durations did not exceed, in milliseconds.
    pub(crate) fn percentile(&self, percent: u8) -> f64 {
        millis(self.0.quantile(f64::from(percent) / 100.0))
    }

    /// The number of durations.
    pub(crate) fn count(&self) -> u64 {
        self.0.count()
    }

    /// The longest duration, in milliseconds.
    pub(crate) fn max(&self) -> f64 {
        millis(self.0.max())
    }
}

fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_shown_in_milliseconds() {
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
