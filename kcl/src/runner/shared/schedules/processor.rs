//! The processors of schedules, and how a schedule is followed.

use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::async_processor::AsyncProcessor;
use crate::checkpoint::asynchronous::AsyncCheckpointer;
use crate::checkpoint::pace::Checkpoints;
use crate::concurrency::{Concurrency, ConcurrentRecord, ConcurrentTick};
use crate::dead_letter::letter::DeadLetter;
use crate::error::{BoxError, RunError};
use crate::inputs::{LeaseLost, ProcessRecords, ShardEnded, ShutdownRequested};
use crate::io::stderr::Report;
use crate::payload::{Json, UndecodablePayload};
use crate::permanent::Permanent;
use crate::policy::FailurePolicy;
use crate::protocol::WireRecord;
use crate::record::Record;
use crate::runner::conversation::{Conversation, Waits};
use crate::runner::converse;
use crate::runner::shared::random::Random;
use crate::runner::shared::schedules::cases::KINDS;
use crate::runner::shared::schedules::daemon::{Daemon, Ends};
use crate::runner::shared::schedules::model::{End, Entry, Model, State};
use crate::runner::shared::schedules::world::{Time, VirtualClock};
use crate::shard::Shard;

/// A processor of one kind.
struct Processor<const KIND: usize> {
    daemon: Arc<Daemon>,
}

/// A handler that is running. If it is dropped before its end, it was cancelled.
struct Running<'a> {
    daemon: &'a Daemon,
    place: usize,
    due: Option<Duration>,
    has_ended: bool,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let now = self.daemon.time.now();
        let mut state = self.daemon.state();
        if self.has_ended || state.is_dead {
            return;
        }
        let place = self.place;
        state.model.tell(now, || format!("record {} is cancelled", place + 1));
        if self.due.is_some_and(|due| due <= now) {
            // It took too long.
            state.model.end(place, End::Failed, now);
        } else {
            state.model.entries[place].state = State::Open;
        }
    }
}

impl<const KIND: usize> Processor<KIND> {
    fn place(&self, record: &Record) -> usize {
        let numbers = |record: &Record| (record.sequence_number(), record.sub_sequence_number());
        let state = self.daemon.state();
        let found = state.model.entries.iter().position(|entry| numbers(&entry.record) == numbers(record));
        found.expect("a record of the schedule")
    }

    /// Waits now and then, for as long as the schedule says.
    async fn work(&self) {
        let waits = self.daemon.state().random.below(3);
        for _ in 0..waits {
            let (time, wait) = (&self.daemon.time, self.daemon.state().random.below(20) as u64);
            if wait == 0 {
                let mut yielded = false;
                std::future::poll_fn(|cx| {
                    if std::mem::replace(&mut yielded, true) {
                        return Poll::Ready(());
                    }
                    cx.waker().wake_by_ref();
                    Poll::Pending
                })
                .await;
            } else {
                time.until(time.now() + Duration::from_millis(wait.min(10))).await;
            }
        }
    }
}

impl<const KIND: usize> AsyncProcessor for Processor<KIND> {
    const CHECKPOINTS: Checkpoints = KINDS[KIND].pace;
    const POLICY: FailurePolicy = KINDS[KIND].policy;
    const TIMEOUT: Option<Duration> = KINDS[KIND].timeout;
    const TICK: Option<Duration> = KINDS[KIND].tick;
    const CONCURRENCY: Option<Concurrency> = Some(KINDS[KIND].concurrency);
    const WARN_AFTER: Duration = Duration::from_millis(15);

    async fn process_records(&mut self, _: &mut ProcessRecords<'_, AsyncCheckpointer>) -> Result<(), BoxError> {
        unreachable!("records are handled at once")
    }

    async fn process_record(&self, input: &ConcurrentRecord<'_>) -> Result<(), BoxError> {
        let (daemon, now) = (&*self.daemon, self.daemon.time.now());
        let place = self.place(input.record());
        {
            let state = &mut *daemon.state();
            state.model.tell(now, || format!("record {} starts", place + 1));
            state.model.begin(place, now);
        }
        let due = Self::TIMEOUT.map(|timeout| now + timeout);
        let mut running = Running { daemon, place, due, has_ended: false };
        self.work().await;
        let now = daemon.time.now();
        let state = &mut *daemon.state();
        running.has_ended = true;
        let draw = if state.is_calm { 99 } else { state.random.below(40) };
        let (end, result) = match draw {
            0..4 => (End::Failed, Err("it failed".into())),
            4 => (End::Failed, Ok(())),
            5 => (End::Permanent, Err(Permanent("it will always fail").into())),
            6 => {
                let error = UndecodablePayload::read::<Json<u64>>(input.record()).expect_err("not a number");
                (End::Undecodable, Err(error.into()))
            }
            _ => (End::Done, Ok(())),
        };
        state.model.tell(now, || format!("record {}: {end:?}", place + 1));
        state.model.end(place, end, now);
        if draw == 4 {
            // A panic without its message on stderr.
            resume_unwind(Box::new("it panicked"));
        }
        result
    }

    async fn concurrent_dead_letter(&self, letter: &DeadLetter<'_>) -> Result<(), BoxError> {
        let (daemon, now) = (&*self.daemon, self.daemon.time.now());
        let place = self.place(letter.record());
        {
            let state = &mut *daemon.state();
            state.model.tell(now, || format!("the letter of record {} starts", place + 1));
            state.model.take(place, now);
        }
        let mut running = Running { daemon, place, due: None, has_ended: false };
        self.work().await;
        let now = daemon.time.now();
        let state = &mut *daemon.state();
        running.has_ended = true;
        let is_taken = state.is_calm || !state.random.one_in(10);
        state.model.tell(now, || format!("the letter of record {} is taken: {is_taken}", place + 1));
        state.model.taken(place, is_taken, now);
        if is_taken { Ok(()) } else { Err("no room".into()) }
    }

    async fn concurrent_tick(&self, _: &ConcurrentTick<'_>) -> Result<(), BoxError> {
        self.daemon.state().model.tick_runs = true;
        self.work().await;
        let now = self.daemon.time.now();
        let state = &mut *self.daemon.state();
        state.model.tick_runs = false;
        if !state.is_calm && state.random.one_in(30) {
            state.model.fail(now);
            return Err("the tick failed".into());
        }
        Ok(())
    }

    async fn lease_lost(&mut self, _: &mut LeaseLost<'_>) -> Result<(), BoxError> {
        self.alone("leaseLost")
    }

    async fn shard_ended(&mut self, _: &mut ShardEnded<'_, AsyncCheckpointer>) -> Result<(), BoxError> {
        self.alone("shardEnded")
    }

    async fn shutdown_requested(&mut self, _: &mut ShutdownRequested<'_, AsyncCheckpointer>) -> Result<(), BoxError> {
        self.alone("shutdownRequested")
    }
}

impl<const KIND: usize> Processor<KIND> {
    /// A handler that needs the processor alone.
    fn alone(&mut self, action: &str) -> Result<(), BoxError> {
        let state = &mut *self.daemon.state();
        let running = state.model.running();
        if running > 0 {
            state.model.violate(format!("{running} handlers run beside {action}"));
        }
        if action == "shardEnded" && state.model.open() > 0 {
            state.model.violate("the shard ended with records that are not settled".to_owned());
        }
        Ok(())
    }
}

/// The records of a schedule: every two of them are the user records of one aggregated record.
fn records(random: &mut Random) -> Vec<Entry> {
    let (count, keys) = (1 + random.below(6), 1 + random.below(4));
    let keys: Vec<String> = (0..count).map(|_| char::from(b'a' + random.below(keys) as u8).to_string()).collect();
    let records = WireRecord::into_batch(keys.iter().enumerate().map(|(place, key)| WireRecord {
        data: b"data",
        partition_key: key,
        sequence_number: (place as u64 / 2 + 1).into(),
        sub_sequence_number: place as u64 % 2,
        approximate_arrival_timestamp: None,
    }));
    let entry = |record: Record| Entry {
        key: record.partition_key().chars().next().unwrap_or_default(),
        record,
        state: State::Open,
        attempts: 0,
        tried_at: Duration::ZERO,
        was_settled: false,
    };
    records.into_iter().map(entry).collect()
}

/// The number of processes after which nothing goes wrong any more.
const TROUBLED: usize = 1;

/// Follows a schedule until the shard has ended.
pub(super) fn follow<const KIND: usize>(seed: u64, is_told: bool) -> (Vec<String>, Vec<String>) {
    let mut random = Random(seed);
    let (clock_seed, picks) = (random.next(), random.one_in(2));
    let time = Time::new(clock_seed, picks);
    let entries = records(&mut random);
    let model = Model {
        kind: &KINDS[KIND],
        picks,
        entries,
        start: 0,
        delivered: 0,
        batches: Vec::new(),
        checkpointed: 0,
        was_refused: false,
        is_lost: false,
        has_hole: false,
        failed_at: None,
        ends_at: None,
        is_over: false,
        is_draining: false,
        tick_runs: false,
        violations: Vec::new(),
        events: is_told.then(Vec::new),
    };
    let daemon = Daemon::new(Arc::clone(&time), random, model);
    for process in 0.. {
        let state = daemon.state();
        if state.has_ended || !state.model.violations.is_empty() {
            break;
        }
        drop(state);
        if process > TROUBLED {
            daemon.state().is_calm = true;
        }
        if process > TROUBLED + 1 {
            daemon.state().model.violate("the shard does not end".to_owned());
        }
        live::<KIND>(&daemon);
    }
    let state = &mut *daemon.state();
    if let Some(lost) = state.model.entries.iter().position(|entry| !entry.was_settled) {
        state.model.violate(format!("record {} was never settled", lost + 1));
    }
    (std::mem::take(&mut state.model.violations), state.model.events.take().unwrap_or_default())
}

/// The life of one process.
fn live<const KIND: usize>(daemon: &Arc<Daemon>) {
    daemon.start();
    let killed_after = {
        let state = &mut *daemon.state();
        if !state.is_calm && state.random.one_in(4) { 1 + state.random.below(30) } else { usize::MAX }
    };
    let clock = Arc::new(VirtualClock(Arc::clone(&daemon.time)));
    let report = Report::callback({
        let daemon = Arc::clone(daemon);
        move |line: &str| {
            let now = daemon.time.now();
            // The daemon's state may be locked by whoever reports.
            daemon.state().model.tell(now, || line.to_owned());
        }
    });
    let conversation = Conversation::new(Box::new(Ends(Arc::clone(daemon))), clock, report, Waits::Task);
    let make = async |_: &Shard| Ok::<_, BoxError>(Processor::<KIND> { daemon: Arc::clone(daemon) });
    let mut steps = 0;
    let ended = {
        let mut task = pin!(converse(&make, conversation, false));
        let ended = daemon.time.run(
            task.as_mut(),
            || {
                steps += 1;
                steps < killed_after
            },
            || daemon.idle(),
        );
        // A process that is killed does nothing more.
        daemon.state().is_dead = !matches!(ended, Ok(Some(_)));
        ended
    };
    let state = &mut *daemon.state();
    let now = daemon.time.now();
    match ended {
        Err(problem) => state.model.violate(problem.to_owned()),
        Ok(None) => state.model.tell(now, || "the process is killed".to_owned()),
        Ok(Some(result)) => {
            // What it found out at this moment counts, too.
            state.model.look_at_end(now + Duration::from_nanos(1));
            let is_gone = state.model.has_ended(now);
            judge(&mut state.model, result, now, is_gone);
        }
    }
    state.model.check_duplicates();
}

/// Judges the end of a process.
fn judge(model: &mut Model, result: Result<(), RunError>, now: Duration, is_gone: bool) {
    model.tell(now, || format!("the process ends: {result:?}"));
    let running = model.running();
    if running > 0 {
        model.violate(format!("{running} handlers run after the end"));
    }
    match result {
        // A failure is excused once the lease is gone.
        Ok(()) if model.failed_at.is_some() && !model.is_lost && !is_gone => {
            model.violate("the process did not fail although a record did".to_owned());
        }
        // Whether the lease was lost, nobody can read after the end of the input.
        Err(RunError::Handler(failed)) if model.failed_at.is_none() && !(model.is_lost && is_gone) => {
            model.violate(format!("the process failed: {failed}"));
        }
        Err(error @ RunError::ShardEnd { .. }) if !model.was_refused && !is_gone => {
            model.violate(format!("the process failed: {error}"));
        }
        Err(error) if !matches!(error, RunError::Handler(_) | RunError::ShardEnd { .. }) => {
            model.violate(format!("the process failed: {error}"));
        }
        _ => {}
    }
}
