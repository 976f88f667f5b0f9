//! Failure policies as a person sees them: the stderr of real processes.

use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;
use std::{fs, path, thread};

use serde_json::Value;
use tests::ledger::Ledger;
use tests::{Conversation, Ended, build};

use super::{INITIALIZE, OK, at, batch};

/// The processor whose records choose what it does.
pub(crate) fn poison() -> &'static path::Path {
    static PATH: LazyLock<path::PathBuf> = LazyLock::new(|| build(&["--package", "tests", "--example", "poison"]));
    &PATH
}

pub(crate) fn start(folder: &path::Path) -> Conversation {
    let mut command = Command::new(poison());
    command.env("KCL_TEST_FOLDER", folder).env("KCL_REPORT", "1").env_remove("RUST_BACKTRACE").stderr(Stdio::piped());
    Conversation::start(&mut command)
}

/// Accepts its checkpoints until the message is acknowledged.
pub(crate) fn acknowledged(processor: &mut Conversation) {
    while processor.receive().expect("a reply").contains("checkpoint") {
        processor.send(OK);
    }
}

fn lines(ended: &Ended) -> Vec<&str> {
    ended.error.lines().filter(|line| line.starts_with("kcl: ")).collect()
}

#[test]
fn every_skipped_or_dead_lettered_record_gets_a_line_and_is_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut processor = start(folder.path());
    processor.send(INITIALIZE);
    acknowledged(&mut processor);
    processor.send(&batch(&[r#""good""#, r#""poison""#, "{", r#""panic""#, r#""good""#]));
    acknowledged(&mut processor);
    let ended = processor.end();
    assert_eq!(ended.code, Some(0));
    let on = "kcl: shard shardId-000000000007";
    let lines = lines(&ended);
    let [dead, skipped, panicked, counts] = &lines[..] else { panic!("{}", ended.error) };
    assert_eq!(
        *dead,
        format!("{on}: dead-lettered a record: as it says; record 2/0 with partition key `key-2`, after 2 attempts")
    );
    let invalid = format!("{on}: skipped a record: the payload cannot be decoded from `{{`: ");
    let place = "; record 3/0 with partition key `key-3`";
    assert!(skipped.starts_with(&invalid) && skipped.ends_with(place), "{skipped}");
    let panic = "dead-lettered a record: panicked: as it says; record 4/0 with partition key `key-4`, after 2 attempts";
    assert_eq!(*panicked, format!("{on}: {panic}"));
    let counted = "5 records, 1 batch, 2 retries, 1 skipped, 2 dead-lettered, 1 checkpoint";
    assert_eq!(*counts, format!("{on}: {counted}"));
}

#[test]
fn a_process_that_fails_prints_its_counts_and_last_the_failure() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut processor = start(folder.path());
    processor.send(INITIALIZE);
    acknowledged(&mut processor);
    // Without the folder, no dead letter can be kept.
    fs::remove_dir(folder.path().join("letters")).expect("it is empty");
    processor.send(&batch(&[r#""good""#, r#""poison""#]));
    assert!(processor.receive().expect("a checkpoint").contains("checkpoint"));
    processor.send(OK);
    let ended = processor.end();
    assert_eq!(ended.code, Some(1));
    let lines = lines(&ended);
    let [counts, failed] = &lines[..] else { panic!("{}", ended.error) };
    assert!(counts.ends_with(": 1 record, 1 batch, 1 retry, 0 skipped, 0 dead-lettered, 1 checkpoint"), "{counts}");
    assert!(failed.contains("processRecords failed: ") && failed.contains("; at record 2/0"), "{failed}");
}

#[test]
fn a_slow_handler_is_named_while_it_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut processor = start(folder.path());
    processor.send(INITIALIZE);
    acknowledged(&mut processor);
    processor.send(&batch(&[r#""good""#, r#""wait""#, r#""good""#]));
    let at =
        "processRecords at record 2/0 with partition key `key-2`, number 2 of 3 in its batch, has been running for";
    processor.wait_for_error(at);
    fs::write(folder.path().join("go"), "").expect("writable");
    acknowledged(&mut processor);
    let ended = processor.end();
    assert_eq!(ended.code, Some(0));
    assert!(!ended.error.contains("record 1/0") && !ended.error.contains("record 3/0"), "{}", ended.error);
}

#[test]
fn a_record_waiting_for_its_retry_is_named_and_given_up_when_the_daemon_is_gone() {
    let mut command = Command::new(build(&["--package", "tests", "--example", "patient"]));
    let mut processor = Conversation::start(command.stderr(Stdio::piped()));
    processor.send(INITIALIZE);
    acknowledged(&mut processor);
    processor.send(&batch(&["1", "2"]));
    processor
        .wait_for_error("at record 1/0 with partition key `key-1`, number 1 of 2 in its batch, has been running for");
    // Otherwise the retry would come after half an hour or more.
    let ended = processor.end();
    assert_eq!((ended.code, &ended.output[..]), (Some(1), &[][..]));
    let last = ended.error.lines().last().unwrap_or_default();
    assert!(last.contains("processRecords failed: as ever; at record 1/0"), "{}", ended.error);
}

#[test]
fn the_records_before_one_that_waits_for_its_retry_are_checkpointed() {
    let mut command = Command::new(build(&["--package", "tests", "--example", "patient"]));
    let mut processor = Conversation::start(command.stderr(Stdio::piped()));
    processor.send(INITIALIZE);
    acknowledged(&mut processor);
    processor.send(&batch(&["good", "good", "slow", "good"]));
    // The checkpoint becomes due while the third record fails.
    assert_eq!(processor.receive(), Some(at(2)));
    processor.send(OK);
    processor
        .wait_for_error("at record 3/0 with partition key `key-3`, number 3 of 4 in its batch, has been running for");
    let ended = processor.end();
    assert_eq!((ended.code, &ended.output[..]), (Some(1), &[][..]));
}

#[test]
fn a_killed_processor_repeats_no_record_before_its_last_checkpoint() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger");
    let mut command = Command::new(build(&["--package", "tests", "--example", "ledger"]));
    let mut processor = Conversation::start(command.env("LEDGER", &path).env("LEDGER_PACED", "1"));
    processor.send(INITIALIZE);
    acknowledged(&mut processor);
    let wait = format!("wait-for {}", folder.path().join("never").display());
    let bodies: Vec<_> = (1..=60).map(|number| if number == 38 { wait.clone() } else { number.to_string() }).collect();
    let all = batch(&bodies.iter().map(String::as_str).collect::<Vec<_>>());
    processor.send(&all);
    for number in [5, 10, 15, 20, 25, 30, 35] {
        assert_eq!(processor.receive(), Some(at(number)));
        processor.send(OK);
    }
    while Ledger::read(&path).all("waiting").next().is_none() {
        thread::sleep(Duration::from_millis(2));
    }
    drop(processor); // kills it

    let mut processor = Conversation::start(&mut command);
    processor.send(&INITIALIZE.replace("TRIM_HORIZON", "35"));
    acknowledged(&mut processor);
    fs::write(folder.path().join("never"), "").expect("writable");
    let mut rest: Value = serde_json::from_str(&all).expect("JSON");
    rest["records"].as_array_mut().expect("records").drain(..35);
    processor.send(&rest.to_string());
    acknowledged(&mut processor);
    assert_eq!(processor.end().code, Some(0));
    let ledger = Ledger::read(&path);
    let sequences = &ledger.sequences()["shardId-000000000007"];
    let numbers: Vec<u64> = sequences.iter().map(|number| number.parse().expect("a number")).collect();
    assert_eq!(numbers, (1..=38).chain(36..=60).collect::<Vec<_>>());
}

#[test]
fn the_output_of_a_handler_comes_before_the_report_on_its_record() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut processor = start(folder.path());
    processor.send(INITIALIZE);
    acknowledged(&mut processor);
    processor.send(&batch(&[r#""poison""#; 200]));
    acknowledged(&mut processor);
    let ended = processor.end();
    // On a busy machine, a handler may be reported as slow.
    let mut said = ended.error.lines().filter(|line| !line.contains("has been running for"));
    for record in 1..=200 {
        for _attempt in 0..2 {
            assert_eq!(said.next(), Some("payload: poison"), "record {record} in {}", ended.error);
        }
        let line = said.next().unwrap_or_default();
        assert!(
            line.contains(": dead-lettered a record: ") && line.contains(&format!("; record {record}/0 ")),
            "{line}"
        );
    }
    assert!(said.next().is_some_and(|counts| counts.contains("200 dead-lettered")), "{}", ended.error);
    assert_eq!(said.next(), None);
}

#[test]
fn an_unusable_folder_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("letters"), "in the way").expect("a file");
    let mut processor = start(folder.path());
    processor.send(INITIALIZE);
    let ended = processor.end();
    assert_eq!(ended.code, Some(1));
    let named = format!("dead letters cannot be kept in {}: ", folder.path().join("letters").display());
    assert!(ended.error.contains(&named), "{}", ended.error);
}
