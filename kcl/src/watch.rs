//! A watch over handlers: one that runs for long is named on stderr while it runs.
//!
//! A thread looks now and then which call is at work. The calls themselves cost a store for each record and two uncontended locks
//! for each batch: no clock is read for them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::error::At;
use crate::report::Report;
use crate::{Record, Shard};

/// How often the thread looks in the time after which it warns.
const LOOKS: u32 = 8;
/// The longest time between two looks.
const LONGEST: Duration = Duration::from_secs(5);

/// Over the handlers of one processor.
#[derive(Debug)]
pub(crate) struct Watch {
    calls: Arc<Calls>,
    /// The one that looks; `None` if nobody does.
    thread: Option<Thread>,
}

#[derive(Debug, Default)]
struct Calls {
    /// What is at work: 0 for nothing, else a number that nothing else has had.
    at_work: AtomicU64,
    /// The last number given out.
    last: AtomicU64,
    call: Mutex<Call>,
    over: AtomicBool,
}

/// A call of a handler.
#[derive(Clone, Debug, Default)]
struct Call {
    action: &'static str,
    /// Its number; those of its records, one by one, follow.
    number: u64,
    records: Option<Arc<Vec<Record>>>,
}

impl Calls {
    fn call(&self) -> MutexGuard<'_, Call> {
        self.call.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handler at work, until it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    calls: Arc<Calls>,
    number: u64,
}

impl Watch {
    /// Nobody looks.
    pub(crate) fn off() -> Self {
        Self { calls: Arc::default(), thread: None }
    }

    /// Warns of handlers of this shard's processor that run as long.
    pub(crate) fn start(shard: &Shard, after: Duration, report: &Report) -> Self {
        let mut watch = Self::off();
        let (calls, shard, said) = (Arc::clone(&watch.calls), shard.id().to_owned(), report.clone());
        let thread = thread::Builder::new().name("kcl-watch".to_owned());
        match thread.spawn(move || look(&calls, &shard, after, &said)) {
            Ok(handle) => watch.thread = Some(handle.thread().clone()),
            Err(error) => report.line(format_args!("handlers that run for long will not be named: {error}")),
        }
        watch
    }

    /// A handler is called.
    pub(crate) fn enter(&self, action: &'static str, records: Option<&Arc<Vec<Record>>>) -> Running {
        let calls = Arc::clone(&self.calls);
        // Only this side writes, so this needs no `fetch_add`.
        let number = calls.last.load(Ordering::Relaxed) + 1;
        calls.last.store(number + records.map_or(0, |records| records.len() as u64), Ordering::Relaxed);
        if self.thread.is_some() {
            *calls.call() = Call { action, number, records: records.cloned() };
        }
        calls.at_work.store(number, Ordering::Relaxed);
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
    /// The record of this place is handed over.
    pub(crate) fn reach(&self, place: usize) {
        self.calls.at_work.store(self.number + 1 + place as u64, Ordering::Relaxed);
    }

    /// What is at work now concerns no single record.
    pub(crate) fn reach_end(&self) {
        self.calls.at_work.store(self.number, Ordering::Relaxed);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.calls.at_work.store(0, Ordering::Relaxed);
        self.calls.call().records = None;
    }
}

/// Looks until it is over.
fn look(calls: &Calls, shard: &str, after: Duration, report: &Report) {
    let pause = (after / LOOKS).clamp(Duration::from_millis(1), LONGEST);
    // At once and then all the time would be of no use.
    let after = after.max(pause);
    let (mut seen, mut since, mut next) = (0, Instant::now(), after);
    loop {
        thread::park_timeout(pause);
        if calls.over.load(Ordering::Relaxed) {
            return;
        }
        let now = calls.at_work.load(Ordering::Relaxed);
        if now != seen {
            (seen, since, next) = (now, Instant::now(), after);
        } else if now != 0 && since.elapsed() >= next {
            // As long again before the next line on it.
            next = next.saturating_mul(2);
            let call = calls.call().clone();
            // Unless it has just come to its end.
            if let Some(place) = now.checked_sub(call.number) {
                if let Some(line) = line(shard, &call, place, since.elapsed()) {
                    report.line(line);
                }
            }
        }
    }
}

/// `place` is 0 for the whole batch, else a record's, counted from 1.
fn line(shard: &str, call: &Call, place: u64, elapsed: Duration) -> Option<String> {
    let none = Vec::new();
    let records = call.records.as_deref().unwrap_or(&none);
    let one = match place {
        0 => None,
        place => Some(records.get(usize::try_from(place - 1).ok()?)?),
    };
    let at = At::new(records, one);
    // More than a record's own number is known: how far the batch is.
    let of = one.map(|_| format!(", number {place} of {} in its batch,", records.len())).unwrap_or_default();
    let elapsed = Duration::from_millis(elapsed.as_millis().try_into().unwrap_or(u64::MAX));
    Some(format!("shard {shard}: {}{at}{of} has been running for {elapsed:.0?}", call.action))
}
