//! Conversations in virtual time, written out: which lines are sent, when, and which go to stderr.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::async_processor::AsyncProcessor;
use crate::checkpoint::asynchronous::AsyncCheckpointer;
use crate::checkpoint::pace::Checkpoints;
use crate::concurrency::{Concurrency, ConcurrentRecord, ConcurrentTick};
use crate::error::{BoxError, RunError};
use crate::inputs::ProcessRecords;
use crate::io::lines::{Io, Received, Watcher};
use crate::io::stderr::Report;
use crate::policy::FailurePolicy;
use crate::protocol::scanner::Scanner;
use crate::protocol::{Message, Reply, WireRecord};
use crate::record::Record;
use crate::runner::conversation::{Conversation, Waits};
use crate::runner::converse;
use crate::runner::shared::random::Random;
use crate::runner::shared::schedules::world::{Time, VirtualClock};
use crate::shard::{Position, Shard};

/// A daemon that sends its messages one after the other, and accepts checkpoints unless `refusals` has an exception.
#[derive(Clone)]
struct Daemon(Arc<Mutex<Script>>);

struct Script {
    time: Arc<Time>,
    /// The messages, and how long the daemon waits before each.
    messages: VecDeque<(Duration, Message)>,
    ready_at: Option<Duration>,
    is_pending: bool,
    answer: Option<Message>,
    /// The exceptions of the next answers.
    refusals: VecDeque<&'static str>,
    /// When the daemon closes the input.
    ends_at: Duration,
    /// When the daemon closes the output.
    gone_at: Duration,
    /// The lines that the processor sends, and those that go to stderr, each with its time in milliseconds.
    log: Vec<String>,
}

impl Daemon {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for this time.
    fn poll_time(&self, at: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let script = self.script();
        if script.time.now() >= at {
            return Poll::Ready(());
        }
        script.time.wake_at(at, cx.waker());
        Poll::Pending
    }

    fn log(&self, text: &str) {
        let mut script = self.script();
        let millis = script.time.now().as_millis();
        script.log.push(format!("{millis} {text}"));
    }
}

impl Io for Daemon {
    fn receive(&mut self, _: &mut Scanner) -> Received {
        unreachable!("the thread does not wait")
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>, _: &mut Scanner) -> Poll<Received> {
        let script = &mut *self.script();
        if script.time.now() >= script.ends_at {
            return Poll::Ready(Ok(None));
        }
        if let Some(answer) = script.answer.take() {
            return Poll::Ready(Ok(Some(Ok(answer))));
        }
        if script.is_pending {
            script.time.wake_at(script.ends_at, cx.waker());
            return Poll::Pending;
        }
        let Some((wait, _)) = script.messages.front() else { return Poll::Ready(Ok(None)) };
        let now = script.time.now();
        let ready_at = *script.ready_at.get_or_insert(now + *wait);
        if ready_at > now {
            script.time.wake_at(ready_at, cx.waker());
            return Poll::Pending;
        }
        (script.ready_at, script.is_pending) = (None, true);
        Poll::Ready(Ok(script.messages.pop_front().map(|(_, message)| Ok(message))))
    }

    fn send(&mut self, line: &[u8]) -> io::Result<()> {
        match Reply::from_line(line) {
            Ok(Reply::Status { response_for }) => {
                self.log(&response_for.unwrap_or_default());
                self.script().is_pending = false;
            }
            Ok(Reply::Checkpoint { sequence_number, sub_sequence_number }) => {
                let number = sequence_number.as_deref().unwrap_or("null");
                self.log(&format!("checkpoint {number}"));
                let mut script = self.script();
                let error = script.refusals.pop_front().map(str::to_owned);
                script.answer = Some(Message::Checkpoint { sequence_number, sub_sequence_number, error });
            }
            Err(error) => self.log(&format!("{error}")),
        }
        Ok(())
    }

    fn watcher(&self) -> Option<Box<dyn Watcher>> {
        Some(Box::new(self.clone()))
    }
}

impl Watcher for Daemon {
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let ends_at = self.script().ends_at;
        self.poll_time(ends_at, cx)
    }

    fn poll_both(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let gone_at = self.script().gone_at;
        self.poll_time(gone_at, cx)
    }
}

/// The behaviour of a handler with a record: how long it takes, and its result.
type Act<'a> = &'a dyn Fn(&Record) -> (Duration, Result<(), BoxError>);

/// The choices of a scenario's processor.
trait Choices {
    const CONCURRENCY: Concurrency;
    const POLICY: FailurePolicy = FailurePolicy::new();
    const CHECKPOINTS: Checkpoints = Checkpoints::Batch;
    const TIMEOUT: Option<Duration> = None;
    const TICK: Option<Duration> = None;
}

/// A processor with a state that cannot be sent to another thread.
struct Processor<'a, C> {
    time: Arc<Time>,
    act: Act<'a>,
    /// The time of all handlers together.
    work: Rc<Cell<Duration>>,
    choices: std::marker::PhantomData<C>,
}

impl<C: Choices> AsyncProcessor for Processor<'_, C> {
    const CONCURRENCY: Option<Concurrency> = Some(C::CONCURRENCY);
    const POLICY: FailurePolicy = C::POLICY;
    const CHECKPOINTS: Checkpoints = C::CHECKPOINTS;
    const TIMEOUT: Option<Duration> = C::TIMEOUT;
    const TICK: Option<Duration> = C::TICK;

    async fn process_records(&mut self, _: &mut ProcessRecords<'_, AsyncCheckpointer>) -> Result<(), BoxError> {
        unreachable!("records are handled at once")
    }

    async fn process_record(&self, input: &ConcurrentRecord<'_>) -> Result<(), BoxError> {
        let (time, result) = (self.act)(input.record());
        self.time.until(self.time.now() + time).await;
        self.work.set(self.work.get() + time);
        result
    }

    async fn concurrent_tick(&self, _: &ConcurrentTick<'_>) -> Result<(), BoxError> {
        pending().await
    }
}

/// How a scenario ended.
struct Ended {
    log: Vec<String>,
    result: Result<(), RunError>,
    /// The time of all handlers together, over the time of the run.
    busy: f64,
}

fn run<C: Choices>(messages: Vec<(u64, Message)>, refusals: &[&'static str], act: Act<'_>) -> Ended {
    run_until::<C>([Duration::MAX; 2], messages, refusals, act)
}

/// Runs with a daemon that closes the input and the output at these times.
fn run_until<C: Choices>(
    [ends_at, gone_at]: [Duration; 2],
    messages: Vec<(u64, Message)>,
    refusals: &[&'static str],
    act: Act<'_>,
) -> Ended {
    let time = Time::new(7, false);
    let initialize = Message::Initialize { shard_id: "shard".to_owned(), position: Position::TrimHorizon };
    let messages = [(0, initialize)].into_iter().chain(messages);
    let script = Script {
        time: Arc::clone(&time),
        messages: messages.map(|(wait, message)| (ms(wait), message)).collect(),
        ready_at: None,
        is_pending: false,
        answer: None,
        refusals: refusals.iter().copied().collect(),
        ends_at,
        gone_at,
        log: Vec::new(),
    };
    let daemon = Daemon(Arc::new(Mutex::new(script)));
    let report = Report::callback({
        let daemon = daemon.clone();
        move |line: &str| daemon.log(line)
    });
    let work = Rc::new(Cell::new(Duration::ZERO));
    let clock = Arc::new(VirtualClock(Arc::clone(&time)));
    let conversation = Conversation::new(Box::new(daemon.clone()), clock, report, Waits::Task);
    let make = async |_: &Shard| {
        let (time, work, choices) = (Arc::clone(&time), Rc::clone(&work), std::marker::PhantomData::<C>);
        Ok::<_, BoxError>(Processor { time, act, work, choices })
    };
    let mut task = pin!(converse(&make, conversation, false));
    let ended = time.run(task.as_mut(), || true, || ());
    let result = ended.expect("the run ends").expect("nobody gives it up");
    let log = daemon.script().log.iter().skip(1).cloned().collect();
    Ended { log, result, busy: work.get().as_secs_f64() / time.now().as_secs_f64() }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A batch of records with these numbers and keys.
fn batch<'k>(records: impl IntoIterator<Item = (u64, &'k str)>) -> Message {
    let records = WireRecord::into_batch(records.into_iter().map(|(number, partition_key)| WireRecord {
        data: b"data",
        partition_key,
        sequence_number: number.into(),
        sub_sequence_number: 0,
        approximate_arrival_timestamp: None,
    }));
    Message::ProcessRecords { records, millis_behind_latest: None }
}

fn number(record: &Record) -> u64 {
    record.sequence_number().to_string().parse().expect("a small number")
}

macro_rules! choices {
    ($name:ident: $($constant:tt)*) => {
        struct $name;
        impl Choices for $name { $($constant)* }
    };
}

choices!(Ahead: const CONCURRENCY: Concurrency = Concurrency::new(4).ahead(1).drain(Duration::from_millis(50)););
choices!(Plain: const CONCURRENCY: Concurrency = Concurrency::new(4).drain(Duration::from_millis(50)););
choices!(Timed:
    const CONCURRENCY: Concurrency = Concurrency::new(4).ahead(3);
    const CHECKPOINTS: Checkpoints = Checkpoints::Interval(Duration::from_millis(100)););
choices!(Ticking:
    const CONCURRENCY: Concurrency = Concurrency::new(4).ahead(1).drain(Duration::from_millis(50));
    const TICK: Option<Duration> = Some(Duration::from_millis(10)););
choices!(Limited:
    const CONCURRENCY: Concurrency = Concurrency::new(4);
    const POLICY: FailurePolicy =
        FailurePolicy::new().retry(1).backoff(Duration::ZERO, Duration::ZERO).on_failure(crate::FailureAction::Skip);
    const TIMEOUT: Option<Duration> = Some(Duration::from_millis(30)););

choices!(Narrow:
    const CONCURRENCY: Concurrency = Concurrency::new(1).ahead(1).drain(Duration::from_millis(50));
    const POLICY: FailurePolicy =
        FailurePolicy::new().retry(1).backoff(Duration::ZERO, Duration::ZERO).on_failure(crate::FailureAction::Skip););

choices!(Patient:
    const CONCURRENCY: Concurrency = Concurrency::new(4);
    const CHECKPOINTS: Checkpoints = Checkpoints::Interval(HOUR););

choices!(Hasty:
    const CONCURRENCY: Concurrency = Concurrency::new(4);
    const CHECKPOINTS: Checkpoints = Checkpoints::Interval(Duration::ZERO););

/// Each record takes as long as its number says.
fn by_number(record: &Record) -> (Duration, Result<(), BoxError>) {
    (ms(number(record)), Ok(()))
}

/// apache/pulsar#8192: records that are queued are not done, whatever the time of the checkpoint.
#[test]
fn records_that_wait_are_never_checkpointed() {
    let batches = [batch((1..5).map(|n| (n, "a"))), batch((5..9).map(|n| (n, "b"))), batch([])];
    let messages = batches.into_iter().map(|batch| (60, batch)).collect();
    let ended = run::<Timed>(messages, &[], &|_| (ms(60), Ok(())));
    // At 120 ms, one record of four is done, and the others wait for it.
    assert_eq!(ended.log, ["60 processRecords", "120 checkpoint 1", "120 processRecords", "180 processRecords"]);
}

#[test]
fn a_refused_checkpoint_is_not_due_again_at_once_whatever_the_pace_is() {
    let messages = vec![(0, batch([(10, "a"), (20, "b")]))];
    let ended = run::<Hasty>(messages, &["InvalidStateException"; 100], &by_number);
    let requests = ended.log.iter().filter(|line| line.ends_with("checkpoint 10")).count();
    assert!((2..=11).contains(&requests), "{:?}", ended.log);
}

/// snowplow/enrich#652: a checkpoint of everything that was delivered, with work in flight.
#[test]
fn everything_is_not_checkpointed_while_a_record_is_in_flight() {
    let messages = vec![(0, batch([(10, "a"), (90, "slow"), (91, "b")])), (0, Message::ShutdownRequested)];
    // The record 90 takes longer than the drain.
    let ended = run::<Ahead>(messages, &[], &|record| (ms(if number(record) == 90 { 900 } else { 5 }), Ok(())));
    let report = "1 record was still not done 50ms after the shutdown was requested; its next owner gets it";
    assert_eq!(
        ended.log,
        ["0 processRecords", &format!("50 shard shard: {report}"), "50 checkpoint 10", "50 shutdownRequested"]
    );
}

/// remind101/kinesumer#1: a checkpoint that goes backwards.
#[test]
fn checkpoints_only_go_forwards() {
    let batches = (0..6).map(|at| batch((0..4).map(move |n| (10 * at + 9 - n, ["a", "b", "c", "d"][n as usize]))));
    let mut messages: Vec<_> = batches.map(|batch| (0, batch)).collect();
    messages.push((0, Message::ShardEnded));
    let ended = run::<Ahead>(messages, &[], &|record| (ms(number(record) * 7 % 23), Ok(())));
    assert!(ended.result.is_ok() && ended.log.len() > 8, "{:?}", ended.log);
}

#[test]
fn a_failure_checkpoints_what_is_settled_and_tells_what_comes_again() {
    let messages = vec![(0, batch([(10, "a"), (20, "b"), (30, "c"), (40, "d"), (41, "a")]))];
    let ended = run::<Plain>(messages, &[], &|record| {
        let result = if number(record) == 20 { Err("no room".into()) } else { Ok(()) };
        (ms(number(record)), result)
    });
    assert_eq!(
        ended.log,
        // The record 41 runs since the end of 10, and is finished within the drain.
        ["51 checkpoint 10", "51 shard shard: 4 records will be delivered again, although 3 of them are done",]
    );
    let error = ended.result.expect_err("a failure").to_string();
    assert_eq!(error, "shard shard: processRecords failed: no room; at record 20/0 with partition key `b`");
}

#[test]
fn after_a_failure_between_messages_the_next_one_is_not_handled() {
    let messages = vec![(0, batch([(10, "a"), (30, "b")])), (40, batch([(50, "c")]))];
    let fail = |record: &Record| (ms(number(record)), if number(record) == 30 { Err("no".into()) } else { Ok(()) });
    let ended = run::<Ahead>(messages.clone(), &[], &fail);
    assert_eq!(
        ended.log,
        ["0 processRecords", "40 checkpoint 10", "40 shard shard: 2 records will be delivered again",]
    );
    assert!(matches!(ended.result, Err(RunError::Handler(_))));

    // If no message comes in time, nothing may be written.
    let late = vec![messages[0].clone(), (900, messages[1].1.clone())];
    let ended = run::<Ahead>(late, &[], &fail);
    assert_eq!(
        ended.log,
        ["0 processRecords", "80 shard shard: 2 records will be delivered again, although 1 of them is done"]
    );
    assert!(matches!(ended.result, Err(RunError::Handler(_))));

    // The lease is gone, and the failure with it.
    let ended = run::<Ahead>(vec![messages[0].clone(), (40, Message::LeaseLost)], &[], &fail);
    assert_eq!(ended.log.last().map(String::as_str), Some("40 leaseLost"));
    assert!(ended.log[1].ends_with("the message is acknowledged anyway, because the lease is gone"), "{:?}", ended.log);
    assert!(ended.result.is_ok());

    // Neither the end of the shard nor the end of the input is an excuse.
    assert!(run::<Ahead>(vec![messages[0].clone(), (40, Message::ShardEnded)], &[], &fail).result.is_err());
    assert!(run_until::<Ahead>([ms(40); 2], messages, &[], &fail).result.is_err());
}

#[test]
fn a_message_that_breaks_the_conversation_is_no_excuse_for_a_failure() {
    let fail = |record: &Record| (ms(number(record)), if number(record) == 30 { Err("no".into()) } else { Ok(()) });
    let initialize = Message::Initialize { shard_id: "shard".to_owned(), position: Position::TrimHorizon };
    let messages = vec![(0, batch([(10, "a"), (30, "b"), (500, "c")])), (40, initialize)];
    let ended = run::<Ahead>(messages, &[], &fail);
    let failure = "40 shard shard: processRecords failed: no; at record 30/0 with partition key `b`";
    assert_eq!(ended.log, ["0 processRecords", failure]);
    assert!(matches!(ended.result, Err(RunError::Unexpected { action: "initialize", .. })));
}

#[test]
fn a_lost_lease_cancels_everything_and_is_acknowledged() {
    let messages =
        vec![(0, batch([(10, "a"), (900, "b")])), (20, batch([])), (0, batch([(30, "c")])), (0, Message::LeaseLost)];
    let ended = run::<Ahead>(messages, &["ShutdownException"], &by_number);
    assert_eq!(
        ended.log,
        [
            "0 processRecords",
            "20 checkpoint 10",
            "20 shard shard: the lease is gone: 1 record is left to its new owner, and the message is acknowledged",
            "20 processRecords",
            // The record 30 is handled, and no checkpoint is sent.
            "20 processRecords",
            "20 leaseLost",
        ]
    );
    assert!(ended.result.is_ok());
}

#[test]
fn after_a_lost_lease_no_checkpoint_is_sent_and_nothing_is_watched() {
    let messages = vec![
        (0, batch([(10, "a")])),
        (20, batch([])),
        // No daemon sends records without a lease.
        (0, batch([(30, "b")])),
        (40, batch([(900, "c")])),
        (0, Message::LeaseLost),
        (200_000, Message::LeaseLost),
    ];
    let ended = run::<Ahead>(messages, &["ShutdownException"], &by_number);
    assert_eq!(
        ended.log,
        [
            "0 processRecords",
            "20 checkpoint null",
            "20 processRecords",
            "20 processRecords",
            "60 processRecords",
            "60 leaseLost",
            "200060 leaseLost",
        ]
    );
}

#[test]
fn an_attempt_that_waits_for_a_slot_is_dropped_with_the_lease() {
    let messages = vec![
        (0, batch([(10, "a"), (20, "b"), (900, "c")])),
        (100, batch([])),
        (0, Message::LeaseLost),
        (200_000, Message::LeaseLost),
    ];
    let fail =
        |record: &Record| (ms(number(record)), if number(record) == 20 { Err("no room".into()) } else { Ok(()) });
    let ended = run::<Narrow>(messages, &["ShutdownException"], &fail);
    assert_eq!(
        ended.log,
        [
            "0 processRecords",
            "100 checkpoint 10",
            "100 shard shard: the lease is gone: 2 records are left to its new owner, and the message is acknowledged",
            "100 processRecords",
            "100 leaseLost",
            // The record 20 is not said to be running.
            "200100 leaseLost",
        ]
    );
}

#[test]
fn records_that_were_never_begun_are_not_blamed_on_the_drain() {
    let messages = vec![(0, batch([(10, "a"), (20, "b"), (30, "c")])), (0, Message::ShutdownRequested)];
    let ended = run::<Narrow>(messages, &[], &by_number);
    assert_eq!(
        ended.log,
        [
            "0 processRecords",
            "10 shard shard: 2 records were not done before the shutdown; their next owner gets them",
            "10 checkpoint 10",
            "10 shutdownRequested",
        ]
    );
}

#[test]
fn a_failure_is_reported_although_the_daemon_goes_away_during_a_checkpoint() {
    let messages = vec![(0, batch([(10, "a"), (30, "b")])), (20, batch([]))];
    let fail =
        |record: &Record| (ms(number(record)), if number(record) == 30 { Err("no room".into()) } else { Ok(()) });
    // The record fails, and the daemon goes away, before the second attempt to make a checkpoint.
    let ended = run_until::<Ahead>([ms(31); 2], messages, &["ThrottlingException"], &fail);
    assert!(ended.result.is_err(), "{:?}", ended.log);
}

choices!(Retrying:
    const CONCURRENCY: Concurrency = Concurrency::new(3).drain(Duration::from_millis(50));
    const POLICY: FailurePolicy =
        FailurePolicy::new().retry(1).backoff(HOUR, HOUR).on_failure(crate::FailureAction::DeadLetter););

const HOUR: Duration = Duration::from_secs(3600);

/// A handler that fails with the records 20 and 40.
fn fail_twice(record: &Record) -> (Duration, Result<(), BoxError>) {
    let number = number(record);
    (ms(number), if matches!(number, 20 | 40) { Err("no room".into()) } else { Ok(()) })
}

#[test]
fn a_record_that_waits_for_its_next_attempt_fails_at_the_end_of_the_input() {
    // The record 20 waits for its next attempt, 30 and 40 are running, and 50 waits for a slot that none of them leaves in time.
    let messages = || vec![(0, batch([(20, "a"), (30, "b"), (40, "c"), (200, "d"), (50, "a")]))];
    let failure = "shard shard: processRecords failed: no room; at record 20/0 with partition key `a`";
    let again = |done| format!("shard shard: 5 records will be delivered again{done}");
    let log = |ended: &Ended| ended.log.clone();
    // Somebody may read the reply, so that running handlers get the time of `drain`.
    let ended = run_until::<Retrying>([ms(25), Duration::MAX], messages(), &[], &fail_twice);
    let failed = "shard shard: processRecords failed: no room; at record 40/0 with partition key `c`";
    assert_eq!(log(&ended), [format!("40 {failed}"), format!("75 {}", again(", although 1 of them is done"))]);
    assert_eq!(ended.result.expect_err("a failure").to_string(), failure);
    // Nobody can read it.
    let gone = "25 shard shard: the daemon was gone before processRecords could be acknowledged";
    let ended = run_until::<Retrying>([ms(25); 2], messages(), &[], &fail_twice);
    assert_eq!(log(&ended), [gone.to_owned(), format!("25 {}", again(""))]);
    assert_eq!(ended.result.expect_err("a failure").to_string(), failure);
}

#[test]
fn after_the_end_of_the_input_no_record_that_fails_is_passed_over() {
    // The record 40 has failed permanently while the record 20 waited.
    let fail = |record: &Record| match number(record) {
        40 => (ms(40), Err(crate::Permanent("never").into())),
        _ => fail_twice(record),
    };
    let messages = vec![(0, batch([(20, "a"), (40, "b")]))];
    let ended = run_until::<Retrying>([ms(30), Duration::MAX], messages, &[], &fail);
    let failed = "40 shard shard: processRecords failed: never; at record 40/0 with partition key `b`";
    assert_eq!(ended.log, [failed, "40 shard shard: 2 records will be delivered again"]);
    assert!(ended.result.is_err());
}

#[test]
fn records_are_handled_for_the_first_time_after_the_end_of_the_input() {
    // As without `concurrency`, the batch is handled as long as no record fails.
    let messages = vec![(0, batch([(10, "a"), (20, "a"), (30, "b")]))];
    let ended = run_until::<Patient>([ms(5), Duration::MAX], messages, &[], &by_number);
    assert_eq!(ended.log, ["30 processRecords"]);
    assert!(ended.result.is_ok());
}

#[test]
fn a_tick_ends_with_the_daemon() {
    let ended = run_until::<Ticking>([ms(50); 2], vec![(20, batch([]))], &[], &by_number);
    assert_eq!(ended.log, ["50 shard shard: the daemon was gone before processRecords could be acknowledged"]);
    assert!(ended.result.is_ok());
}

#[test]
fn a_tick_has_a_limited_time_after_a_failure() {
    let messages = vec![(20, batch([(30, "a")]))];
    let ended = run::<Ticking>(messages, &[], &|_| (ms(30), Err("no room".into())));
    assert_eq!(ended.log, ["100 shard shard: 1 record will be delivered again"]);
    assert!(ended.result.is_err());
}

#[test]
fn an_attempt_that_takes_too_long_is_dropped() {
    let messages = vec![(0, batch([(10, "a"), (40, "b"), (20, "b")]))];
    let ended = run::<Limited>(messages, &[], &by_number);
    assert_eq!(
        ended.log,
        [
            "60 shard shard: skipped a record: cancelled after its `timeout` of 30ms; record 40/0 with partition key `b`, \
             after 2 attempts",
            "80 checkpoint null",
            "80 processRecords",
        ]
    );
}

#[test]
fn the_oldest_record_is_named_while_it_runs() {
    let messages = vec![(0, batch([(200_000, "slow"), (1, "a")]))];
    let ended = run::<Plain>(messages, &[], &by_number);
    let running = ended.log.iter().find(|line| line.contains("has been running")).expect("a warning");
    assert!(running.contains("processRecords at record 200000/0 with partition key `slow`"), "{running}");
}

#[test]
fn a_key_with_most_of_the_records_is_reported() {
    let key = |at: u64| if at % 10 == 0 { "other" } else { "hot" };
    let messages = vec![(0, batch((0..2000).map(|at| (at + 1, key(at)))))];
    let ended = run::<Plain>(messages, &[], &|_| (Duration::ZERO, Ok(())));
    let hot: Vec<_> = ended.log.iter().filter(|line| line.contains("partition key, `hot`")).collect();
    assert_eq!(hot.len(), 1, "{:?}", ended.log);
}

const SIZE: u64 = 500;

/// The mean number of busy slots of 64 over 40 batches of 500 records, whose keys and times are drawn.
fn busy<C: Choices>(key: &dyn Fn(u64, &mut Random) -> u64, time: &dyn Fn(&mut Random) -> f64) -> f64 {
    let random = RefCell::new(Random(7));
    let messages = (0..40).map(|at| {
        let keys: Vec<_> =
            (at * SIZE..(at + 1) * SIZE).map(|n| (n + 1, key(n, &mut random.borrow_mut()).to_string())).collect();
        (0, batch(keys.iter().map(|(number, key)| (*number, &**key))))
    });
    let messages = messages.chain([(0, Message::ShardEnded)]).collect();
    run::<C>(messages, &[], &|_| (Duration::from_secs_f64(time(&mut random.borrow_mut()) / 1000.0), Ok(()))).busy
}

choices!(Wide: const CONCURRENCY: Concurrency = Concurrency::new(64););
choices!(WideAhead: const CONCURRENCY: Concurrency = Concurrency::new(64).ahead(1););

#[test]
fn the_slots_are_busy_in_the_whole_runtime() {
    let in_turn = || busy::<Wide>(&|at, _| at % 64, &|_| 5.0);
    let drawn = || busy::<WideAhead>(&|_, random| random.next() % 1000, &|random| -5.0 * random.fraction().ln());
    let (in_turn_once, drawn_once) = (in_turn(), drawn());
    assert!(in_turn_once >= 57.0 && drawn_once >= 50.0, "{in_turn_once:.1} and {drawn_once:.1} of 64");
    assert_eq!((in_turn(), drawn()), (in_turn_once, drawn_once), "each time the same");
}
