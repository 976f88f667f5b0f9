//! The texts of errors, in the stderr of real processes and in their dead letters.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use serde_json::{Value, json};
use tests::{Conversation, build};

use super::processes::acknowledged;
use super::{INITIALIZE, batch};

/// A text that must not be logged where payloads are not logged.
const SECRET: &str = "4111-1111";

struct Run {
    stderr: String,
    /// The dead letters' errors.
    letters: Vec<Value>,
}

impl Run {
    /// The line of kcl about the record with this number.
    fn line(&self, number: usize) -> &str {
        let is_about = |line: &&str| {
            let place = format!("; record {number}/0");
            line.starts_with("kcl: shard shardId-000000000007: dead-lettered a record: ") && line.contains(&place)
        };
        self.stderr.lines().find(is_about).unwrap_or_else(|| panic!("{}", self.stderr))
    }
}

/// Has a processor fail at each of these records.
fn run(bodies: &[&str], environment: &[(&str, &str)]) -> Run {
    static QUOTING: LazyLock<PathBuf> = LazyLock::new(|| build(&["--package", "tests", "--example", "quoting"]));
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(&*QUOTING);
    command.env("KCL_TEST_FOLDER", folder.path()).env_remove("RUST_BACKTRACE").stderr(Stdio::piped());
    let mut processor = Conversation::start(command.envs(environment.iter().copied()));
    processor.send(INITIALIZE);
    acknowledged(&mut processor);
    processor.send(&batch(bodies));
    acknowledged(&mut processor);
    let ended = processor.end();
    assert_eq!(ended.code, Some(0), "{}", ended.error);
    Run { stderr: ended.error, letters: letters(&folder.path().join("letters")) }
}

fn letters(folder: &Path) -> Vec<Value> {
    let files = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let lines: String = files.map(|file| fs::read_to_string(file).expect("text")).collect();
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// A record whose handler decodes something else than it expects.
fn order(how: &str) -> String {
    json!({"how": how, "inner": json!({"cents": SECRET}).to_string()}).to_string()
}

#[test]
fn a_cause_is_printed_once() {
    let run = run(&[&order("repeated")], &[]);
    let error = format!("the order is bad: invalid type: string \"{SECRET}\", expected u64 at line 1 column 20");
    assert!(run.line(1).contains(&format!("dead-lettered a record: {error}; record 1/0")), "{}", run.stderr);
    assert_eq!(run.letters[0]["error"], error);
}

#[test]
fn a_long_error_is_cut_and_its_dead_letter_stays_whole() {
    let run =
        run(&[r#"{"how":"long"}"#, &format!(r#"{{"how":"{}"}}"#, "x".repeat(500_000)).replace("how", "who")], &[]);
    assert!(run.stderr.lines().all(|line| line.len() < 5 << 10), "{}", run.stderr.len());
    for letter in &run.letters {
        assert!(letter["error"].as_str().expect("text").len() <= 4 << 10);
    }
    assert!(run.line(1).contains("bytes left out"), "{}", run.stderr);
    assert_eq!(run.letters[1]["data"].as_str().expect("text").len(), 500_000 + r#"{"who":""}"#.len());
}

#[test]
fn a_payload_that_is_certainly_something_else_is_named() {
    let bodies = ["", "\u{feff}{}", "{} {}", r#""{\"how\":\"\"}""#, "eyJob3ciOiIifQ==", "{"];
    let run = run(&bodies, &[]);
    for (number, clause) in [
        (1, "; the record is empty"),
        (2, "; the data begins with a byte order mark, which JSON does not allow"),
        (3, "; the record holds several JSON values, and one is expected"),
        (4, "; the data is a JSON string that contains JSON: it was serialized twice"),
        (5, "; the data is base64 of JSON: the producer encoded it, and the Kinesis client encodes it anyway"),
        (6, "at line 1 column 1"),
    ] {
        assert!(run.line(number).contains(&format!("{clause}; record {number}/0")), "{number}: {}", run.stderr);
        assert!(run.letters[number - 1]["error"].as_str().expect("text").ends_with(clause));
    }
}

#[test]
fn a_backtrace_of_anyhow_or_eyre_is_printed_on_request() {
    let bodies = [order("anyhow"), order("eyre"), order("plain")];
    let bodies: Vec<_> = bodies.iter().map(String::as_str).collect();
    let with = run(&bodies, &[("RUST_BACKTRACE", "1")]);
    let mut lines = with.stderr.lines().peekable();
    for (number, has_backtrace) in [(1, true), (2, true), (3, false)] {
        let line = lines.by_ref().find(|line| line.contains("dead-lettered a record")).expect("a line");
        assert!(line.contains(&format!("record {number}/0")), "{line}");
        assert_eq!(lines.peek() == Some(&"    Stack backtrace:"), has_backtrace, "{}", with.stderr);
    }
    assert!(with.stderr.contains("processors/quoting.rs"), "{}", with.stderr);
    assert!(with.letters.iter().all(|letter| !letter["error"].to_string().contains("backtrace")));
    for environment in [&[][..], &[("RUST_BACKTRACE", "0")], &[("RUST_BACKTRACE", "1"), ("RUST_LIB_BACKTRACE", "0")]] {
        assert!(!run(&bodies, environment).stderr.contains("backtrace"));
    }
}

#[test]
fn payloads_and_keys_are_not_logged_if_so_requested() {
    let mut bodies: Vec<_> = ["plain", "io", "anyhow", "text", "repeated", "unwrap"].map(order).into();
    bodies.push(json!({ SECRET: 1 }).to_string());
    bodies.push(json!({ "how": { SECRET: 1 } }).to_string());
    bodies.push(json!(SECRET).to_string());
    bodies.push(SECRET.to_owned());
    let bodies: Vec<_> = bodies.iter().map(String::as_str).collect();
    let logged = run(&bodies, &[("KCL_LOG_PAYLOADS", "1")]);
    assert!(logged.stderr.contains(SECRET) && logged.line(1).contains("partition key `key-1`"), "{}", logged.stderr);

    let run = run(&bodies, &[("KCL_LOG_PAYLOADS", "0")]);
    assert!(!run.stderr.contains(SECRET) && !run.stderr.contains("key-"), "{}", run.stderr);
    assert!(run.line(1).contains("invalid type: string \"…\", expected u64 at line 1 column 20; "), "{}", run.stderr);
    for (letter, body) in run.letters.iter().zip(bodies) {
        assert!(!letter["error"].to_string().contains(SECRET), "{letter}");
        assert_eq!(letter["data"], body);
        assert!(letter["partitionKey"].as_str().expect("text").starts_with("key-"));
    }
}

#[test]
fn a_line_that_is_not_a_message_is_not_logged_if_so_requested() {
    for line in [
        format!(r#"{{"action":"processRecords","records":[{{"data":"{SECRET}"}}]}}"#),
        format!(r#"{{"action":"processRecords","millisBehindLatest":"{SECRET}"}}"#),
        format!("{SECRET} is not JSON"),
    ] {
        for (value, is_logged) in [("1", true), ("0", false)] {
            let mut command = Command::new(super::processes::poison());
            let folder = tempfile::tempdir().expect("a folder");
            command.env("KCL_TEST_FOLDER", folder.path()).env("KCL_LOG_PAYLOADS", value).stderr(Stdio::piped());
            let mut processor = Conversation::start(&mut command);
            processor.send(INITIALIZE);
            acknowledged(&mut processor);
            processor.send(&line);
            let ended = processor.end();
            assert_eq!(ended.code, Some(2), "{}", ended.error);
            assert_eq!(ended.error.contains(SECRET), is_logged, "{}", ended.error);
        }
    }
}
