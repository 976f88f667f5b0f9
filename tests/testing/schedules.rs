//! `#[kcl::test]`: what it draws, what it finds, and what it prints.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;
use std::{env, io};

use kcl::testing::{Daemon, Fault, Report, Sink, TestRecord, pass};
use kcl::{BoxError, Checkpointer, FailedRecords, Json, Record, SequenceNumber, Shard};
use serde_json::json;

use crate::{failure, first_line};

/// Stores each record, as it should.
#[derive(Debug)]
struct Stores(Sink<Vec<u8>>);

#[kcl::processor(main = false)]
impl Stores {
    #[on_record]
    fn store(&mut self, record: &Record) -> io::Result<()> {
        self.0.write(record.data().to_vec())
    }
}

fn store(daemon: Daemon, sink: &Sink<Vec<u8>>) -> Report<Stores> {
    daemon.run_with(|_: &Shard| Ok::<_, Infallible>(Stores(sink.clone())))
}

#[kcl::test(schedules = 1000)]
fn a_processor_without_mistakes_survives_every_schedule(daemon: Daemon) {
    let sink = Sink::every_record();
    let run = store(daemon.any_records(0..=20, |n| n.to_string()), &sink);
    run.assert_succeeded();
    let stored = sink.values();
    assert!(run.given().iter().all(|record| stored.contains(record)), "{run}");
}

/// Stores its records in groups, and checkpoints each group.
struct Collects {
    sink: Sink<Vec<u8>>,
    kept: Vec<Record>,
}

impl Collects {
    fn flush(&mut self) -> io::Result<()> {
        for record in self.kept.drain(..) {
            self.sink.write_for([&record], record.data().to_vec())?;
        }
        Ok(())
    }
}

#[kcl::processor(main = false)]
impl Collects {
    #[on_record]
    fn collect(&mut self, record: &Record, checkpointer: &mut Checkpointer) -> Result<(), BoxError> {
        self.kept.push(record.clone());
        if self.kept.len() == 3 {
            self.flush()?;
            checkpointer.checkpoint()?;
        }
        Ok(())
    }

    #[on_shutdown_requested]
    fn shut_down(&mut self, checkpointer: &mut Checkpointer) -> Result<(), BoxError> {
        self.flush()?;
        Ok(checkpointer.checkpoint()?)
    }

    #[on_shard_end]
    fn end(&mut self) -> io::Result<()> {
        self.flush()
    }
}

const SCHEDULES: u32 = 1_000;

#[kcl::test(schedules = SCHEDULES)]
fn the_end_of_a_shard_is_reached_if_the_test_says_so(daemon: Daemon) -> Result<(), BoxError> {
    let sink = Sink::every_record();
    let run = daemon
        .any_records(0..=20, |n| json!({ "n": n }))
        .shard_end()
        .run_with(|_: &Shard| Ok::<_, Infallible>(Collects { sink: sink.clone(), kept: Vec::new() }));
    run.assert_succeeded();
    run.assert_shard_ended();
    for record in run.given() {
        if !sink.values().contains(&record) {
            return Err(format!("{} is lost", String::from_utf8_lossy(&record)).into());
        }
    }
    Ok(())
}

#[kcl::test]
fn shards_have_schedules_of_their_own(daemon: Daemon) {
    let sink = Sink::every_record();
    let daemon = daemon
        .shard("parent", |steps| steps.records(["a", "b", "c"]))
        .shard("child", |steps| steps.after("parent").any_records(1..=3, |n| n.to_string()));
    let run = store(daemon, &sink);
    run.assert_succeeded();
    run.shard("parent").assert_shard_ended();
    assert!(sink.values().contains(&b"0".to_vec()));
}

const MOMENTS: [&str; 9] = [
    "the process is killed",
    "refused: ThrottlingException",
    "refused: KinesisClientLibDependencyException",
    "refused: ShutdownException",
    "-> leaseLost",
    "-> shutdownRequested",
    "-> shardEnded",
    "-> processRecords without records",
    "30s pass",
];

/// Stores a record, unless it is a bad one.
fn store_good(sink: &Sink<Vec<u8>>, record: &Record) -> io::Result<()> {
    if record.data().ends_with(b"3") {
        return Err(io::Error::other("it is bad"));
    }
    sink.write_for([record], record.data().to_vec())
}

/// Checkpoints now and then, and keeps dead letters.
struct Timed(Sink<Vec<u8>>);

#[kcl::processor(main = false, checkpoint = "30s")]
impl Timed {
    #[on_record(retry = 1, on_failure = dead_letter)]
    fn store(&mut self, record: &Record) -> io::Result<()> {
        pass(Duration::from_secs(7));
        store_good(&self.0, record)
    }

    #[on_dead_letter]
    fn keep(&mut self, record: &Record) -> io::Result<()> {
        self.0.write_for([record], b"dead".to_vec())
    }
}

/// Says which records of a batch failed, and skips them.
struct Partial(Sink<Vec<u8>>);

#[kcl::processor(main = false, checkpoint = "3 records")]
impl Partial {
    #[on_records(retry = 2, on_failure = skip)]
    fn store(&mut self, records: &[Record]) -> Result<(), FailedRecords> {
        FailedRecords::from_results(records.iter().map(|record| store_good(&self.0, record)))
    }
}

#[kcl::test(schedules = 500)]
fn policies_and_paces_survive_every_schedule(daemon: Daemon) {
    let daemon = daemon.any_records(0..=20, |n| n.to_string()).shard_end();
    let sink = Sink::every_record();
    let run = daemon.clone().run_with(|_: &Shard| Ok::<_, Infallible>(Timed(sink.clone())));
    run.assert_succeeded();
    run.assert_shard_ended();
    let sink = Sink::every_record().fail_at(5);
    let run = daemon.run_with(|_: &Shard| Ok::<_, Infallible>(Partial(sink.clone())));
    run.assert_succeeded();
    run.assert_shard_ended();
}

thread_local! {
    static SEEN: RefCell<BTreeMap<String, u32>> = const { RefCell::new(BTreeMap::new()) };
}

#[kcl::test(schedules = 1000)]
#[ignore = "a part of another test"]
fn note_what_happens(daemon: Daemon) {
    let run = store(daemon.any_records(0..=20, |n| n.to_string()), &Sink::every_record());
    let report = run.to_string();
    SEEN.with_borrow_mut(|seen| {
        for moment in MOMENTS {
            *seen.entry(moment.to_owned()).or_default() += u32::from(report.contains(moment));
        }
        *seen.entry(format!("{} records", run.given().len())).or_default() += 1;
    });
}

#[test]
fn schedules_draw_everything_that_goes_wrong() {
    let moments = MOMENTS.len();
    note_what_happens();
    let seen = SEEN.take();
    let rare: Vec<_> = seen.iter().filter(|(_, times)| **times < 10).collect();
    assert!(rare.is_empty() && seen.len() == moments + 21, "{seen:?}");
    // The next time, all is the same.
    note_what_happens();
    assert_eq!(SEEN.take(), seen);
}

/// Checkpoints a record before it stores it.
struct Early(Sink<String>);

#[kcl::processor(main = false)]
impl Early {
    #[on_record]
    fn store(&mut self, record: &Record, checkpointer: &mut Checkpointer) -> Result<(), BoxError> {
        checkpointer.checkpoint()?;
        Ok(self.0.write(String::from_utf8_lossy(record.data()).into_owned())?)
    }
}

fn early(daemon: Daemon, sink: &Sink<String>) -> Report<Early> {
    daemon.run_with(|_: &Shard| Ok::<_, Infallible>(Early(sink.clone())))
}

#[kcl::test(schedules = 1000)]
#[ignore = "fails on purpose"]
fn early_with_a_promise(daemon: Daemon) {
    early(daemon.any_records(0..=20, |n| format!("record {n}")), &Sink::every_record());
}

#[kcl::test(schedules = 1000)]
#[ignore = "fails on purpose"]
fn early_with_an_assertion(daemon: Daemon) {
    let sink = Sink::new();
    let run = early(daemon.any_records(0..=20, |n| format!("record {n}")), &sink);
    let stored = sink.values();
    for record in run.given() {
        let record = String::from_utf8_lossy(&record);
        assert!(stored.iter().any(|stored| *stored == record), "{record} is lost");
    }
}

/// The script at the end of a message.
fn script(message: &str) -> &str {
    let start = message.find("Daemon::new()").expect("a script");
    message[start..].split("\n\n").next().unwrap_or_default()
}

#[test]
fn a_checkpoint_that_is_too_early_is_found_and_made_small() {
    let message = failure(early_with_a_promise);
    assert!(
        message
            .starts_with("early_with_a_promise failed under schedule 1 (seed 0): the promise \"no checkpoint passes"),
        "{message}"
    );
    assert!(message.contains("a checkpoint at record 1 was accepted, but record 1 was not written to the sink"));
    assert_eq!(script(&message), "Daemon::new()\n    .batch([\"record 0\"])", "{message}");

    let message = failure(early_with_an_assertion);
    assert!(message.contains("is lost\n\nshard shardId-000000000000\n"), "{message}");
    let script = script(&message);
    assert!(script.matches("record ").count() == 1 && script.matches(".fault(").count() <= 1, "{message}");
    assert!(script.lines().count() <= 3, "{message}");
    assert!(message.contains("the shortest script found that fails like this"), "{message}");
    assert!(message.lines().last().is_some_and(|line| line.starts_with("KCL_SEED=")), "{message}");
}

#[test]
fn the_script_of_a_failure_fails_in_a_test_of_its_own() {
    let sink = Sink::new();
    let run = early(Daemon::new().fault(Fault::crash_after_checkpoint()).batch(["record 0"]), &sink);
    run.assert_succeeded();
    assert!(sink.values().is_empty());
}

/// Stores all records of a batch but the last one, which it stores with the next batch.
struct Lags {
    sink: Sink<Vec<u8>>,
    last: Option<Record>,
}

#[kcl::processor(main = false)]
impl Lags {
    #[on_records]
    fn store(&mut self, records: &[Record], checkpointer: &mut Checkpointer) -> Result<(), BoxError> {
        for record in self.last.take().iter().chain(records) {
            self.sink.write_for([record], record.data().to_vec())?;
        }
        if let Some(last) = records.last() {
            self.last = Some(last.clone());
            checkpointer.checkpoint_at(last)?;
        }
        Ok(())
    }
}

/// The last sequence number that a store outside of the process knows.
type Offset = Rc<Cell<Option<SequenceNumber>>>;

/// Skips a batch whose first record is known.
struct SkipsBatches(Sink<Vec<u8>>, Offset);

#[kcl::processor(main = false)]
impl SkipsBatches {
    #[on_records]
    fn store(&mut self, records: &[Record]) -> io::Result<()> {
        if records.first().is_some_and(|first| Some(first.sequence_number()) <= self.1.get()) {
            return Ok(());
        }
        records.iter().try_for_each(|record| self.0.write_for([record], record.data().to_vec()))?;
        self.1.set(records.last().map(Record::sequence_number));
        Ok(())
    }
}

#[kcl::test]
#[ignore = "fails on purpose"]
fn batches_that_are_skipped(daemon: Daemon) {
    let (sink, offset) = (Sink::every_record(), Offset::default());
    daemon
        .any_records(0..=20, |n| n.to_string())
        .run_with(|_: &Shard| Ok::<_, Infallible>(SkipsBatches(sink.clone(), Rc::clone(&offset))));
}

/// Saves the offset of a record before it stores the record, and skips a record that is known.
struct OffsetFirst(Sink<Vec<u8>>, Offset);

#[kcl::processor(main = false)]
impl OffsetFirst {
    #[on_record]
    fn store(&mut self, record: &Record) -> io::Result<()> {
        if Some(record.sequence_number()) <= self.1.get() {
            return Ok(());
        }
        self.1.set(Some(record.sequence_number()));
        self.0.write(record.data().to_vec())
    }
}

#[kcl::test]
#[ignore = "fails on purpose"]
fn offsets_before_the_write(daemon: Daemon) {
    let (sink, offset) = (Sink::every_record(), Offset::default());
    daemon
        .any_records(0..=20, |n| n.to_string())
        .run_with(|_: &Shard| Ok::<_, Infallible>(OffsetFirst(sink.clone(), Rc::clone(&offset))));
}

#[test]
fn a_batch_that_mixes_known_records_with_new_ones_is_drawn() {
    let message = failure(batches_that_are_skipped);
    let script = script(&message);
    assert!(script.contains(".fault(Fault::redeliver_in_batches_of(2))"), "{message}");
    assert_eq!(script.matches(".batch([\"").count(), 2, "{message}");

    let (sink, offset) = (Sink::every_record(), Offset::default());
    let daemon = Daemon::new().fault(Fault::redeliver_in_batches_of(2)).fault(Fault::crash_before_checkpoint());
    let line = first_line(|| {
        daemon
            .batch(["0"])
            .batch(["1"])
            .run_with(|_: &Shard| Ok::<_, Infallible>(SkipsBatches(sink.clone(), Rc::clone(&offset))))
    });
    assert!(line.contains("a checkpoint at record 2 was accepted, but record 2 was not written"), "{line}");
}

#[test]
fn a_kill_within_a_handler_is_drawn() {
    let message = failure(offsets_before_the_write);
    let expected = "Daemon::new()\n    .fault(Fault::crash_before_write(1))\n    .batch([\"0\"])";
    assert!(script(&message).starts_with(expected), "{message}");
}

/// The number of records matters to this one.
#[kcl::test(schedules = 1000)]
#[ignore = "fails on purpose"]
fn records_of_the_test_stay(daemon: Daemon) {
    let sink = Sink::new();
    let run = daemon
        .records([json!({"cents": 5}), json!({"cents": 7})])
        .shard_end()
        .run_with(|_: &Shard| Ok::<_, Infallible>(Lags { sink: sink.clone(), last: None }));
    assert!(run.calls().iter().filter(|call| call.handler() == "processRecords").count() < 2);
}

#[test]
fn only_records_that_were_drawn_are_left_out() {
    let message = failure(records_of_the_test_stay);
    assert_eq!(
        script(&message),
        "Daemon::new()\n    .batch([r#\"{\"cents\":5}\"#])\n    .batch([r#\"{\"cents\":7}\"#])\n    .shard_end()",
        "{message}"
    );
}

#[kcl::test(schedules = 10)]
#[ignore = "fails on purpose"]
fn fails_by_itself(daemon: Daemon) -> Result<(), BoxError> {
    thread_local!(static RUNS: RefCell<u32> = const { RefCell::new(0) });
    let run = RUNS.with_borrow_mut(|runs| {
        *runs += 1;
        *runs
    });
    store(daemon.records(["a"]), &Sink::every_record());
    if run == 3 { Err(BoxError::from("the third run")) } else { Ok(()) }
}

#[test]
fn a_failure_that_depends_on_more_than_the_schedule_says_so() {
    let message = failure(fails_by_itself);
    assert!(
        message.starts_with("fails_by_itself failed under schedule 3 (seed 2): it returned an error: the third run"),
        "{message}"
    );
    assert!(message.contains("The same schedule did not fail like this again"), "{message}");
}

#[kcl::test(schedules = 10)]
#[ignore = "fails on purpose"]
fn a_scripted_fault(daemon: Daemon) {
    store(daemon.records(["a"]).shard_end().fault(Fault::lose_lease()), &Sink::every_record());
}

#[kcl::test(schedules = 10)]
#[should_panic(expected = "Fault::lose_lease() at tests/testing/schedules.rs:")]
fn a_scripted_fault_must_happen_whatever_is_drawn(daemon: Daemon) {
    let daemon = daemon.records(["a"]).shutdown_requested().redeliver().fault(Fault::lose_lease());
    store(daemon, &Sink::every_record());
}

#[test]
fn a_drawn_daemon_keeps_the_rules_of_scripts() {
    let message = failure(a_scripted_fault);
    assert!(message.contains("a step after the shard's end at"), "{message}");
}

#[test]
fn records_without_a_schedule() {
    let line = first_line(|| Daemon::new().records(["a"]));
    assert_eq!(line, "`.records(...)` works only with the daemon of a `#[kcl::test]`: elsewhere, use `.batch(...)`");
    let line = first_line(|| Daemon::new().any_records(0..=3, |n| n.to_string()));
    assert!(line.starts_with("`.any_records(...)` works only"), "{line}");
}

#[kcl::test(schedules = 200)]
#[ignore = "fails on purpose"]
fn odd_records(daemon: Daemon) {
    let records = [
        TestRecord::bytes([0xff, b'"']),
        TestRecord::text("a\n").key("k").part(0),
        TestRecord::text("b").part(1),
        TestRecord::text("c").arrival(std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_500)),
        TestRecord::text("d").sequence_number("49".repeat(20).parse::<kcl::SequenceNumber>().expect("a number")),
    ];
    store(daemon.records(records), &Sink::every_record());
    panic!("as wanted");
}

#[test]
fn a_script_names_all_that_a_record_has() {
    let message = failure(odd_records);
    let number = "49".repeat(20);
    assert_eq!(
        script(&message),
        format!(
            r#"Daemon::new()
    .batch([TestRecord::bytes(b"\xff\""), TestRecord::text("a\n").key("k").part(0), TestRecord::text("b").part(1), TestRecord::text("c").arrival(UNIX_EPOCH + Duration::from_millis(1500)), TestRecord::text("d").sequence_number("{number}".parse::<SequenceNumber>().unwrap())])"#
        ),
        "{message}"
    );
}

#[kcl::test(schedules = 10)]
#[ignore = "fails on purpose"]
fn many_records(daemon: Daemon) {
    daemon.records((0..1_000).map(|n| format!("a rather long text {n}"))).run::<Thirteen>();
    panic!("as wanted");
}

#[kcl::test(schedules = 10)]
#[ignore = "fails on purpose"]
fn many_steps(daemon: Daemon) {
    (0..500).fold(daemon, |daemon, n| daemon.batch([n.to_string()])).run::<Thirteen>();
    panic!("as wanted");
}

#[test]
fn a_long_script_says_what_it_leaves_out() {
    let note = "The script is shortened: its comments say what is left out.";
    let message = failure(many_records);
    let script_of_records = script(&message);
    assert!(script_of_records.len() < 11_000 && message.contains(note), "{message}");
    let shown = script_of_records.matches("a rather long text").count();
    assert!(script_of_records.contains(&format!(", /* {} more */])", 1_000 - shown)), "{message}");

    let message = failure(many_steps);
    let script = script(&message);
    assert!(message.contains(note), "{message}");
    assert!(script.contains("    .batch([\"9\"])\n    // 440 more steps\n    .batch([\"450\"])\n"), "{message}");
    assert!(script.ends_with("    .batch([\"499\"])"), "{message}");
    assert!(!failure(odd_records).contains(note));
}

#[kcl::test(schedules = 10)]
#[ignore = "fails on purpose"]
fn nothing_is_delivered(daemon: Daemon) {
    daemon.run::<Thirteen>().assert_succeeded();
}

#[kcl::test(schedules = 10)]
#[ignore = "fails on purpose"]
fn nothing_is_run(daemon: Daemon) {
    _ = daemon.any_records(0..=3, |n| json!(n));
}

#[kcl::test(schedules = 10)]
fn a_test_may_do_without_records(daemon: Daemon) {
    daemon.empty_batch().shard_end().run::<Thirteen>().assert_shard_ended();
}

#[test]
fn a_test_that_delivers_nothing_fails() {
    for (name, test) in [("nothing_is_delivered", nothing_is_delivered as fn()), ("nothing_is_run", nothing_is_run)] {
        let message = failure(test);
        assert!(message.starts_with(&format!("{name} delivers nothing under any schedule: call `.any_records(...)`")));
    }
}

/// Runs a test that fails on purpose in a process of its own, with this variable. Returns what it prints.
fn with_variable(test: &str, name: &str, value: &str) -> String {
    let mut test_binary = Command::new(env::current_exe().expect("the tests' own path"));
    test_binary.env_remove("KCL_SEED").env_remove("KCL_SCHEDULES").env(name, value);
    let output = test_binary.args(["--ignored", "--exact", test]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(101));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_seed_in_the_environment_repeats_its_schedule() {
    let test = "schedules::early_with_an_assertion";
    let printed = failure(early_with_an_assertion);
    let seed = printed.rsplit("KCL_SEED=").next().and_then(|rest| rest.split(' ').next()).expect("a seed");
    let again = with_variable(test, "KCL_SEED", seed);
    assert!(again.contains(&format!("failed under schedule 1 (seed {seed})")), "{again}");
    assert!(again.contains(script(&printed)), "{again}");

    for seed in ["seven", "-7", "18446744073709551616"] {
        let message = with_variable(test, "KCL_SEED", seed);
        let expected = format!(
            "KCL_SEED is {seed:?}: write a whole number, such as the seed in the message of a test that failed"
        );
        assert!(
            message.contains(&expected) && message.contains("panicked at tests/testing/schedules.rs:"),
            "{message}"
        );
    }
}

#[test]
fn the_environment_sets_the_number_of_schedules() {
    let message = with_variable("schedules::fails_by_itself", "KCL_SCHEDULES", "3");
    assert!(message.contains("failed under schedule 3 (seed 2)"), "{message}");
    let message = with_variable("schedules::fails_by_itself", "KCL_SCHEDULES", "0");
    assert!(message.contains("0 schedules test nothing"), "{message}");
}

/// Fails at a certain record.
#[derive(Default)]
struct Thirteen;

#[kcl::processor(main = false)]
impl Thirteen {
    #[on_record]
    fn check(&mut self, Json(n): Json<u64>) -> Result<(), BoxError> {
        if n == 13 { Err("unlucky".into()) } else { Ok(()) }
    }
}

#[kcl::test]
#[ignore = "fails on purpose"]
fn one_record_of_many(daemon: Daemon) {
    daemon.any_records(2..=20, |n| json!(n)).run::<Thirteen>().assert_succeeded();
}

#[test]
fn the_record_that_matters_stays() {
    let message = failure(one_record_of_many);
    let script = script(&message);
    assert!(script.contains("\"13\"") && script.matches('"').count() == 4, "{message}");
    assert!(message.contains("ended with exit code 1: shard shardId-000000000000: processRecords failed"), "{message}");
}
