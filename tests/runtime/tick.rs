//! The tick: a call now and then, within the daemon's messages.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use kcl::testing::{Daemon, Fault, Report, Sink, pass};
use kcl::{BoxError, CheckpointError, Checkpoints, ProcessRecords, Processor, Record, RunError, Runner, Shard, Tick};

use crate::{ALL, EMPTY, INITIALIZE, LEASE_LOST, OK, SHARD_ENDED, SHUTDOWN_REQUESTED, at, batch, refused, status};

type Calls = Rc<RefCell<Vec<String>>>;

/// Collects records, and checkpoints them at each tick.
struct Collect<const MILLIS: u64> {
    calls: Calls,
    fails: &'static str,
}

impl<const MILLIS: u64> Collect<MILLIS> {
    fn note(&self, call: &str) -> Result<(), BoxError> {
        self.calls.borrow_mut().push(call.to_owned());
        if self.fails == call { Err("it broke".into()) } else { Ok(()) }
    }
}

impl<const MILLIS: u64> Processor for Collect<MILLIS> {
    const CHECKPOINTS: Checkpoints = Checkpoints::Handler;
    const TICK: Option<Duration> = Some(Duration::from_millis(MILLIS));

    fn process_records(&mut self, input: &mut ProcessRecords<'_>) -> Result<(), BoxError> {
        self.note(&format!("{} records", input.records().len()))
    }

    fn tick(&mut self, input: &mut Tick<'_>) -> Result<(), BoxError> {
        self.note("tick")?;
        match input.checkpointer().checkpoint() {
            Err(CheckpointError::LeaseLost) => self.note("lost"),
            result => Ok(result?),
        }
    }
}

/// The calls, the replies and the result of a run.
fn run<const MILLIS: u64>(fails: &'static str, input: &[&str]) -> (Vec<String>, Vec<String>, Result<(), RunError>) {
    let (calls, mut output) = (Calls::default(), Vec::new());
    let input = input.iter().map(|line| format!("{line}\n")).collect::<String>();
    let make = |_: &Shard| Ok::<_, BoxError>(Collect::<MILLIS> { calls: Rc::clone(&calls), fails });
    let result = Runner::new(make).run_on(input.as_bytes(), &mut output);
    let output = String::from_utf8(output).expect("JSON").lines().map(str::to_owned).collect();
    (calls.take(), output, result)
}

#[test]
fn a_tick_comes_after_the_records_of_a_message_or_instead_of_them() {
    let records = batch([(1, 0), (2, 0)]);
    let (calls, output, result) = run::<0>("", &[INITIALIZE, &records, OK, EMPTY, OK, SHUTDOWN_REQUESTED, LEASE_LOST]);
    assert!(result.is_ok());
    assert_eq!(calls, ["2 records", "tick", "tick"]);
    let [initialized, done, lost] = ["initialize", "processRecords", "leaseLost"].map(status);
    assert_eq!(output, [&initialized, ALL, &done, ALL, &done, &status("shutdownRequested"), &lost]);
}

#[test]
fn before_its_time_there_is_no_tick_and_an_empty_batch_is_not_handed_over() {
    let records = batch([(1, 0)]);
    let (calls, _, result) = run::<7_200_000>("", &[INITIALIZE, EMPTY, &records, EMPTY, SHARD_ENDED, OK]);
    assert!(result.is_ok());
    assert_eq!(calls, ["1 records"]);
}

#[test]
fn after_a_failure_there_is_no_tick_and_a_tick_that_fails_is_not_acknowledged() {
    let records = batch([(1, 0)]);
    let (calls, output, result) = run::<0>("1 records", &[INITIALIZE, &records]);
    assert_eq!((calls, output), (vec!["1 records".to_owned()], vec![status("initialize")]));
    assert!(result.is_err());

    let (_, output, result) = run::<0>("tick", &[INITIALIZE, &records]);
    assert_eq!(output, [status("initialize")]);
    let error = result.expect_err("it broke");
    assert_eq!((error.exit_code(), error.to_string().contains(": tick failed: it broke")), (1, true), "{error}");
}

#[test]
fn a_tick_that_finds_the_lease_gone_is_excused() {
    let records = batch([(1, 0)]);
    let (calls, output, result) = run::<0>("lost", &[INITIALIZE, &records, &refused("ShutdownException"), LEASE_LOST]);
    assert!(result.is_ok());
    assert_eq!(calls, ["1 records", "tick", "lost"]);
    assert_eq!(output, [&status("initialize"), ALL, &status("processRecords"), &status("leaseLost")]);
}

/// Leaves the checkpoints to the runtime.
struct Automatic;

impl Processor for Automatic {
    const TICK: Option<Duration> = Some(Duration::ZERO);

    fn process_records(&mut self, _: &mut ProcessRecords<'_>) -> Result<(), BoxError> {
        Ok(())
    }

    fn tick(&mut self, _: &mut Tick<'_>) -> Result<(), BoxError> {
        Err("it broke".into())
    }
}

#[test]
fn the_records_before_a_tick_that_fails_are_checkpointed() {
    let input = [INITIALIZE, &batch([(1, 0), (2, 3)]), OK].map(|line| format!("{line}\n")).concat();
    let mut output = Vec::new();
    let result = Runner::new(|_: &Shard| Ok::<_, BoxError>(Automatic)).run_on(input.as_bytes(), &mut output);
    assert!(result.is_err());
    let output = String::from_utf8(output).expect("JSON");
    assert_eq!(output.lines().collect::<Vec<_>>(), [&status("initialize"), &at(2, 3)]);
}

const MINUTE: Duration = Duration::from_secs(60);

/// Keeps records, and writes and checkpoints them each minute. It works for a time with each batch.
struct Flush {
    kept: Vec<Record>,
    sink: Sink<usize>,
    work: Duration,
}

impl Processor for Flush {
    const CHECKPOINTS: Checkpoints = Checkpoints::Handler;
    const TICK: Option<Duration> = Some(MINUTE);

    fn process_records(&mut self, input: &mut ProcessRecords<'_>) -> Result<(), BoxError> {
        self.kept.extend(input.records().iter().cloned());
        pass(self.work);
        Ok(())
    }

    fn tick(&mut self, input: &mut Tick<'_>) -> Result<(), BoxError> {
        let kept = std::mem::take(&mut self.kept);
        self.sink.write_for(&kept, kept.len())?;
        Ok(input.checkpointer().checkpoint()?)
    }
}

/// Runs a script. Returns the report, and how many records each tick wrote.
fn flush(daemon: Daemon, work: Duration) -> (Report<Flush>, Vec<usize>) {
    let sink = Sink::every_record();
    let make = |_: &Shard| Ok::<_, BoxError>(Flush { kept: Vec::new(), sink: sink.clone(), work });
    let run = daemon.run_with(make);
    run.assert_succeeded();
    (run, sink.values())
}

#[test]
fn a_tick_comes_within_the_first_message_after_its_time() {
    let almost = MINUTE - Duration::from_millis(1);
    let daemon = Daemon::new().batch(["a"]).pass(almost).batch(["b"]).pass(Duration::from_millis(1)).batch(["c"]);
    let (run, written) = flush(daemon, Duration::ZERO);
    assert_eq!(written, [3]);
    run.assert_checkpoint_at(3);
    let calls: Vec<_> = run.calls().iter().map(|call| call.handler()).collect();
    assert_eq!(calls, ["initialize", "processRecords", "processRecords", "processRecords", "tick"]);
}

#[test]
fn a_quiet_shard_gets_its_tick_with_an_empty_batch() {
    let daemon = Daemon::new().batch(["a", "b"]).pass(MINUTE / 2).empty_batch().pass(MINUTE / 2).empty_batch();
    let (run, written) = flush(daemon, Duration::ZERO);
    assert_eq!(written, [2]);
    run.assert_checkpoint_at(2);
    // The handler gets records only.
    assert_eq!(run.calls().iter().filter(|call| call.handler() == "processRecords").count(), 1);
}

#[test]
fn without_a_message_there_is_no_tick() {
    let (run, written) = flush(Daemon::new().batch(["a"]).pass(60 * MINUTE), Duration::ZERO);
    assert!(written.is_empty());
    run.assert_checkpoint_at(0);
}

#[test]
fn ticks_that_were_missed_are_not_made_up_for() {
    let daemon = Daemon::new().batch(["a"]).pass(10 * MINUTE).empty_batch().empty_batch().pass(MINUTE).empty_batch();
    assert_eq!(flush(daemon, Duration::ZERO).1, [1, 0]);
}

#[test]
fn the_time_of_the_handler_counts() {
    assert_eq!(flush(Daemon::new().batch(["a"]).batch(["b"]).batch(["c"]), MINUTE / 2).1, [2]);
}

#[test]
fn records_that_wait_for_a_tick_are_delivered_again_after_a_crash() {
    let daemon = Daemon::new().batch(["a"]).pass(MINUTE).batch(["b"]).batch(["c"]);
    // The second process starts its own minute.
    let daemon = daemon.crash().pass(MINUTE).batch(["d"]).pass(MINUTE).fault(Fault::crash_after_status()).empty_batch();
    let (run, written) = flush(daemon, Duration::ZERO);
    assert_eq!(written.first(), Some(&2));
    run.assert_checkpoint_at(4);
}
