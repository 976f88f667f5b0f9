//! `cargo kcl emulate --input`: the records of a new stream.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _, pipe};
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use serde_json::{Value, json};
use tests::emulators;

use crate::tool::{end, run, signal, start, tool};

fn emulate(arguments: &[&str]) -> Command {
    let arguments: Vec<_> = ["emulate", "--stream", "orders"].iter().chain(arguments).map(Into::into).collect();
    let mut command = emulators::tool(&arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The URL of Kinesis, which is printed when the emulators are up.
fn kinesis(child: &mut Child) -> String {
    let lines = BufReader::new(child.stdout.as_mut().expect("piped")).lines();
    let mut lines = lines.map(|line| line.expect("text"));
    let url = lines.find_map(|line| Some(line.strip_prefix("export AWS_ENDPOINT_URL_KINESIS=")?.to_owned()));
    url.expect("the environment is printed")
}

pub(crate) fn formats() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let path = folder.path().join("input");
    let large = "x".repeat(2 << 20);
    let last = u128::MAX.to_string();
    let input = [
        json!({ "data": "first", "partitionKey": "a", "explicitHashKey": "0" }),
        json!({ "dataBase64": "/w==", "partitionKey": "b", "explicitHashKey": last }),
        json!({ "data": large, "partitionKey": "c", "explicitHashKey": last }),
        json!({ "data": "beyond the limit" }),
    ];
    fs::write(&path, input.map(|record| format!("{record}\n")).concat()).expect("it is written");
    let path = path.to_str().expect("a name");
    let options = ["--shards", "2", "--input", path, "--format", "json", "--large-records", "--limit", "3"];
    let mut emulators = start(emulate(&options));
    let url = kinesis(&mut emulators);
    let tail = ["tail", "--stream", "orders", "--from", "trim-horizon", "--json", "--limit", "3"];
    let printed = run(tool(&url, &tail), b"");
    printed.expect(0, &[]);
    let mut records: Vec<Value> =
        printed.stdout.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect();
    records.sort_by_key(|record| record["partitionKey"].to_string());
    let shards = records.iter().map(|record| record["shardId"].as_str().unwrap_or_default());
    assert_eq!(
        shards.collect::<Vec<_>>(),
        ["shardId-000000000000", "shardId-000000000001", "shardId-000000000001"],
        "the hash keys choose the shards"
    );
    assert_eq!((&records[0]["data"], &records[1]["dataBase64"]), (&json!("first"), &json!("/w==")));
    assert_eq!(records[2]["data"].as_str().map(str::len), Some(2 << 20));
    signal(&emulators, Signal::INT);
    end(emulators).expect(0, &["created stream `orders` with 2 shards; put 3 records on it\n"]);
}

pub(crate) fn interrupted() {
    let (unread, mut input) = pipe().expect("a pipe");
    let mut command = emulate(&["--input", "-"]);
    command.stdin(unread.try_clone().expect("a descriptor"));
    let emulators = start(command);
    input.write_all(b"1\n2\n3\n").expect("it is written");
    crate::tool::wait_until("the input is read", || {
        rustix::io::ioctl_fionread(&unread).is_ok_and(|unread| unread == 0)
    });
    // More of the input could come.
    signal(&emulators, Signal::INT);
    end(emulators).expect(130, &["interrupted; ", " of the input are on the stream\n"]);
    drop(input);
}

pub(crate) fn bad_input() {
    // No emulator is started for them.
    end(start(emulate(&["--input", "missing"]))).expect(2, &["missing cannot be opened"]);
    end(start(emulate(&["--input", "-", "--format", "json", "--key", "/a"])))
        .expect(2, &["--key requires --format lines"]);
}
