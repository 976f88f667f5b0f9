//! A watch over handlers, which reports a long-running handler on stderr while it runs.
//!
//! A thread checks from time to time which call is running. For the calls themselves, the watch costs one store for
//! each record and two uncontended locks for each batch. They do not read the clock. Whoever wants to read it now and then
//! asks the watch when to do so.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::error::At;
use crate::io::stderr::Report;
use crate::record::Record;
use crate::shard::Shard;

/// The number of checks in the time after which the thread warns, or in the interval between checkpoints.
const CHECKS: u32 = 8;
/// The longest time between two checks.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Without a thread, the number of records after which the clock may be read again.
const RECORDS: u32 = 16;

/// A watch over the handlers of one processor.
#[derive(Debug)]
pub(crate) struct Watch {
    calls: Arc<Calls>,
    /// The thread that checks; `None` if there is none.
    thread: Option<Thread>,
}

#[derive(Debug, Default)]
struct Calls {
    /// The number of the call or record that is running, or 0. Every call and every record has its own number.
    running: AtomicU64,
    /// The last number that was assigned.
    last: AtomicU64,
    call: Mutex<Call>,
    /// The thread has checked since [`Running::may_look`] last returned true.
    ticked: AtomicBool,
    /// Without a thread, the number of records after which the clock may be read again; otherwise 0.
    stride: AtomicU32,
    /// Without a thread, the number of records until then.
    left: AtomicU32,
    over: AtomicBool,
}

/// A call of a handler.
#[derive(Clone, Debug, Default)]
struct Call {
    action: &'static str,
    /// The call's number. The numbers of its records follow it.
    number: u64,
    records: Option<Arc<Vec<Record>>>,
}

impl Calls {
    fn call(&self) -> MutexGuard<'_, Call> {
        self.call.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running handler, until this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    calls: Arc<Calls>,
    number: u64,
}

impl Watch {
    /// A watch without a thread, for a simulation: the clock may be read for each record.
    pub(crate) fn off() -> Self {
        Self::without_thread(1)
    }

    fn without_thread(stride: u32) -> Self {
        Self { calls: Arc::new(Calls { stride: stride.into(), ..Calls::default() }), thread: None }
    }

    /// Starts a watch that warns of handlers of this shard's processor that run for at least `after`, and that lets the
    /// clock be read eight times within `interval`.
    pub(crate) fn start(shard: &Shard, after: Duration, interval: Duration, report: &Report) -> Self {
        let mut watch = Self::without_thread(RECORDS);
        if after == Duration::MAX && interval == Duration::MAX {
            return watch;
        }
        let (calls, shard, thread_report) = (Arc::clone(&watch.calls), shard.id().to_owned(), report.clone());
        let thread = thread::Builder::new().name("kcl-watch".to_owned());
        match thread.spawn(move || check(&calls, &shard, after, interval, &thread_report)) {
            Ok(handle) => {
                watch.thread = Some(handle.thread().clone());
                watch.calls.stride.store(0, Ordering::Relaxed);
            }
            Err(error) => report.line(format_args!("long-running handlers will not be reported: {error}")),
        }
        watch
    }

    /// Records that a handler is called.
    pub(crate) fn enter(&self, action: &'static str, records: Option<&Arc<Vec<Record>>>) -> Running {
        let calls = Arc::clone(&self.calls);
        // Only this thread writes, so `fetch_add` is not needed.
        let number = calls.last.load(Ordering::Relaxed) + 1;
        calls.last.store(number + records.map_or(0, |records| records.len() as u64), Ordering::Relaxed);
        if self.thread.is_some() {
            *calls.call() = Call { action, number, records: records.cloned() };
        }
        calls.running.store(number, Ordering::Relaxed);
        Running { calls, number }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.calls.over.store(true, Ordering::Relaxed);
        if let Some(thread) = &self.thread {
            thread.unpark();
        }
    }
}

impl Running {
    /// Records that the handler starts the record at this place.
    pub(crate) fn reach(&self, place: usize) {
        self.calls.running.store(self.number + 1 + place as u64, Ordering::Relaxed);
    }

    /// Whether a look at the clock is worth its price: only if the thread has checked since the last look. Without a
    /// thread, at the first record and at one of every few after it.
    pub(crate) fn may_look(&self) -> bool {
        let Calls { ticked, stride, left, .. } = &*self.calls;
        let stride = stride.load(Ordering::Relaxed);
        if stride == 0 {
            return ticked.load(Ordering::Relaxed) && ticked.swap(false, Ordering::Relaxed);
        }
        // Only this thread writes.
        let now_left = left.load(Ordering::Relaxed).checked_sub(1);
        left.store(now_left.unwrap_or(stride - 1), Ordering::Relaxed);
        now_left.is_none()
    }

    /// Makes [`may_look`](Self::may_look) return true next time if there is no thread.
    pub(crate) fn look_again(&self) {
        self.calls.left.store(0, Ordering::Relaxed);
    }

    /// Records that the handler is done with single records, or waits between them.
    pub(crate) fn reach_end(&self) {
        self.calls.running.store(self.number, Ordering::Relaxed);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.calls.running.store(0, Ordering::Relaxed);
        self.calls.call().records = None;
    }
}

/// Checks until the watch is over.
fn check(calls: &Calls, shard: &str, after: Duration, interval: Duration, report: &Report) {
    let pause = (after.min(interval) / CHECKS).clamp(Duration::from_millis(1), LONGEST_PAUSE);
    // A warning at once, and then all the time, would be useless.
    let after = after.max(pause);
    let (mut seen, mut since, mut next) = (0, Instant::now(), after);
    loop {
        thread::park_timeout(pause);
        if calls.over.load(Ordering::Relaxed) {
            return;
        }
        calls.ticked.store(true, Ordering::Relaxed);
        let now = calls.running.load(Ordering::Relaxed);
        if now != seen {
            (seen, since, next) = (now, Instant::now(), after);
        } else if now != 0 && since.elapsed() >= next {
            // The next warning comes after twice the time.
            next = next.saturating_mul(2);
            let call = calls.call().clone();
            // Unless the call has just ended.
            if let Some(place) = now.checked_sub(call.number) {
                if let Some(line) = line(shard, &call, place, since.elapsed()) {
                    report.line(line);
                }
            }
        }
    }
}

/// The warning. `place` is 0 for the whole batch, or else the place of a record, counted from 1.
fn line(shard: &str, call: &Call, place: u64, elapsed: Duration) -> Option<String> {
    let none = Vec::new();
    let records = call.records.as_deref().unwrap_or(&none);
    let one = match place {
        0 => None,
        place => Some(records.get(usize::try_from(place - 1).ok()?)?),
    };
    let at = At::new(records, one);
    // A record's place also shows how far the batch has come.
    let of = one.map(|_| format!(", number {place} of {} in its batch,", records.len())).unwrap_or_default();
    let elapsed = Duration::from_millis(elapsed.as_millis().try_into().unwrap_or(u64::MAX));
    Some(format!("shard {shard}: {}{at}{of} has been running for {elapsed:.0?}", call.action))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_thread_the_clock_is_read_now_and_then() {
        let watch = Watch::without_thread(RECORDS);
        let running = watch.enter("processRecords", None);
        let looks: Vec<_> = (0..40).filter(|_| running.may_look()).collect();
        assert_eq!(looks, [0, 16, 32]);
        running.look_again();
        assert!(running.may_look() && !running.may_look());

        let running = Watch::off().enter("processRecords", None);
        assert!((0..40).all(|_| running.may_look()));
    }

    #[test]
    fn with_a_thread_the_clock_is_read_once_after_each_check() {
        let shard = Shard::new("shard", crate::shard::Position::TrimHorizon);
        let watch = Watch::start(&shard, Duration::MAX, Duration::from_millis(80), &Report::Printed);
        let running = watch.enter("processRecords", None);
        let start = Instant::now();
        let mut looks = 0;
        while looks < 5 {
            looks += u128::from(running.may_look());
        }
        assert!(start.elapsed().as_millis() >= 40, "{:?}", start.elapsed());
    }
}
