//! Limits the records per second to the rate that the user asked for.

use std::time::Duration;

use tokio::time::Instant;

/// Computes how many records may be put by now, at a steady rate.
#[derive(Debug)]
pub(crate) struct Pace {
    /// The time between two records. `None` for no limit.
    each: Option<Duration>,
    /// The time up to which the rate is used up by the records already put.
    paid: Instant,
}

/// The unused rate of a longer time is lost; calls may take this long without lowering the rate.
const BURST: Duration = Duration::from_secs(1);

impl Pace {
    pub(crate) fn new(rate: Option<u32>, now: Instant) -> Self {
        Self { each: rate.map(|rate| Duration::from_secs(1) / rate), paid: now }
    }

    /// How many records may be put now.
    pub(crate) fn allows(&mut self, now: Instant) -> usize {
        let Some(each) = self.each else { return usize::MAX };
        if let Some(burst) = now.checked_sub(BURST.max(each)) {
            self.paid = self.paid.max(burst);
        }
        let due = now.saturating_duration_since(self.paid).as_nanos() / each.as_nanos().max(1);
        due.try_into().unwrap_or(usize::MAX)
    }

    /// Counts records that are put now.
    pub(crate) fn spend(&mut self, records: usize) {
        if let Some(each) = self.each {
            self.paid += each * u32::try_from(records).unwrap_or(u32::MAX);
        }
    }

    /// When the next record is allowed.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.each.map(|each| self.paid + each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_at_the_rate_and_a_pause_is_not_made_up_for() {
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        let mut pace = Pace::new(Some(100), start);
        assert_eq!(pace.allows(start), 0);
        assert_eq!(pace.next(), Some(after(10)));
        assert_eq!(pace.allows(after(50)), 5);
        pace.spend(5);
        assert_eq!(pace.allows(after(55)), 0);
        assert_eq!(pace.allows(after(5_000)), 100);
        let mut slow = Pace::new(Some(1), start);
        assert_eq!((slow.allows(after(999)), slow.allows(after(1_000)), slow.allows(after(9_000))), (0, 1, 1));
        assert_eq!(Pace::new(None, start).allows(start), usize::MAX);
    }
}
