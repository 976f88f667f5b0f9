//! The arguments of handlers written with `#[kcl::processor]`, and the effects of their results.

use std::convert::Infallible;
use std::error::Error;
use std::iter::successors;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use kcl::testing::Daemon;
use kcl::{
    BoxError, CheckpointError, Checkpointer, FromRecord, Json, MillisBehindLatest, Processor, Record, RunError, Runner,
    Shard,
};

const INITIALIZE: &str =
    r#"{"action":"initialize","shardId":"shardId-000000000007","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}"#;
/// `{"cents":7}` and `{"cents":8}`.
const TWO_ORDERS: &str = r#"{"action":"processRecords","millisBehindLatest":40,"records":[{"data":"eyJjZW50cyI6N30=","partitionKey":"ada","sequenceNumber":"11"},{"data":"eyJjZW50cyI6OH0=","partitionKey":"bob","sequenceNumber":"12"}]}"#;
/// `{"cents":7}` and `{"cents":"x"}`.
const ONE_BROKEN_ORDER: &str = r#"{"action":"processRecords","millisBehindLatest":40,"records":[{"data":"eyJjZW50cyI6N30=","partitionKey":"ada","sequenceNumber":"11"},{"data":"eyJjZW50cyI6IngifQ==","partitionKey":"bob","sequenceNumber":"12"}]}"#;
const CHECKPOINTED: &str = r#"{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":null}"#;
const LEASE_LOST: &str = r#"{"action":"leaseLost"}"#;
const SHARD_ENDED: &str = r#"{"action":"shardEnded"}"#;
const SHUTDOWN_REQUESTED: &str = r#"{"action":"shutdownRequested"}"#;

/// Runs the processor that `make` returns on these lines. Returns its replies and the result of the run.
fn run<P: Processor>(make: impl Fn(&Shard) -> P, lines: &[&str]) -> (Vec<String>, Result<(), RunError>) {
    let mut output = Vec::new();
    let input = lines.join("\n") + "\n";
    let result = Runner::new(|shard| Ok::<_, Infallible>(make(shard))).run_on(input.as_bytes(), &mut output);
    let output = String::from_utf8(output).expect("JSON is text");
    (output.lines().map(|line| line.replace(r#""action":"#, "")).collect(), result)
}

/// An error and its causes.
fn in_full(error: &RunError) -> String {
    let causes = successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}\n{cause}"))
}

fn status(action: &str) -> String {
    format!(r#"{{"status","responseFor":"{action}"}}"#)
}

fn checkpoint(sequence_number: Option<&str>) -> String {
    match sequence_number {
        Some(number) => format!(r#"{{"checkpoint","sequenceNumber":"{number}","subSequenceNumber":0}}"#),
        None => r#"{"checkpoint","sequenceNumber":null,"subSequenceNumber":null}"#.to_owned(),
    }
}

#[derive(serde::Deserialize)]
struct Order {
    cents: u64,
}

/// Reports to the test each call of a handler, with its arguments.
struct Witness {
    calls: Sender<String>,
}

impl Witness {
    fn report(&self, call: String) {
        self.calls.send(call).expect("the test listens");
    }
}

mod one_by_one {
    use super::*;

    pub(super) struct OneByOne(pub(super) Witness);

    #[kcl::processor(main = false)]
    impl OneByOne {
        #[on_record]
        fn add(
            &mut self,
            MillisBehindLatest(behind): MillisBehindLatest,
            Json(order): Json<Order>,
            shard: &Shard,
            record: &Record,
        ) {
            let (id, key) = (shard.id(), record.partition_key());
            self.0.report(format!("{id} {key} {} {behind:?}", order.cents));
        }

        #[on_lease_lost]
        fn lost(&self, shard: &Shard) {
            self.0.report(format!("{} lost", shard.id()));
        }

        #[on_shard_end]
        fn ended(&mut self) {
            self.0.report("ended".to_owned());
        }

        #[on_shutdown_requested]
        fn stop(&mut self, shard: &Shard) {
            self.0.report(format!("{} stop", shard.id()));
        }
    }
}

mod in_batches {
    use super::*;

    type Progress<'a> = &'a mut Checkpointer;

    pub(super) struct InBatches(pub(super) Witness);

    #[kcl::processor(main = false)]
    impl InBatches {
        #[on_records]
        fn add(&mut self, shard: &Shard, progress: Progress<'_>, records: &[Record]) -> Result<(), CheckpointError> {
            self.0.report(format!("{} {}", shard.id(), records.len()));
            progress.checkpoint_at(&records[0])
        }

        #[on_shard_end]
        fn ended(&mut self, shard: &Shard, checkpointer: &mut Checkpointer) -> Result<(), CheckpointError> {
            self.0.report(format!("{} ended", shard.id()));
            checkpointer.checkpoint()
        }
    }
}

#[test]
fn each_handler_gets_its_arguments_and_the_runtime_checkpoints() {
    let (sender, calls) = channel();
    let (replies, result) = run(
        |_| one_by_one::OneByOne(Witness { calls: sender.clone() }),
        &[
            INITIALIZE,
            TWO_ORDERS,
            CHECKPOINTED,
            SHUTDOWN_REQUESTED,
            CHECKPOINTED,
            SHARD_ENDED,
            CHECKPOINTED,
            LEASE_LOST,
        ],
    );
    result.expect("nothing fails");
    let calls: Vec<_> = calls.try_iter().collect();
    assert_eq!(
        calls,
        [
            "shardId-000000000007 ada 7 Some(40ms)",
            "shardId-000000000007 bob 8 Some(40ms)",
            "shardId-000000000007 stop",
            "ended",
            "shardId-000000000007 lost",
        ]
    );
    assert_eq!(
        replies,
        [
            status("initialize"),
            checkpoint(None),
            status("processRecords"),
            checkpoint(None),
            status("shutdownRequested"),
            checkpoint(None),
            status("shardEnded"),
            status("leaseLost"),
        ]
    );
}

#[test]
fn a_checkpointer_under_a_type_alias_leaves_checkpoints_to_the_handler() {
    let (sender, calls) = channel();
    let (replies, result) = run(
        |_| in_batches::InBatches(Witness { calls: sender.clone() }),
        &[INITIALIZE, TWO_ORDERS, CHECKPOINTED, SHUTDOWN_REQUESTED, SHARD_ENDED, CHECKPOINTED],
    );
    result.expect("nothing fails");
    assert_eq!(calls.try_iter().collect::<Vec<_>>(), ["shardId-000000000007 2", "shardId-000000000007 ended"]);
    assert_eq!(
        replies,
        [
            status("initialize"),
            checkpoint(Some("11")),
            status("processRecords"),
            status("shutdownRequested"),
            checkpoint(None),
            status("shardEnded"),
        ]
    );
}

#[test]
fn an_undecodable_payload_fails_its_handler_with_place_and_reason() {
    let (sender, calls) = channel();
    let (replies, result) =
        run(|_| one_by_one::OneByOne(Witness { calls: sender.clone() }), &[INITIALIZE, ONE_BROKEN_ORDER, CHECKPOINTED]);
    // The record before it succeeded and is checkpointed. The message is not acknowledged.
    assert_eq!(calls.try_iter().count(), 1);
    assert_eq!(replies, [status("initialize"), checkpoint(Some("11"))]);
    let failed = result.expect_err("the second record is not an order");
    assert_eq!(failed.exit_code(), 1);
    let text = in_full(&failed);
    for part in ["shardId-000000000007", "12", "bob", r#"{"cents":"x"}"#, "line 1 column 12"] {
        assert!(text.contains(part), "{part} is missing from {text}");
    }
}

struct Failing;

#[kcl::processor(main = false)]
impl Failing {
    #[on_records]
    fn fail(&mut self, records: &[Record]) -> Result<(), String> {
        Err(format!("{} are too many", records.len()))
    }
}

#[test]
fn an_err_is_a_failure_and_keeps_its_text() {
    let run = Daemon::new().batch(["a", "b"]).run_with(|_: &Shard| Ok::<_, Infallible>(Failing));
    run.assert_failed();
    run.assert_checkpoint_at(0);
    assert_eq!(run.calls()[1].error(), Some("2 are too many"));
    assert!(
        run.stderr().last().is_some_and(|line| line.contains(": processRecords failed: 2 are too many; ")),
        "{run}"
    );
}

type Number = Json<u64>;

#[derive(Default)]
struct Sum {
    sum: u64,
}

#[kcl::processor(main = false)]
impl Sum {
    #[on_record(on_undecodable = skip)]
    fn add(&mut self, _: &Record, Json(number): Number) {
        self.sum += number;
    }
}

#[test]
fn a_payload_under_a_type_alias_can_be_taken_apart() {
    let run = Daemon::new().batch(["1", "one", "2"]).run::<Sum>();
    run.assert_succeeded();
    assert_eq!((run.processor().sum, run.skipped().len()), (3, 1));
}

struct Line<'r>(&'r str);

impl<'r> FromRecord<'r> for Line<'r> {
    type Error = std::str::Utf8Error;

    fn from_record(record: &'r Record) -> Result<Self, Self::Error> {
        std::str::from_utf8(record.data()).map(Line)
    }
}

#[derive(Default)]
struct Longest {
    line: String,
}

#[kcl::processor(main = false)]
impl Longest {
    #[on_record]
    fn compare(&mut self, Line(line): Line<'_>, checkpointer: &mut Checkpointer) -> Result<(), CheckpointError> {
        self.line = line.to_owned();
        checkpointer.checkpoint()
    }
}

#[test]
fn a_custom_payload_with_a_checkpoint_for_each_record() {
    let run = Daemon::new().batch(["a", "b"]).run::<Longest>();
    run.assert_succeeded();
    assert_eq!(run.processor().line, "b");
    assert_eq!(run.checkpoints().iter().map(|made| made.record()).collect::<Vec<_>>(), [Some(1), Some(2)]);
}

mod ticking {
    use super::*;

    pub(super) struct Collect(pub(super) Witness);

    #[kcl::processor(main = false)]
    impl Collect {
        #[on_record]
        fn collect(&mut self, record: &Record, _: &mut Checkpointer) {
            self.0.report(String::from_utf8_lossy(record.data()).into_owned());
        }

        #[on_tick(every = "5s")]
        fn flush(
            &mut self,
            checkpointer: &mut Checkpointer,
            behind: MillisBehindLatest,
            shard: &Shard,
        ) -> Result<(), BoxError> {
            self.0.report(format!("{} tick, {:?} behind", shard.id(), behind.0));
            Ok(checkpointer.checkpoint()?)
        }
    }
}

#[test]
fn a_tick_comes_when_its_time_has_passed_and_checkpoints_what_was_handed_over() {
    let (sender, calls) = channel();
    let run = Daemon::new()
        .shard("s", |steps| {
            let waited = steps.batch(["a", "b"]).pass(Duration::from_secs(4)).empty_batch();
            waited.pass(Duration::from_secs(1)).empty_batch().empty_batch().batch(["c"]).crash()
        })
        .run_with(|_| Ok::<_, Infallible>(ticking::Collect(Witness { calls: sender.clone() })));
    assert_eq!(calls.try_iter().collect::<Vec<_>>(), ["a", "b", "s tick, Some(0ns) behind", "c", "c"]);
    // `c` came again after the crash, because no tick had checkpointed it.
    let checkpoints: Vec<_> = run.shard("s").checkpoints().iter().map(|checkpoint| checkpoint.record()).collect();
    assert_eq!(checkpoints, [Some(2)]);
}

mod bisecting {
    use super::*;

    pub(super) struct Store(pub(super) Witness);

    #[kcl::processor(main = false, log_payloads = false)]
    impl Store {
        #[on_records(on_failure = skip, bisect)]
        fn store(&mut self, records: &[Record]) -> Result<(), String> {
            let texts: Vec<_> = records.iter().map(|record| String::from_utf8_lossy(record.data())).collect();
            if texts.contains(&"bad".into()) {
                return Err("a bad record".to_owned());
            }
            self.0.report(texts.concat());
            Ok(())
        }
    }
}

#[test]
fn bisect_skips_only_the_record_that_fails() {
    let (sender, calls) = channel();
    let run = Daemon::new()
        .batch(["a", "b", "bad", "c"])
        .run_with(|_| Ok::<_, Infallible>(bisecting::Store(Witness { calls: sender.clone() })));
    assert_eq!(calls.try_iter().collect::<Vec<_>>(), ["ab", "c"]);
    let [line] = run.stderr()[..] else { panic!("{:?}", run.stderr()) };
    assert!(line.contains("skipped a record") && !line.contains("partition key"), "{line}");
}

/// A handler whose body is a fragment, after a constant whose value has braces.
macro_rules! counter {
    ($name:ident, $body:block) => {
        struct $name;

        #[kcl::processor(main = false)]
        impl $name {
            const HOOK: fn(&Sender<String>) = |calls| {
                _ = calls.send("hook".to_owned());
            };

            #[on_record]
            fn count(&mut self, _record: &Record) $body

            #[on_shard_end]
            fn end(&mut self) {
                panic!("the end");
            }
        }
    };
}

counter!(Fragment, { panic!("the body") });

#[test]
fn each_method_keeps_its_own_body() {
    let (calls, called) = channel();
    (Fragment::HOOK)(&calls);
    assert_eq!(called.try_recv().as_deref(), Ok("hook"));
    let (_, result) = run(|_| Fragment, &[INITIALIZE, TWO_ORDERS]);
    assert!(in_full(&result.unwrap_err()).contains("the body"));
    let (_, result) = run(|_| Fragment, &[INITIALIZE, SHARD_ENDED]);
    assert!(in_full(&result.unwrap_err()).contains("the end"));
}
