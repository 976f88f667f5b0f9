//! The numbers of records that are handled at once.
//!
//! The conversation's thread counts without a lock, and takes one only for the attempts that are timed or that fail.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::metrics::collector::{SLOW, STRIDE};
use crate::runner::events::Step;

/// The numbers that the thread of the watch reads.
#[derive(Debug, Default)]
pub(super) struct Gauges {
    in_flight: AtomicU64,
    blocked: AtomicU64,
}

impl Gauges {
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// The number of partition keys whose next record waits for another attempt.
    pub(super) fn blocked(&self) -> u64 {
        self.blocked.load(Ordering::Relaxed)
    }
}

/// Follows the records that are handled at once.
#[derive(Debug)]
pub(super) struct AtOnce {
    in_flight: u64,
    blocked: u64,
    /// The number of fast attempts since the last one that was timed.
    untimed: u32,
    /// The number of fast attempts of which one is timed.
    stride: u32,
    /// The records whose last attempt failed, by their arrival, and whether their partition keys wait for another one.
    failed: BTreeMap<u64, bool>,
}

impl Default for AtOnce {
    fn default() -> Self {
        Self { in_flight: 0, blocked: 0, untimed: 0, stride: 1, failed: BTreeMap::new() }
    }
}

impl AtOnce {
    /// Takes into account what happens to the record that arrived at this place. If an attempt that is timed has ended, returns how
    /// long it took, and for how many attempts it stands.
    #[inline]
    pub(super) fn observe(
        &mut self,
        at: u64,
        step: &Step<'_>,
        gauges: &Gauges,
        now: impl FnOnce() -> Duration,
    ) -> Option<(Duration, u32)> {
        let mut time = None;
        match *step {
            Step::Started { attempt, .. } => self.start(at, attempt),
            Step::Ended { began, running, result } => {
                time = self.end(began, running, now);
                if result.is_err() {
                    self.failed.insert(at, false);
                }
            }
            Step::Parked { blocks, .. } => {
                self.failed.insert(at, blocks);
                self.blocked += u64::from(blocks);
            }
            Step::Settled { .. } => {
                if !self.failed.is_empty() {
                    self.failed.remove(&at);
                }
                return None;
            }
            Step::Dropped { .. } => self.abandon(at),
            Step::Letter | Step::Taken(_) => return None,
        }
        // Nothing else writes them.
        gauges.in_flight.store(self.in_flight, Ordering::Relaxed);
        gauges.blocked.store(self.blocked, Ordering::Relaxed);
        time
    }

    fn start(&mut self, at: u64, attempt: u32) {
        self.in_flight += 1;
        if attempt > 1 && self.failed.remove(&at) == Some(true) {
            self.blocked -= 1;
        }
    }

    /// Times each slow attempt, which stands only for itself, and a sample of the fast ones.
    fn end(&mut self, began: Duration, running: Duration, now: impl FnOnce() -> Duration) -> Option<(Duration, u32)> {
        // Beside others, one record costs the processor only a part of its time.
        let others = u32::try_from(self.in_flight).unwrap_or(u32::MAX).max(1);
        self.in_flight = self.in_flight.saturating_sub(1);
        let is_slow = |time: Duration| time / others >= SLOW;
        if is_slow(running.saturating_sub(began)) {
            return Some((now().saturating_sub(began), 1));
        }
        self.untimed += 1;
        if self.untimed < self.stride {
            return None;
        }
        let time = now().saturating_sub(began);
        // It was slow without waiting.
        self.stride = if is_slow(time) { 1 } else { STRIDE };
        Some((time, std::mem::take(&mut self.untimed)))
    }

    /// Forgets a record that is dropped while it is handled, or while it waits.
    fn abandon(&mut self, at: u64) {
        match self.failed.remove(&at) {
            Some(blocks) => self.blocked -= u64::from(blocks),
            None => self.in_flight = self.in_flight.saturating_sub(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Failure;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn attempts_and_blocked_keys_are_counted() {
        let (mut at_once, gauges) = (AtOnce::default(), Gauges::default());
        let mut step = |at, step: Step<'_>, now| {
            let time = at_once.observe(at, &step, &gauges, || millis(now));
            (time, gauges.in_flight(), gauges.blocked())
        };
        let started = |attempt| Step::Started { attempt, since: Duration::ZERO };
        let ended = |began, running, result| Step::Ended { began: millis(began), running: millis(running), result };
        let failure = Failure::Error("failed".into());
        assert_eq!(step(0, started(1), 0), (None, 1, 0));
        assert_eq!(step(1, started(1), 1), (None, 2, 0));
        assert_eq!(step(2, started(1), 2), (None, 3, 0));
        assert_eq!(step(1, ended(1, 4, Err(&failure)), 5), (Some((millis(4), 1)), 2, 0));
        assert_eq!(step(1, Step::Parked { wait: millis(9), blocks: true }, 5), (None, 2, 1));
        assert_eq!(step(0, ended(0, 7, Ok(())), 7), (Some((millis(7), 1)), 1, 1));
        assert_eq!(step(0, Step::Settled { since: Duration::ZERO }, 7), (None, 1, 1));
        // The second attempt has a time of its own.
        assert_eq!(step(1, started(2), 14), (None, 2, 0));
        assert_eq!(step(1, ended(14, 14, Err(&failure)), 15), (Some((millis(1), 1)), 1, 0));
        // Without an order, no key waits.
        assert_eq!(step(1, Step::Parked { wait: millis(9), blocks: false }, 15), (None, 1, 0));
        assert_eq!(step(1, Step::Dropped { since: Duration::ZERO }, 16), (None, 1, 0));
        assert_eq!(step(2, ended(2, 17, Err(&failure)), 17), (Some((millis(15), 1)), 0, 0));
        // The handler of dead letters is not an attempt.
        assert_eq!(step(2, Step::Letter, 17), (None, 0, 0));
        assert_eq!(step(2, Step::Taken(Ok(())), 18), (None, 0, 0));
        assert_eq!(step(2, Step::Settled { since: Duration::ZERO }, 18), (None, 0, 0));
        assert_eq!(step(3, started(1), 20), (None, 1, 0));
        assert_eq!(step(3, Step::Dropped { since: Duration::ZERO }, 21), (None, 0, 0));
        assert!(at_once.failed.is_empty(), "{at_once:?}");
    }

    /// The times of attempts that each take this long after the processor was last seen to run, and for how many each of them stands.
    fn times(attempts: impl Iterator<Item = (Duration, Duration)>) -> Vec<(Duration, u32)> {
        let (mut at_once, gauges) = (AtOnce::default(), Gauges::default());
        let mut times = Vec::new();
        for (at, (running, time)) in (0..).zip(attempts) {
            let started = Step::Started { attempt: 1, since: Duration::ZERO };
            assert_eq!(at_once.observe(at, &started, &gauges, || unreachable!("the clock is not read")), None);
            let ended = Step::Ended { began: Duration::ZERO, running, result: Ok(()) };
            times.extend(at_once.observe(at, &ended, &gauges, || time));
        }
        times
    }

    #[test]
    fn of_fast_attempts_a_sample_is_timed() {
        let fast = Duration::from_micros(3);
        let expected = [1, STRIDE, STRIDE, STRIDE];
        let attempts = (0..4 * STRIDE).map(|_| (Duration::ZERO, fast));
        assert_eq!(times(attempts), expected.map(|attempts| (fast, attempts)));
    }

    #[test]
    fn each_slow_attempt_among_fast_ones_is_timed() {
        let (fast, slow) = (Duration::from_micros(3), millis(200));
        let attempts = (0..2 * STRIDE).map(|number| match number % 100 {
            50 => (millis(199), slow),
            _ => (Duration::ZERO, fast),
        });
        let times = times(attempts);
        assert_eq!(times.iter().filter(|time| **time == (slow, 1)).count(), 5, "{times:?}");
        assert_eq!(times.iter().filter(|time| time.0 == fast).map(|time| time.1).sum::<u32>(), 1 + STRIDE);
    }
}
