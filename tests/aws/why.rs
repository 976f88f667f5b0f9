//! `cargo kcl why`, against a fake stream and a fake lease table.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::fake::Fault;
use crate::launch;
use crate::tool::{self, Ended, Printing, run, tool};
use crate::world::{Services, World, put, row};

const SHARDS: [&str; 8] = [
    "shardId-000000000000",
    "shardId-000000000001",
    "shardId-000000000002",
    "shardId-000000000003",
    "shardId-000000000004",
    "shardId-000000000005",
    "shardId-000000000006",
    "shardId-000000000007",
];
const NUMBER: u128 = 49_590_338_271_490_256_608_559_692_538_361_571_096;

/// The line about a shard.
fn line<'a>(ended: &'a Ended, shard: &str) -> &'a str {
    ended.stdout.lines().find(|line| line.starts_with(shard)).unwrap_or_else(|| panic!("{shard} is not in {ended:?}"))
}

pub(crate) fn states() {
    let hour = Duration::from_secs(3600);
    let before = (NUMBER - 5).to_string();
    let world = World {
        shards: vec![
            (SHARDS[0], None, true),
            (SHARDS[1], Some(SHARDS[0]), false),
            (SHARDS[2], None, false),
            (SHARDS[3], None, false),
            (SHARDS[4], None, false),
            (SHARDS[5], None, false),
            (SHARDS[6], None, true),
            (SHARDS[7], Some(SHARDS[6]), false),
        ],
        rows: vec![
            // Processed to the end, which was not checkpointed.
            row(SHARDS[0], Some("alive"), &NUMBER.to_string(), 0),
            row(SHARDS[1], None, "TRIM_HORIZON", 0),
            row(SHARDS[2], Some("dead"), "TRIM_HORIZON", 0),
            row(SHARDS[3], None, "TRIM_HORIZON", 0),
            // Its record has expired.
            row(SHARDS[4], Some("alive"), &before, 0),
            row(SHARDS[5], Some("alive"), &NUMBER.to_string(), 0),
            row(SHARDS[7], Some("alive"), &NUMBER.to_string(), 0),
            row("shardId-000000000099", Some("alive"), &NUMBER.to_string(), 0),
        ],
        records: vec![
            put(SHARDS[0], NUMBER, hour, b"x"),
            put(SHARDS[2], NUMBER, hour, b"x"),
            put(SHARDS[4], NUMBER, 23 * hour, b"x"),
            put(SHARDS[5], NUMBER, 2 * hour, b"x"),
            put(SHARDS[5], NUMBER + 1, hour, b"x"),
            put(SHARDS[7], NUMBER, hour, b"x"),
        ],
        alive: Some("alive"),
        ..World::default()
    };
    let services = Services::new(world);
    let ended = services.run("why", &[]);
    ended.expect(1, &[]);
    for (shard, says) in [
        (SHARDS[0], "no SHARD_END checkpoint: all its records are processed, and its end was not checkpointed"),
        (SHARDS[1], "it waits for shardId-000000000000, which is not read to its end"),
        (SHARDS[2], "its owner is dead: worker `dead` has not renewed the lease"),
        (SHARDS[3], "it has no owner: no worker took the lease"),
        (
            SHARDS[4],
            "past retention: the stream keeps records for 24 h, and no longer holds the record of its checkpoint",
        ),
        (SHARDS[5], "its processor is slow or stuck: worker `alive` renews the lease, but the checkpoint did not move"),
        (SHARDS[6], "done: it has ended, and its lease was removed"),
        (SHARDS[7], "up to date: no record follows its checkpoint"),
        ("shardId-000000000099", "no longer holds the shard and its unread records"),
    ] {
        assert!(line(&ended, shard).contains(says), "{says}: {ended:?}");
    }
    assert!(line(&ended, SHARDS[5]).contains(&format!("record {} has been waiting for 1 h", NUMBER + 1)), "{ended:?}");

    let ended = services.run("why", &["--shard", "7", "--json"]);
    ended.expect(0, &[]);
    let shown: Value = serde_json::from_str(&ended.stdout).expect("one object");
    assert_eq!((&shown["shards"][0]["state"], &shown["shards"][0]["fine"]), (&"up-to-date".into(), &true.into()));
    services
        .run("why", &["--shard", "12"])
        .expect(2, &["does not have a lease for `shardId-000000000012`, and its stream does not have that shard"]);

    // Without a worker.
    services.world().alive = None;
    let ended = services.run("why", &[]);
    assert!(
        line(&ended, SHARDS[2]).contains("no worker renews a lease of the application: start `dead` again"),
        "{ended:?}"
    );
    assert!(
        line(&ended, SHARDS[3])
            .contains("it has no owner, and no worker renews a lease of the application; start a worker"),
        "{ended:?}"
    );
}

pub(crate) fn moves() {
    let world = World {
        shards: vec![(SHARDS[0], None, false)],
        rows: vec![row(SHARDS[0], Some("alive"), &NUMBER.to_string(), 0)],
        records: (0..100).map(|index| put(SHARDS[0], NUMBER + index, Duration::from_secs(90), b"x")).collect(),
        alive: Some("alive"),
        step: 2,
        ..World::default()
    };
    let ended = Services::new(world).run("why", &[]);
    ended.expect(0, &[]);
    assert!(line(&ended, SHARDS[0]).contains("it moves: its checkpoint went from"), "{ended:?}");
    assert!(line(&ended, SHARDS[0]).contains(" behind"), "{ended:?}");
}

/// A worker may create or take a lease a moment after this command has looked.
pub(crate) fn late_leases() {
    let world = World {
        shards: SHARDS[..3].iter().map(|shard| (*shard, None, false)).collect(),
        rows: vec![row(SHARDS[0], None, "TRIM_HORIZON", 0), row(SHARDS[1], Some("alive"), "TRIM_HORIZON", 0)],
        alive: Some("alive"),
        ..World::default()
    };
    let services = Services::new(world);
    let ended = services.run("why", &[]);
    ended.expect(1, &[]);
    assert!(line(&ended, SHARDS[0]).contains("it has no owner: no worker took the lease in"), "{ended:?}");
    assert!(line(&ended, SHARDS[2]).contains("it has no lease: no worker created one in"), "{ended:?}");

    let mut world = services.world();
    world.was_read = false;
    world.later = [SHARDS[0], SHARDS[2]].map(|shard| row(shard, Some("alive"), "TRIM_HORIZON", 0)).to_vec();
    drop(world);
    let ended = services.run("why", &[]);
    ended.expect(0, &[]);
    assert!(line(&ended, SHARDS[0]).contains("it moves: worker `alive` has just taken its lease"), "{ended:?}");
    assert!(line(&ended, SHARDS[2]).contains("it moves: its lease has just been created"), "{ended:?}");
}

/// The lease of a shard is created when its parent has ended, and not before.
pub(crate) fn generations() {
    let [first, second, third] = [SHARDS[0], SHARDS[1], SHARDS[2]];
    let world = World {
        shards: vec![(first, None, true), (second, Some(first), true), (third, Some(second), false)],
        rows: vec![row(first, Some("alive"), &NUMBER.to_string(), 0)],
        records: vec![put(first, NUMBER + 1, Duration::from_secs(90), b"x")],
        alive: Some("alive"),
        ..World::default()
    };
    let ended = Services::new(world).run("why", &[]);
    ended.expect(1, &[]);
    assert!(line(&ended, first).contains("its processor is slow or stuck"), "{ended:?}");
    for (shard, parent) in [(second, first), (third, second)] {
        assert!(line(&ended, shard).contains(&format!("it waits for {parent}, which is not read")), "{ended:?}");
    }
}

/// A worker that stops gives up its leases.
pub(crate) fn given_up() {
    let rows = [(SHARDS[0], "leaving"), (SHARDS[1], "alive")];
    let world = World {
        shards: rows.iter().map(|(shard, _)| (*shard, None, false)).collect(),
        rows: rows.iter().map(|(shard, owner)| row(shard, Some(owner), "TRIM_HORIZON", 0)).collect(),
        records: vec![put(SHARDS[0], NUMBER, Duration::from_secs(90), b"x")],
        later: vec![row(SHARDS[0], None, "TRIM_HORIZON", 1)],
        alive: Some("alive"),
        ..World::default()
    };
    let ended = Services::new(world).run("why", &[]);
    ended.expect(1, &[]);
    assert!(line(&ended, SHARDS[0]).contains("worker `leaving` gave up the lease in the last"), "{ended:?}");
}

/// The record of the checkpoint has expired in a quiet time, and nothing that followed it has.
pub(crate) fn quiet() {
    let shards = vec![(SHARDS[0], None, false), (SHARDS[1], None, false)];
    let checkpoint = (NUMBER - 5).to_string();
    let world = World {
        rows: shards.iter().map(|(shard, ..)| row(shard, Some("alive"), &checkpoint, 0)).collect(),
        shards,
        records: vec![put(SHARDS[0], NUMBER, Duration::from_secs(5), b"x")],
        alive: Some("alive"),
        ..World::default()
    };
    let services = Services::new(world);
    let ended = services.run("why", &[]);
    assert!(line(&ended, SHARDS[0]).contains("its processor is slow or stuck"), "{ended:?}");
    assert!(line(&ended, SHARDS[1]).contains("up to date"), "{ended:?}");

    // It is another matter if records wait for long, also if nobody may ask how long the stream keeps them.
    services.world().records[0].arrival -= 20 * 3_600_000;
    let ended = services.run("why", &[]);
    assert!(line(&ended, SHARDS[0]).contains("past retention: the stream keeps records for 24 h, and no"), "{ended:?}");
    services.fake.set_weather(|operation, _| {
        let denied = r#"{"__type":"AccessDeniedException","message":"no"}"#;
        (operation == "DescribeStreamSummary").then_some(Fault::Other(400, "application/x-amz-json-1.1", denied))
    });
    let ended = services.run("why", &[]);
    assert!(line(&ended, SHARDS[0]).contains("past retention: the stream no longer holds the record of"), "{ended:?}");
}

/// A world in which a processor does not move.
fn stuck() -> World {
    World {
        shards: vec![(SHARDS[0], None, false)],
        rows: vec![row(SHARDS[0], Some("alive"), &NUMBER.to_string(), 0)],
        records: (0..2).map(|index| put(SHARDS[0], NUMBER + index, Duration::from_secs(90), b"x")).collect(),
        alive: Some("alive"),
        ..World::default()
    }
}

/// A time of a log.
fn ago(time: Duration) -> String {
    // The times of a test begin once the tool is built.
    tool::build();
    humantime::format_rfc3339_millis(SystemTime::now() - time).to_string()
}

/// The line that `kcl` prints about a handler that has been running for this time.
fn slow(shard: &str, number: u128, seconds: u64) -> String {
    format!(
        "kcl: shard {shard}: processRecords at record {number}/0, number 1 of 1 in its batch, has been running for {seconds}s"
    )
}

/// The event of the daemon's log that a processor has answered.
fn answered(shard: &str) -> String {
    format!(
        r#"INFO  MultiLangProtocol: Received response {{"action":"status","responseFor":"processRecords"}} from subprocess while waiting for processRecords while processing shard {shard}"#
    )
}

/// The first shard as `--json` shows it, with these logs.
fn with_logs(services: &Services, logs: &[&Path]) -> Value {
    let arguments = logs.iter().flat_map(|log| ["--log", log.to_str().expect("UTF-8")]);
    let ended = services.run("why", &["--json"].into_iter().chain(arguments).collect::<Vec<_>>());
    let shown: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
    shown["shards"][0].clone()
}

const UP: &str = "INFO  Scheduler: Initialization complete. Starting worker loop.";
const CREDENTIALS: &str = "ERROR Scheduler: Worker.run caught exception, sleeping for 1000 milli seconds!\n\
                           java.lang.RuntimeException: no\nCaused by: software.amazon.awssdk.core.exception.SdkClientException: Unable to load credentials from any of the providers in the chain";

pub(crate) fn logs() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("daemon.log");
    let services = Services::new(stuck());
    let shard = SHARDS[0];
    let [earlier, now] = [Duration::from_secs(70), Duration::ZERO].map(ago);
    let hangs = format!("{earlier} [{shard}] {}", slow(shard, NUMBER + 1, 120));
    let answered = format!("{now} {}", answered(shard));
    let throttled = format!(
        "{now} ERROR PrefetchRecordsPublisher: orders:{shard} :  ProvisionedThroughputExceededException thrown while fetching records from Kinesis\n\
         software.amazon.awssdk.services.kinesis.model.ProvisionedThroughputExceededException: Rate exceeded\n\tat x"
    );
    let table = format!(
        "{now} ERROR DynamoDBLeaseRenewer: Encountered an exception while renewing a lease.\n\
         software.amazon.kinesis.leases.exceptions.DependencyException: software.amazon.awssdk.services.dynamodb.model.ProvisionedThroughputExceededException: The level of configured provisioned throughput for the table was exceeded."
    );
    let credentials = format!("{earlier} {CREDENTIALS}");
    let json = format!(
        r#"{{"time":"{now}","level":"warn","source":"processor","stream":"orders","shard":"{shard}","message":"kcl: shard {shard}: processRecords has been running for 61s"}}"#
    );
    let of_json = format!("has been running for 61s (logged at {now})");
    // The command knows the names that no properties give.
    let no_stream = format!(
        "{now} ERROR ShardSyncTask: no\nsoftware.amazon.awssdk.services.kinesis.model.ResourceNotFoundException: Stream orders under account 1 not found"
    );
    let is_slow = "its processor is slow or stuck";
    for (log, state, says) in [
        (
            hangs.clone(),
            "handler-stuck",
            &*format!(
                "processRecords at record {}/0, number 1 of 1 in its batch, has been running for 120s (logged at {earlier})",
                NUMBER + 1
            ),
        ),
        (json, "handler-stuck", &of_json),
        (throttled.clone(), "throttled", "AWS throttles: other consumers share the shard's read throughput"),
        (table, "throttled", "AWS throttles the tables of the application `revenue`"),
        (credentials.clone(), "credentials", "no AWS credentials were found"),
        (no_stream, "daemon-problem", "there is no stream `orders` in region us-east-1"),
        // A problem is over once its message was answered, whether it was a problem of the shard or of the whole daemon.
        (format!("{hangs}\n{answered}"), "slow", is_slow),
        (format!("{throttled}\n{answered}"), "slow", is_slow),
        (format!("{credentials}\n{answered}"), "slow", is_slow),
        // So is a handler that was not reported again, or whose record has been checkpointed.
        (format!("{} [{shard}] {}", ago(Duration::from_secs(8 * 3600)), slow(shard, NUMBER + 1, 60)), "slow", is_slow),
        (format!("{now} [{shard}] {}", slow(shard, NUMBER, 60)), "slow", is_slow),
        // Problems from before a restart are over, too.
        (format!("{credentials}\n{now} {UP}"), "slow", is_slow),
    ] {
        fs::write(&path, &log).expect("it can be written");
        let shown = with_logs(&services, &[&path]);
        assert_eq!(shown["state"], state, "{log}: {shown}");
        assert!(shown["sentence"].as_str().is_some_and(|sentence| sentence.contains(says)), "{says}: {shown}");
    }
    // The launcher has begun another file.
    fs::write(folder.path().join("daemon.log.1"), &hangs).expect("it can be written");
    for (log, state) in [("", "handler-stuck"), (&*answered, "slow")] {
        fs::write(&path, log).expect("it can be written");
        assert_eq!(with_logs(&services, &[&path])["state"], state, "{log}");
    }
    // A worker that was only started again would fail in the same way.
    fs::remove_file(folder.path().join("daemon.log.1")).expect("it can be removed");
    services.world().alive = None;
    services.world().rows[0].remove("leaseOwner");
    fs::write(&path, &credentials).expect("it can be written");
    let shown = with_logs(&services, &[&path]);
    assert_eq!(shown["state"], "credentials", "{shown}");
    let remedy = shown["remedy"].as_str().unwrap_or_default();
    assert!(remedy.starts_with("correct that first; then start a worker"), "{shown}");
    services.run("why", &["--log", "missing"]).expect(2, &["the log missing cannot be read"]);
}

/// Each worker has a log of its own, and the start of one solves no problem of another.
pub(crate) fn two_logs() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let services = Services::new(stuck());
    let shard = SHARDS[0];
    let [first, second] = [Duration::from_secs(30), Duration::from_secs(20)].map(ago);
    let hangs = format!("{second} [{shard}] {}", slow(shard, NUMBER + 1, 60));
    for (name, log) in [
        ("stuck", format!("{first} {UP}\n{hangs}\n")),
        ("other", format!("{first} {UP}\n{second} {}\n", answered(SHARDS[1]))),
        // The shard was here before it went to the other worker.
        ("before", format!("{first} {UP}\n{first} [{shard}] {}\n", slow(shard, NUMBER + 1, 30))),
        ("before-and-done", format!("{first} {UP}\n{first} {}\n", answered(shard))),
        ("denied", format!("{first} {UP}\n{first} {}\n{second} {CREDENTIALS}\n", answered(SHARDS[1]))),
    ] {
        fs::write(path(name), log).expect("it can be written");
    }
    for other in ["other", "before", "before-and-done", "denied"] {
        let logs = [path("stuck"), path(other)];
        for logs in [[&*logs[0], &*logs[1]], [&*logs[1], &*logs[0]]] {
            let shown = with_logs(&services, &logs);
            assert_eq!(shown["state"], "handler-stuck", "{other}: {shown}");
            assert!(shown["sentence"].as_str().is_some_and(|text| text.contains("for 60s")), "{other}: {shown}");
        }
    }
}

/// A Java that logs what the real daemon logs about a handler that takes its time, and then this.
fn slow_java(folder: &Path, then: &str) {
    let shard = SHARDS[0];
    let [early, late] = [Duration::from_secs(30), Duration::from_secs(10)].map(ago);
    let event = |time: &str, logger: &str, text: &str| format!("printf '%s\\n' '␟{time}␟INFO␟{logger}␟{text}␟␞'\n");
    let script = [
        event(&early, "Scheduler", "Initialization complete. Starting worker loop."),
        event(&early, "MultiLangProtocol", answered(shard).split_once(": ").expect("a message").1),
        event(
            &early,
            "DrainChildSTDERRTask",
            &format!("Received error line from subprocess [{}] for shard {shard}", slow(shard, NUMBER + 1, 60)),
        ),
        event(&late, "MultiLangProtocol", then),
        "exit 1".to_owned(),
    ];
    launch::java(folder, &script.concat());
}

/// The launcher's own log says when a slow handler has returned, in both forms.
pub(crate) fn log_of_the_launcher() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let services = Services::new(stuck());
    let [text, json] = ["daemon.log", "stderr.json"].map(|name| folder.path().join(name));
    for (then, state) in
        [("Nothing", "handler-stuck"), (&*answered(SHARDS[0]).replace("INFO  MultiLangProtocol: ", ""), "slow")]
    {
        slow_java(folder.path(), then);
        _ = fs::remove_file(&text);
        let log = ["--log", text.to_str().expect("UTF-8"), "--log-format", "json"];
        let aws = ["--stream", "orders", "--app", "revenue", "--region", "us-east-1"];
        // As the services are, so that the log is about their leases.
        let local = ["--dynamodb-endpoint", "http://127.0.0.1:9"];
        let ended = run(launch::daemon(folder.path(), &[&aws[..], &local, &log].concat()), b"");
        ended.expect(1, &["has been running for 60s"]);
        fs::write(&json, &ended.stderr).expect("it can be written");
        for log in [&text, &json] {
            let shown = with_logs(&services, &[log]);
            assert_eq!(shown["state"], state, "{shown}: {ended:?}");
        }
    }
}

/// A problem that comes back is shown again, and a shard that answers now and then does not fill the log.
pub(crate) fn recurring_problem() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let services = Services::new(stuck());
    let shard = SHARDS[0];
    let time = ago(Duration::from_secs(10));
    let event = |level: &str, logger: &str, text: &str, exception: &str| {
        format!("printf '%s\\n' '␟{time}␟{level}␟{logger}␟{text}␟{exception}␞'\n")
    };
    let answer = answered(shard);
    let answer = event("INFO", "MultiLangProtocol", answer.split_once(": ").expect("a message").1, "");
    let printed =
        event("INFO", "GetNextMessageTask", &format!("Skipping unexpected line on STDOUT for shard {shard}"), "");
    let thrown = "ProvisionedThroughputExceededException";
    let exception = format!("software.amazon.awssdk.services.kinesis.model.{thrown}: Rate exceeded");
    let problem = event("ERROR", "PrefetchRecordsPublisher", &format!("orders:{shard} :  {thrown} thrown"), &exception);
    for (problem, shown, again, state) in [(&printed, 0, 0, "slow"), (&problem, 2, 1, "throttled")] {
        launch::java(folder.path(), &format!("{answer}{}exit 1", format!("{problem}{answer}").repeat(3) + problem));
        let aws = ["--stream", "orders", "--app", "revenue", "--region", "us-east-1", "--log-format", "json"];
        let ended = run(launch::daemon(folder.path(), &aws), b"");
        ended.expect(1, &[]);
        let count = |text: &str| ended.stderr.lines().filter(|line| line.contains(text)).count();
        assert_eq!((count(r#""logger":"Prefetch"#), count("answers again")), (shown, again), "{ended:?}");
        let log = folder.path().join("stderr.json");
        fs::write(&log, &ended.stderr).expect("it can be written");
        assert_eq!(with_logs(&services, &[&log])["state"], state, "{ended:?}");
    }
}

/// A worker that keeps its leases elsewhere is named, whether this command finds a table or none.
pub(crate) fn elsewhere() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let [text, json] = ["daemon.log", "stderr.json"].map(|name| folder.path().join(name));
    let start = ["--stream", "orders", "--app", "revenue", "--region", "eu-west-1", "--set", "workerId=mine"];
    slow_java(folder.path(), "Nothing");
    let log = ["--log", text.to_str().expect("UTF-8"), "--log-format", "json"];
    fs::write(&json, run(launch::daemon(folder.path(), &[&start[..], &log].concat()), b"").stderr)
        .expect("it can be written");

    let services = Services::new(stuck());
    let why = |arguments: &[&str]| {
        let names = ["why", "--app", "revenue", "--stream", "orders", "--failover", "150ms"];
        let mut command = tool(&services.fake.url(), &[&names, arguments].concat());
        command.env("XDG_RUNTIME_DIR", folder.path());
        run(command, b"")
    };
    let there =
        format!("keeps its leases in region eu-west-1, and this command reads those at {}", services.fake.url());
    for log in [&text, &json] {
        let log = log.to_str().expect("UTF-8");
        why(&["--log", log]).expect(1, &[&format!("the worker that wrote {log} {there}")]);
    }
    assert_eq!(why(&[]).stderr, "");

    launch::java(folder.path(), "exec sleep 1000");
    let mut launcher = launch::daemon(folder.path(), &start);
    launcher.env("XDG_RUNTIME_DIR", folder.path());
    let launcher = Printing::start(launcher);
    launcher.wait_for("java: workerId = mine");
    let there = format!("a worker of this application on this machine {there}");
    why(&[]).expect(1, &[&there]);
    services.fake.set_weather(|operation, _| {
        let missing = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"no"}"#;
        (operation == "Scan").then_some(Fault::Other(400, "application/x-amz-json-1.0", missing))
    });
    why(&[]).expect(1, &[&there, "there is no table `revenue`"]);
}

pub(crate) fn throttled() {
    let mut world = stuck();
    world.is_throttled = true;
    let services = Services::new(world);
    let ended = services.run("why", &["--idle-timeout", "100ms"]);
    ended.expect(1, &[]);
    assert!(line(&ended, SHARDS[0]).contains("AWS throttles reads of the shard"), "{ended:?}");
}
