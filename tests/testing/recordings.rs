//! Recorded conversations as tests.

use std::cell::Cell;
use std::convert::Infallible;
use std::fs;
use std::path::Path;
use std::time::Duration;

use kcl::testing::{Recordings, Sink, pass};
use kcl::{AsyncCheckpointer, BoxError, CheckpointError, Checkpointer, Record, Shard};
use tempfile::TempDir;
use tests::workspace;
use tokio::time::sleep;

use crate::{failure, first_line};

const HOUR: Duration = Duration::from_secs(3600);
const INITIALIZE: &str =
    r#"{"action":"initialize","shardId":"shardId-000000000000","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}"#;
const ACCEPTED: &str = r#"{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":null}"#;
const REFUSED: &str =
    r#"{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":"ShutdownException"}"#;
const LEASE_LOST: &str = r#"{"action":"leaseLost"}"#;
const SHARD_ENDED: &str = r#"{"action":"shardEnded"}"#;
const CHECKPOINT: &str = r#"{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null}"#;

fn batch(from: u64, to: u64) -> String {
    let records = (from..=to).map(|number| {
        format!(r#"{{"action":"record","data":"eA==","partitionKey":"k","sequenceNumber":"{number}","subSequenceNumber":0,"approximateArrivalTimestamp":5}}"#)
    });
    let records: Vec<_> = records.collect();
    format!(r#"{{"action":"processRecords","records":[{}],"millisBehindLatest":0}}"#, records.join(","))
}

fn status(action: &str) -> String {
    format!(r#"{{"action":"status","responseFor":"{action}"}}"#)
}

fn lines(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Writes a recording.
fn record(folder: &Path, sent: &[&str], replies: &[&str], exit: Option<i32>) {
    fs::create_dir_all(folder).expect("a folder");
    fs::write(folder.join("in.jsonl"), lines(sent)).expect("a file");
    fs::write(folder.join("out.jsonl"), lines(replies)).expect("a file");
    if let Some(code) = exit {
        fs::write(folder.join("exit"), format!("{code}\n")).expect("a file");
    }
}

/// A shard of three records that was read to its end, recorded with a processor whose runtime checkpoints.
fn whole() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let [initialized, done, ended] = ["initialize", "processRecords", "shardEnded"].map(status);
    record(
        &folder.path().join("shardId-000000000000"),
        &[INITIALIZE, &batch(1, 2), ACCEPTED, &batch(3, 3), ACCEPTED, SHARD_ENDED, ACCEPTED],
        &[&initialized, CHECKPOINT, &done, CHECKPOINT, &done, CHECKPOINT, &ended],
        Some(0),
    );
    folder
}

/// Counts records, and fails at a payload that the test names.
#[derive(Default)]
struct Count {
    records: u64,
}

#[kcl::processor(main = false)]
impl Count {
    #[on_record]
    fn count(&mut self) {
        self.records += 1;
    }
}

/// Checkpoints each record itself.
#[derive(Default)]
struct Each;

#[kcl::processor(main = false)]
impl Each {
    #[on_record]
    fn each(&mut self, checkpointer: &mut Checkpointer) -> Result<(), CheckpointError> {
        checkpointer.checkpoint()
    }
}

/// Fails at the third record.
#[derive(Default)]
struct Third;

#[kcl::processor(main = false)]
impl Third {
    #[on_record]
    fn third(&mut self, record: &Record) -> Result<(), BoxError> {
        if record.sequence_number() == 3.into() { Err("it broke".into()) } else { Ok(()) }
    }
}

#[test]
fn a_processor_repeats_what_was_recorded() {
    let folder = whole();
    let reports = Recordings::read(folder.path()).replay::<Count>();
    let [report] = &reports[..] else { panic!("{} conversations", reports.len()) };
    assert_eq!((report.processor().records, report.exit_code()), (3, 0));
    report.assert_shard_ended();
    assert_eq!(report.acknowledgements(), ["initialize", "processRecords", "processRecords", "shardEnded"]);
}

#[test]
fn a_difference_is_a_sentence() {
    let folder = whole();
    let message = failure(|| Recordings::read(folder.path()).replay::<Each>());
    let path = folder.path().join("shardId-000000000000");
    let expected = format!(
        "1 of 1 conversations differs from its recording:\n\n{}: expected \"checkpoint at the end of the batch\" \
         (out.jsonl, line 2) after in.jsonl, line 2: processRecords, 2 records: 1 to 2; the processor sent \"checkpoint \
         at 1\"\n\nshard shardId-000000000000\n  a process starts at TRIM_HORIZON\n",
        path.display()
    );
    assert!(message.starts_with(&expected), "{message}");
    assert!(message.trim_end().ends_with("the recorded conversation ends here"), "{message}");

    let message = failure(|| Recordings::read(folder.path()).replay::<Third>());
    let expected = "expected \"checkpoint at the end of the batch\" (out.jsonl, line 4) after in.jsonl, line 4: \
                    processRecords, 1 record: 3; the processor ended with exit code 1";
    assert!(message.contains(expected), "{message}");
}

#[test]
fn the_exit_code_is_part_of_a_recording() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("shardId-000000000000");
    let [initialized, done] = ["initialize", "processRecords"].map(status);
    let (sent, replies) = ([INITIALIZE, &batch(3, 4)], [initialized.as_str()]);
    record(&place, &sent, &replies, Some(1));
    assert_eq!(Recordings::read(folder.path()).replay::<Third>()[0].exit_code(), 1);
    let message = failure(|| Recordings::read(folder.path()).replay::<Count>());
    assert!(message.contains("expected exit code 1 without an answer after in.jsonl, line 2"), "{message}");

    record(&place, &[INITIALIZE, &batch(1, 2), ACCEPTED], &[&initialized, CHECKPOINT, &done], Some(7));
    let message = failure(|| Recordings::read(folder.path()).replay::<Count>());
    let expected = "expected exit code 7 after the end of the input after in.jsonl, line 2: processRecords, 2 records: 1 \
                    to 2, and its checkpoint at the end of the batch accepted; the processor ended with exit code 0";
    assert!(message.contains(expected), "{message}");
}

#[test]
fn checkpoints_get_the_recorded_answers() {
    let folder = tempfile::tempdir().expect("a folder");
    let [initialized, done, lost] = ["initialize", "processRecords", "leaseLost"].map(status);
    let sent = [INITIALIZE, &batch(1, 2), REFUSED, LEASE_LOST];
    record(folder.path(), &sent, &[&initialized, CHECKPOINT, &done, &lost], Some(0));
    let reports = Recordings::read(folder.path()).replay::<Count>();
    assert_eq!(reports[0].checkpoints()[0].refusal(), Some("ShutdownException"));
    reports[0].assert_checkpoint_at(0);
}

#[test]
fn a_recording_that_breaks_off_is_replayed_as_far_as_it_goes() {
    let folder = tempfile::tempdir().expect("a folder");
    let initialized = status("initialize");
    // The process was killed within its batch; its checkpoint was not answered.
    record(folder.path(), &[INITIALIZE, &batch(1, 2)], &[&initialized, CHECKPOINT], None);
    let reports = Recordings::read(folder.path()).replay::<Count>();
    assert_eq!((reports[0].exit_code(), reports[0].acknowledgements().len()), (137, 1));

    // The process was killed before it got the whole batch.
    record(folder.path(), &[INITIALIZE], &[&initialized], None);
    let half = lines(&[INITIALIZE]) + &batch(1, 2)[..20];
    fs::write(folder.path().join("in.jsonl"), half).expect("a file");
    fs::write(folder.path().join("times.tsv"), "1\tin\t1\n1\tout\t1\n1\tin\t2\n1\texit\tNone\n").expect("a file");
    let reports = Recordings::read(folder.path()).replay::<Count>();
    assert_eq!((reports[0].exit_code(), reports[0].processor().records), (0, 0));

    // The tool was killed before it noted the second message.
    fs::write(folder.path().join("times.tsv"), "1.000\tstart\t\n1.000\tin\t1 initialize\n").expect("a file");
    let reports = Recordings::read(folder.path()).replay::<Count>();
    assert_eq!((reports[0].exit_code(), reports[0].processor().records), (0, 0));
}

#[test]
fn a_recording_whose_files_do_not_agree_was_cut_short() {
    let folder = whole();
    let path = folder.path().join("shardId-000000000000");
    let read = |name: &str| fs::read_to_string(path.join(name)).expect("a file");
    let (sent, replies) = (read("in.jsonl"), read("out.jsonl"));
    let first = |text: &str, lines: usize| text.split_inclusive('\n').take(lines).collect::<String>();
    let rows =
        |direction: &str, lines: usize| (1..=lines).map(|at| format!("1.000\t{direction}\t{at}\n")).collect::<String>();
    let replay = |sent: &str, replies: &str, times: &str| {
        fs::write(path.join("in.jsonl"), sent).expect("a file");
        fs::write(path.join("out.jsonl"), replies).expect("a file");
        fs::write(path.join("times.tsv"), times).expect("a file");
        let reports = Recordings::read(folder.path()).replay::<Count>();
        (reports[0].acknowledgements().len(), reports[0].exit_code())
    };
    let times = format!("{}{}1.000\texit\t0\n", rows("in", 7), rows("out", 7));
    assert_eq!(replay(&sent, &replies, &times), (4, 0));
    // The process would end with another exit code than 0, because it has not reached the end of its shard.
    fs::write(path.join("exit"), "7\n").expect("a file");
    assert_eq!(replay(&first(&sent, 3), &replies, &times), (2, 0));
    assert_eq!(replay(&sent[..first(&sent, 4).len() - 1], &replies, &times), (2, 0));
    // The process is killed where its answer is missing.
    assert_eq!(replay(&sent, &first(&replies, 3), &times), (2, 137));
    assert_eq!(replay(&sent, &replies[..replies.len() - 1], &times), (3, 137));
    fs::remove_file(path.join("times.tsv")).expect("a file");
    record(&path, &[INITIALIZE], &[&status("initialize"), &status("processRecords")], Some(7));
    assert_eq!(Recordings::read(folder.path()).replay::<Count>()[0].exit_code(), 0);
}

#[test]
fn a_reply_that_nothing_asked_for_is_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    let [initialized, lost] = ["initialize", "leaseLost"].map(status);
    record(folder.path(), &[INITIALIZE, LEASE_LOST], &[&initialized, &lost, &lost], Some(0));
    fs::write(folder.path().join("times.tsv"), "1\tin\t1\n1\tin\t2\n1\texit\t0\n").expect("a file");
    let message = failure(|| Recordings::read(folder.path()).replay::<Count>());
    let expected = "expected \"status for leaseLost\" (out.jsonl, line 3) after the end of the input after in.jsonl, line 2: \
                    leaseLost; the processor ended with exit code 0";
    assert!(message.contains(expected), "{message}");
}

#[test]
fn a_recording_without_messages_tests_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    record(folder.path(), &[], &[], Some(2));
    let message = failure(|| Recordings::read(folder.path()).replay::<Count>());
    let expected = format!("{}: in.jsonl has no message, so nothing is tested", folder.path().display());
    assert!(message.contains(&expected), "{message}");
    // Beside another conversation, it does not count.
    let folder = whole();
    record(&folder.path().join("shardId-000000000001"), &[], &[], Some(2));
    assert_eq!(Recordings::read(folder.path()).replay::<Count>().len(), 1);
}

/// Checkpoints each minute, and works for a second with each record.
#[derive(Default)]
struct Timed;

#[kcl::processor(main = false, checkpoint = "60s")]
impl Timed {
    #[on_record]
    fn work(&mut self) {
        pass(Duration::from_secs(1));
    }
}

#[test]
fn time_passes_as_it_did() {
    let folder = tempfile::tempdir().expect("a folder");
    let [initialized, done] = ["initialize", "processRecords"].map(status);
    let sent = [INITIALIZE, &batch(1, 1), &batch(2, 2), ACCEPTED];
    record(folder.path(), &sent, &[&initialized, &done, CHECKPOINT, &done], Some(0));
    let times =
        "100.5\tin\t1\n100.6\tout\t1\n102\tin\t2\n103\tout\t2\n160.1\tin\t3\n161\tout\t3\n161\tin\t4\n161\tout\t4\n";
    fs::write(folder.path().join("times.tsv"), times).expect("a file");
    Recordings::read(folder.path()).replay::<Timed>();
    fs::write(folder.path().join("times.tsv"), times.replace("160.1", "110.1")).expect("a file");
    let message = failure(|| Recordings::read(folder.path()).replay::<Timed>());
    assert!(message.contains("the processor sent \"status for processRecords\""), "{message}");
}

/// Writes each record, or forgets to.
struct Store {
    sink: Sink<Vec<u8>>,
    forgets: bool,
}

#[kcl::processor(main = false)]
impl Store {
    #[on_record]
    fn store(&mut self, record: &Record) -> Result<(), std::io::Error> {
        if self.forgets { Ok(()) } else { self.sink.write(record.data().to_vec()) }
    }
}

#[test]
fn promises_are_checked_in_replays_too() {
    let folder = whole();
    let recordings = Recordings::read(folder.path());
    for forgets in [false, true] {
        let sink = Sink::every_record();
        let replay = || recordings.replay_with(|_: &Shard| Ok::<_, Infallible>(Store { sink: sink.clone(), forgets }));
        if forgets {
            let message = failure(replay);
            assert!(message.contains("record 1 was not written to the sink made at"), "{message}");
        } else {
            replay();
            assert_eq!(sink.values(), [b"x", b"x", b"x"]);
        }
    }
}

#[test]
fn a_folder_that_is_not_a_recording_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().display();
    let message = first_line(|| Recordings::read(folder.path()));
    assert_eq!(message, format!("no recording in {path}: none of its folders has an in.jsonl"));
    record(folder.path(), &[SHARD_ENDED], &[], None);
    let refused = |why: &str| format!("1 of 1 conversations cannot be replayed:\n\n{path}: {why}\n");
    let message = failure(|| Recordings::read(folder.path()).replay::<Count>());
    assert_eq!(message, refused("the first message is shardEnded, not initialize"));
    record(folder.path(), &[INITIALIZE, INITIALIZE], &[&status("initialize")], None);
    let message = failure(|| Recordings::read(folder.path()).replay::<Count>());
    assert_eq!(message, refused("it has a second `initialize`, or a message of KCL 1"));
}

#[test]
fn a_recording_that_cannot_be_read_does_not_hide_the_others() {
    let folder = whole();
    let unknown = r#"{"action":"futureAction"}"#;
    record(&folder.path().join("shardId-000000000000.2"), &[INITIALIZE, unknown], &[&status("initialize")], None);
    record(&folder.path().join("shardId-000000000000.3"), &[unknown], &[], None);
    record(&folder.path().join("shardId-000000000001"), &[INITIALIZE], &[CHECKPOINT], Some(0));
    let message = failure(|| Recordings::read(folder.path()).replay::<Count>());
    let path = folder.path().display();
    assert!(
        message.starts_with("of 4 conversations, 1 differs from its recording, and 2 cannot be replayed:\n"),
        "{message}"
    );
    assert!(message.contains(&format!("\n\n{path}/shardId-000000000000.2/in.jsonl, line 2: ")), "{message}");
    assert!(message.contains(&format!("\n\n{path}/shardId-000000000000.3/in.jsonl, line 1: ")), "{message}");
    assert!(message.contains(&format!("\n\n{path}/shardId-000000000001: expected \"checkpoint")), "{message}");
}

/// Checkpoints each batch, or only when a shutdown is requested, as the recorded processors of the real daemon did.
struct Recorded {
    each_batch: bool,
}

#[kcl::processor(main = false)]
impl Recorded {
    #[on_records]
    fn batch(&mut self, _records: &[Record], checkpointer: &mut Checkpointer) -> Result<(), CheckpointError> {
        if self.each_batch { checkpointer.checkpoint() } else { Ok(()) }
    }

    #[on_shutdown_requested]
    fn stop(&mut self, checkpointer: &mut Checkpointer) -> Result<(), CheckpointError> {
        checkpointer.checkpoint()
    }
}

#[test]
fn recordings_of_the_real_daemon_can_be_replayed() {
    for (scenario, each_batch, conversations) in [("b_graceful", false, 2), ("c_reshard", true, 5)] {
        let recordings = Recordings::read(workspace().join("tests/transcripts").join(scenario));
        let reports = recordings.replay_with(|_: &Shard| Ok::<_, Infallible>(Recorded { each_batch }));
        assert_eq!(reports.len(), conversations);
        let message = failure(|| {
            recordings.replay_with(|_: &Shard| Ok::<_, Infallible>(Recorded { each_batch: !each_batch }));
        });
        assert!(message.contains("conversations differ from their recordings"), "{message}");
    }
}

/// Waits an hour with each record.
#[derive(Default)]
struct Patient {
    records: u64,
}

#[kcl::processor(main = false)]
impl Patient {
    #[on_record]
    async fn count(&mut self) {
        sleep(HOUR).await;
        self.records += 1;
    }
}

/// Waits an hour with each record, and handles several at once.
#[derive(Default)]
struct AtOnce {
    records: Cell<u64>,
}

#[kcl::processor(main = false)]
impl AtOnce {
    #[on_record(concurrency = 8)]
    async fn count(&self) {
        sleep(HOUR).await;
        self.records.set(self.records.get() + 1);
    }
}

/// Checkpoints each record itself.
#[derive(Default)]
struct AsyncEach;

#[kcl::processor(main = false)]
impl AsyncEach {
    #[on_record]
    async fn each(&mut self, checkpointer: &mut AsyncCheckpointer) -> Result<(), CheckpointError> {
        checkpointer.checkpoint().await
    }
}

#[test]
fn async_processors_repeat_what_was_recorded() {
    let folder = whole();
    let recordings = Recordings::read(folder.path());
    let [patient] = &recordings.replay_async::<Patient>()[..] else { panic!("one conversation") };
    let [at_once] = &recordings.replay_async::<AtOnce>()[..] else { panic!("one conversation") };
    assert_eq!((patient.processor().records, at_once.processor().records.get()), (3, 3));
    at_once.assert_shard_ended();
    let blocking = recordings.replay_with_async(async |_: &Shard| Ok::<_, Infallible>(Count::default()));
    assert_eq!(blocking[0].processor().records, 3);
    let message = failure(|| recordings.replay_async::<AsyncEach>());
    assert!(message.contains("; the processor sent \"checkpoint at 1\""), "{message}");
}
