//! Builds and runs the packages in `fixtures`: the uses of `#[kcl::processor]` that need a package of their own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use tests::{Conversation, workspace};

const TO_THE_END: [&str; 3] = [
    r#"{"action":"initialize","shardId":"shardId-000000000007","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}"#,
    r#"{"action":"processRecords","records":[{"data":"eyJjZW50cyI6NywiY3VzdG9tZXIiOiJhZGEifQ==","partitionKey":"k","sequenceNumber":"1"}],"millisBehindLatest":0}"#,
    r#"{"action":"shardEnded"}"#,
];

/// A Cargo command on the fixtures' own workspace. It uses the versions of this workspace, so nothing has to be fetched.
fn cargo(verb: &str, package: &str) -> Command {
    let fixtures = workspace().join("tests/fixtures");
    let lock = fs::read(workspace().join("Cargo.lock")).expect("readable");
    let copy = fixtures.join("Cargo.lock");
    // Cargo removes the entries that the fixtures do not need. Only one test may write the file.
    static LOCK: std::sync::Once = std::sync::Once::new();
    LOCK.call_once(|| fs::write(copy, lock).expect("writable"));
    let mut command = Command::new(env!("CARGO"));
    command
        .current_dir(fixtures)
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("fixtures"))
        .args([verb, "--offline", "--quiet", "--package", package])
        .stdin(Stdio::null());
    command
}

/// Builds a fixture and returns the path of its binary.
fn built(package: &str) -> PathBuf {
    built_as(package, "dev")
}

fn built_as(package: &str, profile: &str) -> PathBuf {
    let output = cargo("build", package)
        .args(["--profile", profile])
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{package} does not build");
    let mut executables = output.stdout.split(|&byte| byte == b'\n').filter_map(|line| {
        let message: serde_json::Value = serde_json::from_slice(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    executables.next_back().expect("a binary")
}

/// Has a processor read a shard with one record to its end, and accepts each checkpoint that it asks for.
fn runs(binary: &Path, expected: &str) {
    let mut processor = Conversation::start(Command::new(binary).stderr(Stdio::piped()));
    let mut checkpoints = Vec::new();
    for message in TO_THE_END {
        processor.send(message);
        loop {
            let reply = processor.receive().expect("a reply");
            if reply.contains(r#""action":"status""#) {
                break;
            }
            processor.send(&reply.replace('}', r#","error":null}"#));
            checkpoints.push(reply);
        }
    }
    let ended = processor.end();
    assert_eq!(ended.code, Some(0), "{}", ended.error);
    assert!(ended.error.contains(expected), "{}", ended.error);
    assert_eq!(checkpoints.len(), 2, "{checkpoints:?}");
}

#[test]
fn kcl_may_have_another_name() {
    runs(&built("renamed"), "1 records");
}

#[test]
fn a_processor_may_be_in_a_library() {
    runs(&built("library"), "7 cents");
}

#[test]
fn the_edition_may_be_2021() {
    runs(&built("edition-2021"), "ada k");
}

#[test]
fn unsafe_code_may_be_forbidden() {
    runs(&built("forbid-unsafe"), "1 records");
}

#[test]
fn a_record_whose_panic_aborts_is_never_acknowledged_under_any_policy() {
    let binary = built_as("aborts", "abort");
    // The data of the second record: `error`, then `panic`.
    for (second, passes) in [("ZXJyb3I=", true), ("cGFuaWM=", false)] {
        let mut processor = Conversation::start(Command::new(&binary).stderr(Stdio::piped()));
        processor.send(TO_THE_END[0]);
        assert!(processor.receive().expect("a reply").contains("initialize"));
        let record = |number, data| format!(r#"{{"data":"{data}","partitionKey":"k","sequenceNumber":"{number}"}}"#);
        let records = [record(1, "eA=="), record(2, second), record(3, "eA==")].join(",");
        processor.send(&format!(r#"{{"action":"processRecords","records":[{records}]}}"#));
        // The checkpoint, or the end of the output.
        let reply = processor.receive();
        let ended = processor.end();
        assert_eq!(reply.is_some(), passes, "{reply:?}");
        assert!(ended.output.is_empty(), "{:?}", ended.output);
        if !passes {
            assert_eq!(ended.code, None, "a signal ended it");
            assert!(ended.error.contains("as it says"), "{}", ended.error);
        }
    }
}

#[test]
fn a_processor_may_be_written_without_the_macro() {
    runs(&built("minimal"), "1 records");
}

#[test]
fn clippy_finds_nothing_in_the_generated_code() {
    let clippy = cargo("clippy", "strict").arg("--version").output().expect("cargo starts");
    if clippy.status.success() {
        let status = cargo("clippy", "strict").status().expect("cargo starts");
        assert!(status.success());
    } else {
        eprintln!("clippy is not installed, so the fixture is only built and run");
    }
    runs(&built("strict"), "7 cents");
}
