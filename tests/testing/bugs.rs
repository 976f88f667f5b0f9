//! Bugs that a suite written with the kit has to find, and the sentences with which it names them.

use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use kcl::testing::{Daemon, Sink};
use kcl::{BoxError, Checkpointer, Checkpoints, ProcessRecords, Processor, Record, Shard};

use crate::first_line;

fn text(record: &Record) -> String {
    String::from_utf8_lossy(record.data()).into_owned()
}

macro_rules! made {
    ($($processor:tt)*) => {
        |_: &Shard| Ok::<_, Infallible>($($processor)*)
    };
}

/// Checkpoints a record before it stores it.
struct Early(Sink<String>);

#[kcl::processor(main = false)]
impl Early {
    #[on_record]
    fn store(&mut self, record: &Record, checkpointer: &mut Checkpointer) -> Result<(), BoxError> {
        checkpointer.checkpoint()?;
        Ok(self.0.write(text(record))?)
    }
}

#[test]
fn a_checkpoint_that_is_too_early() {
    let sink = Sink::every_record();
    let line = line!() - 1;
    let message = first_line(|| Daemon::new().batch(["a", "b"]).run_with(made!(Early(sink.clone()))));
    let expected = format!(
        "the promise \"no checkpoint passes a record that is not in every sink of every record\" was broken in shard \
         shardId-000000000000: a checkpoint at record 1 was accepted, but record 1 was not written to the sink made at \
         tests/testing/bugs.rs:{line}:16; record 1 was tried once and is not settled"
    );
    assert_eq!(message, expected);
}

/// Checkpoints its batch before the work, which may fail.
#[derive(Default)]
struct EarlyBatch;

#[kcl::processor(main = false)]
impl EarlyBatch {
    #[on_records]
    fn store(&mut self, records: &[Record], checkpointer: &mut Checkpointer) -> Result<(), BoxError> {
        checkpointer.checkpoint()?;
        if records.iter().any(|record| record.data() == b"bad") { Err("it is bad".into()) } else { Ok(()) }
    }
}

#[test]
fn a_call_that_fails_after_its_checkpoint() {
    let message = first_line(|| Daemon::new().batch(["a", "bad"]).run::<EarlyBatch>());
    assert!(
        message.ends_with(
            "in shard shardId-000000000000: records 1 to 2 were checkpointed, and then their handler failed: it is bad"
        ),
        "{message}"
    );
    let message = first_line(|| Daemon::new().batch(["bad"]).run::<EarlyBatch>());
    assert!(message.ends_with("record 1 was checkpointed, and then its handler failed: it is bad"), "{message}");
}

/// Swallows the error of its store.
struct Swallows(Sink<String>);

#[kcl::processor(main = false)]
impl Swallows {
    #[on_record]
    fn store(&mut self, record: &Record) {
        _ = self.0.write(text(record));
    }
}

#[test]
fn an_error_that_is_swallowed() {
    let sink = Sink::every_record().fail_at(2);
    let message = first_line(|| Daemon::new().batch(["a", "b", "c"]).run_with(made!(Swallows(sink.clone()))));
    assert!(
        message.contains("a checkpoint at record 3 was accepted, but record 2 was not written to the sink"),
        "{message}"
    );
}

/// Stores batches of two records, and forgets the rest when it is shut down.
struct Collects {
    sink: Sink<Vec<String>>,
    kept: Vec<Record>,
}

impl Collects {
    fn flush(&mut self) -> io::Result<()> {
        self.sink.write_for(&self.kept, self.kept.iter().map(text).collect())?;
        self.kept.clear();
        Ok(())
    }
}

#[kcl::processor(main = false)]
impl Collects {
    #[on_record]
    fn collect(&mut self, record: &Record, checkpointer: &mut Checkpointer) -> Result<(), BoxError> {
        self.kept.push(record.clone());
        if self.kept.len() == 2 {
            self.flush()?;
            checkpointer.checkpoint()?;
        }
        Ok(())
    }

    #[on_shutdown_requested]
    fn shut_down(&mut self, checkpointer: &mut Checkpointer) -> Result<(), BoxError> {
        Ok(checkpointer.checkpoint()?)
    }

    #[on_shard_end]
    fn end(&mut self) {
        _ = self.flush();
    }
}

#[test]
fn a_last_batch_that_is_lost_at_shutdown() {
    let sink = Sink::every_record();
    let make = made!(Collects { sink: sink.clone(), kept: Vec::new() });
    let message = first_line(|| Daemon::new().batch(["a", "b", "c"]).shutdown_requested().run_with(make));
    assert!(
        message.contains("a checkpoint at record 3 was accepted, but record 3 was not written to the sink"),
        "{message}"
    );
}

#[test]
fn an_error_of_the_last_flush_that_is_swallowed_at_the_shards_end() {
    let sink = Sink::every_record().fail_at(2);
    let make = made!(Collects { sink: sink.clone(), kept: Vec::new() });
    let message = first_line(|| Daemon::new().batch(["a", "b", "c"]).shard_end().run_with(make));
    assert!(message.contains("SHARD_END was checkpointed, but record 3 was not written to the sink"), "{message}");

    // Without the failure, nothing is lost.
    let sink = Sink::every_record();
    let run = Daemon::new()
        .batch(["a", "b", "c"])
        .shard_end()
        .run_with(made!(Collects { sink: sink.clone(), kept: Vec::new() }));
    run.assert_succeeded();
    assert_eq!(sink.values(), [vec!["a".to_owned(), "b".to_owned()], vec!["c".to_owned()]]);
}

/// Numbers its records with a number that all shards share.
struct Numbers(Sink<u64>);

#[kcl::processor(main = false)]
impl Numbers {
    #[on_record]
    fn number(&mut self) -> io::Result<()> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        self.0.write(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

#[test]
fn state_that_shards_share() {
    let sink = Sink::every_record();
    let message = first_line(|| {
        Daemon::new()
            .shard("one", |steps| steps.batch(["a"]).batch(["b"]))
            .shard("two", |steps| steps.batch(["c"]))
            .assert_shards_independent()
            .run_with(made!(Numbers(sink.clone())))
    });
    assert!(
        message.contains("\"a shard does the same alone as among others\" was broken in shard one: among"),
        "{message}"
    );
    assert!(message.contains("it wrote 0 for records [1] to the sink made at"), "{message}");
    // Only what was written among the others is kept.
    assert_eq!(sink.values(), [0, 1, 2]);
}

/// Acknowledges its batches at once, works on them later, and lets the runtime checkpoint: pulsar#8192.
struct Queues {
    sink: Sink<String>,
    queued: Vec<Record>,
}

#[kcl::processor(main = false)]
impl Queues {
    #[on_records]
    fn queue(&mut self, records: &[Record]) -> io::Result<()> {
        for record in self.queued.drain(..) {
            self.sink.write_for([&record], text(&record))?;
        }
        self.queued.extend_from_slice(records);
        Ok(())
    }
}

#[test]
fn a_checkpoint_of_queued_records() {
    let sink = Sink::every_record();
    let make = made!(Queues { sink: sink.clone(), queued: Vec::new() });
    let message = first_line(|| Daemon::new().batch(["a"]).batch(["b"]).run_with(make));
    assert!(
        message.contains("a checkpoint at record 1 was accepted, but record 1 was not written to the sink"),
        "{message}"
    );
}

/// Checkpoints everything while it still works on the last batch: snowplow/enrich#652.
struct InFlight {
    sink: Sink<String>,
    flying: Vec<Record>,
}

#[kcl::processor(main = false)]
impl InFlight {
    #[on_records]
    fn handle(&mut self, records: &[Record], _: &mut Checkpointer) -> Result<(), BoxError> {
        for record in self.flying.drain(..) {
            self.sink.write_for([&record], text(&record))?;
        }
        self.flying.extend_from_slice(records);
        Ok(())
    }

    #[on_shutdown_requested]
    fn shut_down(&mut self, checkpointer: &mut Checkpointer) -> Result<(), BoxError> {
        Ok(checkpointer.checkpoint()?)
    }
}

#[test]
fn a_checkpoint_of_everything_with_work_in_flight() {
    let sink = Sink::every_record();
    let make = made!(InFlight { sink: sink.clone(), flying: Vec::new() });
    let message = first_line(|| Daemon::new().batch(["a"]).batch(["b", "c"]).shutdown_requested().run_with(make));
    assert!(
        message.contains("a checkpoint at record 3 was accepted, but record 2 was not written to the sink"),
        "{message}"
    );
}

/// Checkpoints the records of a batch in the wrong order: kinesumer#1.
#[derive(Default)]
struct Backwards;

#[kcl::processor(main = false)]
impl Backwards {
    #[on_records]
    fn handle(&mut self, records: &[Record], checkpointer: &mut Checkpointer) {
        for record in records.iter().rev() {
            _ = checkpointer.checkpoint_at(record);
        }
    }
}

#[test]
fn a_checkpoint_that_goes_backwards() {
    let message = first_line(|| Daemon::new().batch(["a", "b"]).run::<Backwards>());
    assert_eq!(
        message,
        "the promise \"no checkpoint goes backwards\" was broken in shard shardId-000000000000: a checkpoint at record 1 was \
         requested after the one at record 2 was made"
    );
}

/// Loses the error of a record in a loop by hand.
struct Careless;

impl Processor for Careless {
    const CHECKPOINTS: Checkpoints = Checkpoints::Batch;

    fn process_records(&mut self, input: &mut ProcessRecords<'_>) -> Result<(), BoxError> {
        _ = input
            .for_each_record(|input| if input.record().data() == b"bad" { Err("it is bad".into()) } else { Ok(()) });
        Ok(())
    }
}

#[test]
fn an_error_that_a_loop_by_hand_loses() {
    let message = first_line(|| Daemon::new().batch(["a", "bad", "c"]).run_with(made!(Careless)));
    assert!(
        message.ends_with(
            "a checkpoint at record 3 was accepted, but record 2 was tried once and is not settled (its last error: it is bad)"
        ),
        "{message}"
    );
}
