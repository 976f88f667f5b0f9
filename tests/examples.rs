//! Examples as real processes.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

use tests::{Conversation, build};

const INITIALIZE: &str =
    r#"{"action":"initialize","shardId":"shardId-000000000007","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}"#;
/// `{"cents":7}` and `{"cents":8}`.
const TWO_ORDERS: &str = r#"{"action":"processRecords","millisBehindLatest":0,"records":[{"data":"eyJjZW50cyI6N30=","partitionKey":"ada","sequenceNumber":"11"},{"data":"eyJjZW50cyI6OH0=","partitionKey":"bob","sequenceNumber":"12"}]}"#;
const EMPTY: &str = r#"{"action":"processRecords","millisBehindLatest":0,"records":[]}"#;
const CHECKPOINTED: &str = r#"{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":null}"#;
const SHUTDOWN_REQUESTED: &str = r#"{"action":"shutdownRequested"}"#;

/// Sends a message, accepts the checkpoints, and returns how many there were.
fn acknowledged(processor: &mut Conversation, message: &str) -> usize {
    processor.send(message);
    let mut checkpoints = 0;
    while processor.receive().expect("a reply").contains("checkpoint") {
        checkpoints += 1;
        processor.send(CHECKPOINTED);
    }
    checkpoints
}

fn start(example: &Path, folder: &Path) -> Conversation {
    Conversation::start(Command::new(example).current_dir(folder).stderr(Stdio::piped()))
}

#[test]
fn collect_writes_its_records_before_they_are_checkpointed() {
    let example = build(&["--package", "examples", "--example", "collect"]);
    let folder = tempfile::tempdir().expect("a folder");
    let collected = || fs::read_to_string(folder.path().join("collected/shardId-000000000007.jsonl")).expect("a file");

    let both = "{\"cents\":7}\n{\"cents\":8}\n";

    let mut processor = start(&example, folder.path());
    acknowledged(&mut processor, INITIALIZE);
    let mut checkpoints = acknowledged(&mut processor, TWO_ORDERS);
    // A message without records lets it tick, once its time has come.
    while checkpoints == 0 {
        assert_eq!(collected(), "");
        thread::sleep(Duration::from_millis(5));
        checkpoints = acknowledged(&mut processor, EMPTY);
    }
    assert_eq!((checkpoints, collected().as_str()), (1, both));

    // What is left is written when the worker stops.
    acknowledged(&mut processor, TWO_ORDERS);
    assert!(acknowledged(&mut processor, SHUTDOWN_REQUESTED) <= 1);
    assert_eq!(collected(), both.repeat(2));
    let ended = processor.end();
    assert_eq!((ended.code, ended.output), (Some(0), Vec::new()), "{}", ended.error);
}
