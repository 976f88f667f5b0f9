//! A sink that notes what a processor writes.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Debug};
use std::io;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crate::record::Record;
use crate::testing::context::Context;
use crate::testing::script::Kind;

/// A sink that notes what a processor writes, and for which records. Clones share it.
///
/// After each checkpoint, every record that it passes must have been written to each sink [of every
/// record](Self::every_record). That catches a processor that checkpoints too early, loses an error of its store, or
/// forgets the records that it still holds when it ends.
///
/// The run knows a sink if a processor owns a clone of it, if something was written to it during the run, or if
/// [`Daemon::sink`](super::Daemon::sink) names it.
///
/// ```
/// use kcl::testing::{Daemon, Sink};
/// use kcl::{Json, Shard};
///
/// struct Store {
///     sink: Sink<u64>,
/// }
///
/// #[kcl::processor(main = false)]
/// impl Store {
///     #[on_record]
///     fn store(&mut self, Json(cents): Json<u64>) -> Result<(), std::io::Error> {
///         self.sink.write(cents)
///     }
/// }
///
/// let sink = Sink::every_record();
/// let run = Daemon::new()
///     .batch(["5", "7"])
///     .run_with(|_: &Shard| Ok::<_, std::convert::Infallible>(Store { sink: sink.clone() }));
/// run.assert_succeeded();
/// assert_eq!(sink.values(), [5, 7]);
/// ```
pub struct Sink<T> {
    state: Arc<Mutex<State<T>>>,
    every_record: bool,
    made: &'static Location<'static>,
}

struct State<T> {
    writes: Vec<Write<T>>,
    /// The effects of the nth write of a shard, counted from 1.
    effects: BTreeMap<usize, Effect>,
    /// The number of writes of each shard in the current run.
    counts: BTreeMap<String, usize>,
    /// The records that were written in the current run, by shard and place.
    written: BTreeMap<String, BTreeSet<usize>>,
    /// The current run.
    run: u64,
}

struct Write<T> {
    run: u64,
    shard: String,
    places: Vec<usize>,
    value: T,
    text: String,
}

#[derive(Clone, Copy)]
enum Effect {
    Fail,
    Wait(Duration),
    Crash,
}

impl<T> Clone for Sink<T> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state), ..*self }
    }
}

impl<T> Debug for Sink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink").field("writes", &self.lock().writes.len()).finish_non_exhaustive()
    }
}

impl<T> Sink<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone + Debug + Send + 'static> Sink<T> {
    /// A sink that only notes what is written.
    #[track_caller]
    #[expect(clippy::new_without_default, reason = "a default would not know where it was made")]
    pub fn new() -> Self {
        Self::make(false)
    }

    /// A sink to which every record must be written before a checkpoint passes it, unless the failure policy skips or
    /// dead-letters it.
    #[track_caller]
    pub fn every_record() -> Self {
        Self::make(true)
    }

    #[track_caller]
    fn make(every_record: bool) -> Self {
        let state = State {
            writes: Vec::new(),
            effects: BTreeMap::new(),
            counts: BTreeMap::new(),
            written: BTreeMap::new(),
            run: 0,
        };
        let sink = Self { state: Arc::new(Mutex::new(state)), every_record, made: Location::caller() };
        SINKS.with_borrow_mut(|sinks| {
            sinks.retain(|known| known.state.strong_count() > 0);
            sinks.push(sink.known());
        });
        sink
    }

    /// Fails the `n`th write of each shard, counted from 1: it notes nothing.
    #[must_use]
    #[track_caller]
    pub fn fail_at(self, n: usize) -> Self {
        self.with(n, Effect::Fail)
    }

    /// Lets virtual time pass within the `n`th write of each shard.
    #[must_use]
    #[track_caller]
    pub fn wait_at(self, n: usize, time: Duration) -> Self {
        self.with(n, Effect::Wait(time))
    }

    /// Kills the process within the `n`th write of each shard, after the value was noted.
    #[must_use]
    #[track_caller]
    pub fn crash_at(self, n: usize) -> Self {
        self.with(n, Effect::Crash)
    }

    #[track_caller]
    fn with(self, n: usize, effect: Effect) -> Self {
        assert!(n > 0, "the writes of a sink are counted from 1");
        self.lock().effects.insert(n, effect);
        self
    }

    /// Writes a value, for the record that the handler has; in `#[on_records]`, for all records of the batch. In other
    /// handlers the value belongs to no record: use [`write_for`](Self::write_for) for records that were kept.
    ///
    /// # Errors
    ///
    /// If this write [fails](Self::fail_at).
    ///
    /// # Panics
    ///
    /// If it is not called by a handler, on the thread that runs the test.
    #[track_caller]
    pub fn write(&self, value: T) -> io::Result<()> {
        let context = Context::current("Sink::write");
        let places = context.half.lock().director.current();
        self.note(&context, places, value)
    }

    /// Writes a value for these records, which may come from earlier batches.
    ///
    /// # Errors
    ///
    /// If this write [fails](Self::fail_at).
    ///
    /// # Panics
    ///
    /// If it is not called by a handler, on the thread that runs the test, or if a record is not of this shard.
    #[track_caller]
    pub fn write_for<'r>(&self, records: impl IntoIterator<Item = &'r Record>, value: T) -> io::Result<()> {
        let context = Context::current("Sink::write_for");
        let places: Option<Vec<_>> = {
            let half = context.half.lock();
            records.into_iter().map(|record| half.director.ledger.find(record)).collect()
        };
        let Some(places) = places else { panic!("a record that is written is not of the shard {}", context.shard) };
        self.note(&context, places, value)
    }

    fn note(&self, context: &Context, places: Vec<usize>, value: T) -> io::Result<()> {
        context.act();
        if context.is_killed() {
            // A destructor writes, which would not run after a SIGKILL.
            return Err(io::Error::other("the process was killed"));
        }
        context.crash_if(|kind| matches!(kind, Kind::CrashBeforeWrite(_)));
        let result = self.keep(context, places, value);
        context.crash_if(|kind| matches!(kind, Kind::CrashAfterWrite(_)));
        result
    }

    fn keep(&self, context: &Context, places: Vec<usize>, value: T) -> io::Result<()> {
        let mut state = self.lock();
        state.enter(context.run);
        let count = state.counts.entry(context.shard.clone()).or_default();
        *count += 1;
        let nth = *count;
        let effect = state.effects.get(&nth).copied();
        if let Some(Effect::Fail) = effect {
            return Err(io::Error::other(format!("write {nth} of the sink fails, as the test asks for")));
        }
        state.written.entry(context.shard.clone()).or_default().extend(&places);
        let text = format!("{value:?}");
        state.writes.push(Write { run: context.run, shard: context.shard.clone(), places, value, text });
        drop(state);
        match effect {
            Some(Effect::Wait(time)) => context.clock.pass(time),
            Some(Effect::Crash) => context.crash(),
            _ => {}
        }
        Ok(())
    }

    /// All values, in the order in which they were written.
    pub fn values(&self) -> Vec<T> {
        self.lock().writes.iter().map(|write| write.value.clone()).collect()
    }

    /// The values that a shard wrote, each with the places of its records in the shard, counted from 1.
    pub fn values_of(&self, shard: &str) -> Vec<(Vec<usize>, T)> {
        let state = self.lock();
        let writes = state.writes.iter().filter(|write| write.shard == shard);
        writes.map(|write| (write.places.clone(), write.value.clone())).collect()
    }

    pub(crate) fn known(&self) -> Known {
        let state: Weak<Mutex<State<T>>> = Arc::downgrade(&self.state);
        Known { state, every_record: self.every_record, made: self.made }
    }
}

impl<T> State<T> {
    /// Starts a new run, if it is not the current one.
    fn enter(&mut self, run: u64) {
        if self.run != run {
            self.run = run;
            self.counts.clear();
            self.written.clear();
        }
    }
}

/// A sink, whatever its values are.
trait Written: Send + Sync {
    /// The first of these records that was not written during the run.
    fn missing(&self, run: u64, shard: &str, places: &[usize]) -> Option<usize>;
    /// Whether anything was written during the run.
    fn is_of(&self, run: u64) -> bool;
    /// Everything that a shard wrote during the run, as text. `forget` removes it.
    fn take(&self, run: u64, shard: &str, forget: bool) -> Vec<String>;
}

impl<T: Send> Written for Mutex<State<T>> {
    fn missing(&self, run: u64, shard: &str, places: &[usize]) -> Option<usize> {
        let state = self.lock().unwrap_or_else(PoisonError::into_inner);
        let written = state.written.get(shard).filter(|_| state.run == run);
        places.iter().copied().find(|place| written.is_none_or(|written| !written.contains(place)))
    }

    fn is_of(&self, run: u64) -> bool {
        self.lock().unwrap_or_else(PoisonError::into_inner).run == run
    }

    fn take(&self, run: u64, shard: &str, forget: bool) -> Vec<String> {
        let mut state = self.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |write: &Write<T>| write.run == run && write.shard == shard;
        let texts = state.writes.iter().filter(|write| of(write));
        let texts = texts.map(|write| format!("{} for records {:?}", write.text, write.places)).collect();
        if forget {
            state.writes.retain(|write| !of(write));
        }
        texts
    }
}

/// A sink, without the type of its values.
#[derive(Clone)]
pub(crate) struct Known {
    state: Weak<dyn Written>,
    every_record: bool,
    made: &'static Location<'static>,
}

impl Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the sink made at {}", self.made)
    }
}

thread_local! {
    /// The sinks that were made on this thread.
    static SINKS: RefCell<Vec<Known>> = const { RefCell::new(Vec::new()) };
}

/// The number of owners of each sink.
pub(crate) struct Owners(Vec<(Known, usize)>);

impl Owners {
    pub(crate) fn count() -> Self {
        Self(SINKS.with_borrow(|sinks| sinks.iter().map(|sink| (sink.clone(), sink.state.strong_count())).collect()))
    }
}

/// The sinks of a run.
#[derive(Clone, Debug)]
pub(crate) struct Sinks {
    run: u64,
    bound: Vec<Known>,
}

impl Sinks {
    pub(crate) fn new(run: u64, bound: Vec<Known>) -> Self {
        Self { run, bound }
    }

    /// Adds the sinks that have more owners than before: the processor that was just made.
    pub(crate) fn bind(&mut self, before: &Owners) {
        let more = before.0.iter().filter(|(sink, owners)| sink.state.strong_count() > *owners);
        let is_known = |sink: &Known| self.bound.iter().any(|bound| Weak::ptr_eq(&bound.state, &sink.state));
        let new: Vec<_> = more.map(|(sink, _)| sink).filter(|sink| !is_known(sink)).cloned().collect();
        self.bound.extend(new);
    }

    /// The first of these records that was not written to some sink of every record, and that sink.
    pub(crate) fn missing(&self, shard: &str, places: &[usize]) -> Option<(usize, String)> {
        let lacks = |sink: &Known| {
            let place = sink.state.upgrade()?.missing(self.run, shard, places)?;
            Some((place, format!("{sink:?}")))
        };
        let owned = self.bound.iter().filter(|sink| sink.every_record).find_map(lacks);
        owned.or_else(|| {
            let is_of = |sink: &&Known| sink.state.upgrade().is_some_and(|state| state.is_of(self.run));
            SINKS.with_borrow(|sinks| sinks.iter().filter(|sink| sink.every_record).filter(is_of).find_map(lacks))
        })
    }

    /// Everything that a shard wrote to any sink during this run, as text. `forget` removes it from the sinks.
    pub(crate) fn written(&self, shard: &str, forget: bool) -> Vec<String> {
        SINKS.with_borrow(|sinks| {
            let states = sinks.iter().filter_map(|sink| Some((sink.made, sink.state.upgrade()?)));
            let texts = states.flat_map(|(made, state)| {
                let texts = state.take(self.run, shard, forget);
                texts.into_iter().map(move |text| format!("wrote {text} to the sink made at {made}"))
            });
            texts.collect()
        })
    }
}
