//! Failures, and the checkpoints that they cause.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use kcl::{BoxError, CheckpointError, FailurePolicy, ProcessRecords, Processor, Runner, Shard, ShutdownRequested};

use crate::{
    ALL, Auto, INITIALIZE, LEASE_LOST, OK, Own, Records, Result, SHARD_ENDED, SHUTDOWN_REQUESTED, at, batch, error,
    fail_at, panic, refused, run, status,
};

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
    // The checkpoint of the first batch was refused, so the daemon does not have it yet.
    let processor = Auto { records: Box::new(records), ..Auto::default() };
    let input = [INITIALIZE, &batch([(1, 0), (2, 3)]), &refused("InvalidStateException"), &batch([(4, 0), (5, 0)]), OK];
    let (output, result) = run(processor, &input);
    assert_eq!(output, [&status("initialize"), ALL, &status("processRecords"), &at(2, 3)]);
    let text = result.expect_err("it failed").to_string();
    assert!(text.ends_with(": it broke; in a batch of 2 records, 4/0 to 5/0"), "{text}");
}

#[test]
fn a_failure_after_the_last_record_fails_the_whole_batch() {
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
fn the_failure_of_a_handler_that_checkpoints_sends_nothing() {
    let (output, result) =
        run(Own { records: fail_at(2, error), ..Own::default() }, &[INITIALIZE, &batch([(1, 0), (2, 0)])]);
    assert_eq!(output, [status("initialize")]);
    assert_eq!(result.expect_err("it failed").exit_code(), 1);
}

#[test]
fn a_lost_lease_is_not_a_failure() {
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
fn a_failure_whose_checkpoint_reports_a_lost_lease_is_not_a_failure() {
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
fn nothing_is_checkpointed_past_records_abandoned_with_the_lease() {
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
fn a_shutdown_whose_checkpoint_would_pass_abandoned_records_is_not_a_failure() {
    let records = Box::new(|input: &mut ProcessRecords<'_>| Ok(input.checkpointer().checkpoint()?));
    let shutdown_requested = Box::new(|input: &mut ShutdownRequested<'_>| Ok(input.checkpointer().checkpoint()?));
    let input = [INITIALIZE, &batch([(1, 0)]), &refused("ShutdownException"), SHUTDOWN_REQUESTED, LEASE_LOST];
    let (output, result) = run(Own { records, shutdown_requested, ..Own::default() }, &input);
    let expected = ["initialize", "processRecords", "shutdownRequested", "leaseLost"].map(status);
    assert_eq!(output.into_iter().filter(|line| line != ALL).collect::<Vec<_>>(), expected);
    assert!(result.is_ok());
}

#[test]
fn the_causes_of_an_error_are_reported() {
    let records: Records = Box::new(|_| Err(Box::new(CheckpointError::Io(io::Error::other("root cause")))));
    let (_, result) = run(Auto { records, ..Auto::default() }, &[INITIALIZE, &batch([(1, 0)])]);
    assert!(
        result
            .expect_err("it failed")
            .to_string()
            .ends_with("failed: the daemon could not be reached: root cause; in a batch of 1 record, 1/0")
    );
}

/// Panics when it is dropped, with a value that does the same.
#[derive(Debug)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        std::panic::panic_any(Bomb);
    }
}

/// An error that panics wherever it can.
#[derive(Debug)]
struct Explosive {
    display: fn(&mut fmt::Formatter<'_>) -> fmt::Result,
    _bomb: Bomb,
}

impl fmt::Display for Explosive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.display)(f)
    }
}

impl std::error::Error for Explosive {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        panic!("no source");
    }
}

#[test]
fn values_that_panic_when_they_are_dropped_or_shown_fail_like_any_other() {
    fn bomb() -> Result {
        std::panic::panic_any(Bomb)
    }
    fn explosive(display: fn(&mut fmt::Formatter<'_>) -> fmt::Result) -> Result {
        Err(Explosive { display, _bomb: Bomb }.into())
    }
    type How = fn() -> Result;
    let cases: [(How, &str); 4] = [
        (bomb, "panicked: the panic's value is not text"),
        (|| explosive(|f| f.write_str("it broke")), "failed: it broke"),
        (|| explosive(|_| panic!("no text")), "failed: (the `Display` of this error panicked)"),
        (
            || {
                explosive(|f| {
                    f.write_str("it")?;
                    Err(fmt::Error)
                })
            },
            "failed: it (the `Display` of this error failed)",
        ),
    ];
    for (how, text) in cases {
        let processor = Auto { records: fail_at(3, how), ..Auto::default() };
        let (output, result) = run(processor, &[INITIALIZE, &batch([(1, 0), (2, 1), (3, 0)]), OK]);
        assert_eq!(output, [status("initialize"), at(2, 1)]);
        let error = result.expect_err("it failed");
        assert_eq!(
            (error.exit_code(), error.to_string()),
            (1, format!("shard shardId-000000000007: processRecords {text}; at record 3/0 with partition key `key-3`"))
        );
    }
}

/// Fails at record 2 in every way in turn, and when it is dropped.
struct Skips(u32, Bomb);

impl Processor for Skips {
    const POLICY: FailurePolicy = FailurePolicy::new()
        .retry(3)
        .backoff(Duration::from_millis(1), Duration::from_millis(1))
        .on_failure(kcl::FailureAction::DeadLetter);

    fn process_records(&mut self, input: &mut ProcessRecords<'_>) -> Result {
        input.for_each_record(|input| {
            if input.record().sequence_number() != 2.into() {
                return Ok(());
            }
            self.0 += 1;
            match self.0 {
                1 => std::panic::panic_any(Bomb),
                2 => Err(Explosive { display: |_| Err(fmt::Error), _bomb: Bomb }.into()),
                _ => Err(Explosive { display: |_| panic!("no text"), _bomb: Bomb }.into()),
            }
        })
    }

    fn dead_letter(&mut self, letter: &kcl::DeadLetter<'_>) -> Result {
        assert_eq!(letter.to_string(), "(the `Display` of this error panicked)");
        Ok(())
    }
}

#[test]
fn values_that_panic_do_not_disturb_retries_and_dead_letters() {
    let make = |_: &Shard| Ok::<_, BoxError>(Skips(0, Bomb));
    let input = [INITIALIZE, &batch([(1, 0), (2, 0), (3, 0)]), OK].join("\n");
    let mut output = Vec::new();
    let error = Runner::new(make).run_on(input.as_bytes(), &mut output).expect_err("its drop panics");
    let expected = [&status("initialize"), ALL, &status("processRecords")];
    assert_eq!(String::from_utf8(output).expect("JSON").lines().collect::<Vec<_>>(), expected);
    let text = "shard shardId-000000000007: drop panicked: the panic's value is not text";
    assert_eq!((error.exit_code(), &*error.to_string()), (1, text));
}

/// Buffers records and writes the buffer at the end of each batch. Record 2 fails once, and every write fails.
struct Buffers {
    failures: u32,
    buffer: Rc<RefCell<Vec<String>>>,
}

impl Processor for Buffers {
    const POLICY: FailurePolicy =
        FailurePolicy::new().retry(1).backoff(Duration::from_millis(1), Duration::from_millis(1));

    fn process_records(&mut self, input: &mut ProcessRecords<'_>) -> Result {
        input.for_each_record(|input| {
            let number = input.record().sequence_number().to_string();
            if number == "2" && self.failures > 0 {
                self.failures -= 1;
                return error();
            }
            self.buffer.borrow_mut().push(number);
            Ok(())
        })?;
        Err("the buffer cannot be written".into())
    }
}

#[test]
fn a_batch_that_fails_after_its_records_is_retried_whole_and_not_checkpointed() {
    let buffer = Rc::default();
    let make = |_: &Shard| Ok::<_, BoxError>(Buffers { failures: 1, buffer: Rc::clone(&buffer) });
    let input = [INITIALIZE, &batch([(1, 0), (2, 0), (3, 0)]), OK].join("\n");
    let mut output = Vec::new();
    Runner::new(make).run_on(input.as_bytes(), &mut output).expect_err("nothing can be written");
    assert_eq!(String::from_utf8(output).expect("JSON").lines().collect::<Vec<_>>(), [status("initialize")]);
    assert_eq!(*buffer.borrow(), ["1", "2", "3", "1", "2", "3"]);
}
