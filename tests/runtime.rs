//! The runtime's rules, as a daemon sees them: what goes in, line by line, and what comes out.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kcl::{
    BoxError, CheckpointError, Checkpoints, LeaseLost, Position, ProcessRecords, Processor, RunError, Runner, Shard,
    ShardEnded, ShutdownRequested,
};

type Result<T = (), E = BoxError> = std::result::Result<T, E>;
type Records = Box<dyn FnMut(&mut ProcessRecords<'_>) -> Result>;

/// A processor made of closures. `BY_HANDLER`: its checkpoints are its own.
struct Scripted<const BY_HANDLER: bool> {
    records: Records,
    lease_lost: Box<dyn FnMut(&mut LeaseLost<'_>) -> Result>,
    shard_ended: Box<dyn FnMut(&mut ShardEnded<'_>) -> Result>,
    shutdown_requested: Box<dyn FnMut(&mut ShutdownRequested<'_>) -> Result>,
    /// Says when the processor is gone.
    #[expect(dead_code, reason = "for its drop")]
    dropped: SetOnDrop,
}

#[derive(Default)]
struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl<const BY_HANDLER: bool> Default for Scripted<BY_HANDLER> {
    fn default() -> Self {
        Self {
            records: Box::new(|_| Ok(())),
            lease_lost: Box::new(|_| Ok(())),
            shard_ended: Box::new(|_| Ok(())),
            shutdown_requested: Box::new(|_| Ok(())),
            dropped: SetOnDrop::default(),
        }
    }
}

impl<const BY_HANDLER: bool> Processor for Scripted<BY_HANDLER> {
    const CHECKPOINTS: Checkpoints = if BY_HANDLER { Checkpoints::Handler } else { Checkpoints::Runtime };

    fn process_records(&mut self, input: &mut ProcessRecords<'_>) -> Result {
        (self.records)(input)
    }
    fn lease_lost(&mut self, input: &mut LeaseLost<'_>) -> Result {
        (self.lease_lost)(input)
    }
    fn shard_ended(&mut self, input: &mut ShardEnded<'_>) -> Result {
        (self.shard_ended)(input)
    }
    fn shutdown_requested(&mut self, input: &mut ShutdownRequested<'_>) -> Result {
        (self.shutdown_requested)(input)
    }
}

/// The runtime's checkpoints.
type Auto = Scripted<false>;
/// The handler's checkpoints.
type Own = Scripted<true>;

/// Runs a processor on these lines; what it answered, and how it ended.
fn run<const BY_HANDLER: bool>(processor: Scripted<BY_HANDLER>, input: &[&str]) -> (Vec<String>, Result<(), RunError>) {
    let input = input.iter().map(|line| format!("{line}\n")).collect::<String>();
    run_bytes(processor, input.as_bytes())
}

fn run_bytes<const BY_HANDLER: bool>(
    processor: Scripted<BY_HANDLER>,
    input: &[u8],
) -> (Vec<String>, Result<(), RunError>) {
    let processor = RefCell::new(Some(processor));
    let runner = Runner::new(|_: &Shard| processor.take().ok_or("a second processor was asked for"));
    let mut output = Vec::new();
    let result = runner.run_on(input, &mut output);
    let output = String::from_utf8(output).expect("JSON");
    (output.lines().map(str::to_owned).collect(), result)
}

const INITIALIZE: &str =
    r#"{"action":"initialize","shardId":"shardId-000000000007","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}"#;
const EMPTY: &str = r#"{"action":"processRecords","records":[],"millisBehindLatest":0}"#;
const LEASE_LOST: &str = r#"{"action":"leaseLost"}"#;
const SHARD_ENDED: &str = r#"{"action":"shardEnded"}"#;
const SHUTDOWN_REQUESTED: &str = r#"{"action":"shutdownRequested"}"#;
const OK: &str = r#"{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":null}"#;

const ALL: &str = r#"{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null}"#;

fn batch(numbers: impl IntoIterator<Item = (u64, u64)>) -> String {
    let records: Vec<_> = numbers
        .into_iter()
        .map(|(number, sub)| {
            format!(r#"{{"data":"eA==","partitionKey":"key-{number}","sequenceNumber":"{number}","subSequenceNumber":{sub},"action":"record"}}"#)
        })
        .collect();
    format!(r#"{{"action":"processRecords","records":[{}],"millisBehindLatest":5}}"#, records.join(","))
}

fn refused(exception: &str) -> String {
    format!(r#"{{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":"{exception}"}}"#)
}

fn at(number: u64, sub: u64) -> String {
    format!(r#"{{"action":"checkpoint","sequenceNumber":"{number}","subSequenceNumber":{sub}}}"#)
}

fn status(action: &str) -> String {
    format!(r#"{{"action":"status","responseFor":"{action}"}}"#)
}

/// Fails at the record of this number.
fn fail_at(number: u64, how: fn() -> Result) -> Records {
    Box::new(move |input| {
        input.for_each_record(|record| if *record.record().sequence_number() == number.into() { how() } else { Ok(()) })
    })
}

fn error() -> Result {
    Err("it broke".into())
}

fn panic() -> Result {
    panic!("it broke")
}

#[test]
fn a_whole_life() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = |what: &'static str| {
        let seen = Rc::clone(&seen);
        move |shard: &Shard| seen.borrow_mut().push(format!("{what} {}", shard.id()))
    };
    let (records, lost, ended, requested) = (log("records"), log("lost"), log("ended"), log("requested"));
    let numbers = Rc::new(RefCell::new(Vec::new()));
    let processor = Auto {
        records: Box::new({
            let numbers = Rc::clone(&numbers);
            move |input| {
                records(input.shard());
                assert_eq!(input.millis_behind_latest().0, Some(5));
                numbers.borrow_mut().extend(input.records().iter().map(|record| record.sequence_number().to_string()));
                Ok(())
            }
        }),
        lease_lost: Box::new(move |input| {
            lost(input.shard());
            Ok(())
        }),
        shard_ended: Box::new(move |input| {
            ended(input.shard());
            Ok(())
        }),
        shutdown_requested: Box::new(move |input| {
            requested(input.shard());
            Ok(())
        }),
        dropped: SetOnDrop::default(),
    };
    let (output, result) = run(
        processor,
        &[INITIALIZE, &batch([(1, 0), (2, 0)]), OK, &batch([(3, 0)]), OK, SHUTDOWN_REQUESTED, OK, LEASE_LOST],
    );
    assert!(result.is_ok());
    assert_eq!(*numbers.borrow(), ["1", "2", "3"]);
    let id = "shardId-000000000007";
    assert_eq!(*seen.borrow(), ["records", "records", "requested", "lost"].map(|what| format!("{what} {id}")));
    assert_eq!(
        output,
        [
            &status("initialize"),
            ALL,
            &status("processRecords"),
            ALL,
            &status("processRecords"),
            ALL,
            &status("shutdownRequested"),
            &status("leaseLost")
        ]
    );
}

#[test]
fn the_shard_is_told_where_it_starts() {
    let line = INITIALIZE.replace("\"TRIM_HORIZON\",\"subSequenceNumber\":0", "\"7\",\"subSequenceNumber\":2");
    let seen = RefCell::new(None);
    let runner = Runner::new(|shard: &Shard| {
        *seen.borrow_mut() = Some(shard.clone());
        Ok::<_, BoxError>(Auto::default())
    });
    runner.run_on(line.as_bytes(), io::sink()).expect("a message without a line end is a message");
    assert_eq!(seen.take(), Some(Shard::new("shardId-000000000007", Position::after(7.into(), 2))));
}

#[test]
fn the_end_of_input_is_no_error_and_drops_the_processor() {
    let (output, result) = run(Auto::default(), &[]);
    assert!(output.is_empty() && result.is_ok());

    let dropped = Arc::new(AtomicBool::new(false));
    let processor = Auto { dropped: SetOnDrop(Arc::clone(&dropped)), ..Auto::default() };
    let (output, result) = run(processor, &[INITIALIZE]);
    assert!(result.is_ok() && dropped.load(Ordering::SeqCst));
    assert_eq!(output, [status("initialize")]);
}

#[test]
fn an_empty_batch_is_acknowledged_and_nothing_is_checkpointed() {
    let (output, result) = run(Auto::default(), &[INITIALIZE, EMPTY]);
    assert!(result.is_ok());
    assert_eq!(output, [status("initialize"), status("processRecords")]);
}

#[test]
fn a_failure_checkpoints_the_records_before_it_and_acknowledges_nothing() {
    for how in [error, panic] {
        let processor = Auto { records: fail_at(3, how), ..Auto::default() };
        let (output, result) = run(processor, &[INITIALIZE, &batch([(1, 0), (2, 1), (3, 0), (4, 0)]), OK]);
        assert_eq!(output, [status("initialize"), at(2, 1)]);
        let error = result.expect_err("it failed");
        assert_eq!(error.exit_code(), 1);
        let text = error.to_string();
        for part in ["shardId-000000000007", "processRecords", "record 3/0", "`key-3`", "it broke"] {
            assert!(text.contains(part), "{text}");
        }
    }
}

#[test]
fn a_failure_at_the_first_record_checkpoints_nothing() {
    let processor = Auto { records: fail_at(1, error), ..Auto::default() };
    let (output, result) = run(processor, &[INITIALIZE, &batch([(1, 0), (2, 0)])]);
    assert_eq!(output, [status("initialize")]);
    assert_eq!(result.expect_err("it failed").exit_code(), 1);
}

#[test]
fn a_batch_that_fails_as_a_whole_checkpoints_the_batches_before() {
    let mut calls = 0;
    let records = move |_: &mut ProcessRecords<'_>| {
        calls += 1;
        if calls == 2 { error() } else { Ok(()) }
    };
    // The first batch's checkpoint was refused, so the daemon does not know of it yet.
    let processor = Auto { records: Box::new(records), ..Auto::default() };
    let input = [INITIALIZE, &batch([(1, 0), (2, 3)]), &refused("InvalidStateException"), &batch([(4, 0), (5, 0)]), OK];
    let (output, result) = run(processor, &input);
    assert_eq!(output, [&status("initialize"), ALL, &status("processRecords"), &at(2, 3)]);
    let text = result.expect_err("it failed").to_string();
    assert!(text.contains("in a batch of 2 records, 4/0 to 5/0: it broke"), "{text}");
}

#[test]
fn a_failure_behind_the_last_record_is_one_of_the_whole_batch() {
    let records = Box::new(|input: &mut ProcessRecords<'_>| {
        input.for_each_record(|_| Ok(()))?;
        Err("the buffer could not be flushed".into())
    });
    let (output, result) = run(Auto { records, ..Auto::default() }, &[INITIALIZE, &batch([(1, 0), (2, 0)]), OK]);
    assert_eq!(output, [status("initialize")]);
    assert!(result.expect_err("it failed").to_string().contains("in a batch of 2 records"));

    let records = Box::new(|input: &mut ProcessRecords<'_>| {
        input.for_each_record(|_| Ok(()))?;
        input.checkpointer().checkpoint()?;
        Ok(())
    });
    let (output, result) = run(Own { records, ..Own::default() }, &[INITIALIZE, &batch([(1, 0), (2, 0)]), OK]);
    assert!(result.is_ok());
    assert_eq!(output, [&status("initialize"), ALL, &status("processRecords")]);
}

#[test]
fn a_refused_checkpoint_is_no_failure_of_a_batch() {
    for exception in ["InvalidStateException", "IllegalArgumentException", "NullPointerException", "ShutdownException"]
    {
        let input = [INITIALIZE, &batch([(1, 0)]), &refused(exception), &batch([(2, 0)]), OK];
        let (output, result) = run(Auto::default(), &input);
        assert!(result.is_ok());
        assert_eq!(output, [&status("initialize"), ALL, &status("processRecords"), ALL, &status("processRecords")]);
    }
}

#[test]
fn a_throttled_checkpoint_is_tried_five_times() {
    for exception in ["ThrottlingException", "KinesisClientLibDependencyException"] {
        let no = refused(exception);
        let input = [INITIALIZE, &batch([(1, 0)]), &no, &no, &no, &no, &no, SHUTDOWN_REQUESTED, OK];
        let (output, result) = run(Auto::default(), &input);
        assert!(result.is_ok());
        let expected = [
            &status("initialize"),
            ALL,
            ALL,
            ALL,
            ALL,
            ALL,
            &status("processRecords"),
            ALL,
            &status("shutdownRequested"),
        ];
        assert_eq!(output, expected);
    }
}

#[test]
fn the_users_checkpoints_are_tried_again_too() {
    let records = Box::new(|input: &mut ProcessRecords<'_>| {
        input.checkpointer().checkpoint()?;
        Ok(())
    });
    let no = refused("ThrottlingException");
    let (output, result) = run(Own { records, ..Own::default() }, &[INITIALIZE, &batch([(1, 0)]), &no, OK]);
    assert!(result.is_ok());
    assert_eq!(output, [&status("initialize"), ALL, ALL, &status("processRecords")]);
}

#[test]
fn the_end_of_a_shard_is_checkpointed_before_it_is_acknowledged() {
    let (output, result) = run(Own::default(), &[INITIALIZE, SHARD_ENDED, OK]);
    assert!(result.is_ok());
    assert_eq!(output, [&status("initialize"), ALL, &status("shardEnded")]);

    let no = refused("ThrottlingException");
    let (output, result) = run(Auto::default(), &[INITIALIZE, SHARD_ENDED, &no, &no, &no, &no, &no, OK]);
    assert!(result.is_ok());
    assert_eq!(output[6..], [ALL, &status("shardEnded")]);
}

#[test]
fn a_shard_end_that_stays_throttled_is_tried_ten_times() {
    let no = refused("ThrottlingException");
    let input: Vec<&str> = [INITIALIZE, SHARD_ENDED].into_iter().chain([&no[..]; 11]).collect();
    let (output, result) = run(Auto::default(), &input);
    assert_eq!(result.expect_err("it was refused").exit_code(), 1);
    assert_eq!(output.len(), 1 + 10);
}

#[test]
fn a_shard_end_that_was_refused_is_never_acknowledged() {
    for exception in ["InvalidStateException", "IllegalArgumentException", "SomeException"] {
        let (output, result) = run(Auto::default(), &[INITIALIZE, SHARD_ENDED, &refused(exception)]);
        assert_eq!(output, [&status("initialize"), ALL]);
        let error = result.expect_err("it was refused");
        assert_eq!(error.exit_code(), 1);
        assert!(matches!(error, RunError::ShardEnd { .. }) && error.to_string().contains(exception), "{error}");
    }
    // The lease is gone: the daemon turns the retry into leaseLost.
    let (output, result) = run(Auto::default(), &[INITIALIZE, SHARD_ENDED, &refused("ShutdownException"), LEASE_LOST]);
    assert!(result.is_ok());
    assert_eq!(output, [&status("initialize"), ALL, &status("shardEnded"), &status("leaseLost")]);
}

#[test]
fn a_shard_end_that_the_handler_checkpointed_is_not_checkpointed_again() {
    let shard_ended = Box::new(|input: &mut ShardEnded<'_>| {
        input.checkpointer().checkpoint()?;
        Ok(())
    });
    let (output, result) = run(Auto { shard_ended, ..Auto::default() }, &[INITIALIZE, SHARD_ENDED, OK]);
    assert!(result.is_ok());
    assert_eq!(output, [&status("initialize"), ALL, &status("shardEnded")]);

    let shard_ended = Box::new(|input: &mut ShardEnded<'_>| {
        input.checkpointer().checkpoint_at_sequence(&7.into(), 1)?;
        Ok(())
    });
    let (output, result) = run(Auto { shard_ended, ..Auto::default() }, &[INITIALIZE, SHARD_ENDED, OK, OK]);
    assert!(result.is_ok());
    assert_eq!(output, [&status("initialize"), &at(7, 1), ALL, &status("shardEnded")]);
}

#[test]
fn a_shard_end_whose_handler_failed_is_not_checkpointed() {
    for how in [error, panic] {
        let processor = Auto { shard_ended: Box::new(move |_| how()), ..Auto::default() };
        // The daemon takes the last record's number for SHARD_END itself, so that must not be sent either.
        let input = [INITIALIZE, &batch([(1, 0)]), &refused("InvalidStateException"), SHARD_ENDED, OK];
        let (output, result) = run(processor, &input);
        assert_eq!(output, [&status("initialize"), ALL, &status("processRecords")]);
        assert_eq!(result.expect_err("it failed").exit_code(), 1);
    }
}

#[test]
fn who_takes_the_checkpointer_decides() {
    let records = Box::new(|input: &mut ProcessRecords<'_>| {
        let records = input.records();
        input.for_each_record(|input| {
            assert!(matches!(input.record().sub_sequence_number(), 0 | 1));
            {
                input.checkpointer().checkpoint()?;
                Ok(())
            }
        })?;
        input.checkpointer().checkpoint_at(&records[1])?;
        Ok(())
    });
    let input = [INITIALIZE, &batch([(1, 0), (1, 1)]), OK, OK, OK, SHUTDOWN_REQUESTED];
    let (output, result) = run(Own { records, ..Own::default() }, &input);
    assert!(result.is_ok());
    let expected =
        [status("initialize"), at(1, 0), at(1, 1), at(1, 1), status("processRecords"), status("shutdownRequested")];
    assert_eq!(output, expected);
}

#[test]
fn a_failure_of_who_checkpoints_itself_sends_nothing() {
    let (output, result) =
        run(Own { records: fail_at(2, error), ..Own::default() }, &[INITIALIZE, &batch([(1, 0), (2, 0)])]);
    assert_eq!(output, [status("initialize")]);
    assert_eq!(result.expect_err("it failed").exit_code(), 1);
}

#[test]
fn a_lost_lease_is_no_failure() {
    for swallow in [true, false] {
        let records = Box::new(move |input: &mut ProcessRecords<'_>| {
            let result = input.checkpointer().checkpoint();
            assert!(matches!(result, Err(CheckpointError::LeaseLost)));
            if swallow {
                Ok(())
            } else {
                {
                    result?;
                    Ok(())
                }
            }
        });
        let input = [INITIALIZE, &batch([(1, 0)]), &refused("ShutdownException"), LEASE_LOST];
        let (output, result) = run(Own { records, ..Own::default() }, &input);
        assert!(result.is_ok());
        assert_eq!(output, [&status("initialize"), ALL, &status("processRecords"), &status("leaseLost")]);
    }
}

#[test]
fn a_failure_whose_checkpoint_finds_the_lease_gone_is_no_failure() {
    let processor = Auto { records: fail_at(2, error), ..Auto::default() };
    let input = [INITIALIZE, &batch([(1, 0), (2, 0)]), &refused("ShutdownException"), SHUTDOWN_REQUESTED, LEASE_LOST];
    let (output, result) = run(processor, &input);
    assert!(result.is_ok());
    let expected = [
        status("initialize"),
        at(1, 0),
        status("processRecords"),
        // Nothing is checkpointed past the record that failed.
        status("shutdownRequested"),
        status("leaseLost"),
    ];
    assert_eq!(output, expected);
}

#[test]
fn nothing_is_checkpointed_past_what_was_given_up_with_the_lease() {
    let records = Box::new(|input: &mut ProcessRecords<'_>| {
        input.checkpointer().checkpoint()?;
        Ok(())
    });
    let shutdown_requested = Box::new(|input: &mut ShutdownRequested<'_>| {
        assert!(matches!(input.checkpointer().checkpoint(), Err(CheckpointError::LeaseLost)));
        Ok(())
    });
    let input = [INITIALIZE, &batch([(1, 0)]), &refused("ShutdownException"), SHUTDOWN_REQUESTED, SHARD_ENDED];
    let (output, result) = run(Own { records, shutdown_requested, ..Own::default() }, &input);
    assert_eq!(output, [&status("initialize"), ALL, &status("processRecords"), &status("shutdownRequested")]);
    assert_eq!(result.expect_err("records were not processed").exit_code(), 1);
}

#[test]
fn every_handler_may_fail() {
    let checks: [(&str, Auto); 3] = [
        (LEASE_LOST, Auto { lease_lost: Box::new(|_| error()), ..Auto::default() }),
        (SHUTDOWN_REQUESTED, Auto { shutdown_requested: Box::new(|_| error()), ..Auto::default() }),
        (r#"{"action":"shutdown","reason":"ZOMBIE"}"#, Auto { lease_lost: Box::new(|_| panic()), ..Auto::default() }),
    ];
    for (message, processor) in checks {
        let (output, result) = run(processor, &[INITIALIZE, message]);
        assert_eq!(output, [status("initialize")]);
        assert_eq!(result.expect_err("it failed").exit_code(), 1);
    }
    let mut output = Vec::new();
    let result = Runner::new(|_: &Shard| Err::<Auto, _>("no database")).run_on(INITIALIZE.as_bytes(), &mut output);
    let error = result.expect_err("it failed");
    assert!(output.is_empty() && error.exit_code() == 1);
    assert_eq!(error.to_string(), "shard shardId-000000000007: initialize failed: no database");
}

#[test]
fn the_causes_of_an_error_are_told() {
    let records: Records = Box::new(|_| Err(Box::new(CheckpointError::Io(io::Error::other("root cause")))));
    let (_, result) = run(Auto { records, ..Auto::default() }, &[INITIALIZE, &batch([(1, 0)])]);
    assert!(
        result
            .expect_err("it failed")
            .to_string()
            .ends_with("in a batch of 1 record, 1/0: the daemon could not be asked: root cause")
    );
}

#[test]
fn kcl_1_is_understood() {
    let ended = r#"{"action":"shutdown","reason":"TERMINATE"}"#;
    let (output, result) = run(Auto::default(), &[INITIALIZE, ended, OK]);
    assert!(result.is_ok());
    assert_eq!(output, [&status("initialize"), ALL, &status("shutdown")]);

    let lost = r#"{"action":"shutdown","reason":"ZOMBIE"}"#;
    let (output, result) = run(Auto::default(), &[INITIALIZE, lost]);
    assert!(result.is_ok());
    assert_eq!(output, [status("initialize"), status("shutdown")]);
}

#[test]
fn what_is_not_understood_is_never_acknowledged() {
    for (input, shard, part) in [
        (&["hello"][..], false, "`hello`"),
        (&[INITIALIZE, "hello"], true, "`hello`"),
        (&[INITIALIZE, r#"{"action":"dance"}"#], true, "unknown action `dance`"),
        (&[INITIALIZE, "\u{1b}[31m"], true, r"\u{1b}[31m"),
        (&[EMPTY], false, "`processRecords`"),
        (&[INITIALIZE, INITIALIZE], true, "`initialize`"),
        (&[INITIALIZE, OK], true, "`checkpoint`"),
    ] {
        let (output, result) = run(Auto::default(), input);
        assert_eq!(output.len(), input.len() - 1);
        let error = result.expect_err("not understood");
        assert_eq!(error.exit_code(), 2);
        let text = error.to_string();
        assert!(text.contains(part) && text.contains("shardId-000000000007") == shard, "{text}");
    }
}

#[test]
fn a_message_that_was_cut_short_is_not_understood() {
    let whole = format!("{INITIALIZE}\n{}", batch([(1, 0)]));
    let (output, result) = run_bytes(Auto::default(), &whole.as_bytes()[..whole.len() - 20]);
    assert_eq!(output, [status("initialize")]);
    let error = result.expect_err("cut short");
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("a line ends in the middle of its message"), "{error}");
}

#[test]
fn an_answer_that_is_no_answer_ends_the_run_whatever_the_handler_makes_of_it() {
    for answer in ["hello", LEASE_LOST] {
        let records = Box::new(|input: &mut ProcessRecords<'_>| {
            assert!(matches!(input.checkpointer().checkpoint(), Err(CheckpointError::Io(_))));
            assert!(matches!(input.checkpointer().checkpoint(), Err(CheckpointError::Io(_))));
            Ok(())
        });
        let (output, result) = run(Own { records, ..Own::default() }, &[INITIALIZE, &batch([(1, 0)]), answer, OK]);
        assert_eq!(output, [&status("initialize"), ALL]);
        assert_eq!(result.expect_err("not understood").exit_code(), 2);

        let (output, result) = run(Auto::default(), &[INITIALIZE, &batch([(1, 0)]), answer, OK]);
        assert_eq!(output, [&status("initialize"), ALL]);
        assert_eq!(result.expect_err("not understood").exit_code(), 2);
    }
}

#[test]
fn a_daemon_that_dies_instead_of_answering_gets_no_acknowledgement() {
    let (output, result) = run(Auto::default(), &[INITIALIZE, &batch([(1, 0)])]);
    assert_eq!(output, [&status("initialize"), ALL]);
    assert!(result.is_ok());

    let (output, result) = run(Auto::default(), &[INITIALIZE, SHARD_ENDED]);
    assert_eq!(output, [&status("initialize"), ALL]);
    assert_eq!(result.expect_err("SHARD_END was not confirmed").exit_code(), 1);
}

#[test]
fn a_daemon_that_does_not_read_any_more_is_gone() {
    struct Closed;
    impl io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let runner = Runner::new(|_: &Shard| Ok::<_, BoxError>(Auto::default()));
    assert!(runner.run_on(INITIALIZE.as_bytes(), Closed).is_ok());

    struct Failing;
    impl io::Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is on fire"))
        }
    }
    let error = runner.run_on(Failing, io::sink()).expect_err("reading failed");
    assert_eq!((error.exit_code(), error.to_string().contains("the disk is on fire")), (2, true));
}

#[test]
fn a_panic_on_drop_is_a_failure() {
    struct Bomb;
    impl Processor for Bomb {
        fn process_records(&mut self, _: &mut ProcessRecords<'_>) -> Result {
            Ok(())
        }
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("not flushed");
        }
    }
    let result = Runner::new(|_: &Shard| Ok::<_, BoxError>(Bomb)).run_on(INITIALIZE.as_bytes(), io::sink());
    let error = result.expect_err("it panicked");
    assert_eq!(error.exit_code(), 1);
    assert!(error.to_string().contains("not flushed"), "{error}");
}
