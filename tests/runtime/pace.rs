//! The pace of the runtime's checkpoints.

use kcl::{BoxError, RunError, Runner, Shard};

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
fn the_batch_that_reaches_the_number_of_records_is_checkpointed() {
    let input = [&numbers(1..4), &numbers(4..6), OK, &numbers(6..9), EMPTY, &numbers(9..10), OK, LEASE_LOST];
    let input: Vec<_> = std::iter::once(INITIALIZE).chain(input).collect();
    let (output, result) = run(|| ByNumber(NONE), &input);
    assert!(result.is_ok());
    let (first, last) = (status("initialize"), status("leaseLost"));
    assert_eq!(output, [&first, RECORDS, ALL, RECORDS, RECORDS, RECORDS, ALL, RECORDS, &last]);
}

#[test]
fn a_refused_checkpoint_is_repeated_with_the_next_message() {
    let no = refused("InvalidStateException");
    let (output, result) = run(|| ByNumber(NONE), &[INITIALIZE, &numbers(1..5), &no, EMPTY, OK, EMPTY]);
    assert!(result.is_ok());
    assert_eq!(output, [&status("initialize"), ALL, RECORDS, ALL, RECORDS, RECORDS]);
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
