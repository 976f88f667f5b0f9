//! Earlier values, from which rates and recent durations are computed.

use std::time::{Duration, Instant};

/// Values of the recent past. One of them is between one and two intervals old, once the run is old enough.
#[derive(Clone, Debug)]
pub(super) struct Recent<T> {
    every: Duration,
    older: Option<(Instant, T)>,
    newer: (Instant, T),
}

impl<T> Recent<T> {
    /// The past of something that begins with this value.
    pub(super) fn new(every: Duration, now: Instant, value: T) -> Self {
        Self { every, older: None, newer: (now, value) }
    }

    /// Keeps the present value, if it is time for the next one.
    pub(super) fn keep(&mut self, now: Instant, value: impl FnOnce() -> T) {
        if now.saturating_duration_since(self.newer.0) >= self.every {
            self.older = Some(std::mem::replace(&mut self.newer, (now, value())));
        }
    }

    /// The oldest value that is kept, and its age.
    pub(super) fn before(&self, now: Instant) -> (Duration, &T) {
        let (at, value) = self.older.as_ref().unwrap_or(&self.newer);
        (now.saturating_duration_since(*at), value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_is_between_one_and_two_intervals_old() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut recent = Recent::new(Duration::from_secs(5), start, 0);
        for second in 0..=20 {
            recent.keep(at(second), || second);
            let (age, value) = recent.before(at(second));
            assert_eq!(age.as_secs(), second - value);
            assert!(age.as_secs() < 10 && (second < 5 || age.as_secs() >= 5), "{second}: {age:?}");
        }
    }
}
