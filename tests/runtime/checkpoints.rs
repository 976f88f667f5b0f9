//! When the runtime checkpoints, and how it handles refused checkpoints.

use kcl::testing::{Daemon, Fault, Refusal, Report};
use kcl::{BoxError, ProcessRecords, RunError, Shard, ShardEnded};

use crate::{
    ALL, Auto, EMPTY, INITIALIZE, LEASE_LOST, OK, Own, SHARD_ENDED, SHUTDOWN_REQUESTED, Scripted, at, batch, error,
    panic, refused, run, status,
};

#[test]
fn an_empty_batch_is_acknowledged_without_a_checkpoint() {
    let (output, result) = run(Auto::default(), &[INITIALIZE, EMPTY]);
    assert!(result.is_ok());
    assert_eq!(output, [status("initialize"), status("processRecords")]);
}

#[test]
fn a_refused_checkpoint_does_not_fail_its_batch() {
    for exception in ["InvalidStateException", "IllegalArgumentException", "NullPointerException", "ShutdownException"]
    {
        let input = [INITIALIZE, &batch([(1, 0)]), &refused(exception), &batch([(2, 0)]), OK];
        let (output, result) = run(Auto::default(), &input);
        assert!(result.is_ok());
        assert_eq!(output, [&status("initialize"), ALL, &status("processRecords"), ALL, &status("processRecords")]);
    }
}

/// Runs a processor whose next checkpoints are refused that many times.
fn refuse<const BY_HANDLER: bool>(
    refusal: Refusal,
    times: u32,
    steps: fn(Daemon) -> Daemon,
    make: fn() -> Scripted<BY_HANDLER>,
) -> Report<Scripted<BY_HANDLER>> {
    let daemon = Daemon::new().fault(Fault::refuse_checkpoints(refusal, times));
    steps(daemon).run_with(|_: &Shard| Ok::<_, BoxError>(make()))
}

/// How often a checkpoint was requested before it was accepted, if it was.
fn tries<P>(run: &Report<P>) -> (usize, bool) {
    let checkpoints = run.checkpoints();
    (checkpoints.len(), checkpoints.last().is_some_and(|last| last.refusal().is_none()))
}

#[test]
fn a_throttled_checkpoint_is_tried_five_times() {
    for refusal in [Refusal::Throttled, Refusal::Dependency] {
        let run = refuse(refusal.clone(), 4, |daemon| daemon.batch(["a"]), Auto::default);
        run.assert_checkpoint_at(1);
        assert_eq!(tries(&run), (5, true));

        let run = refuse(refusal.clone(), 5, |daemon| daemon.batch(["a"]), Auto::default);
        run.assert_succeeded();
        assert_eq!(tries(&run), (5, false));
        assert_eq!(run.acknowledgements(), ["initialize", "processRecords"]);

        // The next checkpoint covers the batch.
        let run = refuse(refusal, 5, |daemon| daemon.batch(["a"]).shutdown_requested(), Auto::default);
        run.assert_checkpoint_at(1);
    }
}

#[test]
fn the_users_checkpoints_are_retried_too() {
    let make = || {
        let records = Box::new(|input: &mut ProcessRecords<'_>| {
            input.checkpointer().checkpoint()?;
            Ok(())
        });
        Own { records, ..Own::default() }
    };
    let run = refuse(Refusal::Throttled, 1, |daemon| daemon.batch(["a"]), make);
    run.assert_checkpoint_at(1);
    assert_eq!(tries(&run), (2, true));
}

#[test]
fn the_end_of_a_shard_is_checkpointed_before_it_is_acknowledged() {
    let (output, result) = run(Own::default(), &[INITIALIZE, SHARD_ENDED, OK]);
    assert!(result.is_ok());
    assert_eq!(output, [&status("initialize"), ALL, &status("shardEnded")]);
}

#[test]
fn a_shard_end_whose_checkpoint_stays_throttled_is_tried_ten_times() {
    let run = refuse(Refusal::Throttled, 9, Daemon::shard_end, Auto::default);
    run.assert_shard_ended();
    assert_eq!(tries(&run), (10, true));

    let run = refuse(Refusal::Throttled, 10, Daemon::shard_end, Auto::default);
    run.assert_failed();
    assert_eq!(tries(&run), (10, false));
    assert_eq!(run.acknowledgements(), ["initialize"]);
}

#[test]
fn a_shard_end_whose_checkpoint_is_refused_is_never_acknowledged() {
    for exception in ["InvalidStateException", "IllegalArgumentException", "SomeException"] {
        let (output, result) = run(Auto::default(), &[INITIALIZE, SHARD_ENDED, &refused(exception)]);
        assert_eq!(output, [&status("initialize"), ALL]);
        let error = result.expect_err("it was refused");
        assert_eq!(error.exit_code(), 1);
        assert!(matches!(error, RunError::ShardEnd { .. }) && error.to_string().contains(exception), "{error}");
    }
    // The lease is lost: the daemon sends leaseLost on its retry.
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
        input.checkpointer().checkpoint_at_sequence(7.into(), 1)?;
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
        // The daemon reads the last record's number as SHARD_END, so that number must not be sent either.
        let input = [INITIALIZE, &batch([(1, 0)]), &refused("InvalidStateException"), SHARD_ENDED, OK];
        let (output, result) = run(processor, &input);
        assert_eq!(output, [&status("initialize"), ALL, &status("processRecords")]);
        assert_eq!(result.expect_err("it failed").exit_code(), 1);
    }
}

#[test]
fn the_runtime_does_not_checkpoint_for_a_handler_that_does() {
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
