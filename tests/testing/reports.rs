//! Reports: how they read, and how assertions on them fail.

use kcl::testing::{Daemon, Fault, Refusal};
use kcl::{BoxError, Record};

use crate::{failure, first_line};

#[derive(Default, Debug)]
struct Picky;

#[kcl::processor(main = false)]
impl Picky {
    #[on_record(retry = 1)]
    fn handle(&mut self, record: &Record) -> Result<(), BoxError> {
        match record.data() {
            b"bad" => Err("it is bad".into()),
            b"panic" => panic!("it is terrible"),
            _ => Ok(()),
        }
    }
}

#[test]
fn an_assertion_says_why_the_checkpoint_is_not_further() {
    let run = Daemon::new().batch(["1", "2", "3", "4", "5", "bad", "7"]).run::<Picky>();
    let message = first_line(|| run.assert_checkpoint_at(7));
    assert_eq!(
        message,
        "expected a checkpoint at record 7; the last one is at record 5; record 6 was tried twice and is not settled (its last \
         error: it is bad)"
    );
    let message = first_line(|| run.assert_checkpoint_at(8));
    assert_eq!(message, "expected a checkpoint at record 8; only 7 records were delivered");
    let message = first_line(|| run.assert_succeeded());
    assert!(
        message.starts_with("the processor of shard shardId-000000000000 ended with exit code 1: shard"),
        "{message}"
    );
}

#[test]
fn a_report_has_the_same_text_each_time() {
    let report = || {
        let daemon = Daemon::new().batch(["a", "bad"]);
        daemon
            .redeliver()
            .fault(Fault::refuse_checkpoints(Refusal::InvalidState, 1))
            .shard_end()
            .run::<Picky>()
            .to_string()
    };
    let _ = failure(report);
    let report = || {
        Daemon::new()
            .batch(["a"])
            .fault(Fault::refuse_checkpoints(Refusal::Throttled, 1))
            .batch(["b", "bad"])
            .run::<Picky>()
    };
    let text = report().to_string();
    assert_eq!(text, report().to_string());
    assert_eq!(
        text,
        "shard shardId-000000000000
  a process starts at TRIM_HORIZON
     initialize: ok
  <- initialize is acknowledged
  -> processRecords with record 1
     processRecords of record 1: ok
     checkpoint at record 1
  <- processRecords is acknowledged
  -> processRecords with records 2 to 3
     processRecords of record 2: ok
     processRecords of record 3: failed: it is bad
     processRecords of record 3, attempt 2: failed: it is bad
     checkpoint at record 2 refused: ThrottlingException
     checkpoint at record 2
     stderr: shard shardId-000000000000: processRecords failed: it is bad; at record 3/0 with partition key `key-3`, after 2 attempts
  the process ends with exit code 1
"
    );
}

#[test]
fn a_panic_is_recorded_with_its_place() {
    let run = Daemon::new().batch(["panic"]).run::<Picky>();
    run.assert_failed();
    let error = run.calls().last().and_then(|call| call.error()).expect("an error");
    assert!(error.starts_with("panicked: it is terrible (at tests/testing/reports.rs:"), "{error}");
}
