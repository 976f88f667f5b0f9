//! Virtual time, wherever the runtime waits or measures.

use std::time::{Duration, Instant};

use kcl::testing::{self, Daemon, Fault, Refusal, Sink};
use kcl::{BoxError, Checkpoints, ProcessRecords, Processor, Record, Shard, Tick};

const HOUR: Duration = Duration::from_secs(3600);

#[derive(Default)]
struct Patient(u32);

#[kcl::processor(main = false)]
impl Patient {
    #[on_record(retry = 10, backoff = "1h..1h")]
    fn handle(&mut self) -> Result<(), BoxError> {
        self.0 += 1;
        if self.0 == 11 { Ok(()) } else { Err("not yet".into()) }
    }
}

#[test]
fn hours_of_backoff_take_no_time() {
    let started = Instant::now();
    let run = Daemon::new().batch(["a"]).run::<Patient>();
    run.assert_succeeded();
    run.assert_checkpoint_at(1);
    assert_eq!(run.processor().0, 11);
    // Ten hours have passed, and the slow call was reported.
    assert!(run.stderr().iter().any(|line| line.ends_with("has been running for 30720s")), "{run}");
    assert!(started.elapsed() < HOUR);
}

#[derive(Default)]
struct Timed;

#[kcl::processor(main = false, checkpoint = "30s")]
impl Timed {
    #[on_record]
    fn handle(&mut self, record: &Record) {
        if record.data() == b"slow" {
            testing::pass(Duration::from_secs(31));
        }
    }
}

#[test]
fn timed_checkpoints_follow_virtual_time() {
    let daemon = Daemon::new().batch(["a"]).pass(Duration::from_secs(29)).batch(["b"]);
    daemon.clone().run::<Timed>().assert_checkpoint_at(0);
    // The checkpoint is made as soon as it is due: before the record, and between the records of a batch.
    daemon.pass(Duration::from_secs(1)).batch(["c"]).run::<Timed>().assert_checkpoint_at(2);
    Daemon::new().batch(["a", "slow", "b"]).run::<Timed>().assert_checkpoint_at(2);
}

#[derive(Default)]
struct Slow;

#[kcl::processor(main = false, warn_after = "60s")]
impl Slow {
    #[on_record]
    fn handle(&mut self, record: &Record) {
        if record.data() == b"slow" {
            testing::pass(Duration::from_secs(130));
        }
    }

    #[on_shard_end]
    fn end(&mut self) {
        testing::pass(Duration::from_secs(59));
    }
}

#[test]
fn slow_handlers_are_reported_in_virtual_time() {
    let run = Daemon::new().batch(["a", "slow", "b"]).pass(HOUR).shard_end().run::<Slow>();
    let line = "shard shardId-000000000000: processRecords at record 2/0 with partition key `key-2`, number 2 of 3 in its batch, has been \
                running for ";
    assert_eq!(run.stderr(), [format!("{line}60s"), format!("{line}120s")]);
}

#[test]
fn throttled_checkpoints_wait_in_virtual_time() {
    let started = Instant::now();
    let run = Daemon::new().fault(Fault::refuse_checkpoints(Refusal::Throttled, 9)).shard_end().run::<Timed>();
    run.assert_shard_ended();
    assert_eq!(run.checkpoints().len(), 10);
    assert!(started.elapsed() < HOUR);
}

/// Collects records, and stores them every five seconds.
struct Collects {
    sink: Sink<usize>,
    kept: Vec<Record>,
}

impl Processor for Collects {
    const CHECKPOINTS: Checkpoints = Checkpoints::Handler;
    const TICK: Option<Duration> = Some(Duration::from_secs(5));

    fn process_records(&mut self, input: &mut ProcessRecords<'_>) -> Result<(), BoxError> {
        self.kept.extend_from_slice(input.records());
        Ok(())
    }

    fn tick(&mut self, input: &mut Tick<'_>) -> Result<(), BoxError> {
        self.sink.write_for(&self.kept, self.kept.len())?;
        self.kept.clear();
        Ok(input.checkpointer().checkpoint()?)
    }
}

#[test]
fn ticks_follow_virtual_time() {
    let sink = Sink::every_record();
    let run = Daemon::new()
        .batch(["a"])
        .pass(Duration::from_secs(4))
        .batch(["b"])
        .pass(Duration::from_secs(1))
        .empty_batch()
        .batch(["c"])
        .run_with(|_: &Shard| Ok::<_, BoxError>(Collects { sink: sink.clone(), kept: Vec::new() }));
    run.assert_succeeded();
    run.assert_checkpoint_at(2);
    assert_eq!(sink.values_of("shardId-000000000000"), [(vec![1, 2], 2)]);
}
