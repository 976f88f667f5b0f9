//! A watch over handlers, which reports a long-running handler on stderr while it runs.
//!
//! A thread checks from time to time which call is running. For the calls themselves, the watch costs one store for
//! each record and two uncontended locks for each batch. They do not read the clock.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::error::At;
use crate::io::stderr::Report;
use crate::record::Record;
use crate::shard::Shard;

/// The number of checks in the time after which the thread warns.
const CHECKS: u32 = 8;
/// The longest time between two checks.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

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
    /// A watch without a thread.
    pub(crate) fn off() -> Self {
        Self { calls: Arc::default(), thread: None }
    }

    /// Starts a watch that warns of handlers of this shard's processor that run for at least `after`.
    pub(crate) fn start(shard: &Shard, after: Duration, report: &Report) -> Self {
        let mut watch = Self::off();
        let (calls, shard, thread_report) = (Arc::clone(&watch.calls), shard.id().to_owned(), report.clone());
        let thread = thread::Builder::new().name("kcl-watch".to_owned());
        match thread.spawn(move || check(&calls, &shard, after, &thread_report)) {
            Ok(handle) => watch.thread = Some(handle.thread().clone()),
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

    /// Records that the handler is done with single records.
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
fn check(calls: &Calls, shard: &str, after: Duration, report: &Report) {
    let pause = (after / CHECKS).clamp(Duration::from_millis(1), LONGEST_PAUSE);
    // A warning at once, and then all the time, would be useless.
    let after = after.max(pause);
    let (mut seen, mut since, mut next) = (0, Instant::now(), after);
    loop {
        thread::park_timeout(pause);
        if calls.over.load(Ordering::Relaxed) {
            return;
        }
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
