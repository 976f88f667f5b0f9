//! Earlier values, from which rates and recent durations are computed.

use std::time::{Duration, Instant};

/// Values of the recent past. One of them is between one and two intervals old, once the run is old enough.
#[derive(Clone, Debug)]
pub(super) struct Recent<T> {
    every: Duration,
    older: Option<(Instant, T)>,
    newer: Option<(Instant, T)>,
}

impl<T> Recent<T> {
    pub(super) fn new(every: Duration) -> Self {
        Self { every, older: None, newer: None }
    }

    /// Keeps the present value, if it is time for the next one.
    pub(super) fn keep(&mut self, now: Instant, value: impl FnOnce() -> T) {
        let is_due = self.newer.as_ref().is_none_or(|(at, _)| now.saturating_duration_since(*at) >= self.every);
        if is_due {
            self.older = self.newer.take();
            self.newer = Some((now, value()));
        }
    }

    /// The oldest value that is kept, and its age.
    pub(super) fn before(&self, now: Instant) -> Option<(Duration, &T)> {
        let (at, value) = self.older.as_ref().or(self.newer.as_ref())?;
        Some((now.saturating_duration_since(*at), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_is_between_one_and_two_intervals_old() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut recent = Recent::new(Duration::from_secs(5));
        assert_eq!(recent.before(at(0)), None);
        for second in 0..=20 {
            recent.keep(at(second), || second);
            let (age, value) = recent.before(at(second)).expect("a value");
            assert_eq!(age.as_secs(), second - value);
            assert!(age.as_secs() < 10 && (second < 5 || age.as_secs() >= 5), "{second}: {age:?}");
        }
    }
}
