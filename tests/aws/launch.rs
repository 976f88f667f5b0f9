//! `cargo kcl daemon`, with a script in the place of Java.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::json;

use crate::fake::Fake;
use crate::tool::{Ended, Printing, bare, run, signal};

/// A Java that prints the worker's name, and then does what the test demands.
pub(crate) fn java(folder: &Path, then: &str) {
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).expect("a folder");
    let script = format!(
        "#!/bin/sh\n\
         if [ \"$1\" = -version ]; then echo 'openjdk version \"17.0.15\"' >&2; exit; fi\n\
         for last; do :; done\n\
         grep '^workerId' \"$last\"\n\
         {then}\n"
    );
    fs::write(bin.join("java"), script).expect("it is written");
    fs::set_permissions(bin.join("java"), fs::Permissions::from_mode(0o755)).expect("it is executable");
    fs::write(folder.join("daemon.jar"), "").expect("it is written");
}

pub(crate) fn daemon(folder: &Path, arguments: &[&str]) -> Command {
    let mut command =
        bare(&[&["daemon"], arguments, &["--jars", folder.to_str().expect("text"), "--", "true"]].concat());
    command.env("JAVA_HOME", folder).env("KCL_CACHE_DIR", folder.join("cache"));
    command
}

/// Both services, with a stream that exists.
fn services() -> Fake {
    Fake::answering(|operation, _| match operation {
        "DescribeStreamSummary" => (200, json!({ "StreamDescriptionSummary": { "StreamStatus": "ACTIVE" } })),
        _ => (200, json!({})),
    })
}

pub(crate) fn names() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    java(folder.path(), "exec sleep 1000");
    let fake = services();
    let url = fake.url();
    let emulate = ["--emulate", "--app", "orders", "--endpoint", &url, "--dynamodb-endpoint", &url];
    let start = |says: &str| {
        let worker = Printing::start(daemon(folder.path(), &emulate));
        worker.wait_for(says);
        worker
    };
    let end = |worker: Printing, with: Signal| {
        signal(&worker.child, with);
        _ = worker.code();
    };
    let first = start("java: workerId = local");
    let second = start("this worker is `local-2`: others of this application are running here");
    second.wait_for("java: workerId = local-2");
    // However it ends, the next one has its leases.
    end(first, Signal::KILL);
    let third = start("java: workerId = local");
    end(second, Signal::TERM);
    end(third, Signal::TERM);
    let named = Printing::start(daemon(folder.path(), &[&emulate[..], &["--set", "workerId=mine"]].concat()));
    named.wait_for("java: workerId = mine");
}

pub(crate) fn restarts() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    java(folder.path(), "exit 1");
    let aws = ["--stream", "orders", "--app", "orders", "--region", "us-east-1"];
    let once = run(daemon(folder.path(), &[&aws[..], &["--restart=1"]].concat()), b"");
    once.expect(
        1,
        &[
            "restarting the daemon in 1 s (restart 1 of 1)",
            "the daemon gave up (exit status: 1)",
            "the daemon was restarted once; giving up",
        ],
    );
    // It is the same worker each time.
    let names: Vec<_> = once.stderr.lines().filter(|line| line.contains("workerId")).collect();
    assert!(names.len() == 2 && names[0] == names[1], "{once:?}");

    let never = run(daemon(folder.path(), &aws), b"");
    never.expect(1, &["the daemon gave up"]);
    assert!(!never.stderr.contains("restart") && !never.stderr.contains("workerId"), "{never:?}");

    // A log is continued, because that of a failure is needed after it.
    let log = folder.path().join("daemon.log");
    let logged = [&aws[..], &["--log", log.to_str().expect("text"), "--set", "workerId=mine"]].concat();
    for runs in 1..=2 {
        run(daemon(folder.path(), &logged), b"").expect(1, &["the daemon gave up"]);
        let text = fs::read_to_string(&log).expect("a log");
        assert_eq!(text.matches("workerId = mine").count(), runs, "{text}");
    }

    let waiting = Printing::start(daemon(folder.path(), &[&aws[..], &["--restart"]].concat()));
    waiting.wait_for("restarting the daemon in 1 s (restart 1 of 10)");
    signal(&waiting.child, Signal::TERM);
    assert_eq!(waiting.code(), Some(143));
}

pub(crate) fn emulator_failure() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    java(folder.path(), "exit 1");
    let fake = Fake::answering(|_, _| (500, json!({ "__type": "InternalFailure", "message": "no" })));
    let url = fake.url();
    let mut command = daemon(folder.path(), &["--emulate", "--endpoint", &url, "--dynamodb-endpoint", &url]);
    command.stdout(Stdio::null());
    let Ended { code, stderr, .. } = run(command, b"");
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("CreateStream at "), "{stderr}");
}

/// Each request to AWS has an id, so the same problem never has the same text.
pub(crate) fn repeated() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let event = |id: &str| {
        let problem = "The level of configured provisioned throughput for the table was exceeded.";
        let text =
            format!("x: {problem} (Service: DynamoDb, Status Code: 400, Request ID: {id}) (SDK Attempt Count: 4)");
        format!("printf '%s\\n' '␟2026-01-31T12:00:00.000Z␟WARN␟LeaseRenewer␟Failed to renew a lease␟{text}␞'\n")
    };
    let script: String =
        ["VJ7Q2TGK9RLUO4KQNSO5AEMVJF66Q9ASUAAJG", "MPL0HRTQ3ZKIW8XGNYO5AEMVJF66Q9ASUAAJG"].map(event).concat();
    java(folder.path(), &format!("{script}exit 1"));
    let aws = ["--stream", "orders", "--app", "orders", "--region", "us-east-1"];
    let ended = run(daemon(folder.path(), &aws), b"");
    ended.expect(1, &["1 repeated message of the daemon not shown"]);
    assert_eq!(ended.stderr.matches("Failed to renew a lease").count(), 1, "{ended:?}");
}
