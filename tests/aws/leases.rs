//! `cargo kcl leases`, against a fake stream and a fake lease table.

use std::fs::File;
use std::io::Write as _;
use std::thread;
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use serde_json::{Value, json};
use tests::kpl::aggregate;

use crate::fake::{Fake, Fault, refusal};
use crate::tool::{Ended, end, run, tool};
use crate::world::{Put, Services, World, put, row};

const FIRST: &str = "shardId-000000000000";
const SECOND: &str = "shardId-000000000001";
const THIRD: &str = "shardId-000000000002";

/// The number of the record with this index. Those of Kinesis are far larger than any number of seconds.
const fn number(index: u128) -> u128 {
    49_590_338_271_490_256_608_559_692_538_361_571_096 + index * 10
}

fn text(index: u128) -> String {
    number(index).to_string()
}

/// A world with one shard that has records, and a lease for it.
fn one_shard(owner: Option<&str>, checkpoint: &str, records: Vec<Put>) -> World {
    World {
        rows: vec![row(FIRST, owner, checkpoint, 0)],
        shards: vec![(FIRST, None, false)],
        records,
        ..World::default()
    }
}

/// Three records, the last of which arrived a minute ago.
fn three() -> Vec<Put> {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    vec![
        put(FIRST, number(1), minutes(60), b"a"),
        put(FIRST, number(2), minutes(30), b"b"),
        put(FIRST, number(3), minutes(1), b"c"),
    ]
}

pub(crate) fn layouts() {
    let mut rows = vec![
        row(FIRST, Some("one"), &text(1), 0),
        row(SECOND, None, "TRIM_HORIZON", 0),
        row(THIRD, Some("two"), "SHARD_END", 0),
    ];
    // KCL 3.5 keeps these in the same table.
    for entity in ["LEADER", "WORKER_METRIC_STATS"] {
        let mut other = row(entity, Some("one"), "0", 0);
        other.insert("entityType".to_owned(), json!({ "S": entity }));
        rows.insert(1, other);
    }
    let mut lease = row("shardId-000000000003", Some("one"), &text(2), 5);
    lease.insert("entityType".to_owned(), json!({ "S": "LEASE" }));
    rows.push(lease);
    let shards =
        vec![(FIRST, None, false), (SECOND, None, false), (THIRD, None, true), ("shardId-000000000003", None, false)];
    let services = Services::new(World { rows, shards, records: three(), ..World::default() });
    let ended = services.run("leases", &["--no-wait"]);
    ended.expect(0, &[]);
    let lines: Vec<_> = ended
        .stdout
        .lines()
        .map(|line| line.split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect::<Vec<_>>())
        .collect();
    assert_eq!(lines.len(), 5, "{}", ended.stdout);
    assert_eq!(lines[0], ["shard", "owner", "renewed", "checkpoint", "age", "behind"]);
    assert_eq!(lines[1][..4], [FIRST, "one", "?", &format!("{}/0", text(1))]);
    assert!(lines[1][4].starts_with("1 h") && lines[1][5].starts_with('3'), "{}", ended.stdout);
    assert_eq!(lines[2], [SECOND, "-", "-", "TRIM_HORIZON", "-", "0 s"]);
    assert_eq!(lines[3], [THIRD, "two", "-", "SHARD_END", "-", "-"]);

    let ended = services.run("leases", &["--no-wait", "--json"]);
    let shown: Value = serde_json::from_str(&ended.stdout).expect("one object");
    assert_eq!((&shown["application"], &shown["stream"]), (&json!("revenue"), &json!("orders")));
    let leases = shown["leases"].as_array().expect("leases");
    assert_eq!(leases.len(), 4);
    assert_eq!(leases[3]["subSequenceNumber"], 5);
    assert_eq!((&leases[0]["renewed"], &leases[2]["checkpoint"]), (&Value::Null, &json!("SHARD_END")));
    assert!(leases[0]["behindMillis"].as_u64().is_some_and(|millis| millis >= 1_800_000), "{shown}");
}

pub(crate) fn unreadable() {
    let mut world = one_shard(Some("alive"), &text(3), three());
    let mut torn = row(SECOND, None, "TRIM_HORIZON", 0);
    torn.remove("checkpoint");
    world.rows.push(torn);
    world.shards.push((SECOND, None, false));
    world.alive = Some("alive");
    let services = Services::new(world);
    let why = "`checkpoint` is missing or not a string";
    let ended = services.run("leases", &["--no-wait"]);
    assert!(ended.stdout.ends_with(&format!("{SECOND}  unreadable: {why}\n")), "{ended:?}");
    let ended = services.run("leases", &["--no-wait", "--json"]);
    let shown: Value = serde_json::from_str(&ended.stdout).expect("one object");
    assert_eq!(shown["leases"].as_array().map(Vec::len), Some(1));
    assert_eq!(shown["unreadable"], json!([{ "shardId": SECOND, "reason": why }]));
    let ended = services.run("leases", &["--rewind", "1=TRIM_HORIZON", "--yes"]);
    ended.expect(2, &[&format!("the lease of {SECOND} cannot be read: {why}; correct that row")]);
    let ended = services.run("why", &["--shard", "1"]);
    assert!(ended.stdout.starts_with(&format!("{SECOND}: its lease cannot be read: {why}; find out")), "{ended:?}");
    assert_eq!(ended.code, Some(1));
}

/// A reader of stdout such as `true` reads nothing, and that is not an error.
pub(crate) fn left() {
    let services = Services::new(one_shard(None, &text(3), three()));
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = tool(&services.fake.url(), &["leases", "--app", "revenue", "--stream", "orders", "--no-wait"]);
    command.stdout(writer);
    let ended = end(command.spawn().expect("the tool starts"));
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
}

/// The properties name the table, as they do for the daemon.
pub(crate) fn tables() {
    let folder = tempfile::tempdir().expect("a folder");
    let properties = folder.path().join("revenue.properties");
    std::fs::write(&properties, "applicationName = revenue\nstreamName = orders\ntableName = leases-prod\n")
        .expect("it is written");
    let properties = properties.to_str().expect("UTF-8");
    let services = Services::new(one_shard(None, &text(3), three()));
    for (arguments, app, table) in [
        (&["--properties", properties][..], None, "leases-prod"),
        (&["--properties", properties], Some("revenue"), "leases-prod"),
        (&["--properties", properties, "--table", "other"], None, "other"),
        (&["--app", "revenue", "--stream", "orders", "--table", "other"], None, "other"),
        (&["--app", "revenue", "--stream", "orders"], None, "revenue"),
    ] {
        let mut command = tool(&services.fake.url(), &[&["leases", "--no-wait"], arguments].concat());
        command.envs(app.map(|app| ("KCL_APP", app)));
        run(command, b"").expect(0, &[]);
        assert_eq!(services.world().tables.last().map(String::as_str), Some(table), "{arguments:?} {app:?}");
    }
}

pub(crate) fn dead_owner() {
    let mut world = one_shard(Some("alive"), &text(3), three());
    world.rows.push(row(SECOND, Some("dead"), "TRIM_HORIZON", 0));
    world.shards.push((SECOND, None, false));
    world.alive = Some("alive");
    let services = Services::new(world);
    let ended = services.run("leases", &["--json"]);
    ended.expect(0, &[]);
    let shown: Value = serde_json::from_str(&ended.stdout).expect("one object");
    let renewed: Vec<_> =
        shown["leases"].as_array().into_iter().flatten().map(|lease| lease["renewed"].clone()).collect();
    assert_eq!(renewed, [true, false]);
}

/// Nobody renews the lease of a shard that is done, so nobody waits for that.
pub(crate) fn done() {
    let mut world = one_shard(Some("alive"), &text(3), three());
    world.rows.push(row(SECOND, Some("gone"), "SHARD_END", 0));
    world.shards.push((SECOND, None, true));
    world.alive = Some("alive");
    let ended = Services::new(world).run("leases", &["--json"]);
    ended.expect(0, &[]);
    let shown: Value = serde_json::from_str(&ended.stdout).expect("one object");
    assert_eq!(
        (&shown["leases"][0]["renewed"], &shown["leases"][1]["renewed"]),
        (&json!(true), &Value::Null),
        "{shown}"
    );
}

pub(crate) fn moved() {
    for owner in [None, Some("dead")] {
        let services = Services::new(one_shard(owner, &text(3), three()));
        let arguments = |more: &'static [&str]| {
            [&["--rewind", Box::leak(format!("0={}", text(1)).into_boxed_str())], more].concat()
        };
        services.run("leases", &arguments(&[])).expect(2, &["this would move 1 lease; add --yes to confirm"]);
        assert!(services.world().updates.is_empty());

        let ended = services.run("leases", &arguments(&["--yes", "--json"]));
        let when = "a worker usually takes a moved lease within 30 s. After a leader is killed, its lock lasts up to two minutes. ";
        ended.expect(0, &[&format!("from {}/0", text(3)), &format!("to   {}/0", text(1)), "was moved", when]);
        let world = services.world();
        assert_eq!(world.updates.len(), 1);
        assert_eq!(world.updates[0]["ConditionExpression"], "leaseCounter = :seen");
        let expected = json!({
            "leaseKey": { "S": FIRST }, "leaseCounter": { "N": "8" }, "checkpoint": { "S": text(1) },
            "checkpointSubSequenceNumber": { "N": "0" }, "ownerSwitchesSinceCheckpoint": { "N": "0" },
        });
        assert_eq!(json!(world.rows[0]), expected, "without an owner or a pending checkpoint");
        let moved: Value = serde_json::from_str(&ended.stdout).expect("one object");
        assert_eq!(moved["moved"][0]["to"], json!({ "checkpoint": text(1), "subSequenceNumber": 0 }));
    }
}

/// The record of the checkpoint may expire although nothing follows it.
pub(crate) fn expired() {
    let mut world = one_shard(None, &text(3), Vec::new());
    world.rows.push(row(SECOND, None, &text(3), 0));
    world.shards.push((SECOND, None, false));
    world.records = vec![put(SECOND, number(3), Duration::from_secs(60), b"c")];
    let ended = Services::new(world).run("leases", &["--no-wait", "--json"]);
    ended.expect(0, &[]);
    let shown: Value = serde_json::from_str(&ended.stdout).expect("one object");
    assert_eq!((&shown["leases"][0]["expired"], &shown["leases"][1]["expired"]), (&json!(true), &json!(false)));
}

/// Moves the lease of the first shard to its start, and types this answer at a terminal.
fn answer(services: &Services, text: &str) -> Ended {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
    grantpt(&ours).and_then(|()| unlockpt(&ours)).expect("it may be used");
    let name = ptsname(&ours, Vec::new()).expect("it has a name").into_string().expect("text");
    let theirs = File::options().read(true).write(true).open(name).expect("it can be opened");
    let url = services.fake.url();
    let mut command = tool(&url, &["leases", "--app", "revenue", "--stream", "orders", "--rewind", "0=TRIM_HORIZON"]);
    let child = command.stdin(theirs).spawn().expect("the tool starts");
    let mut keys = File::from(ours);
    keys.write_all(text.as_bytes()).expect("the terminal takes it");
    end(child)
}

pub(crate) fn asked() {
    let services = Services::new(one_shard(None, &text(3), three()));
    for no in ["n\n", "\n", "yess\n"] {
        answer(&services, no).expect(1, &["move 1 lease? Records after the new positions", "nothing was moved"]);
        assert!(services.world().updates.is_empty());
    }
    answer(&services, "Y\n").expect(0, &["was moved to TRIM_HORIZON"]);
    assert_eq!(services.world().updates.len(), 1);
}

pub(crate) fn not_free() {
    let mut world = one_shard(Some("alive"), &text(3), three());
    world.alive = Some("alive");
    let services = Services::new(world);
    let ended = services.run("leases", &["--rewind", "0=TRIM_HORIZON", "--yes"]);
    ended.expect(1, &["shardId-000000000000 is not free: `alive` renews its lease", "stop that worker"]);
    assert!(services.world().updates.is_empty());

    let mut world = one_shard(Some("dead"), &text(3), three());
    world.is_taken = Some(FIRST);
    let services = Services::new(world);
    services.run("leases", &["--rewind", "0=TRIM_HORIZON", "--yes"]).expect(1, &["a worker has taken or renewed it"]);
    assert_eq!(services.world().rows[0]["checkpoint"]["S"], text(3));

    // A child shard is taken at the moment at which its parent is moved.
    let mut world = one_shard(None, "SHARD_END", three());
    world.shards = vec![(FIRST, None, true), (SECOND, Some(FIRST), false)];
    world.rows.push(row(SECOND, None, "TRIM_HORIZON", 0));
    world.is_taken = Some(SECOND);
    let services = Services::new(world);
    let ended = services.run("leases", &["--rewind", "0=TRIM_HORIZON", "--yes"]);
    ended
        .expect(1, &["the lease was not moved, because a worker has taken or renewed it meanwhile, or the lease of a shard that follows;"]);
    assert_eq!(services.world().rows[0]["checkpoint"]["S"], "SHARD_END");
}

/// Leases that were moved before one that could not be are in the JSON.
pub(crate) fn partly_moved() {
    let mut world = one_shard(None, &text(3), three());
    world.shards.push((SECOND, None, false));
    world.rows.push(row(SECOND, None, &text(3), 0));
    world.is_taken_after = Some(SECOND);
    let services = Services::new(world);
    let rewinds = ["--rewind", "0=TRIM_HORIZON", "--rewind", "1=TRIM_HORIZON", "--yes", "--json"];
    let ended = services.run("leases", &rewinds);
    ended.expect(1, &["shardId-000000000001: the lease was not moved"]);
    let lines: Vec<_> = ended.stdout.lines().skip_while(|line| !line.starts_with('{')).collect();
    let moved: Value = serde_json::from_str(&lines.join("\n")).unwrap_or_else(|_| panic!("{ended:?}"));
    assert_eq!((moved["moved"].as_array().map(Vec::len), &moved["moved"][0]["shardId"]), (Some(1), &json!(FIRST)));
}

pub(crate) fn lost_answer() {
    // Whether or not a worker takes the lease before the next attempt.
    for taken in [None, Some(FIRST)] {
        let services = Services::new(World { is_taken_after: taken, ..one_shard(None, &text(3), three()) });
        services.fake.set_weather(|operation, number| {
            (operation == "TransactWriteItems" && number == 0).then_some(Fault::LostAnswer)
        });
        services.run("leases", &["--rewind", "0=TRIM_HORIZON", "--yes"]).expect(0, &["was moved to TRIM_HORIZON"]);
        let world = services.world();
        assert_eq!((world.updates.len(), world.tokens.len()), (2, 1), "it was moved once");
    }
    // A transaction that is still running, or was throttled, is sent again.
    let services = Services::new(one_shard(None, &text(3), three()));
    services.fake.set_weather(|operation, number| {
        let answer = match (operation, number) {
            ("TransactWriteItems", 0) => r#"{"__type":"TransactionInProgressException","message":"wait"}"#,
            ("TransactWriteItems", 1) => r#"{"__type":"TransactionCanceledException","message":"[ThrottlingError]"}"#,
            _ => return None,
        };
        Some(Fault::Other(400, "application/x-amz-json-1.0", answer))
    });
    services.run("leases", &["--rewind", "0=TRIM_HORIZON", "--yes"]).expect(0, &["was moved to TRIM_HORIZON"]);
    // A failure after a lost answer leaves open what happened.
    let services = Services::new(World { is_taken_after: Some(FIRST), ..one_shard(None, &text(3), three()) });
    let denied = r#"{"__type":"AccessDeniedException","message":"no"}"#;
    services.fake.set_weather(move |operation, number| match (operation, number) {
        ("TransactWriteItems", 0) => Some(Fault::LostAnswer),
        ("TransactWriteItems", _) => Some(Fault::Other(400, "application/x-amz-json-1.0", denied)),
        _ => None,
    });
    let ended = services.run("leases", &["--rewind", "0=TRIM_HORIZON", "--yes"]);
    ended.expect(1, &["the lease of shardId-000000000000 may have been moved: denied", "look at it with"]);
}

pub(crate) fn refused() {
    let run = |services: &Services, to: &str, says: &str, code: i32| {
        services.run("leases", &["--rewind", to, "--yes"]).expect(code, &[says]);
        assert!(services.world().updates.is_empty());
    };
    let services = Services::new(one_shard(None, &text(2), three()));
    run(&services, &format!("0={}", text(2)), "is not before that; --rewind moves a lease back, never forward", 2);
    run(&services, &format!("0={}/1", text(2)), "never forward", 2);
    run(&services, "0=-10s", "never forward", 2);
    run(
        &services,
        &format!("7={}", text(1)),
        "no lease for `shardId-000000000007`; it has leases for shardId-000000000000",
        2,
    );
    let unknown = format!("0={}", "0".repeat(30) + "7");
    run(&services, &unknown, "shardId-000000000000 does not have a record 7 (Invalid StartingSequenceNumber)", 2);
    // Kinesis may take the number of a record of another shard, and no worker could read from there.
    let between = format!("0={}", number(1) + 1);
    run(&services, &between, &format!("(the next one that the stream holds is {})", text(2)), 2);
    run(&services, &format!("0={}", number(0)), "does not have a record", 2);
    let mut world = one_shard(None, "SHARD_END", three());
    world.shards = vec![(FIRST, None, true)];
    run(&Services::new(world), &format!("0={}", number(9)), "the stream does not hold any from there on", 2);
    for (stands, to, says) in [
        ("TRIM_HORIZON", "0=TRIM_HORIZON".to_owned(), "shardId-000000000000 stands at TRIM_HORIZON"),
        ("AT_TIMESTAMP", format!("0={}", text(1)), "only TRIM_HORIZON is certainly before it"),
    ] {
        run(&Services::new(one_shard(None, stands, three())), &to, says, 2);
    }
    // The child of a shard that has ended has begun.
    let mut world = one_shard(None, "SHARD_END", three());
    world.shards = vec![(FIRST, None, true), (SECOND, Some(FIRST), false)];
    world.rows.push(row(SECOND, Some("alive"), "TRIM_HORIZON", 0));
    run(
        &Services::new(world),
        "0=TRIM_HORIZON",
        "shardId-000000000000 has ended, and shardId-000000000001, which follows it, has begun",
        1,
    );
    // Its child has not.
    let mut world = one_shard(None, "SHARD_END", three());
    world.shards = vec![(FIRST, None, true), (SECOND, Some(FIRST), false)];
    world.rows.push(row(SECOND, None, "TRIM_HORIZON", 0));
    let services = Services::new(world);
    services.run("leases", &["--rewind", &format!("0={}", text(2)), "--yes"]).expect(0, &["was moved"]);
}

/// The KCL removes the lease of a shard that is done, and keeps that of its parent.
pub(crate) fn removed_children() {
    let parent = || {
        let mut world = one_shard(None, "SHARD_END", three());
        world.rows[0].insert("childShardIds".to_owned(), json!({ "SS": [SECOND] }));
        world.shards = vec![(FIRST, None, true), (SECOND, Some(FIRST), true), (THIRD, Some(SECOND), false)];
        world
    };
    let rewind = ["--rewind", "0=TRIM_HORIZON", "--yes"];
    let mut world = parent();
    world.rows.push(row(THIRD, Some("alive"), "TRIM_HORIZON", 0));
    let services = Services::new(world);
    services.run("leases", &rewind).expect(1, &["has ended, and shardId-000000000002, which follows it, has begun"]);
    assert!(services.world().updates.is_empty());

    // The child shard has never had a lease.
    let services = Services::new(parent());
    services.run("leases", &rewind).expect(0, &["was moved to TRIM_HORIZON"]);
    // Its lease is created at the moment at which its parent is moved.
    let mut world = parent();
    world.is_taken = Some(SECOND);
    let services = Services::new(world);
    services
        .run("leases", &rewind)
        .expect(1, &["the lease was not moved, because a worker has taken or renewed it meanwhile, or"]);
    assert_eq!(services.world().rows[0]["checkpoint"]["S"], "SHARD_END");

    // The leases alone do not show what follows a lease that was removed.
    let arguments = ["leases", "--app", "revenue", "--failover", "150ms"];
    let services = Services::new(parent());
    let ended = run(tool(&services.fake.url(), &[&arguments[..], &rewind].concat()), b"");
    ended.expect(2, &["not every shard that follows it has a lease", "add --stream NAME"]);
    let mut world = parent();
    world.rows.push(row(SECOND, None, "TRIM_HORIZON", 0));
    let services = Services::new(world);
    run(tool(&services.fake.url(), &[&arguments[..], &rewind].concat()), b"").expect(0, &["was moved"]);
}

/// Without the name of the stream, no record is looked for in a stream that only seems to be the right one.
pub(crate) fn without_stream() {
    let services = Services::new(one_shard(None, &text(3), three()));
    let run_without = |to: &str| {
        let arguments = ["leases", "--app", "revenue", "--failover", "150ms", "--yes", "--rewind", to];
        run(tool(&services.fake.url(), &arguments), b"")
    };
    for to in [format!("0={}", text(1)), "0=-1h".to_owned()] {
        run_without(&to).expect(2, &["--rewind to a record or a time needs the stream; add --stream NAME"]);
    }
    assert!(services.world().updates.is_empty());
    run_without("0=TRIM_HORIZON").expect(0, &["was moved to TRIM_HORIZON"]);
}

pub(crate) fn times() {
    let hour = Duration::from_secs(3600);
    let second = Duration::from_secs(1);
    // Bursts, and quiet hours between them.
    let mut records = Vec::new();
    for (burst, ago) in [(0, 100 * hour), (1, 99 * hour), (2, 20 * hour), (3, hour)] {
        for index in 0..300 {
            let place = 300 * burst + index;
            let is_last = index == 299;
            let data = if is_last { aggregate("k", &["x", "y", "z"]) } else { b"x".to_vec() };
            records.push(put(FIRST, number(place), ago - second.mul_f64(index as f64 / 100.0), &data));
        }
    }
    // A record whose arrival time is out of order.
    records[950].arrival -= 60_000;
    let arrival = |index: usize| records[index].arrival;
    let cases = [
        // The record before the first of a burst is the aggregate that ends the one before it: all its parts are done.
        (arrival(901) - 1_000, format!("{}/2", text(899))),
        (arrival(950) + 1_000, format!("{}/2", text(899))),
        (arrival(600), format!("{}/2", text(599))),
        (arrival(600) - 40 * 3_600_000, format!("{}/2", text(599))),
        (arrival(300), format!("{}/2", text(299))),
        (arrival(450), format!("{}/0", text(449))),
        (arrival(450) - 1, format!("{}/0", text(449))),
        (arrival(0), "TRIM_HORIZON".to_owned()),
        (arrival(0) - 1_000, "TRIM_HORIZON".to_owned()),
        (arrival(1), format!("{}/0", text(0))),
    ];
    let find = |time: i64, expected: &str| {
        let mut world = one_shard(None, "SHARD_END", records.clone());
        world.shards = vec![(FIRST, None, true)];
        let services = Services::new(world);
        let time = humantime::format_rfc3339_millis(
            std::time::UNIX_EPOCH + Duration::from_millis(u64::try_from(time).expect("after 1970")),
        );
        let ended = services.run("leases", &["--rewind", &format!("0={time}"), "--yes"]);
        ended.expect(0, &[&format!("was moved to {expected}\n")]);
        let reads = services.world().reads;
        assert!(reads < 60, "{reads} reads to find {time}");
    };
    // A search waits for the shard's pace, so all of them run at once.
    thread::scope(|scope| {
        for (time, expected) in &cases {
            scope.spawn(move || find(*time, expected));
        }
    });
}

/// The clock of Kinesis counts: that of this machine may be ahead, or behind.
pub(crate) fn wrong_clock() {
    for (date, noon) in
        [("Sat, 31 Jan 2026 12:00:00 GMT", 1_769_860_800_000), ("Fri, 31 Jan 2053 12:00:00 GMT", 2_621_937_600_000)]
    {
        let mut records = three();
        for (record, hours) in records.iter_mut().zip([3, 1, 0]) {
            record.arrival = noon - hours * 3_600_000;
        }
        let services = Services::new(one_shard(None, &text(2), records));
        services.fake.set_date(date);
        let ended = services.run("leases", &["--no-wait", "--json"]);
        ended.expect(0, &[]);
        let shown: Value = serde_json::from_str(&ended.stdout).expect("one object");
        let age = shown["leases"][0]["ageMillis"].as_i64().expect("the record is there");
        assert!((3_600_000..2 * 3_600_000).contains(&age), "{date}: {age}");
        let ended = services.run("leases", &["--rewind", "0=-2h", "--yes"]);
        ended.expect(0, &[&format!("was moved to {}/0\n", text(1))]);
    }
}

pub(crate) fn explained() {
    let leases = ["leases", "--app", "revenue", "--stream", "orders", "--no-wait"];
    for (kind, message, code, says) in [
        (
            "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",
            "Requested resource not found",
            1,
            "there is no table `revenue` at ",
        ),
        (
            "com.amazon.coral.service#AccessDeniedException",
            "User: arn:aws:iam::1:user/ann is not authorized to perform: dynamodb:Scan on resource: arn:aws:dynamodb:us-east-1:1:table/revenue",
            1,
            "denied: `arn:aws:iam::1:user/ann` may not `dynamodb:Scan` on `arn:aws:dynamodb:us-east-1:1:table/revenue`",
        ),
        ("AccessDeniedException", "no", 1, "the caller may not `dynamodb:Scan` on the table `revenue`"),
        ("ExpiredTokenException", "expired", 1, "the AWS credentials have expired"),
        ("UnknownOperationException", "Scan", 1, "the answer at "),
    ] {
        let fake = Fake::answering(move |_, _| refusal(kind, message));
        run(tool(&fake.url(), &leases), b"").expect(code, &[says]);
    }
    // A call that is throttled, or whose connection breaks, is made again.
    let services = Services::new(one_shard(None, &text(3), three()));
    services.fake.set_weather(|operation, number| match (operation, number) {
        ("Scan", 0) => Some(Fault::Reset),
        ("Scan", 1) => Some(Fault::Other(
            400,
            "application/x-amz-json-1.0",
            r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"slow down"}"#,
        )),
        _ => None,
    });
    services.run("leases", &[]).expect(0, &[]);
    // Kinesis may refuse what the lease table allows.
    let services = Services::new(World { rows: vec![row(FIRST, None, &text(1), 0)], ..World::default() });
    services.fake.set_weather(|operation, _| {
        let denied = r#"{"__type":"AccessDeniedException","message":"no"}"#;
        (operation == "ListShards").then_some(Fault::Other(400, "application/x-amz-json-1.1", denied))
    });
    let ended = services.run("leases", &[]);
    ended.expect(0, &["ages are not shown: denied: the caller may not `kinesis:ListShards` on the stream `orders`"]);
    assert!(ended.stdout.contains(FIRST), "{ended:?}");
}
