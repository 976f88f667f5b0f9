//! Text from outside reaches the outputs of every verb, and does nothing there. The verbs that talk to AWS are in `tests/aws`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::hostile::{MARK, assert_bounded, assert_harmless, assert_json, long_text, texts};

static TOOL: LazyLock<PathBuf> = LazyLock::new(|| tests::build(&["--package", "cargo-kcl"]));
static POISON: LazyLock<PathBuf> = LazyLock::new(|| tests::build(&["--package", "tests", "--example", "poison"]));

/// Answers `initialize` with the text in `ANSWER`, and prints `SAID` to stderr.
const ROGUE: &str = r#"read -r line; printf '%s' "$SAID" >&2; printf '%s\n' "$ANSWER""#;

/// Acknowledges the first message, and ends with the second one.
const PATIENT: &str = r#"read -r line; echo '{"action":"status","responseFor":"initialize"}'; read -r line; exit 1"#;

fn tool<'a>(folder: &Path, arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(&*TOOL);
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("KCL_")) {
        command.env_remove(name);
    }
    command
}

/// All that a command prints.
fn output_of(mut command: Command) -> String {
    let output = command.output().expect("the tool starts");
    [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("the output is UTF-8")).concat()
}

fn folder_with(input: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("input"), input).expect("it can be written");
    folder
}

#[test]
fn the_replies_of_a_processor() {
    let folder = folder_with("1\n");
    for text in texts() {
        let replies = [
            json!({ "action": "status", "responseFor": text }),
            json!({ "action": text }),
            json!({ "action": "status", "responseFor": "initialize", &text: 1 }),
            json!({ "action": "checkpoint", "sequenceNumber": text }),
            json!({ "action": "checkpoint", "sequenceNumber": { &text: 1 } }),
            json!(text),
        ];
        for reply in replies.iter().map(Value::to_string).chain([text.clone()]) {
            for form in ["text", "json"] {
                let arguments = ["local", "--input", "input", "--log-format", form, "--", "sh", "-c", ROGUE];
                let mut command = tool(folder.path(), arguments);
                command.env("ANSWER", &reply).env("SAID", "");
                let output = output_of(command);
                // A checkpoint is judged, and its answer goes to the processor alone.
                if output.contains(MARK) || !reply.contains("checkpoint") {
                    assert_harmless(&reply, &output);
                }
                if form == "json" {
                    assert_json(&reply, &output);
                }
            }
        }
    }
}

#[test]
fn the_stderr_of_a_processor() {
    let folder = folder_with("1\n2\n");
    for text in texts() {
        for form in ["text", "json"] {
            for shards in ["1", "2"] {
                let options =
                    ["local", "--input", "input", "--shards", shards, "--restarts", "1", "--log-format", form];
                let mut command = tool(folder.path(), options.into_iter().chain(["--", "sh", "-c", ROGUE]));
                command.env("ANSWER", "").env("SAID", &text);
                let output = output_of(command);
                assert_harmless(&text, &output);
                if form == "json" {
                    let said = assert_json(&text, &output);
                    let of_processor = said.iter().filter(|object| object["source"] == "processor");
                    let lines: Vec<_> = of_processor.filter_map(|object| object["message"].as_str()).collect();
                    let first = text.split('\n').next().expect("a line");
                    assert!(lines.contains(&first), "JSON keeps the text: {lines:?}");
                }
            }
        }
    }
}

#[test]
fn keys_and_data_of_records_that_fail() {
    for text in texts() {
        let payload = Value::String(text.clone()).to_string();
        let records = [("\"poison\"", &*text), (&text, "k"), (&payload, &text)];
        let input: String =
            records.map(|(data, key)| format!("{}\n", json!({ "data": data, "partitionKey": key }))).concat();
        for form in ["text", "json"] {
            let folder = folder_with(&input);
            let options = ["local", "--input", "input", "--format", "json", "--log-format", form, "--"];
            let mut command = tool(folder.path(), options);
            command.arg(&*POISON).env("KCL_TEST_FOLDER", folder.path());
            let output = output_of(command);
            assert_harmless(&text, &output);
            assert!(output.contains("1 skipped, 1 dead-lettered"), "{output}");
            if form == "json" {
                assert_json(&text, &output);
            }
        }
    }
}

#[test]
fn input_that_is_refused() {
    for text in texts() {
        let record = |field: &str, value: &str| {
            let mut record = json!({ "data": "x", "partitionKey": "k" });
            record[field] = value.into();
            record.to_string()
        };
        for (format, input) in [
            ("json", record(&text, "1")),
            ("json", record("explicitHashKey", &text)),
            ("json", record("dataBase64", &text)),
            ("json", record("approximateArrivalTimestamp", &text)),
            ("json", text.replace('\n', " ")),
            (
                "aws",
                json!({ "Records": [{ "eventSource": text, "kinesis": { "data": "", "partitionKey": "k" } }] })
                    .to_string(),
            ),
            ("aws", json!({ "Records": [{ "Data": text, "PartitionKey": "k" }] }).to_string()),
        ] {
            let folder = folder_with(&input);
            // The file's name is from outside, too.
            fs::rename(folder.path().join("input"), folder.path().join(&text)).expect("it can be renamed");
            let arguments = ["local", "--input", &text, "--format", format, "--", "sh", "-c", PATIENT];
            assert_harmless(&input, &output_of(tool(folder.path(), arguments)));
        }
    }
}

/// Wrong arguments, with `{}` for the text.
const WRONG: &[&str] = &[
    "{}",
    "--{}",
    "local {}",
    "local --{}",
    "local --input {} -- true",
    "local --input input -- {}",
    "local --input input --app {} -- true",
    "local --state {} --app x --show-checkpoints",
    "local --input input --shards {} -- true",
    "local --input input --from {} -- true",
    "local --input input --key {} -- true",
    "local --input input --key /{} -- true",
    "local --input input --format {} -- true",
    "local --input input --log-format {} -- true",
    "local --input input --reshard {} -- true",
    "local --input input --rewind {} --app x -- true",
    "local --input input --stuck-after {} -- true",
    "local --input input --chaos 1 --chaos-rates {} -- true",
    "local --input input --bin {}",
    "local --input input --example {}",
    "local --input input --bin x --package {}",
    "replay {} -- true",
    "check {}",
    "new {}",
    "new a --path {}",
    "new a --git {}",
    "daemon --stream s --app words --region us-east-1 --dry-run --set maxRecords={} -- cat",
    "daemon --properties {} -- true",
    "daemon --from {} -- true",
    "daemon --retrieval {} -- true",
    "daemon --stream s --app words --region us-east-1 --dry-run --set workerId={} -- cat",
    "emulate --shards {}",
    "put --stream s {}",
    "put --stream s --rate {}",
    "tail --stream s --from {}",
    "tail --stream s --region us-east-1 --endpoint {}",
    "stream describe s --region us-east-1 --endpoint {}",
];

#[test]
fn arguments() {
    let folder = folder_with("1\n");
    let path = std::env::var_os("PATH").unwrap_or_default();
    for text in texts() {
        for wrong in WRONG {
            let arguments: Vec<_> = wrong.split(' ').map(|part| part.replace("{}", &text)).collect();
            let mut command = tool(folder.path(), arguments.iter().map(String::as_str));
            // No call leaves this machine.
            command.env_clear().env("PATH", &path).env("HOME", folder.path());
            command.env("AWS_ACCESS_KEY_ID", "x").env("AWS_SECRET_ACCESS_KEY", "x");
            assert_harmless(wrong, &output_of(command));
        }
    }
}

#[test]
fn arguments_in_json() {
    let folder = folder_with("1\n");
    for text in texts() {
        for (form, rest) in [("--log-format=json", &[][..]), ("--log-format", &["json"])] {
            let wrong = ["local", form].into_iter().chain(rest.iter().copied()).chain(["--input", "input", &text]);
            let output = output_of(tool(folder.path(), wrong));
            assert_harmless(&text, &output);
            assert_eq!(assert_json(&text, &output).len(), 1, "{output}");
        }
    }
}

#[test]
fn the_environment() {
    let folder = folder_with("1\n");
    for text in texts() {
        for name in ["KCL_FROM", "KCL_RETRIEVAL", "KCL_MAX_RECORDS", "JAVA_HOME", "AWS_ENDPOINT_URL_KINESIS"] {
            let mut command = tool(folder.path(), ["daemon", "--emulate", "--stream", "s", "--app", "a", "--", "true"]);
            command.env(name, &text).env("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1");
            assert_harmless(name, &output_of(command));
        }
    }
}

#[test]
fn properties() {
    for text in texts() {
        let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        let keys = ["streamName", "maxRecords", "initialPositionInStream", "executableName", "retrievalMode", &escaped];
        let lines: String = keys.map(|key| format!("{key} = {escaped}\n")).concat();
        let folder = folder_with("");
        fs::write(folder.path().join(&text), format!("{lines}{text} = 1\n")).expect("it can be written");
        assert_harmless(&text, &output_of(tool(folder.path(), ["check", &text])));
        let arguments = ["daemon", "--log-format", "json", "--properties", &text, "--dry-run", "--", "true"];
        let output = tool(folder.path(), arguments).output().expect("the tool starts");
        let stderr = String::from_utf8(output.stderr).expect("UTF-8");
        assert_harmless(&text, &stderr);
        assert_json(&text, &stderr);
    }
}

#[test]
fn recordings() {
    for text in texts() {
        let folder = folder_with("");
        let recording = folder.path().join(&text);
        fs::create_dir(&recording).expect("it can be made");
        let initialize = json!({ "action": "initialize", "shardId": text, "sequenceNumber": "TRIM_HORIZON" });
        let records = json!({ "action": "processRecords", "records": [
            { "data": "", "partitionKey": text, "sequenceNumber": "1", "subSequenceNumber": 0, "action": "record" }
        ] });
        let refused = json!({ "action": "checkpoint", "sequenceNumber": "1", "error": text });
        let done = |action: &str| json!({ "action": "status", "responseFor": action });
        let checkpoint = json!({ "action": "checkpoint", "sequenceNumber": text });
        let lines = |lines: &[&Value]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        fs::write(recording.join("in.jsonl"), lines(&[&initialize, &records, &refused])).expect("it can be written");
        for (what, out) in [
            ("a checkpoint", lines(&[&done("initialize"), &checkpoint, &done("processRecords")])),
            ("a status", lines(&[&done(&text)])),
            ("a line", format!("{text}\n")),
        ] {
            fs::write(recording.join("out.jsonl"), out).expect("it can be written");
            let mut command = tool(folder.path(), ["replay", &text, "--stuck-after", "1s", "--", "sh", "-c", ROGUE]);
            command.env("ANSWER", &text).env("SAID", &text);
            assert_harmless(what, &output_of(command));
        }
    }
}

#[test]
fn a_lock_file() {
    for text in texts() {
        let folder = folder_with("1\n");
        let state = folder.path().join(&text);
        fs::create_dir(&state).expect("it can be made");
        for file in ["app.lock", "app.redb"] {
            fs::write(state.join(file), &text).expect("it can be written");
            let arguments = ["local", "--input", "input", "--state", &text, "--app", "app", "--", "true"];
            assert_harmless(file, &output_of(tool(folder.path(), arguments)));
            fs::remove_file(state.join(file)).expect("it is there");
        }
    }
}

#[test]
fn long_texts_are_cut_in_messages() {
    let text = long_text();
    let folder = folder_with("1\n");
    let local = ["local", "--input", "input", "--", "sh", "-c", r#"read -r line; cat answer"#];
    for reply in [
        json!({ "action": "status", "responseFor": text }),
        json!({ "action": text }),
        json!({ "action": "status", "responseFor": "initialize", &text: 1 }),
        json!(text),
    ] {
        fs::write(folder.path().join("answer"), format!("{reply}\n")).expect("it can be written");
        assert_bounded("a reply", &output_of(tool(folder.path(), local)));
    }
    // In each, serde or another parser quotes the text.
    let record = json!({ "data": "x", "partitionKey": "k" });
    for field in [&*text, "dataBase64", "explicitHashKey", "approximateArrivalTimestamp", "partitionKey"] {
        for value in [json!(text), json!({ &text: text })] {
            let mut record = record.clone();
            record[field] = value;
            let folder = folder_with(&record.to_string());
            let arguments = ["local", "--input", "input", "--format", "json", "--", "sh", "-c", PATIENT];
            let output = output_of(tool(folder.path(), arguments));
            assert!(output.contains("line 1"), "{field}: {output}");
            assert_bounded(field, &output);
        }
    }
    let recording = folder.path().join("recording");
    fs::create_dir(&recording).expect("it can be made");
    let initialize = json!({ "action": "initialize", "shardId": text, "sequenceNumber": "TRIM_HORIZON" });
    let done = |action: &str| json!({ "action": "status", "responseFor": action });
    for (file, line) in
        [("recording/in.jsonl", initialize), ("recording/out.jsonl", done(&text)), ("answer", done(MARK))]
    {
        fs::write(folder.path().join(file), format!("{line}\n")).expect("it can be written");
    }
    let replay = ["replay", "recording", "--stuck-after", "1s", "--", "sh", "-c", r#"read -r line; cat answer"#];
    assert_bounded("a recording", &output_of(tool(folder.path(), replay)));
    // Cargo answers to names of targets by itself, and any worker may be configured.
    let others = ["--bin", "--example", "workerId"];
    for wrong in WRONG.iter().filter(|wrong| !others.iter().any(|other| wrong.contains(other))) {
        let arguments: Vec<_> = wrong.split(' ').map(|part| part.replace("{}", &text)).collect();
        let mut command = tool(folder.path(), arguments.iter().map(String::as_str));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", folder.path());
        command.env("AWS_ACCESS_KEY_ID", "x").env("AWS_SECRET_ACCESS_KEY", "x");
        assert_bounded(wrong, &output_of(command));
    }
    fs::write(folder.path().join("long.properties"), format!("{text} = 1\nmaxRecords = {text}\n"))
        .expect("it is written");
    assert_bounded("properties", &output_of(tool(folder.path(), ["check", "long.properties"])));
}

/// Prints what `LOG` and `ERRORS` contain, in place of the daemon.
const JAVA: &str = r#"#!/bin/sh
case $1 in
-version) echo 'openjdk version "21.0.1"' >&2;;
*) cat "$LOG"; cat "$ERRORS" >&2; exit 1;;
esac
"#;

#[test]
fn the_log_of_the_daemon() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = folder_with("");
    let java = folder.path().join("java/bin/java");
    fs::create_dir_all(java.parent().expect("a folder")).expect("it can be made");
    fs::write(&java, JAVA).expect("it can be written");
    fs::set_permissions(&java, fs::Permissions::from_mode(0o755)).expect("it is ours");
    fs::create_dir(folder.path().join("jars")).expect("it can be made");
    fs::write(folder.path().join("jars/x.jar"), "").expect("it can be written");
    for text in texts() {
        // The daemon reads lines of its processors, so these do not contain line ends.
        let line = text.replace(['\r', '\n'], " ");
        let status = json!({ "action": "status", "responseFor": text });
        let event = |level: &str, logger: &str, message: &str, exception: &str| {
            format!("␟2026-01-31T12:00:00.000Z␟{level}␟{logger}␟{message}␟{exception}␞\n")
        };
        let log = [
            event(
                "ERROR",
                "DrainChildSTDERRTask",
                &format!("Received error line from subprocess [{line}] for shard {line}"),
                "",
            ),
            event(
                "INFO",
                "MultiLangProtocol",
                &format!(
                    "Received response {status} from subprocess while waiting for initialize while processing shard {line}"
                ),
                "",
            ),
            event("ERROR", &line, &text, &format!("java.lang.RuntimeException: {text}\n\tat x\nCaused by: {text}\n")),
            event(
                "WARN",
                "GetNextMessageTask",
                &format!("Skipping unexpected line on STDOUT for shard {line}: {line}"),
                "",
            ),
            event("ERROR", "x", &format!("is not authorized to perform: {line}"), ""),
            format!("{line}\n"),
        ];
        fs::write(folder.path().join("log"), log.concat()).expect("it can be written");
        fs::write(folder.path().join("errors"), format!("{text}\n{line}\n")).expect("it can be written");
        for form in ["text", "json", "raw"] {
            for verbose in [false, true] {
                let options =
                    ["daemon", "--stream", "orders", "--app", "words", "--region", "us-east-1", "--jars", "jars"];
                let options = options.into_iter().chain(["--log-format", form]).chain(verbose.then_some("-v"));
                let mut command = tool(folder.path(), options.chain(["--", "true"]));
                command.env("JAVA_HOME", folder.path().join("java"));
                command.env("LOG", "log").env("ERRORS", "errors");
                let output = output_of(command);
                if form == "raw" {
                    assert!(output.contains(&format!("{line}\n")), "raw lines stay as they are: {output:?}");
                    continue;
                }
                assert_harmless(form, &output);
                if form == "json" {
                    let objects = assert_json(&text, &output);
                    assert!(objects.iter().all(|object| object["stream"] == "orders"), "{output}");
                    let processor = objects.iter().find(|object| object["source"] == "processor").expect("its line");
                    assert_eq!((&processor["message"], &processor["shard"]), (&json!(line), &json!(line)));
                }
            }
        }
    }
}
