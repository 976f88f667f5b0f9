//! `--log-format`, with a processor that prints anything and is killed.

use std::fs;
use std::process::Command;

use serde_json::Value;
use tests::hostile::assert_json;

use crate::harness::{Place, Running};

/// Prints lines of all kinds, from the file `said`, and is killed in the middle of its last one.
const PRINTS: &str = r#"read -r line; cat said >&2; kill -9 $$"#;

fn said() -> Vec<u8> {
    let long = "x".repeat(200_000);
    [
        b"text \xff\xfe \x1b[31mred\x1b[0m\r\n\n".as_slice(),
        br#"{"level":"ERROR","message":"it broke","shard":"mine","time":1,"fields":{"a":[1e2]}}"#,
        b"\n{\"not\": \"an object\n",
        long.as_bytes(),
        b"\n",
        format!("{{\"long\":\"{long}\"}}").as_bytes(),
        b"\nin the middle",
    ]
    .concat()
}

fn command(form: &str, options: &[&str]) -> (Place, Command) {
    let place = Place::with_input("1\n2\n3\n");
    fs::write(place.path("said"), said()).expect("it can be written");
    let command = place.script(&[options, &["--log-format", form]].concat(), PRINTS);
    (place, command)
}

#[test]
fn every_line_is_an_object_through_a_crash_and_a_restart() {
    let (_place, command) = command("json", &["--shards", "2", "--restarts", "1"]);
    let ended = Running::start(command).end();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let objects = assert_json("local", &ended.stderr);
    for shard in ["shardId-000000000000", "shardId-000000000001"] {
        let of = |source: &str| -> Vec<&Value> {
            objects.iter().filter(|object| object["shard"] == shard && object["source"] == source).collect()
        };
        let lines = of("processor");
        let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().expect("text")).collect();
        assert_eq!(messages.len(), 14, "7 lines of 2 processors: {messages:?}");
        assert_eq!(&messages[..2], ["text \u{fffd}\u{fffd} \x1b[31mred\x1b[0m\r", ""]);
        assert_eq!((messages[2], lines[2]["level"].as_str()), ("it broke", Some("error")));
        assert_eq!(
            (&lines[2]["fields"]["shard"], &lines[2]["fields"]["fields"]["a"][0]),
            (&"mine".into(), &100.0.into())
        );
        assert_eq!(messages[3], "{\"not\": \"an object");
        for long in [4, 5] {
            assert!(lines[long]["cutBytes"].as_u64().is_some_and(|cut| cut > 130_000), "{}", lines[long]["cutBytes"]);
            assert!(messages[long].len() > 60_000 && lines[long].get("fields").is_none());
        }
        assert_eq!((messages[6], messages[13]), ("in the middle", "in the middle"));
        let tool = of("tool");
        let said = |text: &str, level: &str| {
            tool.iter()
                .any(|line| line["level"] == level && line["message"].as_str().is_some_and(|said| said.contains(text)))
        };
        assert!(said("signal: 9", "error") && said("restart 1 of 1", "info"), "{tool:?}");
        assert_eq!(tool.last().expect("its result")["fields"]["outcome"], "failed");
    }
    let total = objects.last().expect("the total");
    assert_eq!((&total["fields"]["exitCode"], &total["stream"]), (&1.into(), &Value::Null));
}

#[test]
fn raw_leaves_the_lines_of_a_processor_as_they_are() {
    let (_place, mut command) = command("raw", &[]);
    let output = command.output().expect("the tool starts");
    let whole = [said(), b"\ncargo kcl: shardId-000000000000: the processor exited".to_vec()].concat();
    assert!(output.stderr.starts_with(&whole), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn text_has_no_control_characters() {
    let (_place, command) = command("text", &["--shards", "2"]);
    let ended = Running::start(command).end();
    ended.expect(
        1,
        &["[0] text \u{fffd}\u{fffd} red\n[0] \n[0] {\"level\":\"ERROR\"", "[1] text ", "[1] in the middle\n"],
    );
    assert!(!ended.stderr.contains(|char: char| char.is_control() && char != '\n'));
}

#[test]
fn what_cargo_says_is_in_the_same_form() {
    let place = Place::with_input("1\n");
    let input = place.path("input");
    let input = input.to_str().expect("text");
    let mut command = place.tool(["--input", input, "--log-format", "json", "--bin", "no-such-binary"]);
    command.current_dir(tests::workspace());
    let ended = Running::start(command).end();
    let objects = assert_json("a build", &ended.stderr);
    assert!(objects.iter().any(|object| object["source"] == "build"), "{}", ended.stderr);
    assert_eq!(objects.last().expect("the error")["level"], "error");
}
