//! Processors that handle many records of a shard at once, on a runtime of tokio.

mod dropped;
mod kills;
mod work;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use kcl::{
    AsyncCheckpointer, AsyncProcessor, BoxError, Checkpoints, Concurrency, ConcurrentRecord, DeadLetter, FailureAction,
    FailurePolicy, Order, ProcessRecords, Runner, Shard,
};
use tempfile::TempDir;
use tests::{Conversation, Ended, build};

const INITIALIZE: &str =
    r#"{"action":"initialize","shardId":"shardId-000000000007","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}"#;
const ALL: &str = r#"{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null}"#;
const OK: &str = r#"{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":null}"#;
const DONE: &str = r#"{"action":"status","responseFor":"processRecords"}"#;

/// A batch of records with these numbers, keys and payloads.
fn batch<'a>(records: impl IntoIterator<Item = (u64, &'a str, &'a str)>) -> String {
    use base64::Engine as _;
    let record = |(number, key, data): (u64, &str, &str)| {
        let data = base64::engine::general_purpose::STANDARD.encode(data);
        format!(r#"{{"data":"{data}","partitionKey":"{key}","sequenceNumber":"{number}","subSequenceNumber":0}}"#)
    };
    let records: Vec<_> = records.into_iter().map(record).collect();
    format!(r#"{{"action":"processRecords","records":[{}]}}"#, records.join(","))
}

/// Records by their numbers, with their keys or errors.
type Records = Vec<(u64, String)>;

type Seen = Rc<RefCell<Records>>;

/// The constants of a processor.
trait Kind {
    const CONCURRENCY: Concurrency;
    const CHECKPOINTS: Checkpoints = Checkpoints::Batch;
}

/// Notes records and letters. It is not `Send`, and its futures are not either.
struct Notes<K> {
    seen: Seen,
    letters: Seen,
    kind: std::marker::PhantomData<K>,
}

impl<K: Kind> AsyncProcessor for Notes<K> {
    const CONCURRENCY: Option<Concurrency> = Some(K::CONCURRENCY);
    const CHECKPOINTS: Checkpoints = K::CHECKPOINTS;
    const POLICY: FailurePolicy = FailurePolicy::new()
        .retry(1)
        .backoff(Duration::from_millis(1), Duration::from_millis(1))
        .on_failure(FailureAction::DeadLetter);

    async fn process_records(&mut self, _: &mut ProcessRecords<'_, AsyncCheckpointer>) -> Result<(), BoxError> {
        Err("records are handled at once".into())
    }

    async fn process_record(&self, input: &ConcurrentRecord<'_>) -> Result<(), BoxError> {
        let record = input.record();
        let number: u64 = record.sequence_number().to_string().parse()?;
        let note = (number, record.partition_key().to_owned());
        match number % 7 {
            0 => tokio::task::yield_now().await,
            1 => tokio::task::spawn(tokio::time::sleep(Duration::from_micros(300))).await?,
            _ => tokio::time::sleep(Duration::from_micros(number * 37 % 1500)).await,
        }
        if record.data() == b"poison" {
            return Err("it broke".into());
        }
        self.seen.borrow_mut().push(note);
        Ok(())
    }

    async fn concurrent_dead_letter(&self, letter: &DeadLetter<'_>) -> Result<(), BoxError> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let number: u64 = letter.record().sequence_number().to_string().parse()?;
        self.letters.borrow_mut().push((number, format!("{} after {} attempts", letter.error(), letter.attempts())));
        Ok(())
    }
}

/// Runs a processor on these messages. Returns the replies, the records that succeeded, and the dead letters.
fn run<K: Kind>(messages: &[String]) -> (Vec<String>, Records, Records) {
    let (seen, letters) = (Seen::default(), Seen::default());
    let runner = Runner::from_async(async |_: &Shard| {
        let (seen, letters) = (Rc::clone(&seen), Rc::clone(&letters));
        Ok::<_, BoxError>(Notes::<K> { seen, letters, kind: std::marker::PhantomData })
    });
    let input: String =
        [INITIALIZE].into_iter().chain(messages.iter().map(String::as_str)).flat_map(|line| [line, "\n"]).collect();
    let mut output = Vec::new();
    runner.run_on(input.as_bytes(), &mut output).expect("the run succeeds");
    let replies = String::from_utf8(output).expect("JSON").lines().skip(1).map(str::to_owned).collect();
    let (seen, letters) = (seen.take(), letters.take());
    (replies, seen, letters)
}

struct Keyed;

impl Kind for Keyed {
    const CONCURRENCY: Concurrency = Concurrency::new(32);
}

#[test]
fn records_of_a_key_are_handled_in_order_and_all_of_them() {
    let keys: Vec<_> = (0..40).map(|key| format!("key-{key}")).collect();
    let numbers = |from: u64| (from..from + 300).map(|number| (number, &*keys[(number * number % 40) as usize], "x"));
    let messages = [batch(numbers(1)), OK.to_owned(), batch(numbers(301)), OK.to_owned()];
    let (replies, seen, letters) = run::<Keyed>(&messages);
    assert_eq!(replies, [ALL, DONE, ALL, DONE]);
    assert!(letters.is_empty() && seen.len() == 600);
    let mut last = BTreeMap::new();
    for (number, key) in &seen {
        let before = last.insert(key, number);
        assert!(before < Some(number), "{key}: {before:?}, and then {number}");
    }
    assert!(!seen.is_sorted(), "they were handled at once");
}

struct Free;

impl Kind for Free {
    const CONCURRENCY: Concurrency = Concurrency::new(4).order(Order::None);
}

#[test]
fn records_that_fail_are_tried_again_and_dead_lettered() {
    let records = (1..=20).map(|number| (number, "k", if number % 5 == 0 { "poison" } else { "x" }));
    let (replies, seen, mut letters) = run::<Free>(&[batch(records), OK.to_owned()]);
    letters.sort();
    assert_eq!(replies, [ALL, DONE]);
    assert_eq!(seen.len(), 16);
    let expected: Vec<_> = [5, 10, 15, 20].map(|number| (number, "it broke after 2 attempts".to_owned())).into();
    assert_eq!(letters, expected);
}

static CONCURRENT: LazyLock<PathBuf> = LazyLock::new(|| build(&["--package", "tests", "--example", "concurrent"]));
static LEDGER: LazyLock<PathBuf> = LazyLock::new(|| build(&["--package", "tests", "--example", "ledger"]));

fn seen(folder: &TempDir) -> Vec<String> {
    let seen = fs::read_to_string(folder.path().join("seen")).unwrap_or_default();
    seen.lines().map(str::to_owned).collect()
}

/// A process, and what it has seen.
struct Process {
    folder: TempDir,
    conversation: Conversation,
}

impl Process {
    fn start(ahead: bool) -> Self {
        Self::start_with(if ahead { &["AHEAD"] } else { &[] })
    }

    /// Starts the processor with these variables, which say what kind of processor it is.
    fn start_with(variables: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let mut command = Command::new(&*CONCURRENT);
        command.env("SEEN", folder.path().join("seen")).env("GO", folder.path().join("go"));
        command.envs(variables.iter().map(|variable| (variable, "1")));
        let mut conversation = Conversation::start(command.stderr(Stdio::piped()));
        conversation.send(INITIALIZE);
        assert!(conversation.receive().is_some());
        Self { folder, conversation }
    }

    fn seen(&self) -> Vec<String> {
        seen(&self.folder)
    }

    /// Ends the input, and waits for the end of the process.
    fn end(self) -> (TempDir, Ended) {
        (self.folder, self.conversation.end())
    }

    fn wait_for(&self, what: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.seen().iter().any(|line| line == what) {
            assert!(Instant::now() < deadline, "no `{what}` in {:?}", self.seen());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn go(&self) {
        fs::write(self.folder.path().join("go"), "").expect("a file");
    }
}

#[test]
fn the_end_of_the_input_between_messages_cancels_what_runs() {
    let mut process = Process::start(true);
    process.conversation.send(&batch([(1, "a", "x"), (2, "b", "hang"), (3, "c", "block"), (4, "d", "task")]));
    assert_eq!(process.conversation.receive().as_deref(), Some(DONE), "it is acknowledged ahead of its records");
    for seen in ["end 1", "begin 2", "end 3", "end 4"] {
        process.wait_for(seen);
    }
    let (folder, ended) = process.end();
    assert_eq!((ended.code, ended.output.len(), ended.error.as_str()), (Some(0), 0, ""));
    let seen = seen(&folder);
    assert_eq!(seen[seen.len() - 2..], ["cancelled", "drop"], "and nothing waits for blocking tasks");
}

#[test]
fn a_message_that_waits_is_finished_although_the_input_has_ended() {
    let mut process = Process::start(false);
    process.conversation.send(&batch([(1, "a", "x"), (2, "b", "wait"), (3, "b", "x")]));
    process.wait_for("begin 2");
    process.conversation.end_input();
    process.go();
    assert_eq!(process.conversation.receive().as_deref(), Some(ALL));
    process.wait_for("end 3");
    assert_eq!(process.end().1.code, Some(0), "nobody answers the checkpoint");
}

#[test]
fn a_record_that_waits_for_its_next_attempt_fails_at_the_end_of_the_input() {
    let mut process = Process::start_with(&["LONG_BACKOFF"]);
    process.conversation.send(&batch([(1, "a", "fail"), (2, "b", "wait"), (3, "c", "x")]));
    for seen in ["begin 1", "begin 2", "end 3"] {
        process.wait_for(seen);
    }
    process.conversation.end_input();
    // Somebody can read the reply, so that a running handler may finish.
    process.go();
    let (folder, ended) = process.end();
    assert_eq!((ended.code, ended.output.len()), (Some(1), 0));
    let on = "kcl: shard shardId-000000000007:";
    let again = format!("{on} 3 records will be delivered again, although 2 of them are done");
    let failed = format!("{on} processRecords failed: as it says; at record 1/0 with partition key `a`");
    assert_eq!(ended.error.lines().collect::<Vec<_>>(), [again, failed]);
    let seen = seen(&folder);
    assert!(seen.iter().any(|line| line == "end 2"), "{seen:?}");
    assert_eq!(seen.iter().filter(|&line| line == "begin 1").count(), 1, "{seen:?}");
}

#[test]
fn records_that_are_done_are_counted_after_one_that_is_not() {
    let mut process = Process::start_with(&["KCL_REPORT"]);
    process.conversation.send(&batch([(1, "a", "fail"), (2, "b", "x"), (3, "c", "x")]));
    // It fails after its last attempt.
    assert_eq!(process.conversation.receive(), None);
    let ended = process.end().1;
    assert_eq!(ended.code, Some(1));
    let counts = "2 records, 1 batch, 2 retries, 0 skipped, 0 dead-lettered, 0 checkpoints\n";
    assert!(ended.error.contains(counts), "{}", ended.error);
}

#[test]
fn a_lost_lease_cancels_what_runs_and_then_the_handler_is_called() {
    let mut process = Process::start(true);
    process.conversation.send(&batch([(1, "a", "hang"), (2, "b", "x")]));
    assert!(process.conversation.receive().is_some());
    process.wait_for("begin 1");
    process.conversation.send(r#"{"action":"leaseLost"}"#);
    let status = r#"{"action":"status","responseFor":"leaseLost"}"#;
    assert_eq!(process.conversation.receive().as_deref(), Some(status));
    let seen = process.seen();
    let place = |what: &str| seen.iter().position(|line| line == what);
    assert!(place("cancelled").is_some() && place("cancelled") < place("leaseLost"), "{seen:?}");
    assert_eq!(process.end().1.code, Some(0));
}

#[test]
fn handlers_that_are_always_busy_do_not_keep_messages_waiting() {
    let mut process = Process::start(true);
    process.conversation.send(&batch([(1, "a", "busy"), (2, "b", "busy")]));
    assert_eq!(process.conversation.receive().as_deref(), Some(DONE));
    process.wait_for("begin 2");
    process.conversation.send(r#"{"action":"leaseLost"}"#);
    let status = r#"{"action":"status","responseFor":"leaseLost"}"#;
    assert_eq!(process.conversation.receive().as_deref(), Some(status));
    assert_eq!(process.end().1.code, Some(0));
}

#[test]
fn handlers_that_are_always_busy_do_not_keep_a_tick_waiting() {
    let mut process = Process::start_with(&["TICKS"]);
    process.conversation.send(&batch([(1, "a", "busy"), (2, "b", "busy")]));
    assert_eq!(process.conversation.receive().as_deref(), Some(DONE));
    assert!(process.seen().iter().any(|line| line == "tick"));
    process.conversation.send(r#"{"action":"leaseLost"}"#);
    assert!(process.conversation.receive().is_some());
    assert_eq!(process.end().1.code, Some(0));
}

#[test]
fn a_shutdown_finishes_what_it_can_and_checkpoints_what_is_done() {
    let mut process = Process::start(true);
    process.conversation.send(&batch([(1, "a", "x"), (2, "b", "wait"), (3, "c", "x"), (4, "b", "hang")]));
    assert!(process.conversation.receive().is_some());
    process.wait_for("begin 2");
    process.conversation.send(r#"{"action":"shutdownRequested"}"#);
    process.go();
    // The record 4 does not start, or is dropped if it started before the process read the message.
    let checkpoint = r#"{"action":"checkpoint","sequenceNumber":"3","subSequenceNumber":0}"#;
    assert_eq!(process.conversation.receive().as_deref(), Some(checkpoint));
    process.conversation.send(OK);
    let status = r#"{"action":"status","responseFor":"shutdownRequested"}"#;
    assert_eq!(process.conversation.receive().as_deref(), Some(status));
    let ended = process.end().1;
    assert_eq!(ended.code, Some(0));
    assert!(ended.error.contains("1 record was not done before the shutdown"), "{}", ended.error);
}

/// What a process answers to `KCL_DESCRIBE=1`.
fn describe(program: &PathBuf, ahead: bool) -> String {
    let mut command = Command::new(program);
    command.env("KCL_DESCRIBE", "1").stdin(Stdio::null());
    if ahead {
        command.env("AHEAD", "1");
    }
    let output = command.output().expect("the process starts");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).expect("JSON")
}

#[test]
fn a_processor_tells_what_its_type_asks_for() {
    assert_eq!(
        describe(&CONCURRENT, true),
        concat!(
            r#"{"emptyBatches":true,"concurrency":8,"ahead":1,"drainMillis":2500,"timeoutMillis":3600000,"attempts":3,"#,
            r#""backoffMillis":25}"#,
            "\n"
        )
    );
    assert!(describe(&CONCURRENT, false).starts_with(r#"{"emptyBatches":false,"concurrency":8,"ahead":0,"#));
    let blocking = r#"{"emptyBatches":false,"concurrency":null,"ahead":0,"drainMillis":null,"timeoutMillis":null,"#;
    assert!(describe(&LEDGER, false).starts_with(blocking));
}
