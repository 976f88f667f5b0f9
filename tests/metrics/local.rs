//! `cargo kcl local` with `--metrics`, `health` and `top`.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::os::unix::net::UnixListener;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::tool::{Place, Run, exchange, get, poison, sample, sockets, wait_for, wait_for_state, wait_until};

const FOLLOW: [&str; 12] = [
    "local",
    "--follow",
    "--input",
    "input",
    "--shards",
    "2",
    "--app",
    "revenue",
    "--metrics",
    "0",
    "--empty-every",
    "1s",
];

/// Starts a run over some records that goes on.
pub(crate) fn follow(place: &Place, more: &[&str]) -> Run {
    let lines: String = (0..50).map(|number| format!("\"{number}\"\n\"poison\"\nnot JSON\n")).collect();
    place.write("input", &lines);
    Run::start(place.tool(&[&FOLLOW, more, &["--", poison()]].concat()))
}

/// Whether all shards together have settled this many records.
fn settled(state: &Value) -> u64 {
    state["shards"]
        .as_array()
        .map_or(0, |shards| shards.iter().filter_map(|shard| shard["totals"]["settled"].as_u64()).sum())
}

#[test]
fn a_run_serves_what_its_processors_send() {
    let place = Place::new();
    let run = follow(&place, &[]);
    let address = run.address();
    let state = wait_for_state(&address, |state| settled(state) == 150);
    assert_eq!(
        [&state["verb"], &state["application"], &state["daemon"]],
        [&json!("local"), &json!("revenue"), &json!(null)]
    );
    let sum = |of: &str, class: &str| -> u64 {
        let shards = state["shards"].as_array().expect("a list");
        shards.iter().filter_map(|shard| shard["totals"][of][class].as_u64()).sum()
    };
    assert_eq!([sum("deadLettered", "error"), sum("skipped", "undecodable"), sum("failures", "error")], [50, 50, 100]);
    wait_for(&address, "/livez", 200, "ok\n");
    wait_for(&address, "/readyz", 200, "ok\n");
    let page = get(&address, "/metrics").1;
    assert_eq!(sample(&page, &["kcl_shards_held", "messaging_consumer_group_name=\"revenue\""]), Some(2.0));
    for shard in ["shardId-000000000000", "shardId-000000000001"] {
        for (name, labels) in [
            ("messaging_client_consumed_messages_total", ""),
            ("kcl_dead_letters_total", "error_type=\"error\""),
            ("kcl_record_duration_seconds_bucket", "le=\"+Inf\""),
            ("messaging_process_duration_seconds_count", "messaging_operation_name=\"process\""),
        ] {
            let found = sample(&page, &[name, labels, &format!("partition_id=\"{shard}\"")]);
            assert!(found.is_some_and(|value| value > 0.0), "{name} of {shard}: {found:?}");
        }
    }
    run.signal(Signal::INT);
    assert_eq!(run.code(), Some(130));
    assert_eq!(sockets(&place.path("kcl")), Vec::<String>::new());
}

/// The values of all samples of a counter, by this label.
fn by_label(page: &str, name: &str, label: &str) -> BTreeMap<String, u64> {
    let start = format!("{name}{{");
    let samples = page.lines().filter(|line| line.starts_with(&start)).map(|line| {
        let (labels, value) = line.rsplit_once(' ').expect("a value");
        let (_, class) = labels.split_once(&format!(",{label}=\"")).expect("the label");
        (class.split('"').next().unwrap_or_default().to_owned(), value.parse().expect("a number"))
    });
    samples.collect()
}

#[test]
fn counters_of_classes_start_at_0() {
    let place = Place::new();
    place.write("input", "\"a\"\n\"wait\"\n");
    let run = ["local", "--input", "input", "--restarts", "1", "--metrics", "0", "--", poison()];
    let run = Run::start(place.tool(&run));
    let address = run.address();
    let state = wait_for_state(&address, |state| settled(state) == 1);
    let page = get(&address, "/metrics").1;
    let zeros = |classes: &str| classes.split(' ').map(|class| (class.to_owned(), 0)).collect::<BTreeMap<_, _>>();
    let failures = "undecodable permanent panic cancelled error";
    for name in ["kcl_failures_total", "kcl_skipped_records_total", "kcl_dead_letters_total"] {
        assert_eq!(by_label(&page, name, "error_type"), zeros(failures), "{name}");
    }
    let refusals = "throttled dependency lease_lost invalid_state out_of_range io other";
    assert_eq!(by_label(&page, "kcl_refused_checkpoints_total", "error_type"), zeros(refusals));
    assert_eq!(sample(&page, &["kcl_crashes_total"]), Some(0.0));
    let pid = state["shards"][0]["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    kill_process(pid.expect("a process"), Signal::KILL).expect("it runs");
    wait_for_state(&address, |state| state["shards"][0]["restarts"] == 1);
    let page = get(&address, "/metrics").1;
    assert_eq!(sample(&page, &["kcl_crashes_total"]), Some(1.0), "{page}");
    assert_eq!(by_label(&page, "kcl_exits_total", "exit_code"), BTreeMap::from([("137".to_owned(), 1)]));
}

#[test]
fn a_run_that_does_not_answer_is_not_taken_for_one_that_has_ended() {
    let place = Place::new();
    let folder = place.path("kcl");
    DirBuilder::new().mode(0o700).create(&folder).expect("a folder");
    // They accept no connection, like runs that are stopped.
    let _silent = [7, 8].map(|id| UnixListener::bind(folder.join(format!("{id}.http"))).expect("a socket"));
    let asked = place.output(&["health", "--app", "revenue", "--timeout", "100ms"]);
    let says = "cargo kcl: the `cargo kcl` with process id 8 does not answer in time; it is stopped, or the machine is overloaded\n";
    assert_eq!(asked, (Some(1), String::new(), says.to_owned()));
    // They do not hide one that answers.
    let run = follow(&place, &[]);
    run.address();
    let found = || match place.output(&["health", "--app", "revenue"]) {
        (Some(0), ..) => Ok(()),
        (_, _, stderr) => Err(stderr),
    };
    wait_until(&"the run", found);
}

#[test]
fn top_and_health_find_a_run_by_its_name() {
    let place = Place::new();
    assert_eq!(
        place.output(&["health", "--app", "revenue"]),
        (
            Some(1),
            String::new(),
            "cargo kcl: no `cargo kcl local` or `cargo kcl daemon` of this user was found that runs as `revenue`; a run of \
             the clone's tool is found only with --metrics\n"
                .to_owned()
        )
    );
    let run = follow(&place, &[]);
    let address = run.address();
    wait_for_state(&address, |state| settled(state) == 150);
    assert_eq!(fs::metadata(place.path("kcl")).expect("a folder").mode() & 0o777, 0o700);
    for arguments in [&["--app", "revenue"][..], &[], &["--address", &address], &["--ready"]] {
        let health = place.output(&[&["health"], arguments].concat());
        assert_eq!(health, (Some(0), String::new(), String::new()), "{arguments:?}");
    }
    let (code, top, stderr) = place.output(&["top", "--once"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let lines: Vec<_> = top.lines().collect();
    assert!(lines[0].starts_with("revenue (local ") && lines[0].contains("): 2/2 shards, "), "{top}");
    assert!(
        lines[2].starts_with("shard ")
            && lines[3].starts_with("shardId-0000 ")
            && lines[4].starts_with("shardId-0001 ")
    );
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{top}");
    let (_, json, _) = place.output(&["top", "--json", "--app", "revenue"]);
    let state: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(settled(&state), 150);

    let other = Run::start(place.tool(&[&FOLLOW[..6], &["--app", "other", "--", poison()]].concat()));
    let several = "several runs are active; name one of them with --app: ";
    crate::tool::wait_until(&"both", || match place.output(&["top", "--once"]) {
        (Some(1), _, stderr) if stderr.contains(several) && stderr.contains("other") => Ok(()),
        output => Err(format!("{output:?}")),
    });
    drop(other);
    // What the killed run left is no obstacle.
    assert_eq!(place.output(&["top", "--once"]).0, Some(0));
}

#[test]
fn a_processor_without_metrics_is_seen_by_the_tool() {
    let place = Place::new();
    place.write("input", "\"a\"\n\"b\"\n");
    let command = place.tool(&[&FOLLOW, &["--", "env", "-u", "KCL_METRICS", poison()][..]].concat());
    let run = Run::start(command);
    let address = run.address();
    let state = wait_for_state(&address, |state| settled(state) == 2);
    assert!(state["shards"][0]["reports"] == false && state["shards"][1]["reports"] == false, "{state}");
    let page = get(&address, "/metrics").1;
    let count: f64 = ["shardId-000000000000", "shardId-000000000001"]
        .iter()
        .filter_map(|shard| sample(&page, &["messaging_process_duration_seconds_count", shard]))
        .sum();
    assert!(count >= 1.0, "{page}");
    for name in
        ["record_duration_seconds_bucket", "retries_total", "failures_total", "unsettled_records", "blocked_keys"]
    {
        assert_eq!(sample(&page, &[&format!("kcl_{name}{{")]), None, "{name}");
    }
    let hint = "cargo kcl: the processors send no metrics, so only the tool's own observations are served; build them";
    crate::tool::wait_until(&"the hint", || if run.stderr().contains(hint) { Ok(()) } else { Err(run.stderr()) });
    // They do not announce themselves any more.
    let page = get(&address, "/metrics").1;
    assert_eq!(sample(&page, &["kcl_dead_letters_total", "error_type=\"unknown\""]), Some(0.0));
    let (_, top, _) = place.output(&["top", "--once"]);
    assert!(top.contains("\nthe processors send no metrics: build them with --features kcl/metrics\n"), "{top}");
}

#[test]
fn a_stuck_processor_is_not_healthy() {
    let place = Place::new();
    place.write("input", "\"wait\"\n");
    let run = Run::start(place.tool(&[&FOLLOW, &["--stuck-after", "500ms", "--", poison()][..]].concat()));
    let address = run.address();
    wait_for(&address, "/livez", 503, ": the processor has been handling processRecords");
    let (code, _, stderr) = place.output(&["health"]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("the processor has been handling processRecords"), "{stderr}");
    // After a second, the record is named.
    wait_for(&address, "/livez", 503, ", number 1 of 1 in its batch, for ");
    // Also where there is no terminal to fit.
    let (_, top, _) = place.output(&["top", "--once"]);
    assert!(top.lines().nth(1).is_some_and(|line| line.contains(", number 1 of 1 in its batch, for ")), "{top}");
    place.write("go", "");
    wait_for(&address, "/livez", 200, "ok\n");
}

#[test]
fn restarts_and_exit_codes_are_counted() {
    let place = Place::new();
    place.write("input", "x\n");
    let run =
        ["local", "--input", "input", "--restarts", "2", "--metrics", "0", "--app", "a", "--", "sh", "-c", "exit 7"];
    let run = Run::start(place.tool(&run));
    let address = run.address();
    let state = wait_for_state(&address, |state| state["shards"][0]["restarts"] == 1);
    assert_eq!(state["shards"][0]["starts"], 2, "{state}");
    assert_eq!(state["shards"][0]["exits"]["7"].as_u64().map(|exits| exits >= 1), Some(true), "{state}");
    assert_eq!(run.code(), Some(1));
}

#[test]
fn clients_that_misbehave_hold_nobody_up() {
    let place = Place::new();
    let run = follow(&place, &[]);
    let address = run.address();
    let half_a_request = || {
        let mut stream = TcpStream::connect(&address).expect("it listens");
        stream.write_all(b"GET /met").expect("it reads");
        stream
    };
    let is_open = |mut stream: &TcpStream| {
        stream.set_nonblocking(true).expect("it can be read without waiting");
        stream.read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    };
    // More than are served at once, so the first ones make room for the others. On a slow machine, the time of the others may be over, too,
    // before they are looked at.
    let slow = crate::tool::wait_until(&"room", || {
        let slow: Vec<_> = (0..40).map(|_| half_a_request()).collect();
        // Reading fails, or ends at once.
        let mut rest = Vec::new();
        _ = (&slow[0]).read_to_end(&mut rest);
        assert_eq!(String::from_utf8_lossy(&rest), "");
        wait_for(&address, "/livez", 200, "ok\n");
        if slow[20..].iter().all(is_open) { Ok(slow) } else { Err("the others are closed".to_owned()) }
    });
    assert_eq!(place.output(&["health"]).0, Some(0));
    drop(slow);
    for (request, response) in [
        (&b"POST /metrics HTTP/1.1\r\n\r\n"[..], "HTTP/1.1 405 "),
        (b"GET /absent HTTP/1.1\r\n\r\n", "HTTP/1.1 404 "),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", "HTTP/1.1 400 "),
        (&[b'x'; 9000], "HTTP/1.1 400 "),
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 200 "),
    ] {
        let mut stream = TcpStream::connect(&address).expect("it listens");
        // The rest of a request that is too long may be refused.
        _ = stream.write_all(request);
        let mut start = [0; 13];
        stream.read_exact(&mut start).expect("an answer");
        assert_eq!(String::from_utf8_lossy(&start), response);
    }
    let head = exchange(&address, b"HEAD /metrics HTTP/1.1\r\n\r\n");
    assert!(head.contains("Content-Type: text/plain; version=0.0.4") && head.ends_with("\r\n\r\n"), "{head}");
}

#[test]
fn a_server_of_another_kind_is_not_a_run() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        // What is not read would reset the connection.
        let (mut request, mut byte) = (Vec::new(), [0]);
        while !request.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).expect("a request");
            request.extend(byte);
        }
        stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n").expect("it reads");
    });
    let asked = Place::new().output(&["health", "--address", &address]);
    let says = format!("cargo kcl: no run answers at {address}: the answer does not come from `cargo kcl`\n");
    assert_eq!(asked, (Some(1), String::new(), says));
    server.join().expect("no panic");
}

#[test]
fn an_address_in_use_is_an_error() {
    let place = Place::new();
    place.write("input", "x\n");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let (code, _, stderr) = place.output(&["local", "--input", "input", "--metrics", &address, "--", poison()]);
    // It may be free the next time.
    assert_eq!(code, Some(1));
    assert!(stderr.contains(&format!("the metrics cannot be served at {address}: ")), "{stderr}");
}

#[test]
fn what_the_user_asks_for_is_sent_too() {
    let place = Place::new();
    let lines: String = (0..100).map(|number| format!("\"{number}\"\n")).collect();
    place.write("input", &lines);
    for format in ["text", "json", "raw"] {
        let run = ["local", "--input", "input", "--app", "revenue", "--shards", "2", "--fresh", "--log-format", format];
        let mut command = place.tool(&[&run[..], &["--", poison()]].concat());
        let output = command.env("KCL_METRICS", "emf,json").output().expect("the tool starts");
        let stderr = String::from_utf8(output.stderr).expect("UTF-8");
        for (start, records) in [("{\"_aws\":{", "Records"), ("{\"event\":\"kcl.metrics\",", "records")] {
            let lines = stderr.lines().filter(|line| line.starts_with(start));
            let lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).expect("JSON")).collect();
            let ends = lines.iter().filter(|line| line["isLast"] == true).count();
            assert_eq!(ends, 2, "{format}: {stderr}");
            assert_eq!(lines.iter().filter_map(|line| line[records].as_u64()).sum::<u64>(), 100, "{format}: {stderr}");
            assert!(lines.iter().all(|line| line["application"] == "revenue"), "{format}: {stderr}");
        }
    }
}

#[test]
fn lines_name_their_application_also_without_a_socket() {
    let place = Place::new();
    place.write("input", "\"a\"\n");
    let mut command = place.tool(&["local", "--input", "input", "--app", "revenue", "--", poison()]);
    // The path of a socket has at most 107 bytes.
    let folder = place.path(&"x".repeat(120));
    fs::create_dir(&folder).expect("a folder");
    let output = command.env("XDG_RUNTIME_DIR", folder).env("KCL_METRICS", "emf").output().expect("the tool starts");
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(stderr.contains("cargo kcl top cannot show this run: "), "{stderr}");
    let line = stderr.lines().find(|line| line.starts_with("{\"_aws\":{")).expect(&stderr);
    let line: Value = serde_json::from_str(line).expect("JSON");
    assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["application"]]));
    assert_eq!(line["application"], "revenue");
}

#[test]
fn the_page_of_a_run_shows_retries_that_succeeded() {
    let place = Place::new();
    place.write("input", "\"a\"\n\"once\"\n\"poison\"\n");
    let run = ["local", "--input", "input", "--report", "page.html", "--", poison()];
    assert_eq!(place.output(&run).0, Some(0));
    let page = fs::read_to_string(place.path("page.html")).expect("a page");
    assert!(page.contains("<dt>retries</dt><dd>2</dd>"), "{page}");
    assert!(page.contains("tried again after a failure"), "{page}");
    assert!(page.contains("3 records, 1 batch<") && !page.contains("1 batches"), "{page}");
}
