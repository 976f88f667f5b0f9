//! The pace of the runtime's checkpoints.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use kcl::testing::{Daemon, pass};
use kcl::{BoxError, Checkpoints, FailurePolicy, ProcessRecord, ProcessRecords, Processor, RunError, Runner, Shard};

use crate::{ALL, EMPTY, INITIALIZE, LEASE_LOST, OK, SHARD_ENDED, SHUTDOWN_REQUESTED, at, batch, refused, status};

/// Fails at the record with this number.
struct ByNumber(u64);

#[kcl::processor(main = false, checkpoint = "4 records")]
impl ByNumber {
    #[on_record]
    fn handle(&mut self, record: &kcl::Record) -> Result<(), &'static str> {
        if record.sequence_number() == self.0.into() { Err("it broke") } else { Ok(()) }
    }
}

struct ByTime(u64);

// No test runs that long.
#[kcl::processor(main = false, checkpoint = "2h")]
impl ByTime {
    #[on_record]
    fn handle(&mut self, record: &kcl::Record) -> Result<(), &'static str> {
        if record.sequence_number() == self.0.into() { Err("it broke") } else { Ok(()) }
    }
}

fn run<P: kcl::Processor>(make: impl Fn() -> P, input: &[&str]) -> (Vec<String>, Result<(), RunError>) {
    let input = input.iter().map(|line| format!("{line}\n")).collect::<String>();
    let mut output = Vec::new();
    let result = Runner::new(|_: &Shard| Ok::<_, BoxError>(make())).run_on(input.as_bytes(), &mut output);
    (String::from_utf8(output).expect("JSON").lines().map(str::to_owned).collect(), result)
}

fn numbers(numbers: std::ops::Range<u64>) -> String {
    batch(numbers.map(|number| (number, 0)))
}

const RECORDS: &str = r#"{"action":"status","responseFor":"processRecords"}"#;
const NONE: u64 = 0;

#[test]
fn the_record_that_reaches_the_number_is_checkpointed() {
    let input = [&numbers(1..4), &numbers(4..6), OK, &numbers(6..9), OK, EMPTY, &numbers(9..10), LEASE_LOST];
    let input: Vec<_> = std::iter::once(INITIALIZE).chain(input).collect();
    let (output, result) = run(|| ByNumber(NONE), &input);
    assert!(result.is_ok());
    let (first, last) = (status("initialize"), status("leaseLost"));
    // At the end of a batch, the checkpoint covers the whole batch.
    assert_eq!(output, [&first, RECORDS, &at(4, 0), RECORDS, ALL, RECORDS, RECORDS, RECORDS, &last]);

    let input = [INITIALIZE, &batch([(1, 0), (1, 1), (2, 0), (2, 7), (2, 8), (3, 0)]), OK];
    let (output, result) = run(|| ByNumber(NONE), &input);
    assert!(result.is_ok());
    assert_eq!(output, [&status("initialize"), &at(2, 7), RECORDS]);
}

#[test]
fn a_refused_checkpoint_after_a_batch_is_repeated_after_as_many_records() {
    let no = refused("InvalidStateException");
    let input = [INITIALIZE, &numbers(1..5), &no, EMPTY, &numbers(5..8), &numbers(8..9), OK, EMPTY];
    let (output, result) = run(|| ByNumber(NONE), &input);
    assert!(result.is_ok());
    assert_eq!(output, [&status("initialize"), ALL, RECORDS, RECORDS, RECORDS, ALL, RECORDS, RECORDS]);
}

#[test]
fn a_refused_checkpoint_between_records_is_repeated_after_as_many_records() {
    let no = refused("InvalidStateException");
    let (output, result) = run(|| ByNumber(NONE), &[INITIALIZE, &numbers(1..14), &no, OK, OK, EMPTY]);
    assert!(result.is_ok());
    assert_eq!(output, [&status("initialize"), &at(4, 0), &at(8, 0), &at(12, 0), RECORDS, RECORDS]);

    // The end of the batch comes earlier, and is not a reason to ask again.
    let (output, result) = run(|| ByNumber(NONE), &[INITIALIZE, &numbers(1..8), &no, &numbers(8..9), OK, EMPTY]);
    assert!(result.is_ok());
    assert_eq!(output, [&status("initialize"), &at(4, 0), RECORDS, ALL, RECORDS, RECORDS]);
}

#[test]
fn records_that_were_checkpointed_are_not_checkpointed_again_on_failure() {
    for (poison, last) in [(5, None), (6, Some(at(5, 0)))] {
        let (output, result) = run(|| ByNumber(poison), &[INITIALIZE, &numbers(1..9), OK, OK]);
        let expected = [status("initialize"), at(4, 0)].into_iter().chain(last).collect::<Vec<_>>();
        assert_eq!(output, expected);
        assert!(matches!(result, Err(RunError::Handler(_))));
    }
}

#[test]
fn no_record_follows_a_checkpoint_that_reports_a_lost_lease() {
    // The poison is not reached.
    let lost = refused("ShutdownException");
    let input = [INITIALIZE, &numbers(1..9), &lost, &numbers(9..14), SHUTDOWN_REQUESTED, LEASE_LOST];
    let (output, result) = run(|| ByNumber(5), &input);
    assert!(result.is_ok());
    // Nothing that follows passes the records that were not processed.
    let expected =
        [&status("initialize"), &at(4, 0), RECORDS, RECORDS, &status("shutdownRequested"), &status("leaseLost")];
    assert_eq!(output, expected);

    let (output, result) = run(|| ByNumber(5), &[INITIALIZE, &numbers(1..9), &lost, SHARD_ENDED]);
    assert_eq!(output, [&status("initialize"), &at(4, 0), RECORDS]);
    assert_eq!(result.expect_err("records were not processed").exit_code(), 1);
}

#[test]
fn no_record_follows_a_checkpoint_that_finds_the_daemon_gone() {
    let (output, result) = run(|| ByNumber(5), &[INITIALIZE, &numbers(1..9)]);
    assert_eq!(output, [status("initialize"), at(4, 0)]);
    assert!(result.is_ok(), "the end of the input is not a failure");

    let (output, result) = run(|| ByNumber(5), &[INITIALIZE, &numbers(1..9), EMPTY, OK]);
    assert_eq!(output, [status("initialize"), at(4, 0)]);
    assert_eq!(result.expect_err("not understood").exit_code(), 2);
}

/// Handles records by hand, one by one, and then does something for the whole batch.
struct ByHand {
    records: fn(&mut ProcessRecords<'_>, &mut Vec<u64>) -> crate::Result,
    seen: Vec<u64>,
    dropped: Rc<RefCell<Vec<u64>>>,
}

impl Drop for ByHand {
    fn drop(&mut self) {
        self.dropped.borrow_mut().append(&mut self.seen);
    }
}

impl Processor for ByHand {
    const CHECKPOINTS: Checkpoints = Checkpoints::Records(2);
    const POLICY: FailurePolicy =
        FailurePolicy::new().retry(1).backoff(Duration::from_millis(1), Duration::from_millis(1));

    fn process_records(&mut self, input: &mut ProcessRecords<'_>) -> crate::Result {
        (self.records)(input, &mut self.seen)
    }
}

fn by_hand(
    records: fn(&mut ProcessRecords<'_>, &mut Vec<u64>) -> crate::Result,
    input: &[&str],
) -> (Vec<String>, Result<(), RunError>, Vec<u64>) {
    let seen = Rc::default();
    let (output, result) = run(|| ByHand { records, seen: Vec::new(), dropped: Rc::clone(&seen) }, input);
    (output, result, seen.take())
}

fn see(seen: &mut Vec<u64>, input: &ProcessRecord<'_>) -> crate::Result {
    seen.push(number(input));
    Ok(())
}

fn number(input: &ProcessRecord<'_>) -> u64 {
    input.record().sequence_number().to_string().parse().expect("small")
}

#[test]
fn a_loop_by_hand_is_checkpointed_between_records_only_if_it_settles_them() {
    let batch = numbers(1..6);
    let (output, result, seen) =
        by_hand(|input, seen| input.for_each_record(|one| see(seen, one)), &[INITIALIZE, &batch, OK]);
    assert!(result.is_ok());
    assert_eq!(output, [&status("initialize"), ALL, RECORDS]);
    assert_eq!(seen, [1, 2, 3, 4, 5]);

    let (output, result, _) =
        by_hand(|input, seen| input.settle_each_record(|one| see(seen, one)), &[INITIALIZE, &batch, OK, OK]);
    assert!(result.is_ok());
    assert_eq!(output, [&status("initialize"), &at(2, 0), &at(4, 0), RECORDS]);

    // The second batch does not settle its records, so its retry checkpoints nothing.
    let (output, result, seen) = by_hand(
        |input, seen| {
            if input.records().len() == 3 {
                return input.settle_each_record(|_| Ok(()));
            }
            input.for_each_record(|one| {
                seen.push(number(one));
                if number(one) == 7 && seen.len() == 4 { Err("once".into()) } else { Ok(()) }
            })
        },
        &[INITIALIZE, &numbers(1..4), OK, &numbers(4..8), OK],
    );
    assert!(result.is_ok());
    assert_eq!(seen, [4, 5, 6, 7, 7]);
    assert_eq!(output, [&status("initialize"), &at(2, 0), RECORDS, ALL, RECORDS]);
}

#[test]
fn a_loop_by_hand_cannot_hide_that_the_lease_or_the_daemon_is_gone() {
    let lost = refused("ShutdownException");
    for (records, label) in [
        (
            (|input, seen| {
                _ = input.settle_each_record(|one| see(seen, one));
                _ = input.for_each_record(|one| see(seen, one));
                Ok(())
            }) as fn(&mut ProcessRecords<'_>, &mut Vec<u64>) -> crate::Result,
            "hidden",
        ),
        (
            |input, seen| {
                _ = input.settle_each_record(|one| see(seen, one));
                panic!("it broke")
            },
            "a panic",
        ),
    ] {
        let input = [INITIALIZE, &numbers(1..6), &lost, SHUTDOWN_REQUESTED];
        let (output, result, seen) = by_hand(records, &input);
        assert!(result.is_ok(), "{label}");
        assert_eq!(output, [&status("initialize"), &at(2, 0), RECORDS, &status("shutdownRequested")], "{label}");
        assert_eq!(seen, [1, 2], "{label}");

        let (output, result, seen) = by_hand(records, &[INITIALIZE, &numbers(1..6)]);
        assert!(result.is_ok(), "{label}");
        assert_eq!((output.len(), seen), (2, vec![1, 2]), "{label}");
    }
}

/// Takes a second for each record.
struct Slow<const OPTION: u8>;

const SECOND: Duration = Duration::from_secs(1);

#[kcl::processor(main = false, checkpoint = "10s")]
impl Slow<0> {
    #[on_record]
    fn handle(&mut self) {
        pass(SECOND);
    }
}

#[kcl::processor(main = false, checkpoint = "10s")]
impl Slow<1> {
    #[on_records]
    fn handle(&mut self, records: &[kcl::Record]) {
        pass(SECOND * records.len() as u32);
    }
}

#[kcl::processor(main = false)]
impl Slow<2> {
    #[on_record]
    fn handle(&mut self) {
        pass(SECOND);
    }
}

/// The records at which a processor checkpoints a batch of 25.
fn checkpoints<P: Processor>(make: fn() -> P) -> Vec<Option<usize>> {
    let run = Daemon::new().batch(vec!["x"; 25]).run_with(|_: &Shard| Ok::<_, BoxError>(make()));
    run.assert_succeeded();
    run.checkpoints().iter().map(|made| made.record()).collect()
}

#[test]
fn an_interval_takes_effect_between_the_records_of_a_slow_batch() {
    assert_eq!(checkpoints(|| Slow::<0>), [Some(10), Some(20)]);
    assert_eq!(checkpoints(|| Slow::<1>), [Some(25)]);
    assert_eq!(checkpoints(|| Slow::<2>), [Some(25)]);
}

#[test]
fn remaining_records_are_checkpointed_at_a_requested_shutdown() {
    for (output, result) in [
        run(|| ByNumber(NONE), &[INITIALIZE, &numbers(1..3), &numbers(3..4), SHUTDOWN_REQUESTED, OK]),
        run(|| ByTime(NONE), &[INITIALIZE, &numbers(1..3), &numbers(3..4), SHUTDOWN_REQUESTED, OK]),
    ] {
        assert!(result.is_ok());
        assert_eq!(output, [&status("initialize"), RECORDS, RECORDS, ALL, &status("shutdownRequested")]);
    }
}

#[test]
fn the_end_of_the_shard_covers_remaining_records() {
    for (output, result) in [
        run(|| ByNumber(NONE), &[INITIALIZE, &numbers(1..3), SHARD_ENDED, OK]),
        run(|| ByTime(NONE), &[INITIALIZE, &numbers(1..3), SHARD_ENDED, OK]),
    ] {
        assert!(result.is_ok());
        assert_eq!(output, [&status("initialize"), RECORDS, ALL, &status("shardEnded")]);
    }
}

#[test]
fn records_that_succeeded_are_checkpointed_on_failure() {
    for (poison, succeeded) in [(3, 2), (5, 4)] {
        for (output, result) in [
            run(|| ByNumber(poison), &[INITIALIZE, &numbers(1..3), &numbers(3..7), OK]),
            run(|| ByTime(poison), &[INITIALIZE, &numbers(1..3), &numbers(3..7), OK]),
        ] {
            assert_eq!(output, [status("initialize"), RECORDS.to_owned(), at(succeeded, 0)]);
            assert!(matches!(result, Err(RunError::Handler(_))));
        }
    }
}
