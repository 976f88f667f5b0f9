//! `cargo kcl daemon` with `--metrics`, with a script in the place of Java.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::tool::{Place, Run, get, poison, sample, wait_for, wait_for_state, wait_until};

const SHARD: &str = "shardId-000000000007";

/// A Java that logs what the real daemon logs, and runs one processor, each step once a file exists.
const JAVA: &str = r#"#!/bin/sh
if [ "$1" = -version ]; then echo 'openjdk version "17.0.15"' >&2; exit; fi
for last; do :; done
command=$(sed -n 's/^executableName *= *//p' "$last")
log() { printf '␟2026-01-31T12:00:00.000Z␟INFO␟%s␟%s␟␞\n' "$1" "$2"; }
await() { while [ ! -e "$KCL_TEST_FOLDER/$1" ]; do sleep 0.02; done; }
await up; log Scheduler 'Initialization complete. Starting worker loop.'
await idle; log Scheduler 'No activities assigned'
await lines
answered() { log MultiLangProtocol "Received response {} from client while waiting for $1 while processing shard SHARD"; }
answered initialize
{ cat "$KCL_TEST_FOLDER/lines"; await end; } | $command 2>&1 >/dev/null | while IFS= read -r line; do
    log DrainChildSTDERRTask "Received error line from subprocess [$line] for shard SHARD"
    printf '%s\n' "$line" >&2
done
await killed; answered leaseLost
exec sleep 1000
"#;

/// A folder with that Java.
fn place() -> Place {
    let place = Place::new();
    fs::create_dir(place.path("bin")).expect("a folder");
    place.write("bin/java", &JAVA.replace("SHARD", SHARD));
    fs::set_permissions(place.path("bin/java"), fs::Permissions::from_mode(0o755)).expect("it is executable");
    place.write("daemon.jar", "");
    place
}

fn daemon(place: &Place, more: &[&str]) -> Run {
    Run::start(command(place, more))
}

fn command(place: &Place, more: &[&str]) -> Command {
    command_of(place, more, &[poison()])
}

/// The daemon with this processor.
fn command_of(place: &Place, more: &[&str], processor: &[&str]) -> Command {
    let jars = place.0.path().to_str().expect("text").to_owned();
    let arguments = ["daemon", "--stream", "orders", "--app", "revenue", "--region", "us-east-1", "--jars", &jars];
    let mut command = place.tool(&[&arguments[..], &["--metrics", "0"], more, &["--"], processor].concat());
    command.env("JAVA_HOME", place.0.path()).env("KCL_CACHE_DIR", place.path("cache"));
    command
}

/// What a daemon sends to a processor, with these texts.
fn lines(texts: &[&str]) -> String {
    use base64::Engine as _;
    let records = texts.iter().enumerate().map(|(at, text)| {
        json!({
            "data": base64::prelude::BASE64_STANDARD.encode(text),
            "partitionKey": "k",
            "sequenceNumber": at.to_string(),
            "subSequenceNumber": 0,
            "action": "record",
        })
    });
    let records: Vec<_> = records.collect();
    let initialize =
        json!({ "action": "initialize", "shardId": SHARD, "sequenceNumber": "TRIM_HORIZON", "subSequenceNumber": 0 });
    let batch = json!({ "action": "processRecords", "records": records, "millisBehindLatest": 90_000 });
    format!("{initialize}\n{batch}\n")
}

#[test]
fn a_daemon_is_ready_when_it_is_up_and_live_while_nothing_is_stuck() {
    let place = place();
    let run = daemon(&place, &["--stuck-after", "500ms"]);
    let address = run.address();
    wait_for(&address, "/readyz", 503, "the daemon is not up yet\n");
    wait_for(&address, "/livez", 200, "ok\n");
    let health = |ready: &[&str]| place.output(&[&["health", "--app", "revenue"], ready].concat()).0;
    assert_eq!([health(&[]), health(&["--ready"])], [Some(0), Some(1)]);
    place.write("up", "");
    wait_for(&address, "/readyz", 503, "no processor has received a message yet\n");
    place.write("idle", "");
    wait_for(&address, "/readyz", 200, "ok\n");

    place.write("lines", &lines(&["\"a\"", "\"wait\""]));
    wait_for(&address, "/livez", 503, &format!("shard {SHARD}: the processor has been handling processRecords"));
    assert_eq!([health(&[]), health(&["--ready"])], [Some(1), Some(0)]);
    let page = get(&address, "/metrics").1;
    for (name, value) in [
        ("kcl_daemon_up", 1.0),
        ("kcl_daemon_restarts_total", 0.0),
        ("kcl_shards_held", 1.0),
        ("kcl_problems", 1.0),
        ("kcl_settled_records_total", 1.0),
        ("kcl_behind_latest_seconds", 90.0),
        ("kcl_in_flight", 1.0),
    ] {
        assert_eq!(sample(&page, &[name, "messaging_destination_name=\"orders\""]), Some(value), "{name} in {page}");
    }
    assert!(sample(&page, &["kcl_handler_running_seconds"]) >= Some(0.5), "{page}");
    if cfg!(target_os = "linux") {
        assert!(sample(&page, &["kcl_daemon_resident_memory_bytes"]) > Some(0.0), "{page}");
    }
    let (_, top, _) = place.output(&["top", "--app", "revenue", "--once"]);
    assert!(top.starts_with("revenue on orders (daemon ") && top.contains("daemon up"), "{top}");
    assert!(top.contains("\nshardId-0007 ") && top.contains("the processor has been handling processRecords"), "{top}");

    place.write("go", "");
    wait_for(&address, "/livez", 200, "ok\n");
    run.signal(Signal::TERM);
    assert_eq!(run.code(), Some(143));
}

#[test]
fn a_killed_processor_and_a_lost_lease_are_noticed() {
    let place = place();
    for step in ["up", "idle"] {
        place.write(step, "");
    }
    place.write("lines", &lines(&["\"a\""]));
    let run = daemon(&place, &[]);
    let address = run.address();
    let state = wait_for_state(&address, |state| state["shards"][0]["totals"]["settled"] == 1);
    let pid = state["shards"][0]["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    kill_process(pid.expect("a process"), Signal::KILL).expect("it runs");
    let state = wait_for_state(&address, |state| state["shards"][0]["stage"] == "failed");
    assert_eq!(state["shards"][0]["exits"], json!({ "unknown": 1 }));
    assert_eq!(sample(&get(&address, "/metrics").1, &["kcl_shards_held"]), Some(0.0));
    place.write("end", "");
    place.write("killed", "");
    wait_for_state(&address, |state| state["shards"][0]["stage"] == "lost");
}

#[test]
fn a_daemon_serves_no_numbers_of_processors_without_metrics() {
    let place = place();
    for step in ["up", "idle"] {
        place.write(step, "");
    }
    place.write("lines", &lines(&["\"a\""]));
    let run = Run::start(command_of(&place, &[], &["env", "-u", "KCL_METRICS", poison()]));
    let address = run.address();
    wait_for_state(&address, |state| state["shards"][0]["stage"] == "running");
    let page = get(&address, "/metrics").1;
    let of_shard = page.lines().filter(|line| line.contains(&format!("partition_id=\"{SHARD}\"")));
    let names: Vec<_> = of_shard.filter_map(|line| line.split('{').next()).collect();
    assert_eq!(names, ["kcl_restarts_total"], "{page}");
}

#[test]
fn lines_for_cloudwatch_are_passed_on_unchanged() {
    let place = place();
    for step in ["up", "idle", "end"] {
        place.write(step, "");
    }
    place.write("lines", &lines(&["\"a\""]));
    let mut command = command(&place, &["--log-format", "json"]);
    command.env("KCL_METRICS", "emf");
    let run = Run::start(command);
    let is_it = |line: &&str| line.starts_with("{\"_aws\":{");
    let line = wait_until(&"a line", || run.stderr().lines().find(is_it).map(str::to_owned).ok_or(run.stderr()));
    let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!([&line["shard"], &line["Records"], &line["exitCode"]], [&json!(SHARD), &json!(1), &json!(0)]);
}

#[test]
fn a_daemon_that_ended_is_not_healthy() {
    let place = place();
    place.write(
        "bin/java",
        "#!/bin/sh\nif [ \"$1\" = -version ]; then echo 'openjdk version \"17.0.15\"' >&2; exit; fi\nexit 3\n",
    );
    let run = daemon(&place, &["--restart=1"]);
    let address = run.address();
    wait_for(&address, "/livez", 503, "the daemon is not running\n");
    let state = wait_for_state(&address, |state| state["daemon"]["exits"]["3"] == 1);
    assert_eq!(state["daemon"]["isUp"], json!(false));
    assert_eq!(run.code(), Some(3));
}

#[test]
fn the_processor_of_the_image_sends_metrics() {
    let dockerfile = fs::read_to_string(tests::workspace().join("examples/deploy/Dockerfile")).expect("a file");
    assert!(dockerfile.contains("cargo build --locked --release --package revenue "), "{dockerfile}");
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--offline", "--package", "revenue", "--edges", "features,no-dev", "--prefix", "none"]);
    let output = tree.current_dir(tests::workspace()).output().expect("cargo starts");
    let tree = String::from_utf8(output.stdout).expect("UTF-8");
    let features = tree.lines().filter_map(|line| line.split_once("kcl feature \"")?.1.split('"').next());
    assert_eq!(features.collect::<Vec<_>>(), ["macros", "metrics"], "{tree}");
}
