//! The events that a script can cause.

use std::convert::Infallible;
use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kcl::testing::{Daemon, Fault, Refusal, TestRecord};
use kcl::{BoxError, Checkpointer, Position, Record, Shard};
use serde_json::json;

/// Notes what it gets, and how it started.
#[derive(Debug)]
struct Notes {
    position: Position,
    texts: Vec<String>,
    ended: bool,
    lost: bool,
}

#[kcl::processor(main = false)]
impl Notes {
    #[on_init]
    fn start(shard: &Shard) -> Self {
        Notes { position: shard.position().clone(), texts: Vec::new(), ended: false, lost: false }
    }

    #[on_record(retry = 2, on_failure = skip)]
    fn note(&mut self, record: &Record) -> Result<(), BoxError> {
        let text = String::from_utf8_lossy(record.data()).into_owned();
        if text == "bad" {
            return Err("it is bad".into());
        }
        self.texts.push(text);
        Ok(())
    }

    #[on_lease_lost]
    fn lost(&mut self) {
        self.lost = true;
    }

    #[on_shard_end]
    fn ended(&mut self) {
        self.ended = true;
    }
}

#[test]
fn a_shard_is_read_to_its_end() {
    let run = Daemon::new().batch(["a", "b"]).batch(["c"]).shard_end().run::<Notes>();
    run.assert_succeeded();
    run.assert_shard_ended();
    assert_eq!(run.processor().texts, ["a", "b", "c"]);
    assert!(run.processor().ended && !run.processor().lost);
    assert_eq!(run.acknowledgements(), ["initialize", "processRecords", "processRecords", "shardEnded"]);
    let checkpoints: Vec<_> = run.checkpoints().iter().map(|made| (made.record(), made.is_shard_end())).collect();
    assert_eq!(checkpoints, [(Some(2), false), (Some(3), false), (Some(3), true)]);
    assert_eq!(run.given(), [b"a", b"b", b"c"]);
    assert_eq!(run.exit_code(), 0);
}

#[test]
fn an_input_that_ends_leaves_the_checkpoint_after_the_last_batch() {
    let run = Daemon::new().batch(["a", "b"]).run::<Notes>();
    run.assert_checkpoint_at(2);
    assert!(!run.processor().ended);
}

#[test]
fn a_crash_delivers_the_records_after_the_checkpoint_again_to_a_new_processor() {
    let run =
        Daemon::new().batch(["a"]).fault(Fault::crash_before_status()).batch(["b", "c"]).shard_end().run::<Notes>();
    run.assert_succeeded();
    // The batch was checkpointed before its status.
    assert_eq!(run.processor().position, Position::after(3.into(), 0));
    assert!(run.processor().texts.is_empty());
    run.assert_shard_ended();

    let run = Daemon::new().batch(["a"]).fault(Fault::crash_before_checkpoint()).batch(["b", "c"]).run::<Notes>();
    assert_eq!(run.processor().position, Position::after(1.into(), 0));
    assert_eq!(run.processor().texts, ["b", "c"]);
    run.assert_checkpoint_at(3);

    let run = Daemon::new().batch(["a"]).crash().batch(["b"]).run::<Notes>();
    assert_eq!(run.processor().texts, ["b"]);
}

#[test]
fn the_end_of_a_shard_is_sent_again_after_a_crash() {
    let run = Daemon::new().batch(["a"]).fault(Fault::crash_before_checkpoint()).shard_end().run::<Notes>();
    // The fault hit the checkpoint of the end, since the batch was before it.
    run.assert_succeeded();
    run.assert_shard_ended();
    let ends = run.calls().iter().filter(|call| call.handler() == "shardEnded").count();
    assert_eq!(ends, 2);
}

/// Counts how often one was dropped.
struct Dropped(&'static AtomicU32);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[kcl::processor(main = false)]
impl Dropped {
    #[on_record]
    fn handle(&mut self) {}
}

#[test]
fn a_crash_leaks_the_processor_and_a_redelivery_drops_it() {
    static DROPS: AtomicU32 = AtomicU32::new(0);
    let make = |_: &Shard| Ok::<_, Infallible>(Dropped(&DROPS));
    let run = Daemon::new().batch(["a"]).crash().batch(["b"]).run_with(make);
    assert_eq!(DROPS.load(Ordering::Relaxed), 0);
    drop(run);
    assert_eq!(DROPS.load(Ordering::Relaxed), 1);
    let run = Daemon::new().batch(["a"]).redeliver().batch(["b"]).run_with(make);
    assert_eq!(DROPS.load(Ordering::Relaxed), 2);
    drop(run);
}

#[test]
fn a_processor_that_failed_is_replaced_only_if_the_script_says_so() {
    #[derive(Default)]
    struct Fails;

    #[kcl::processor(main = false)]
    impl Fails {
        #[on_record]
        fn handle(&mut self, record: &Record) -> Result<(), BoxError> {
            if record.data() == b"bad" { Err("it is bad".into()) } else { Ok(()) }
        }
    }

    let run = Daemon::new().batch(["a", "bad", "b"]).batch(["c"]).run::<Fails>();
    run.assert_failed();
    run.assert_checkpoint_at(1);
    assert_eq!(run.calls().last().expect("a call").error(), Some("it is bad"));
    assert_eq!(
        run.stderr().last().expect("a line").lines().next(),
        Some("shard shardId-000000000000: processRecords failed: it is bad; at record 2/0 with partition key `key-2`")
    );

    let run = Daemon::new().batch(["a", "bad"]).redeliver().run::<Fails>();
    let tries: Vec<_> = run.calls().iter().map(|call| (call.records(), call.attempt())).collect();
    assert_eq!(tries, [(&[][..], 1), (&[1], 1), (&[2], 1), (&[], 1), (&[2], 2)]);
}

#[test]
fn retries_skips_and_their_records_are_in_the_report() {
    let run = Daemon::new().batch(["a", "bad", "c"]).run::<Notes>();
    run.assert_succeeded();
    run.assert_checkpoint_at(3);
    assert_eq!(run.skipped(), [(2, "it is bad")]);
    let attempts: Vec<_> = run.calls().iter().filter(|call| call.records() == [2]).map(|call| call.attempt()).collect();
    assert_eq!(attempts, [1, 2, 3]);
}

/// Checkpoints as it likes, and goes on whatever the answer is.
#[derive(Default)]
struct Own {
    answers: Vec<Result<(), String>>,
}

#[kcl::processor(main = false)]
impl Own {
    #[on_record]
    fn handle(&mut self, checkpointer: &mut Checkpointer) {
        self.answers.push(checkpointer.checkpoint().map_err(|error| error.to_string()));
    }
}

#[test]
fn checkpoints_are_refused_as_often_as_scripted() {
    let run = Daemon::new().fault(Fault::refuse_checkpoints(Refusal::Throttled, 4)).batch(["a"]).run::<Own>();
    run.assert_succeeded();
    run.assert_checkpoint_at(1);
    assert_eq!(run.checkpoints().len(), 5);
    assert_eq!(run.checkpoints()[0].refusal(), Some("ThrottlingException"));

    let run = Daemon::new().fault(Fault::refuse_checkpoints(Refusal::Throttled, 5)).batch(["a"]).run::<Own>();
    run.assert_checkpoint_at(0);
    assert!(run.processor().answers[0].as_ref().is_err_and(|error| error.contains("throttled")));
    let run = Daemon::new()
        .fault(Fault::refuse_checkpoints(Refusal::Other("NullPointerException".to_owned()), 1))
        .batch(["a", "b"])
        .run::<Own>();
    assert_eq!(run.checkpoints().iter().filter(|made| made.refusal().is_none()).count(), 1);
}

#[test]
fn after_the_lease_is_lost_no_checkpoint_is_accepted_and_lease_lost_follows() {
    for fault in [Fault::lose_lease(), Fault::refuse_checkpoints(Refusal::LeaseLost, 1)] {
        let run = Daemon::new().batch(["a"]).fault(fault).batch(["b", "c"]).run::<Own>();
        run.assert_succeeded();
        run.assert_checkpoint_at(1);
        assert_eq!(run.acknowledgements(), ["initialize", "processRecords", "processRecords", "leaseLost"]);
    }
    let run = Daemon::new().batch(["a"]).lease_lost().batch(["b"]).run::<Notes>();
    // The second batch was for another worker's process.
    assert_eq!(run.processor().texts, ["b"]);
    assert!(!run.processor().lost);
}

#[test]
fn a_shutdown_is_the_last_message_of_its_process() {
    let run = Daemon::new().batch(["a"]).shutdown_requested().run::<Notes>();
    run.assert_succeeded();
    assert_eq!(run.acknowledgements(), ["initialize", "processRecords", "shutdownRequested"]);
    run.assert_checkpoint_at(1);
}

#[test]
fn records_have_keys_times_numbers_and_parts() {
    #[derive(Default)]
    struct Keeps(Vec<Record>);

    #[kcl::processor(main = false)]
    impl Keeps {
        #[on_record]
        fn keep(&mut self, record: &Record) {
            self.0.push(record.clone());
        }
    }

    let arrival = std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_795_348_564_154);
    let records = [
        json!({"cents": 5}).into(),
        TestRecord::text("a").key("alice").arrival(arrival),
        TestRecord::bytes([0xff]).part(0),
        TestRecord::json(&["b"]).part(1),
        "c".into(),
    ];
    let run = Daemon::new().batch(records).batch([TestRecord::text("d").sequence_number(100)]).run::<Keeps>();
    let seen: Vec<_> = run
        .processor()
        .0
        .iter()
        .map(|record| {
            (record.data(), record.partition_key(), record.sequence_number().to_string(), record.sub_sequence_number())
        })
        .collect();
    assert_eq!(
        seen,
        [
            (&br#"{"cents":5}"#[..], "key-1", "1".to_owned(), 0),
            (b"a", "alice", "2".to_owned(), 0),
            (&[0xff], "key-3", "3".to_owned(), 0),
            (br#"["b"]"#, "key-4", "3".to_owned(), 1),
            (b"c", "key-5", "4".to_owned(), 0),
            (b"d", "key-6", "100".to_owned(), 0),
        ]
    );
    assert_eq!(run.processor().0[1].approximate_arrival_timestamp(), Some(arrival));
    run.assert_checkpoint_at(6);
}

#[test]
fn records_are_numbered_from_the_position_of_the_shard() {
    #[derive(Default)]
    struct Numbers(Vec<String>);

    #[kcl::processor(main = false, checkpoint = "1 records")]
    impl Numbers {
        #[on_record]
        fn note(&mut self, record: &Record) {
            self.0.push(format!("{}/{}", record.sequence_number(), record.sub_sequence_number()));
        }
    }

    let numbers = |position, parts: std::ops::Range<u64>| {
        let records = parts.map(|part| TestRecord::text("x").part(part));
        let run = Daemon::new().starting_at(position).batch(records).batch(["y"]).run::<Numbers>();
        run.assert_succeeded();
        run.assert_checkpoint_at(run.given().len());
        run.processor().0.clone()
    };
    assert_eq!(numbers(Position::after(5.into(), 1), 0..2), ["6/0", "6/1", "7/0"]);
    assert_eq!(numbers(Position::after(5.into(), 1), 2..4), ["5/2", "5/3", "6/0"]);
    assert_eq!(numbers(Position::Latest, 0..1), ["1/0", "2/0"]);
    let digits = "49680459081244621130965516027434656173539743708206858299";
    let position = Position::after(digits.parse().expect("digits"), 0);
    assert_eq!(numbers(position, 0..1)[0], "49680459081244621130965516027434656173539743708206858300/0");
}

#[test]
fn a_checkpoint_within_an_aggregate_delivers_its_other_parts_again() {
    let parts = (0..4).map(|part| TestRecord::text(part.to_string()).part(part));
    let run = Daemon::new().batch(parts).redeliver().run_with(|_: &Shard| Ok::<_, Infallible>(Halfway(0)));
    let records: Vec<_> = run.calls().iter().map(|call| call.records()).filter(|records| !records.is_empty()).collect();
    assert_eq!(records, [[1], [2], [3], [3], [4]]);
}

/// Checkpoints its second record, and fails at the third one; a later process does not.
struct Halfway(u32);

static STARTED: AtomicU32 = AtomicU32::new(0);

#[kcl::processor(main = false)]
impl Halfway {
    #[on_record]
    fn handle(&mut self, checkpointer: &mut Checkpointer) -> Result<(), BoxError> {
        self.0 += 1;
        match self.0 {
            2 => Ok(checkpointer.checkpoint()?),
            3 if STARTED.fetch_add(1, Ordering::Relaxed) == 0 => Err("the third one".into()),
            _ => Ok(()),
        }
    }
}

#[test]
fn children_start_after_their_parents() {
    let run = Daemon::new()
        .shard("left", |steps| steps.batch(["a"]).shard_end())
        .shard("right", |steps| steps.batch(["b"]).batch(["c"]).shard_end())
        .shard("merged", |steps| steps.after("left").after("right").batch(["d"]).shard_end())
        .run::<Notes>();
    run.assert_succeeded();
    for (id, texts) in [("left", &["a"][..]), ("right", &["b", "c"]), ("merged", &["d"])] {
        assert_eq!(run.shard(id).processor().texts, texts);
        run.shard(id).assert_shard_ended();
    }
    let run = Daemon::new()
        .shard("parent", |steps| steps.batch(["a"]))
        .shard("child", |steps| steps.after("parent").batch(["d"]))
        .run::<Notes>();
    assert!(run.shard("child").calls().is_empty());
    let message = crate::first_line(|| run.assert_succeeded());
    assert_eq!(message, "shard child was never started, because a shard before it has not ended");
}

#[test]
fn records_come_from_dead_letters() {
    let folder = tempfile::tempdir().expect("a folder");
    struct Letters(kcl::dead_letter::JsonLines);

    #[kcl::processor(main = false)]
    impl Letters {
        #[on_record(on_failure = dead_letter)]
        fn handle(&mut self, record: &Record) -> Result<(), BoxError> {
            if record.data() == b"good" { Ok(()) } else { Err("bad".into()) }
        }

        #[on_dead_letter]
        fn keep(&mut self, letter: &kcl::DeadLetter<'_>) -> std::io::Result<()> {
            self.0.write(letter)
        }
    }

    let run = Daemon::new()
        .batch([TestRecord::text("good"), TestRecord::bytes([0xff]).key("k"), TestRecord::text("\u{1f980}")])
        .run_with(|shard: &Shard| kcl::dead_letter::JsonLines::open(&folder, shard).map(Letters));
    run.assert_succeeded();
    assert_eq!(run.dead_letters(), [(2, "bad"), (3, "bad")]);
    let file = std::fs::read_dir(&folder).expect("the folder").next().expect("a file").expect("an entry").path();
    let records = TestRecord::read_json_lines(file);
    let run = Daemon::new().batch(records).run::<Notes>();
    assert_eq!(run.processor().texts, ["\u{fffd}", "\u{1f980}"]);
    run.assert_checkpoint_at(2);
}

#[test]
fn batches_may_be_empty_or_behind() {
    #[derive(Default)]
    struct Lags(Vec<(usize, Option<Duration>)>);

    #[kcl::processor(main = false)]
    impl Lags {
        #[on_records]
        fn handle(&mut self, records: &[Record], behind: kcl::MillisBehindLatest) {
            self.0.push((records.len(), behind.0));
        }
    }

    let run = Daemon::new().batch(["a"]).behind(Duration::from_secs(7)).empty_batch().run::<Lags>();
    assert_eq!(run.processor().0, [(1, Some(Duration::ZERO)), (0, Some(Duration::from_secs(7)))]);
    let run = Daemon::new().behind(Duration::MAX).batch(["a"]).run::<Lags>();
    assert_eq!(run.processor().0, [(1, Some(Duration::from_millis(i64::MAX as u64)))]);
}

#[test]
fn the_lease_may_be_lost_while_the_shards_end_is_handled() {
    let run = Daemon::new().batch(["a"]).fault(Fault::lose_lease()).shard_end().run::<Notes>();
    run.assert_succeeded();
    run.assert_checkpoint_at(1);
    assert_eq!(run.acknowledgements(), ["initialize", "processRecords", "shardEnded", "leaseLost"]);
    assert!(run.processor().lost);
}

#[test]
fn a_shards_end_that_failed_is_sent_again_to_the_next_process() {
    /// Fails at the end of its shard the first time.
    struct Unlucky(bool);

    #[kcl::processor(main = false)]
    impl Unlucky {
        #[on_record]
        fn handle(&mut self) {}

        #[on_shard_end]
        fn end(&mut self) -> Result<(), BoxError> {
            if self.0 { Ok(()) } else { Err("not yet".into()) }
        }
    }

    let starts = AtomicU32::new(0);
    let make = |_: &Shard| Ok::<_, Infallible>(Unlucky(starts.fetch_add(1, Ordering::Relaxed) > 0));
    let run = Daemon::new().batch(["a"]).shard_end().redeliver().run_with(make);
    run.assert_succeeded();
    run.assert_shard_ended();
    let line = crate::first_line(|| Daemon::new().batch(["a"]).shard_end().redeliver().run_with(make));
    assert!(line.starts_with(".redeliver() at tests/testing/scripts.rs:"), "{line}");
}

#[test]
fn records_come_from_tail() {
    let line = |shard: &str, number: &str, sub: u64| {
        format!(
            r#"{{"data":"{shard}","partitionKey":"k","sequenceNumber":"{number}","subSequenceNumber":{sub},"approximateArrivalTimestamp":7,"shardId":"{shard}"}}"#
        )
    };
    let number = "49680459081244621130965516027434656173539743708206858242";
    let position = |lines: &[String]| {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        writeln!(file, "{}", lines.join("\n")).expect("room");
        let run = Daemon::new().batch(TestRecord::read_json_lines(file.path())).run::<Notes>();
        run.shards()[0].position().clone()
    };
    let ascending = [line("a", number, 0), line("a", number, 1)];
    assert_eq!(position(&ascending), Position::after(number.parse().expect("digits"), 1));
    let of_two_shards = [line("a", number, 1), line("b", "7", 0)];
    assert_eq!(position(&of_two_shards), Position::after(2.into(), 0));
}

#[test]
fn a_handler_may_name_the_records_that_failed() {
    #[derive(Default)]
    struct Names;

    #[kcl::processor(main = false)]
    impl Names {
        #[on_records(retry = 1)]
        fn handle(&mut self, records: &[Record]) -> Result<(), kcl::FailedRecords> {
            let failed = records.iter().enumerate().filter(|(_, record)| record.data() == b"bad");
            let failed: kcl::FailedRecords = failed.map(|(place, _)| (place, "it is bad")).collect();
            if records.iter().any(|record| record.data() == b"bad") { Err(failed) } else { Ok(()) }
        }
    }

    let run = Daemon::new().batch(["0"]).batch(["a", "b", "bad", "c", "bad"]).run::<Names>();
    run.assert_failed();
    run.assert_checkpoint_at(3);
    let calls: Vec<_> = run.calls().iter().skip(1).map(|call| call.records().to_vec()).collect();
    assert_eq!(calls, [vec![1], vec![2, 3, 4, 5, 6], vec![4, 6]]);
    let line = crate::first_line(|| run.assert_checkpoint_at(4));
    assert!(
        line.starts_with("expected a checkpoint at record 4; the last one is at record 3; record 4 was tried twice"),
        "{line}"
    );
}

#[test]
fn a_batch_may_be_bisected() {
    struct Halves;

    impl kcl::Processor for Halves {
        const POLICY: kcl::FailurePolicy = kcl::FailurePolicy::new().on_failure(kcl::FailureAction::Skip).bisect();

        fn process_records(&mut self, input: &mut kcl::ProcessRecords<'_>) -> Result<(), BoxError> {
            if input.records().iter().any(|record| record.data() == b"bad") { Err("it is bad".into()) } else { Ok(()) }
        }
    }

    let run =
        Daemon::new().batch(["a", "b", "bad", "c"]).batch(["d"]).run_with(|_: &Shard| Ok::<_, Infallible>(Halves));
    run.assert_succeeded();
    run.assert_checkpoint_at(5);
    assert_eq!(run.skipped().len(), 1);
    let calls: Vec<_> = run.calls().iter().skip(1).map(|call| call.records().to_vec()).collect();
    assert_eq!(calls, [vec![1, 2, 3, 4], vec![1, 2], vec![3, 4], vec![3], vec![4], vec![5]]);
}

/// The records of each `processRecords` that a run delivered.
fn batches<P>(run: &kcl::testing::Report<P>) -> Vec<String> {
    let report = run.to_string();
    let lines = report.lines().filter_map(|line| line.trim_start().strip_prefix("-> processRecords with "));
    lines.map(str::to_owned).collect()
}

#[test]
fn records_are_delivered_again_in_other_batches() {
    let crash = |size| {
        let daemon = Daemon::new().fault(Fault::redeliver_in_batches_of(size)).fault(Fault::crash_before_checkpoint());
        let run = daemon.batch(["a", "b", "c"]).batch(["d", "e"]).batch(["f"]).shard_end().run::<Notes>();
        run.assert_succeeded();
        run.assert_shard_ended();
        batches(&run)
    };
    assert_eq!(crash(1), ["records 1 to 3", "record 1", "record 2", "record 3", "records 4 to 5", "record 6"]);
    assert_eq!(crash(2), ["records 1 to 3", "records 1 to 2", "records 3 to 4", "record 5", "record 6"]);
    assert_eq!(crash(4), ["records 1 to 3", "records 1 to 4", "record 5", "record 6"]);
    assert_eq!(crash(9), ["records 1 to 3", "records 1 to 5", "record 6"]);
}

#[test]
fn records_that_are_delivered_again_go_on_with_a_batch_that_follows_at_once() {
    let daemon = || Daemon::new().fault(Fault::redeliver_in_batches_of(9));
    let crash = daemon().fault(Fault::crash_before_checkpoint());
    let run = crash.batch(["a", "b"]).pass(Duration::from_secs(1)).batch(["c"]).run::<Notes>();
    assert_eq!(batches(&run), ["records 1 to 2", "records 1 to 2", "record 3"]);
    let crash = daemon().fault(Fault::crash_before_checkpoint());
    let run = crash.batch(["a", "b"]).fault(Fault::lose_lease()).batch(["c"]).run::<Notes>();
    assert_eq!(batches(&run), ["records 1 to 2", "records 1 to 3"]);
    assert_eq!(
        run.acknowledgements().last(),
        Some(&"leaseLost"),
        "the lease was lost with the records of the next step"
    );
    let line = crate::first_line(|| daemon().batch(["a"]).crash().batch(["b"]).run::<Notes>());
    assert!(line.starts_with("Fault::redeliver_in_batches_of(9) at") && line.contains("never happened"), "{line}");
}
