//! The life of a processor: its handlers in order, and its end.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kcl::{BoxError, Position, ProcessRecords, Processor, Runner, Shard};

use crate::{
    ALL, Auto, INITIALIZE, LEASE_LOST, OK, Result, SHUTDOWN_REQUESTED, SetOnDrop, batch, error, panic, run, status,
};

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
                assert_eq!(input.millis_behind_latest().0, Some(Duration::from_millis(5)));
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
fn the_processor_gets_its_start_position() {
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
fn the_end_of_input_is_not_an_error_and_drops_the_processor() {
    let (output, result) = run(Auto::default(), &[]);
    assert!(output.is_empty() && result.is_ok());

    let dropped = Arc::new(AtomicBool::new(false));
    let processor = Auto { dropped: SetOnDrop(Arc::clone(&dropped)), ..Auto::default() };
    let (output, result) = run(processor, &[INITIALIZE]);
    assert!(result.is_ok() && dropped.load(Ordering::SeqCst));
    assert_eq!(output, [status("initialize")]);
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
