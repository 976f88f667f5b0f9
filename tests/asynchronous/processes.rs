//! Real processes with `async` methods: what they do with their pipes, and when they end.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::LazyLock;
use std::time::Instant;

use tempfile::TempDir;
use tests::{Conversation, Ended, build};

use super::*;

static AWAITING: LazyLock<PathBuf> = LazyLock::new(|| build(&["--package", "tests", "--example", "awaiting"]));

/// Two records. The data of the first is `now`.
const BATCH: &str = r#"{"action":"processRecords","records":[{"data":"bm93","partitionKey":"k","sequenceNumber":"1"},{"data":"bGF0ZXI=","partitionKey":"k","sequenceNumber":"2"}]}"#;
const SEEN: [&str; 4] = ["initialize shardId-000000000007 TRIM_HORIZON", "record 1/0 now", "record 2/0 later", "drop"];
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with the files of a process.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().expect("a temporary folder"))
    }

    fn command(&self, action: &str) -> Command {
        let mut command = Command::new(&*AWAITING);
        command.env("DO", action).env("SEEN", self.path("seen")).env("GO", self.path("go")).stderr(Stdio::piped());
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn go(&self) {
        fs::write(self.path("go"), "").expect("a file");
    }

    fn seen(&self) -> Vec<String> {
        let seen = fs::read_to_string(self.path("seen")).unwrap_or_default();
        seen.lines().map(str::to_owned).collect()
    }

    fn wait_for(&self, what: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.seen().iter().any(|line| line == what) {
            assert!(Instant::now() < deadline, "no `{what}` in {:?}", self.seen());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Starts a conversation, up to the batch that is being processed.
fn start(command: &mut Command) -> Conversation {
    let mut conversation = Conversation::start(command);
    conversation.send(INITIALIZE);
    assert_eq!(conversation.receive().as_deref(), Some(INITIALIZED));
    conversation.send(BATCH);
    conversation
}

/// Reads the replies to the batch.
fn finish(conversation: &mut Conversation) {
    assert_eq!(conversation.receive().as_deref(), Some(ALL));
    conversation.send(OK);
    assert_eq!(conversation.receive().as_deref(), Some(DONE));
}

#[test]
fn a_task_goes_on_while_the_processor_waits_for_the_daemon() {
    let files = Files::new();
    let mut conversation = start(&mut files.command("spawn"));
    finish(&mut conversation);
    files.go();
    files.wait_for("task");
    let ended = conversation.end();
    assert_eq!((ended.code, ended.error.as_str()), (Some(0), ""));
}

#[test]
fn a_blocking_task_does_not_keep_the_process_alive() {
    let files = Files::new();
    let mut conversation = start(&mut files.command("block"));
    finish(&mut conversation);
    let ended = conversation.end();
    assert_eq!((ended.code, ended.error.as_str()), (Some(0), ""));
    assert_eq!(files.seen(), SEEN);
}

#[test]
fn a_handler_is_finished_although_the_input_has_ended() {
    let files = Files::new();
    let mut conversation = start(&mut files.command("wait"));
    conversation.wait_for_error("waiting");
    conversation.write(format!("{OK}\n").as_bytes());
    conversation.end_input();
    files.go();
    assert_eq!(conversation.receive().as_deref(), Some(ALL));
    assert_eq!(conversation.receive().as_deref(), Some(DONE));
    assert_eq!(conversation.end().code, Some(0));
    assert_eq!(files.seen(), SEEN);
}

/// A process whose stdout is in the test's hands.
fn spawn(command: &mut Command) -> (Child, ChildStdout) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let output = child.stdout.take().expect("piped");
    (child, output)
}

/// Waits until a process ends. Returns its exit code and its stderr.
fn ended(mut child: Child) -> (Option<i32>, String) {
    let mut error = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut error).expect("text");
    (child.wait().expect("it ends").code(), error)
}

#[test]
fn a_handler_is_cancelled_if_the_daemon_is_gone() {
    // The two pipes are closed in either order, and nothing else is.
    for input_first in [true, false] {
        for (action, messages) in [("hang", [INITIALIZE, BATCH].join("\n")), ("hang-at-start", INITIALIZE.to_owned())] {
            let files = Files::new();
            let (mut child, output) = spawn(&mut files.command(action));
            let mut input = child.stdin.take().expect("piped");
            input.write_all(format!("{messages}\n").as_bytes()).expect("it reads");
            files.wait_for(if action == "hang" { "record 1/0 now" } else { SEEN[0] });
            if input_first {
                drop(input);
                drop(output);
            } else {
                drop(output);
                drop(input);
            }
            let (code, error) = ended(child);
            assert_eq!(code, Some(0), "{error}");
            let seen = files.seen();
            assert!(seen.contains(&"cancelled".to_owned()), "{seen:?}");
            if action == "hang" {
                assert!(
                    error.ends_with("the daemon was gone before processRecords could be acknowledged\n"),
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn a_wait_before_a_retry_ends_with_the_daemon() {
    let files = Files::new();
    let conversation = start(files.command("fail").env("PATIENT", "1"));
    conversation.wait_for_error("record 1/0");
    let ended = conversation.end();
    assert_eq!(ended.code, Some(1));
    assert!(ended.error.contains("processRecords failed: it broke; at record 1/0"), "{}", ended.error);
}

#[test]
fn a_method_that_waits_long_is_reported() {
    let files = Files::new();
    let mut conversation = start(files.command("wait").env("PATIENT", "1"));
    conversation.wait_for_error(
        "processRecords at record 1/0 with partition key `k`, number 1 of 2 in its batch, has been running for",
    );
    files.go();
    finish(&mut conversation);
    assert_eq!(conversation.end().code, Some(0));
}

#[test]
fn a_runtime_around_the_run_is_refused() {
    let files = Files::new();
    let ended = Conversation::start(files.command("").env("NESTED", "1")).end();
    assert_eq!(ended.code, Some(2));
    assert!(ended.error.starts_with("kcl: a processor cannot run inside of a runtime of tokio"), "{}", ended.error);
    assert!(files.seen().is_empty());
}

/// A processor with two worker threads and this limit. Not every machine has bash, or can set the limit.
fn limited(limit: &str) -> Option<Ended> {
    let bash = |script: &str| {
        let mut command = Command::new("bash");
        command.args(["-c", &format!("ulimit {limit} && {script}")]).arg(&*AWAITING).env("THREADS", "1");
        // The stacks of threads take nearly all of the memory.
        command.env("RUST_MIN_STACK", (512 << 20).to_string()).env("MALLOC_ARENA_MAX", "1").stderr(Stdio::piped());
        command
    };
    let can = bash("test -x \"$0\"").status().is_ok_and(|status| status.success());
    can.then(|| Conversation::start(&mut bash("exec \"$0\"")).end())
}

#[test]
fn a_runtime_that_cannot_be_started_is_an_error_whichever_thread_or_descriptor_is_missing() {
    let pump = "kcl: stdin, stdout and stderr could not be set up for the protocol: starting the thread that copies ";
    let runtime = "kcl: the runtime of tokio could not be started: ";
    // As much memory as this many threads need, in kB.
    for (threads, line) in [(0, pump), (1, runtime), (2, runtime)] {
        let Some(ended) = limited(&format!("-v {}", (512 * threads + 256) << 10)) else { return };
        assert_eq!((ended.code, ended.output.len()), (Some(2), 0), "{threads}: {}", ended.error);
        assert!(ended.error.lines().any(|text| text.starts_with(line)), "{threads}: {}", ended.error);
    }
    for files in 8..20 {
        let Some(ended) = limited(&format!("-n {files}")) else { return };
        let explains = ended.error.lines().any(|line| line.starts_with("kcl: "));
        assert!(matches!((ended.code, explains), (Some(0), false) | (Some(2), true)), "{files}: {ended:?}");
    }
}

#[test]
fn the_input_may_be_a_file_or_a_socket() {
    let lines = [INITIALIZE, BATCH, OK, ""].join("\n");
    let replies = [INITIALIZED, ALL, DONE, ""].join("\n");
    // A file, which no runtime can watch.
    let files = Files::new();
    fs::write(files.path("input"), &lines).expect("a file");
    let input = File::open(files.path("input")).expect("a file");
    let (code, output) = run_with(files.command("").stdin(input));
    assert_eq!((code, output), (Some(0), replies.clone()));
    assert_eq!(files.seen(), SEEN);
    // A socket that the process which started this one has made non-blocking, and keeps open.
    let files = Files::new();
    let (mut ours, theirs) = UnixStream::pair().expect("a socket");
    theirs.set_nonblocking(true).expect("a socket");
    let input = std::os::fd::OwnedFd::from(theirs);
    let mut child = files.command("").stdin(input).stdout(Stdio::piped()).spawn().expect("it starts");
    for line in lines.lines() {
        // In two parts, so that reads return parts of lines.
        let (first, rest) = line.split_at(line.len() / 2);
        ours.write_all(first.as_bytes()).expect("it reads");
        std::thread::yield_now();
        ours.write_all(format!("{rest}\n").as_bytes()).expect("it reads");
    }
    drop(ours);
    let mut output = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut output).expect("text");
    assert_eq!((ended(child).0, output), (Some(0), replies));
    assert_eq!(files.seen(), SEEN);
}

fn run_with(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().expect("it starts");
    (output.status.code(), String::from_utf8(output.stdout).expect("JSON"))
}
