//! Models of the watch: its thread beside the thread that calls the handlers.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::*;
use crate::runner::shared::records;
use crate::shard::Position;
use crate::sync;
use crate::sync::thread::yield_now;

/// A clock that goes on by a second whenever it is read, so that every second look at a call is worth a warning.
struct Fast(AtomicU64);

impl Clock for Fast {
    fn now(&self) -> Duration {
        Duration::from_secs(self.0.fetch_add(1, Ordering::Relaxed))
    }

    fn sleep(&self, _: Duration, _: Option<BorrowedFd<'_>>) -> bool {
        false
    }

    fn jitter(&self, limit: Duration) -> Duration {
        limit
    }
}

/// Lets a watch follow `calls` under every order of its thread and the caller, and gives its warnings to `judge`. Returns the number of
/// warnings.
fn model(calls: impl Fn(&mut Watch) + Send + Sync + 'static, judge: fn(&str)) -> usize {
    let warnings = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&warnings);
    sync::model(3, move || {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let report = Report::callback({
            let lines = Arc::clone(&lines);
            move |line: &str| lines.lock().expect("no panic").push(line.to_owned())
        });
        let clock: Arc<dyn Clock> = Arc::new(Fast(AtomicU64::new(0)));
        let shard = Shard::new("s", Position::TrimHorizon);
        let after = Duration::from_millis(1);
        let mut watch = Watch::start(&shard, after, Duration::MAX, &clock, &report, Gauge::default());
        calls(&mut watch);
        // Its thread ends, or the model fails.
        drop(watch);
        let lines = lines.lock().expect("no panic");
        lines.iter().for_each(|line| judge(line));
        counted.fetch_add(lines.len(), Ordering::Relaxed);
    });
    warnings.load(Ordering::Relaxed)
}

#[test]
fn a_warning_names_the_call_that_runs_and_its_record() {
    let calls = |watch: &mut Watch| {
        for (action, first) in [("one", 10), ("two", 20)] {
            let records = records(first, 2);
            watch.observe(&Event::Called { action, records: Some(&records) });
            watch.observe(&Event::At(Some(1)));
            yield_now();
            watch.observe(&Event::Returned);
        }
    };
    let judge = |line: &str| {
        // The records of the first call have the number 5, and those of the second one the number 10.
        assert!(line.contains(if line.contains(": one") { " 5/" } else { " 10/" }), "{line}");
    };
    assert!(model(calls, judge) > 0);
}

#[test]
fn a_warning_names_a_record_that_is_handled_at_once_with_others() {
    let calls = |watch: &mut Watch| {
        let records = records(10, 2);
        let since = Duration::ZERO;
        for (at, record) in (0..).zip(&records) {
            let step = Step::Started { attempt: 1, since };
            watch.observe(&Event::Among { at, record, step });
            yield_now();
            watch.observe(&Event::Among { at, record, step: Step::Settled { since } });
        }
    };
    assert!(
        model(calls, |line| assert!(line.contains("at record 5/0 ") || line.contains("at record 5/1 "), "{line}")) > 0
    );
}
