//! Processors with `async` handlers: virtual time, many records at once, and the mistakes that only these have.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::time::Duration;

use kcl::testing::{Daemon, Fault, Refusal, Report, Sink, TestRecord};
use kcl::{AsyncCheckpointer, BoxError, Json, Record, Shard};
use tokio::time::{Instant, sleep};

use crate::{failure, first_line};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Sleeps before it stores a record, for the number of seconds that is its data.
struct Sleepy {
    sink: Sink<u64>,
    started: Instant,
    ended: Duration,
}

#[kcl::processor(main = false)]
impl Sleepy {
    #[on_record(retry = 1, backoff = "1h..1h", timeout = "10s", on_failure = skip)]
    async fn store(&mut self, Json(seconds): Json<u64>) -> io::Result<()> {
        sleep(Duration::from_secs(seconds)).await;
        self.ended = self.started.elapsed();
        self.sink.write(seconds)
    }
}

fn sleep_through(daemon: Daemon, sink: &Sink<u64>) -> Report<Sleepy> {
    daemon.run_with_async(async |_: &Shard| {
        Ok::<_, Infallible>(Sleepy { sink: sink.clone(), started: Instant::now(), ended: Duration::ZERO })
    })
}

#[test]
fn sleeps_timeouts_and_backoffs_take_no_time() {
    let sink = Sink::every_record();
    let run = sleep_through(Daemon::new().batch(["3", "11", "5"]).pass(30 * DAY).batch(["1"]).shard_end(), &sink);
    run.assert_succeeded();
    run.assert_shard_ended();
    assert_eq!(sink.values_of("shardId-000000000000"), [(vec![1], 3), (vec![3], 5), (vec![4], 1)]);
    let attempts: Vec<_> = run.calls().into_iter().filter(|call| call.records() == [2]).collect();
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[1].error(), Some("cancelled after its `timeout` of 10s"));
    // 3 s, two attempts of 10 s, an hour between them, 5 s, a month, 1 s.
    let expected = 30 * DAY + Duration::from_secs(3600 + 29);
    assert!((expected..expected + Duration::from_secs(1)).contains(&run.processor().ended), "{run}");
}

#[test]
fn a_run_is_repeated_exactly() {
    let run = || {
        let sink = Sink::every_record();
        let daemon = Daemon::new()
            .batch(["3", "11"])
            .fault(Fault::refuse_checkpoints(Refusal::Throttled, 2))
            .batch(["2"])
            .fault(Fault::crash_before_status())
            .batch(["4"])
            .shard_end();
        sleep_through(daemon, &sink).to_string()
    };
    assert_eq!(run(), run());
}

/// Takes 5 ms for each record.
struct AtOnce {
    sink: Sink<usize>,
    started: Instant,
    work: Cell<Duration>,
    ended: Cell<Duration>,
}

#[kcl::processor(main = false)]
impl AtOnce {
    #[on_record(concurrency = 64, ahead = 1, drain = "1s")]
    async fn store(&self, record: &Record) -> io::Result<()> {
        let begun = Instant::now();
        sleep(Duration::from_millis(5)).await;
        self.work.set(self.work.get() + begun.elapsed());
        self.ended.set(self.started.elapsed());
        self.sink.write(record.data().len())
    }
}

fn at_once(daemon: Daemon, sink: &Sink<usize>) -> Report<AtOnce> {
    daemon.run_with_async(async |_: &Shard| {
        let (work, ended) = (Cell::default(), Cell::default());
        Ok::<_, Infallible>(AtOnce { sink: sink.clone(), started: Instant::now(), work, ended })
    })
}

/// Records whose keys come in turn.
fn keyed(records: usize, keys: usize) -> impl Iterator<Item = TestRecord> {
    (0..records).map(move |n| TestRecord::text("data").key(format!("key {}", n % keys)))
}

#[test]
fn slots_are_busy_in_virtual_time() {
    let busy = || {
        let sink = Sink::every_record();
        let daemon = (0..10).fold(Daemon::new(), |daemon, _| daemon.batch(keyed(512, 64))).shard_end();
        let run = at_once(daemon, &sink);
        run.assert_succeeded();
        run.assert_shard_ended();
        assert_eq!(sink.values().len(), 10 * 512);
        let AtOnce { work, ended, .. } = run.processor();
        (work.get().as_secs_f64() / ended.get().as_secs_f64(), run.to_string())
    };
    let (first, second) = (busy(), busy());
    assert!(first.0 >= 57.0, "{} of 64", first.0);
    assert!(first == second, "the same test did something else the second time");
}

#[test]
fn records_at_once_survive_what_goes_wrong() {
    let sink = Sink::every_record();
    let daemon = Daemon::new()
        .batch(keyed(10, 3))
        .fault(Fault::crash_before_checkpoint())
        .batch(keyed(10, 3))
        .fault(Fault::lose_lease())
        .batch(keyed(10, 3))
        .redeliver()
        .batch(keyed(10, 3))
        .crash()
        .batch(keyed(10, 3))
        .shutdown_requested()
        .batch(keyed(1, 1))
        .shard_end();
    let run = at_once(daemon, &sink);
    run.assert_succeeded();
    run.assert_shard_ended();
}

#[test]
fn a_drain_ends_in_virtual_time() {
    #[derive(Default)]
    struct Slow;

    #[kcl::processor(main = false)]
    impl Slow {
        #[on_record(concurrency = 2, ahead = 1, drain = "1h")]
        async fn wait(&self, Json(seconds): Json<u64>) {
            sleep(Duration::from_secs(seconds)).await;
        }
    }

    let run = Daemon::new().batch(["600", "7200"]).shutdown_requested().run_async::<Slow>();
    run.assert_succeeded();
    run.assert_checkpoint_at(1);
    let cancelled = run.calls().into_iter().find(|call| call.records() == [2]).expect("the second record");
    assert_eq!(cancelled.error(), Some("cancelled"));
    assert!(
        run.stderr().iter().any(|line| line.contains("still not done 3600s after the shutdown was requested")),
        "{run}"
    );
}

#[test]
fn several_shards_have_async_processors() {
    let sink = Sink::every_record();
    let daemon = Daemon::new()
        .shard("parent", |steps| steps.batch(keyed(20, 4)).shard_end())
        .shard("other", |steps| steps.batch(keyed(20, 4)))
        .shard("child", |steps| steps.after("parent").batch(keyed(20, 4)).shard_end())
        .assert_shards_independent();
    let run = at_once(daemon, &sink);
    run.assert_succeeded();
    assert_eq!(sink.values_of("child").len(), 20);
}

#[kcl::test(schedules = 100)]
fn records_at_once_survive_every_schedule(daemon: Daemon) {
    let sink = Sink::every_record();
    let run = at_once(daemon.any_records(0..=20, |n| TestRecord::text("data").key(format!("key {}", n % 3))), &sink);
    run.assert_succeeded();
}

/// Loses an update when records of two keys are handled at once.
#[derive(Default)]
struct Total(Cell<usize>);

#[kcl::processor(main = false)]
impl Total {
    #[on_record(concurrency = 8)]
    async fn add(&self) {
        let total = self.0.get();
        sleep(Duration::from_millis(5)).await;
        self.0.set(total + 1);
    }
}

#[kcl::test(schedules = 100)]
#[ignore = "fails on purpose; another test runs it"]
fn planted_lost_update(daemon: Daemon) {
    let run =
        daemon.any_records(1..=20, |n| TestRecord::text("data").key(format!("key {}", n % 4))).run_async::<Total>();
    let delivered = run.calls().iter().filter(|call| call.handler() == "processRecords").count();
    assert!(run.calls().len() > delivered + 5 || run.processor().0.get() == delivered, "an update is lost");
}

#[test]
fn a_lost_update_is_found() {
    let message = failure(planted_lost_update);
    assert!(message.contains("an update is lost") && message.contains("KCL_SEED="), "{message}");
    assert_eq!(message, failure(planted_lost_update), "the seed repeats it");
}

/// Writes after it has waited, in the order in which the answers come, although another store numbers its records in the order of the
/// calls.
struct Late {
    sink: Sink<u64>,
    order: RefCell<Vec<u64>>,
}

#[kcl::processor(main = false)]
impl Late {
    #[on_record(concurrency = 8, order = none)]
    async fn store(&self, Json(n): Json<u64>) -> io::Result<()> {
        tokio::task::yield_now().await;
        self.order.borrow_mut().push(n);
        self.sink.write(n)
    }
}

#[kcl::test(schedules = 100)]
#[ignore = "fails on purpose; another test runs it"]
fn planted_lost_order(daemon: Daemon) {
    let sink = Sink::every_record();
    let run = daemon
        .batch((0..4).map(|n| n.to_string()))
        .run_with_async(async |_: &Shard| Ok::<_, Infallible>(Late { sink: sink.clone(), order: RefCell::default() }));
    assert!(run.processor().order.borrow().is_sorted(), "the order is lost");
}

#[test]
fn a_lost_order_is_found_by_the_seed() {
    let message = failure(planted_lost_order);
    // In the order of arrival, nothing goes wrong: the seed of the script is part of the mistake.
    assert!(message.contains("the order is lost") && message.contains("    .seed("), "{message}");
    let seed = message.rsplit_once("KCL_SEED=").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
    let seed: u64 = seed.expect("a seed");
    let sink = Sink::new();
    let run = Daemon::new()
        .seed(seed)
        .batch((0..4).map(|n| n.to_string()))
        .run_with_async(async |_: &Shard| Ok::<_, Infallible>(Late { sink: sink.clone(), order: RefCell::default() }));
    assert!(!run.processor().order.borrow().is_sorted());
}

/// Hands its record to a task that nobody awaits.
struct Forgetful(Sink<u64>);

#[kcl::processor(main = false)]
impl Forgetful {
    #[on_record(concurrency = 8)]
    async fn store(&self, record: &Record, Json(n): Json<u64>) {
        let (sink, record) = (self.0.clone(), record.clone());
        tokio::task::spawn_local(async move {
            sleep(Duration::from_millis(5)).await;
            sink.write_for([&record], n)
        });
    }
}

#[test]
fn a_write_that_nobody_awaits_is_found() {
    let sink = Sink::every_record();
    let run = || {
        Daemon::new().batch(["1", "2"]).run_with_async(async |_: &Shard| Ok::<_, Infallible>(Forgetful(sink.clone())))
    };
    let line = failure(run);
    assert!(line.contains("a checkpoint at record 2 was accepted, but record 1 was not written"), "{line}");
}

/// Checkpoints before it has stored the batch.
struct Early(Sink<usize>);

#[kcl::processor(main = false)]
impl Early {
    #[on_records]
    async fn store(&mut self, records: &[Record], checkpointer: &mut AsyncCheckpointer) -> Result<(), BoxError> {
        checkpointer.checkpoint().await?;
        sleep(Duration::from_secs(1)).await;
        Ok(self.0.write(records.len())?)
    }
}

#[test]
fn an_early_checkpoint_is_found() {
    let sink = Sink::every_record();
    let run = || Daemon::new().batch(["1"]).run_with_async(async |_: &Shard| Ok::<_, Infallible>(Early(sink.clone())));
    assert!(failure(run).contains("was not written to the sink"));
}

/// Waits for something that nobody sends.
#[derive(Default)]
struct Stuck;

#[kcl::processor(main = false)]
impl Stuck {
    #[on_record]
    async fn wait(&mut self) {
        std::future::pending::<()>().await;
    }
}

#[test]
fn a_wait_without_end_fails_the_test() {
    let line = first_line(|| Daemon::new().batch(["1"]).run_async::<Stuck>());
    assert!(
        line.starts_with(
            "shard shardId-000000000000: processRecords of record 1 waits for something that does not come"
        ),
        "{line}"
    );
}

/// Panics when its future is dropped before it is done.
struct Unfinished(bool);

impl Drop for Unfinished {
    fn drop(&mut self) {
        assert!(self.0, "dropped too early");
    }
}

async fn finish(record: &Record) {
    let mut guard = Unfinished(false);
    sleep(Duration::from_secs(if record.data() == b"slow" { 10 } else { 0 })).await;
    guard.0 = true;
}

#[test]
fn a_panic_in_the_drop_of_a_cancelled_attempt_is_in_the_report() {
    #[derive(Default)]
    struct InTurn;

    #[kcl::processor(main = false)]
    impl InTurn {
        #[on_record(timeout = "1s", on_failure = skip)]
        async fn handle(&mut self, record: &Record) {
            finish(record).await;
        }
    }

    #[derive(Default)]
    struct AtOnce;

    #[kcl::processor(main = false)]
    impl AtOnce {
        #[on_record(concurrency = 4, timeout = "1s", on_failure = skip)]
        async fn handle(&self, record: &Record) {
            finish(record).await;
        }
    }

    let daemon = Daemon::new().batch(["a", "slow", "b"]).shard_end();
    let (in_turn, at_once) = (daemon.clone().run_async::<InTurn>(), daemon.run_async::<AtOnce>());
    in_turn.assert_shard_ended();
    at_once.assert_shard_ended();
    for report in [in_turn.to_string(), at_once.to_string()] {
        let panics = report.matches("a destructor panicked: dropped too early (at tests/testing/asynchronous.rs:");
        assert_eq!(panics.count(), 1, "{report}");
    }
}

/// Asks again and again for something that does not come.
#[derive(Default)]
struct Polls;

#[kcl::processor(main = false)]
impl Polls {
    #[on_record]
    async fn poll(&mut self, record: &Record) {
        loop {
            match record.data() {
                b"sleeps" => sleep(Duration::from_secs(1)).await,
                _ => tokio::task::yield_now().await,
            }
        }
    }
}

#[test]
fn a_handler_that_polls_without_end_fails_the_test() {
    for record in ["sleeps", "yields"] {
        let line = first_line(|| Daemon::new().batch([record]).run_async::<Polls>());
        let expected = "shard shardId-000000000000: processRecords of record 1 goes on without end: 100101 polls since a record was last done";
        assert_eq!(line, expected);
    }
}

/// Waits for something that nobody sends at one record.
#[derive(Default)]
struct StuckAtOne;

#[kcl::processor(main = false)]
impl StuckAtOne {
    #[on_record(concurrency = 2)]
    async fn wait(&self, record: &Record) {
        if record.data() == b"5" {
            std::future::pending::<()>().await;
        }
    }
}

#[kcl::test]
#[ignore = "fails on purpose; another test runs it"]
fn planted_wait_without_end(daemon: Daemon) {
    _ = daemon.clone().any_records(1..=3, |n| format!("first {n}")).run_async::<StuckAtOne>();
    _ = daemon.any_records(0..=12, |n| n.to_string()).run_async::<StuckAtOne>();
}

#[test]
fn a_wait_without_end_is_printed_as_a_short_script() {
    let message = failure(planted_wait_without_end);
    assert!(message.contains("processRecords of record 1 waits for something that does not come"), "{message}");
    assert!(message.contains("Daemon::new()\n    .batch([\"5\"])\n    .seed("), "{message}");
}

#[test]
fn every_key_keeps_its_order() {
    let sink = Sink::every_record();
    at_once(Daemon::new().seed(7).batch(keyed(60, 5)), &sink).assert_succeeded();
    let mut last = BTreeMap::new();
    for (places, _) in sink.values_of("shardId-000000000000") {
        let [place] = places[..] else { panic!("one record for each write") };
        assert!(last.insert(place % 5, place).is_none_or(|last| last < place));
    }
}
