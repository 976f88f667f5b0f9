//! A processor's stdin, stdout and stderr belong to the protocol, whatever user code reads and prints.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;
use tests::{Conversation, Ended, build};

static WITNESS: LazyLock<PathBuf> = LazyLock::new(|| build(&["--package", "tests", "--example", "witness"]));

const INITIALIZE: &str =
    r#"{"action":"initialize","shardId":"shardId-000000000007","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}"#;
const INITIALIZED: &str = r#"{"action":"status","responseFor":"initialize"}"#;
/// Two records. The data of the first is `now`.
const BATCH: &str = r#"{"action":"processRecords","records":[{"data":"bm93","partitionKey":"k","sequenceNumber":"1"},{"data":"bGF0ZXI=","partitionKey":"k","sequenceNumber":"2"}]}"#;
const CHECKPOINT: &str = r#"{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null}"#;
const CHECKPOINTED: &str = r#"{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":null}"#;
const PROCESSED: &str = r#"{"action":"status","responseFor":"processRecords"}"#;

struct Witness {
    folder: TempDir,
    conversation: Conversation,
}

impl Witness {
    fn start(action: &str) -> Self {
        Self::start_with(action, |_| {})
    }

    fn start_with(action: &str, change: impl FnOnce(&mut Command)) -> Self {
        Self::start_with_stderr(action, Stdio::piped(), change)
    }

    fn start_with_stderr(action: &str, stderr: Stdio, change: impl FnOnce(&mut Command)) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let mut command = Command::new(&*WITNESS);
        command.env("DO", action).env("SEEN", folder.path().join("seen")).env("GRANDCHILD", folder.path().join("pid"));
        change(&mut command);
        Self { conversation: Conversation::start(command.stderr(stderr)), folder }
    }

    fn receive(&mut self) -> String {
        self.conversation.receive().expect("a reply")
    }

    /// Runs the conversation from `initialize` to the acknowledgement of one batch.
    fn process(&mut self) {
        self.conversation.send(INITIALIZE);
        assert_eq!(self.receive(), INITIALIZED);
        self.conversation.send(BATCH);
        assert_eq!(self.receive(), CHECKPOINT);
        self.conversation.send(CHECKPOINTED);
        assert_eq!(self.receive(), PROCESSED);
    }

    fn seen(&self) -> Vec<String> {
        let seen = fs::read_to_string(self.folder.path().join("seen")).expect("it saw something");
        seen.lines().map(str::to_owned).collect()
    }

    /// Ends the input. Returns how the process ended and what it saw.
    fn end(self) -> (Ended, Vec<String>) {
        let Self { folder, conversation } = self;
        let ended = conversation.end();
        let seen = fs::read_to_string(folder.path().join("seen")).unwrap_or_default();
        (ended, seen.lines().map(str::to_owned).collect())
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.conversation.id() as i32).expect("a process id")
    }
}

const SEEN: [&str; 4] = ["initialize shardId-000000000007 TRIM_HORIZON", "record 1/0 now", "record 2/0 later", "drop"];

#[test]
fn printed_text_goes_to_stderr() {
    let mut witness = Witness::start("print");
    witness.process();
    let (ended, seen) = witness.end();
    assert_eq!((ended.code, &ended.output[..]), (Some(0), &[][..]));
    for part in ["printed to stdout\n", "printed to stderr\n", "printed without an end", "after the run\n"] {
        assert!(ended.error.contains(part), "{part:?} in {}", ended.error);
    }
    assert_eq!(seen, SEEN);
}

#[test]
fn printed_text_is_neither_lost_nor_waited_for() {
    let mut witness = Witness::start("print-much");
    witness.process();
    let (ended, _) = witness.end();
    assert_eq!((ended.code, ended.error.lines().filter(|line| line.starts_with("line ")).count()), (Some(0), 100_000));
}

#[test]
fn a_reply_cannot_be_forged() {
    let mut witness = Witness::start("forge");
    witness.process();
    let (ended, _) = witness.end();
    assert_eq!((ended.code, ended.output.len()), (Some(0), 0));
    assert!(ended.error.contains("responseFor"), "{}", ended.error);
}

#[test]
fn a_spawned_process_can_neither_read_messages_nor_write_replies() {
    let mut witness = Witness::start("spawn");
    witness.process();
    let (ended, seen) = witness.end();
    assert_eq!((ended.code, ended.output.len()), (Some(0), 0));
    assert!(ended.error.contains("spawned\n") && ended.error.contains("spawned too\n"), "{}", ended.error);
    assert_eq!(seen, SEEN);
}

#[test]
fn a_grandchild_that_holds_every_descriptor_delays_nothing() {
    // The last one stands for a fork: it holds the pipes that are closed when a program is started.
    for what in ["leave-grandchild", "noisy-grandchild", "hold-pipes"] {
        let mut witness = Witness::start(what);
        let pid_file = witness.folder.path().join("pid");
        witness.process();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        let pid = loop {
            let pid = fs::read_to_string(&pid_file).ok().and_then(|pid| pid.trim().parse().ok());
            if let Some(pid) = pid.and_then(Pid::from_raw) {
                break pid;
            }
            assert!(std::time::Instant::now() < deadline, "the grandchild has not started");
            std::thread::yield_now();
        };
        let (ended, seen) = witness.end();
        assert_eq!((ended.code, &seen[..]), (Some(0), &SEEN.map(str::to_owned)[..]));
        // It was running all the time. (The noisy one ends by itself once nobody reads its output.)
        let killed = kill_process(pid, Signal::KILL);
        assert!(killed.is_ok() || what == "noisy-grandchild", "{killed:?}");
    }
}

#[test]
fn a_failure_is_reported_with_its_record() {
    for (what, said) in [("fail", "failed"), ("panic", "panicked")] {
        let mut witness = Witness::start(what);
        witness.conversation.send(INITIALIZE);
        assert_eq!(witness.receive(), INITIALIZED);
        witness.conversation.send(BATCH);
        let (ended, seen) = witness.end();
        assert_eq!((ended.code, ended.output.len()), (Some(1), 0));
        let line = format!(
            "kcl: shard shardId-000000000007: processRecords {said}: as told; at record 1/0 with partition key `k`\n"
        );
        assert!(ended.error.contains(&line), "{}", ended.error);
        assert_eq!(seen, [SEEN[0], SEEN[1], SEEN[3]]);
    }
}

#[test]
fn the_last_output_before_a_crash_is_kept() {
    let mut witness = Witness::start("panic");
    witness.conversation.send(INITIALIZE);
    witness.receive();
    witness.conversation.send(BATCH);
    let (ended, _) = witness.end();
    assert!(ended.error.contains("processors/witness.rs"), "no place of the panic: {}", ended.error);

    let mut witness = Witness::start("abort");
    witness.conversation.send(INITIALIZE);
    witness.receive();
    witness.conversation.send(BATCH);
    let (ended, seen) = witness.end();
    assert_eq!((ended.code, ended.output.len()), (None, 0));
    assert_eq!(seen, SEEN[..2]);
}

#[test]
fn text_printed_before_a_handler_ends_the_process_is_kept() {
    let mut witness = Witness::start("exit");
    witness.conversation.send(INITIALIZE);
    witness.receive();
    witness.conversation.send(BATCH);
    let (ended, seen) = witness.end();
    assert_eq!((ended.code, ended.output.len(), &ended.error[..]), (Some(7), 0, "a complaint\nthe last words"));
    assert_eq!(seen, SEEN[..2]);
}

#[test]
fn a_thread_that_keeps_stdout_locked_delays_nothing() {
    let mut witness = Witness::start("hold-stdout");
    witness.process();
    let (ended, seen) = witness.end();
    assert_eq!((ended.code, &seen[..]), (Some(0), &SEEN.map(str::to_owned)[..]));
}

#[test]
fn a_panic_in_a_thread_leaves_the_redirection_in_place() {
    let mut witness = Witness::start("thread-panic");
    witness.process();
    let (ended, _) = witness.end();
    assert_eq!((ended.code, ended.output.len()), (Some(0), 0));
    assert!(ended.error.contains("in a thread"), "{}", ended.error);
}

/// A batch with this text in JSON, sent to a processor that keeps dead letters. Returns how the process ended after its status.
fn processed_by_poison(text: &str) -> Ended {
    let folder = TempDir::new().expect("a temporary folder");
    let mut command = Command::new(build(&["--package", "tests", "--example", "poison"]));
    let mut conversation = Conversation::start(command.env("KCL_TEST_FOLDER", folder.path()).stderr(Stdio::piped()));
    conversation.send(INITIALIZE);
    assert_eq!(conversation.receive().expect("a reply"), INITIALIZED);
    let data = BASE64_STANDARD.encode(format!("\"{text}\""));
    conversation.send(&format!(
        r#"{{"action":"processRecords","records":[{{"data":"{data}","partitionKey":"k","sequenceNumber":"1"}}]}}"#
    ));
    conversation.receive().expect("a checkpoint");
    conversation.send(CHECKPOINTED);
    assert_eq!(conversation.receive().expect("a reply"), PROCESSED);
    conversation.end()
}

#[test]
fn an_error_that_panics_or_prints_when_it_is_reported_delays_nothing() {
    for (text, told) in [("mute", "(the `Display` of this error panicked)"), ("chatty", "as it says")] {
        let ended = processed_by_poison(text);
        assert_eq!((ended.code, ended.output.len()), (Some(0), 0));
        assert!(ended.error.contains(told), "{}", &ended.error[ended.error.len().saturating_sub(1000)..]);
    }
}

#[test]
fn a_line_of_kcl_is_not_part_of_a_line_that_was_begun() {
    let ended = processed_by_poison("dots");
    assert!(ended.error.contains("\nkcl: shard shardId-000000000007: "), "{}", ended.error);
}

#[test]
fn a_broken_stderr_does_not_stop_the_processor() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut witness = Witness::start_with_stderr("print-much", writer.into(), |_| {});
    witness.process();
    let (ended, seen) = witness.end();
    assert_eq!((&ended.output[..], &seen[..]), (&[][..], &SEEN.map(str::to_owned)[..]));
}

#[test]
fn signals_are_left_to_the_daemon() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut witness = Witness::start_with("print", |command| {
            command.process_group(0);
        });
        witness.conversation.send(INITIALIZE);
        assert_eq!(witness.receive(), INITIALIZED);
        kill_process_group(witness.pid(), signal).expect("the process is running");
        witness.conversation.send(BATCH);
        assert_eq!(witness.receive(), CHECKPOINT);
        kill_process_group(witness.pid(), signal).expect("the process is running");
        witness.conversation.send(CHECKPOINTED);
        assert_eq!(witness.receive(), PROCESSED);
        assert_eq!(witness.seen(), SEEN[..3]);
        let (ended, seen) = witness.end();
        assert_eq!((ended.code, &seen[..]), (Some(0), &SEEN.map(str::to_owned)[..]));
    }
}

#[test]
fn end_of_input_at_any_point_ends_the_process() {
    let (ended, seen) = Witness::start("print").end();
    assert_eq!((ended.code, ended.output.len(), seen.len()), (Some(0), 0, 0));
    assert!(!ended.error.contains("kcl:"), "{}", ended.error);

    // It fills the pipe several times.
    let large = [br#"{"action":"processRecords","records":[{"data":""#, &[b'A'; 1 << 20][..]].concat();
    for (bytes, code) in [(&b"{\"action\":"[..], 2), (b"nonsense\n", 2), (b"\n", 2), (&large, 2)] {
        let mut witness = Witness::start("print");
        witness.conversation.write(bytes);
        let (ended, seen) = witness.end();
        assert_eq!((ended.code, ended.output.len(), seen.len()), (Some(code), 0, 0));
        assert!(ended.error.starts_with("kcl: "), "{}", ended.error);
    }

    // While the processor waits for the answer to a checkpoint.
    let mut witness = Witness::start("print");
    witness.conversation.send(INITIALIZE);
    witness.receive();
    witness.conversation.send(BATCH);
    assert_eq!(witness.receive(), CHECKPOINT);
    let (ended, seen) = witness.end();
    assert_eq!((ended.code, ended.output.len(), &seen[..]), (Some(0), 0, &SEEN.map(str::to_owned)[..]));
}

/// A processor that may have only this many threads or files, and its complaint.
fn limited(limit: &str, action: &str) -> Option<Ended> {
    let bash = |script: &str| {
        let mut command = Command::new("bash");
        command.args(["-c", script]).arg(&*WITNESS).env("DO", action);
        if rustix::process::geteuid().is_root() {
            // Root has no limit.
            command.uid(54_321);
        }
        command
    };
    // Not every machine has bash, and another user may not be allowed to run the witness.
    let can = bash("test -x \"$0\"").status().is_ok_and(|status| status.success());
    let mut command = bash(&format!("ulimit {limit} && exec \"$0\""));
    can.then(|| Conversation::start(command.stderr(Stdio::piped())).end())
}

#[test]
fn a_limit_on_threads_or_files_is_an_error_that_names_what_failed() {
    let stdio = "kcl: stdin, stdout and stderr could not be set up for the protocol: ";
    for (limit, action, message) in [
        ("-u 1", "print", format!("{stdio}starting the thread that copies printed text to stderr failed: ")),
        ("-u 1", "run-on", "the thread that reads messages and writes replies could not be started: ".to_owned()),
        ("-n 4", "print", format!("{stdio}moving stdout aside failed: ")),
        ("-n 6", "print", format!("{stdio}opening an empty stdin failed: ")),
        ("-n 7", "print", format!("{stdio}creating a pipe failed: ")),
    ] {
        let Some(ended) = limited(limit, action) else { return };
        assert_eq!((ended.code, ended.output.len()), (Some(2), 0), "{limit}: {}", ended.error);
        let (line, rest) = ended.error.split_once('\n').unwrap_or_default();
        assert!(line.starts_with(&message) && line.contains("(os error "), "{limit}: {line}");
        assert_eq!(rest, "after the run\n");
    }
}

#[test]
fn a_processor_started_in_a_terminal_explains_itself() {
    let script = Command::new("script")
        .args(["--quiet", "--return", "--command"])
        .arg(&*WITNESS)
        .arg("/dev/null")
        .stdin(Stdio::null())
        .output();
    // `script` is not installed on every machine. Where it is, it makes stdin a terminal.
    if let Ok(output) = script {
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("cargo kcl local"), "{text}");
        assert_eq!(output.status.code(), Some(2));
    }
}
