//! The snapshots of a processor, in each form.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kcl::metrics::{Histogram, Snapshot};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{Conversation, Ended};

static POISON: LazyLock<PathBuf> = LazyLock::new(|| tests::build(&["--package", "tests", "--example", "poison"]));
static CONCURRENT: LazyLock<PathBuf> =
    LazyLock::new(|| tests::build(&["--package", "tests", "--example", "concurrent"]));

const STATUS: &str = r#"{"action":"status","responseFor":"processRecords"}"#;

/// A processor in a folder, and the test as its daemon.
struct Run {
    conversation: Conversation,
    folder: TempDir,
    sent: u32,
}

impl Run {
    /// Starts the processor with these environment variables, for this shard.
    fn start(folder: TempDir, variables: &[(&str, &str)], shard: &str) -> Self {
        Self::start_program(&POISON, folder, variables, shard)
    }

    fn start_program(program: &Path, folder: TempDir, variables: &[(&str, &str)], shard: &str) -> Self {
        let mut command = Command::new(program);
        command.env("KCL_TEST_FOLDER", folder.path()).stderr(Stdio::piped());
        for name in ["KCL_METRICS", "KCL_METRICS_PERIOD", "KCL_APP", "KCL_STREAM"] {
            command.env_remove(name);
        }
        command.envs(variables.iter().copied());
        let mut run = Self { conversation: Conversation::start(&mut command), folder, sent: 0 };
        let initialize = json!({ "action": "initialize", "shardId": shard, "sequenceNumber": "TRIM_HORIZON", "subSequenceNumber": 0 });
        run.conversation.send(&initialize.to_string());
        run
    }

    fn initialized(mut self) -> Self {
        let reply = self.conversation.receive();
        assert_eq!(reply.as_deref(), Some(r#"{"action":"status","responseFor":"initialize"}"#));
        self
    }

    /// Sends a batch with these texts.
    fn send(&mut self, texts: &[&str]) {
        self.send_keyed(&texts.iter().map(|text| ("k", *text)).collect::<Vec<_>>());
    }

    /// Sends a batch with these partition keys and texts.
    fn send_keyed(&mut self, records: &[(&str, &str)]) {
        let record = |(key, text): &(&str, &str)| {
            self.sent += 1;
            json!({
                "data": BASE64_STANDARD.encode(text),
                "partitionKey": key,
                "sequenceNumber": self.sent.to_string(),
                "subSequenceNumber": 0,
                "approximateArrivalTimestamp": 1_700_000_000_000_u64,
                "action": "record",
            })
        };
        let records: Vec<_> = records.iter().map(record).collect();
        let message = json!({ "action": "processRecords", "records": records, "millisBehindLatest": 1234 });
        self.conversation.send(&message.to_string());
    }

    /// Answers checkpoints, with this error if there is one, until the batch is acknowledged.
    fn acknowledged(&mut self, error: Option<&str>) {
        loop {
            let reply = self.conversation.receive().expect("a reply");
            if reply == STATUS {
                return;
            }
            let answer =
                json!({ "action": "checkpoint", "sequenceNumber": null, "subSequenceNumber": null, "error": error });
            self.conversation.send(&answer.to_string());
        }
    }

    fn end(self) -> (Ended, TempDir) {
        (self.conversation.end(), self.folder)
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// The lines of stderr that are JSON.
fn lines(ended: &Ended) -> Vec<Value> {
    let lines = ended.error.lines().filter(|line| line.starts_with('{'));
    lines.map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// A batch in which everything happens once: a retry and a dead letter, and a record that cannot be decoded.
const EVERYTHING: [&str; 4] = ["\"good\"", "\"poison\"", "not JSON", "\"last\""];

#[test]
fn a_line_of_json_is_about_one_period() {
    let variables =
        [("KCL_METRICS", "json"), ("KCL_METRICS_PERIOD", "1h"), ("KCL_APP", "revenue"), ("KCL_STREAM", "orders")];
    let mut run = Run::start(folder(), &variables, "shardId-000000000001").initialized();
    run.send(&EVERYTHING);
    run.acknowledged(None);
    run.send(&[]);
    run.acknowledged(None);
    run.send(&["1", "2"]);
    run.acknowledged(Some("InvalidStateException"));
    let (ended, _) = run.end();
    let [line] = &lines(&ended)[..] else { panic!("one line, for the end: {}", ended.error) };
    for (field, expected) in [
        ("event", json!("kcl.metrics")),
        ("application", json!("revenue")),
        ("stream", json!("orders")),
        ("shard", json!("shardId-000000000001")),
        ("isLast", json!(true)),
        ("exitCode", json!(0)),
        ("millisBehindLatest", json!(1234)),
        ("records", json!(6)),
        ("bytes", json!(30)),
        ("batches", json!(2)),
        ("emptyBatches", json!(1)),
        ("retries", json!(1)),
        ("skipped", json!({ "undecodable": 3 })),
        ("deadLettered", json!({ "error": 1 })),
        ("checkpoints", json!(1)),
        ("checkpointsRefused", json!({ "invalid_state": 1 })),
        ("unsettled", json!(0)),
        ("inFlight", json!(0)),
        ("running", json!(null)),
        ("oldestUnsettledMs", json!(null)),
    ] {
        assert_eq!(line[field], expected, "{field} in {line}");
    }
    let batch = &line["batchRecords"];
    assert_eq!([&batch["p50"], &batch["max"]], [&json!(2.0), &json!(4.0)]);
    for time in ["handlerMs", "recordMs"] {
        let [p50, p99, max] = ["p50", "p99", "max"].map(|part| line[time][part].as_f64().expect("a number"));
        assert!(0.0 < p50 && p50 <= p99 && p99 <= max && max < 60_000.0, "{time}: {line}");
    }
    assert!(line["lastCheckpointMs"].as_u64() <= line["lastMessageMs"].as_u64().map(|age| age + 60_000), "{line}");
}

#[test]
fn a_line_in_the_embedded_format_names_its_metrics() {
    let variables = [("KCL_METRICS", "emf:shop/orders"), ("KCL_APP", "revenue"), ("KCL_STREAM", "orders")];
    let mut run = Run::start(folder(), &variables, "shardId-000000000001").initialized();
    run.send(&EVERYTHING);
    run.acknowledged(None);
    let (ended, _) = run.end();
    let [line] = &lines(&ended)[..] else { panic!("one line: {}", ended.error) };
    let directive = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(directive["Namespace"], "shop/orders");
    assert_eq!(directive["Dimensions"], json!([["application", "stream"]]));
    assert!(line["_aws"]["Timestamp"].as_u64() > Some(1_700_000_000_000), "{line}");
    let metrics = directive["Metrics"].as_array().expect("a list");
    // The format takes up to 100 of them, each with a number in the line.
    assert!((20..=100).contains(&metrics.len()), "{line}");
    for metric in metrics {
        let name = metric["Name"].as_str().expect("a name");
        assert!(line[name].is_number() && metric["Unit"].is_string(), "{name} in {line}");
    }
    assert_eq!([&line["application"], &line["stream"], &line["shard"]], ["revenue", "orders", "shardId-000000000001"]);
    assert_eq!(
        [&line["Records"], &line["DeadLettered"], &line["MillisBehindLatest"]],
        [&json!(4), &json!(1), &json!(1234)]
    );
    assert_eq!(line["deadLetteredByClass"], json!({ "error": 1 }));
}

#[test]
fn without_names_a_line_in_the_embedded_format_has_no_dimensions() {
    let run = Run::start(folder(), &[("KCL_METRICS", "emf")], "s").initialized();
    let (ended, _) = run.end();
    let [line] = &lines(&ended)[..] else { panic!("one line: {}", ended.error) };
    let directive = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!([&directive["Namespace"], &directive["Dimensions"]], [&json!("kcl"), &json!([[]])]);
}

/// A socket in a folder, and the value of `KCL_METRICS` that names it.
fn socket(folder: &TempDir) -> (UnixDatagram, String) {
    let path = folder.path().join("metrics");
    let socket = UnixDatagram::bind(&path).expect("it is bound");
    socket.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
    (socket, format!("unix:{}", path.display()))
}

fn received(socket: &UnixDatagram) -> Snapshot {
    let mut buffer = vec![0; 64 << 10];
    let length = socket.recv(&mut buffer).expect("a snapshot arrives");
    serde_json::from_slice(&buffer[..length]).expect("a snapshot")
}

/// The first snapshot of which this is true.
fn awaited(socket: &UnixDatagram, is_it: impl Fn(&Snapshot) -> bool) -> Snapshot {
    loop {
        let snapshot = received(socket);
        if is_it(&snapshot) {
            return snapshot;
        }
    }
}

#[test]
fn a_socket_receives_totals_while_a_handler_runs() {
    let folder = folder();
    let (socket, output) = socket(&folder);
    let variables = [("KCL_METRICS", &*output), ("KCL_METRICS_PERIOD", "100ms")];
    let mut run = Run::start(folder, &variables, "shardId-000000000001").initialized();
    run.send(&["1", "\"a\"", "\"wait\"", "\"b\""]);
    // It is the third of four records.
    let stuck = awaited(&socket, |snapshot| snapshot.now.running.as_ref().is_some_and(|running| running.ms >= 200));
    assert_eq!(stuck.now.running.as_ref().map(|running| running.action.as_str()), Some("processRecords"));
    assert_eq!((stuck.totals.delivered, stuck.totals.settled, stuck.now.unsettled, stuck.now.in_flight), (4, 2, 2, 1));
    assert!(stuck.now.oldest_unsettled_ms >= Some(200), "{stuck:?}");
    std::fs::write(run.folder.path().join("go"), "").expect("it can be written");
    run.acknowledged(None);
    let done = awaited(&socket, |snapshot| snapshot.totals.settled == 4 && snapshot.now.in_flight == 0);
    assert_eq!((done.now.unsettled, done.now.oldest_unsettled_ms, done.is_last), (0, None, false));
    assert_eq!((done.pid, done.period_ms, done.shard.as_str()), (run.conversation.id(), 100, "shardId-000000000001"));
    let (ended, _folder) = run.end();
    let last = awaited(&socket, |snapshot| snapshot.is_last);
    assert_eq!((last.exit_code, last.totals.checkpoints, last.batch.count()), (Some(0), 1, 1));
    assert!(last.handler.max() >= 200_000_000 && last.record.max() >= 100_000_000, "{last:?}");
    assert!(lines(&ended).is_empty(), "nothing goes to stderr: {}", ended.error);
}

#[test]
fn records_that_are_handled_at_once_are_counted() {
    let folder = folder();
    let (socket, output) = socket(&folder);
    let go = folder.path().join("go");
    let variables = [
        ("KCL_METRICS", &*output),
        ("KCL_METRICS_PERIOD", "100ms"),
        ("GO", go.to_str().expect("text")),
        ("LONG_BACKOFF", "1"),
    ];
    let mut run = Run::start_program(&CONCURRENT, folder, &variables, "s").initialized();
    run.send_keyed(&[("a", "1"), ("b", "wait"), ("c", "2"), ("d", "wait"), ("d", "3"), ("e", "fail"), ("e", "4")]);
    // One record is settled with all before it, two are running, and two wait for those before them.
    let stuck = awaited(&socket, |snapshot| {
        snapshot.now.blocked_keys == 1 && snapshot.now.running.as_ref().is_some_and(|running| running.ms >= 200)
    });
    assert_eq!((stuck.now.in_flight, stuck.now.unsettled, stuck.totals.settled, stuck.totals.delivered), (2, 6, 1, 7));
    assert_eq!(stuck.now.millis_behind_latest, Some(1234));
    assert!(stuck.now.oldest_unsettled_ms >= Some(200), "{stuck:?}");
    assert_eq!(serde_json::to_value(&stuck.totals.failures).expect("JSON"), json!({ "error": 1 }));
    std::fs::write(&go, "").expect("it can be written");
    let waiting = awaited(&socket, |snapshot| snapshot.totals.settled == 5);
    assert_eq!((waiting.now.in_flight, waiting.now.unsettled, waiting.now.blocked_keys), (0, 2, 1));
    // Among fast attempts, both that waited are timed.
    let slow = |times: &Histogram| times.count() - times.below_power(27);
    assert_eq!((slow(&waiting.record), slow(&waiting.handler)), (2, 2), "{waiting:?}");
}

#[test]
fn the_last_snapshot_has_the_exit_code_and_classes_of_failures() {
    let folder = folder();
    let (socket, output) = socket(&folder);
    let mut run = Run::start(folder, &[("KCL_METRICS", &output)], "s").initialized();
    run.send(&["\"a\"", "\"panic\""]);
    run.acknowledged(None);
    run.conversation
        .send(r#"{"action":"initialize","shardId":"s","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}"#);
    let last = awaited(&socket, |snapshot| snapshot.is_last);
    assert_eq!((last.exit_code, last.totals.settled, last.totals.retries), (Some(2), 2, 1));
    let classes = |classes| serde_json::to_value(classes).expect("JSON");
    assert_eq!(classes(&last.totals.failures), json!({ "panic": 2 }));
    assert_eq!(classes(&last.totals.dead_lettered), json!({ "panic": 1 }));
    let (ended, _folder) = run.end();
    assert_eq!(ended.code, Some(2), "{}", ended.error);
}

#[test]
fn nobody_has_to_listen() {
    let folder = folder();
    let (listener, output) = socket(&folder);
    drop(listener);
    let output = format!("unix:/nonexistent/socket,{output}");
    let variables = [("KCL_METRICS", &*output), ("KCL_METRICS_PERIOD", "100ms")];
    let mut run = Run::start(folder, &variables, "s").initialized();
    run.send(&["\"a\""]);
    run.acknowledged(None);
    let (ended, _folder) = run.end();
    assert_eq!((ended.code, ended.error.as_str()), (Some(0), "payload: a\n"));
}

#[test]
fn a_full_socket_holds_nothing_up() {
    let folder = folder();
    // It is never read.
    let (_socket, output) = socket(&folder);
    let elsewhere = tempfile::tempdir().expect("a folder");
    let (reader, other) = socket(&elsewhere);
    let output = format!("{output},{other}");
    let variables = [("KCL_METRICS", &*output), ("KCL_METRICS_PERIOD", "100ms")];
    let mut run = Run::start(folder, &variables, "s").initialized();
    for _ in 0..20 {
        received(&reader);
    }
    run.send(&["\"a\""]);
    run.acknowledged(None);
    let (ended, _folder) = run.end();
    assert_eq!(ended.code, Some(0), "{}", ended.error);
}

#[test]
fn text_from_outside_stays_in_its_line() {
    let shard = "a\n{\"event\":\u{1b}[2J\u{202e}";
    for form in ["json", "emf"] {
        let variables = [("KCL_METRICS", form), ("KCL_APP", "x\u{2028}\ny"), ("KCL_STREAM", "\u{9b}")];
        let (ended, _) = Run::start(folder(), &variables, shard).initialized().end();
        let [line] = &lines(&ended)[..] else { panic!("one line: {}", ended.error) };
        assert_eq!([&line["shard"], &line["application"], &line["stream"]], [shard, "x\u{2028}\ny", "\u{9b}"]);
        let harmful = ['\u{1b}', '\u{202e}', '\u{2028}', '\u{9b}'];
        assert!(!ended.error.contains(harmful), "{:?}", ended.error);
    }
}

#[test]
fn a_value_without_a_meaning_ends_the_processor() {
    for (variable, value) in [("KCL_METRICS", "jsom"), ("KCL_METRICS_PERIOD", "fast")] {
        let variables = [("KCL_METRICS", "json"), (variable, value)];
        let ended = Command::new(&*POISON).envs(variables).stdin(Stdio::null()).output().expect("it starts");
        assert_eq!((ended.status.code(), &*ended.stdout), (Some(2), &b""[..]));
        let error = String::from_utf8(ended.stderr).expect("UTF-8");
        let start = format!("kcl: the environment variable {variable} is `{value}`; set it to ");
        assert!(error.starts_with(&start) && error.ends_with(", or unset it\n"), "{error}");
    }
}

#[test]
fn without_the_variable_nothing_is_sent() {
    let mut run = Run::start(folder(), &[("KCL_METRICS", ""), ("KCL_METRICS_PERIOD", "100ms")], "s").initialized();
    run.send(&["\"a\""]);
    run.acknowledged(None);
    let (ended, _) = run.end();
    assert_eq!(ended.error, "payload: a\n");
}
