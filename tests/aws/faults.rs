//! Faults of the network: nothing is lost, everything ends, and each case has its sentence.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::fake::{Fake, Fault, Verdict, refusal};
use crate::tool::{Ended, Printing, end, run, signal, start, tool};

const PAGE: &str = "<html><head><title>Sign in to the network</title></head></html>";
const HTML: &str = "text/html";

/// A stream with one shard, which holds two records, and can be created, split, merged and deleted.
#[derive(Default)]
struct World {
    exists: bool,
    /// How many looks at the stream still find it busy.
    busy: usize,
    /// The first hash key, the parents and the state of each shard.
    shards: Vec<(u128, Vec<usize>, bool)>,
}

impl World {
    fn with_stream() -> Self {
        Self { exists: true, busy: 0, shards: vec![(0, Vec::new(), true)] }
    }

    fn id(number: usize) -> String {
        format!("shardId-{number:012}")
    }

    fn shard(&self, number: usize) -> Value {
        let (first, parents, is_open) = &self.shards[number];
        let end = if number == 0 || *first > 0 { u128::MAX } else { (1 << 127) - 1 };
        let mut shard = json!({
            "ShardId": Self::id(number),
            "HashKeyRange": { "StartingHashKey": first.to_string(), "EndingHashKey": end.to_string() },
            "SequenceNumberRange": { "StartingSequenceNumber": "0" },
        });
        for (name, parent) in ["ParentShardId", "AdjacentParentShardId"].iter().zip(parents) {
            shard[*name] = Self::id(*parent).into();
        }
        if !is_open {
            shard["SequenceNumberRange"]["EndingSequenceNumber"] = "9".into();
        }
        shard
    }

    fn answer(&mut self, operation: &str, input: &Value) -> (u16, Value) {
        let ok = |answer| (200, answer);
        let invalid = || refusal("InvalidArgumentException", "the shard is closed");
        match operation {
            "CreateStream" if self.exists => refusal("ResourceInUseException", "Stream orders already exists"),
            "CreateStream" => {
                *self = Self::with_stream();
                self.busy = 2;
                ok(json!({}))
            }
            _ if !self.exists => refusal("ResourceNotFoundException", "Stream orders not found"),
            "DescribeStreamSummary" => {
                let status = if self.busy > 0 { "UPDATING" } else { "ACTIVE" };
                self.busy = self.busy.saturating_sub(1);
                ok(json!({ "StreamDescriptionSummary": {
                    "StreamName": "orders", "StreamARN": "arn:aws:kinesis:us-east-1:1:stream/orders",
                    "StreamStatus": status, "RetentionPeriodHours": 24, "StreamCreationTimestamp": 1.7e9,
                    "EnhancedMonitoring": [], "OpenShardCount": 1,
                } }))
            }
            "ListShards" => {
                ok(json!({ "Shards": (0..self.shards.len()).map(|number| self.shard(number)).collect::<Vec<_>>() }))
            }
            "GetShardIterator" => ok(json!({ "ShardIterator": "first" })),
            "GetRecords" => {
                let record =
                    |number: u8| json!({ "SequenceNumber": number.to_string(), "PartitionKey": "k", "Data": "b25l" });
                let records = if input["ShardIterator"] == "first" { vec![record(7), record(8)] } else { Vec::new() };
                ok(json!({ "Records": records, "NextShardIterator": "next", "MillisBehindLatest": 0 }))
            }
            "SplitShard" | "MergeShards" | "DeleteStream" if self.busy > 0 => {
                refusal("ResourceInUseException", "Stream orders is not ACTIVE")
            }
            "DeleteStream" => {
                self.exists = false;
                ok(json!({}))
            }
            "SplitShard" if !self.shards[0].2 => invalid(),
            "SplitShard" => {
                let at = input["NewStartingHashKey"].as_str().and_then(|at| at.parse().ok()).expect("a hash key");
                self.shards[0].2 = false;
                self.shards.extend([(0, vec![0], true), (at, vec![0], true)]);
                self.busy = 1;
                ok(json!({}))
            }
            "MergeShards" if !self.shards[1].2 => invalid(),
            "MergeShards" => {
                self.shards[1].2 = false;
                self.shards[2].2 = false;
                self.shards.push((0, vec![1, 2], true));
                self.busy = 1;
                ok(json!({}))
            }
            other => refusal("UnknownOperationException", other),
        }
    }

    fn serve(mut self) -> Fake {
        Fake::answering(move |operation, input| self.answer(operation, input))
    }
}

/// A fake in which each operation's first calls fail, and the later ones succeed.
fn at_first(fault: Fault, calls: usize) -> Fake {
    World::with_stream().serve().with(move |_, number| (number < calls).then_some(fault))
}

/// The tool, which finds in less than a second that no byte moves.
fn hasty(fake: &Fake, arguments: &[&str]) -> Command {
    let mut command = tool(&fake.url(), arguments);
    command.env("KCL_IDLE_TIMEOUT", "300ms");
    command
}

fn lines(count: usize) -> Vec<u8> {
    (0..count).map(|number| format!("{number}\n")).collect::<String>().into_bytes()
}

const PUT: [&str; 3] = ["put", "--stream", "orders"];
const TAIL: [&str; 5] = ["tail", "--stream", "orders", "--from", "trim-horizon"];
const DESCRIBE: [&str; 3] = ["stream", "describe", "orders"];
const LOCAL: [&str; 5] = ["local", "--stream", "orders", "--from", "trim-horizon"];

fn local(fake: &Fake, flags: &[&str]) -> Command {
    let ledger = tests::build(&["--package", "tests", "--example", "ledger"]);
    let mut command = hasty(fake, &[&LOCAL[..], flags, &["--", ledger.to_str().expect("text")]].concat());
    command.env("LEDGER", "/dev/null");
    command
}

pub(crate) fn silent() {
    let fake = at_first(Fault::Silence, usize::MAX);
    let file = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a file");
    std::fs::write(file.path(), lines(3)).expect("it is written");
    let put = [&PUT[..], &[file.path().to_str().expect("text")]].concat();
    // No attempt ends by itself in time, so that only the signal can end the tool.
    let command = |arguments: &[&str]| {
        let mut command = tool(&fake.url(), arguments);
        command.env("KCL_IDLE_TIMEOUT", "1h");
        command
    };
    let run: Vec<_> = [&put[..], &TAIL, &DESCRIBE, &[&LOCAL[..], &["--", "true"]].concat()]
        .map(|arguments| Printing::start(command(arguments)))
        .into();
    for tool in &run {
        tool.wait_for(&format!(
            "Kinesis at {}, region us-east-1 has not answered for 2 s; waiting, and retrying",
            fake.url()
        ));
        signal(&tool.child, Signal::TERM);
    }
    for tool in run {
        assert_eq!(tool.code(), Some(130));
    }
}

pub(crate) fn gives_up_on_silence() {
    let fake = at_first(Fault::Silence, usize::MAX);
    for idle in ["1h", "100ms"] {
        let mut command = tool(&fake.url(), &[&PUT[..], &["--give-up", "400ms"]].concat());
        command.env("KCL_IDLE_TIMEOUT", idle);
        let says = ["no record was acknowledged for ", "does not answer in time", "no byte was sent or received for "];
        run(command, &lines(3)).expect(1, &says);
    }
    run(hasty(&fake, &DESCRIBE), b"")
        .expect(1, &["does not answer in time: ", "no byte was sent or received for 300 ms"]);
}

/// Every fault that passes.
const PASSING: [(Fault, &str); 6] = [
    (Fault::Silence, "no answer"),
    (Fault::Stall, "no answer"),
    (Fault::Reset, "no connection"),
    (Fault::LostAnswer, "no connection"),
    (Fault::Other(502, HTML, "<html>Bad Gateway</html>"), "service failed"),
    (
        Fault::Other(
            400,
            "application/x-amz-json-1.1",
            r#"{"__type":"LimitExceededException","message":"Rate exceeded"}"#,
        ),
        "throttled",
    ),
];

pub(crate) fn passing() {
    let mut runs = Vec::new();
    for (fault, why) in PASSING {
        let fake = at_first(fault, 1);
        let mut put = hasty(&fake, &PUT);
        put.stdin(Stdio::piped());
        let mut put = start(put);
        _ = std::io::Write::write_all(&mut put.stdin.take().expect("piped"), &lines(20));
        let tail = start(hasty(&fake, &[&TAIL[..], &["--limit", "2"]].concat()));
        let describe = start(hasty(&fake, &["stream", "describe", "orders"]));
        let local = start(local(&fake, &["--limit", "2"]));
        runs.push((fake, why, put, [tail, describe, local]));
    }
    for (fake, why, put, others) in runs {
        end(put).expect(0, &["20 records (", &format!("; records had to be retried 20 times ({why})")]);
        let taken: BTreeSet<_> = fake.taken().into_iter().map(|record| record.data).collect();
        assert_eq!(taken.len(), 20);
        let [tail, describe, local] = others.map(end);
        assert_eq!(tail.expect(0, &[]).stdout, "one\none\n");
        assert!(describe.expect(0, &[]).stdout.contains("1 shard open"), "{describe:?}");
        local.expect(0, &["2 records"]);
    }
}

/// Answers that no Kinesis gives, and the status that is said.
const FOREIGN: [(Fault, &str); 7] = [
    (Fault::Other(403, HTML, PAGE), "HTTP status 403, a page: <html><head><title>Sign in"),
    (Fault::Other(407, HTML, PAGE), "HTTP status 407, a page: "),
    (Fault::Other(200, HTML, PAGE), "HTTP status 200, a page: "),
    (Fault::Other(302, HTML, ""), "HTTP status 302, without content"),
    (Fault::Other(404, "text/plain", "404 page not found\n"), "HTTP status 404, with the content 404 page not found"),
    (Fault::Other(403, "application/json", r#"{"message":"Forbidden"}"#), "HTTP status 403, with the content {"),
    (
        Fault::Other(
            400,
            "application/x-amz-json-1.0",
            r#"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#,
        ),
        "HTTP status 400, UnknownOperationException",
    ),
];

pub(crate) fn foreign() {
    for (fault, says) in FOREIGN {
        let fake = at_first(fault, usize::MAX);
        let says = [says, "is not one of Kinesis", "a proxy, a login page of the network or another service"];
        run(hasty(&fake, &PUT), &lines(3)).expect(1, &says);
        assert_eq!(fake.count("PutRecords"), 1, "{fault:?} is not retried");
        run(hasty(&fake, &TAIL), b"").expect(1, &says);
        run(hasty(&fake, &DESCRIBE), b"").expect(1, &says);
        run(hasty(&fake, &[&LOCAL[..], &["--", "true"]].concat()), b"").expect(1, &says);
    }
}

/// Before, an answer without an end filled the memory.
pub(crate) fn endless() {
    let says = ["is longer than any of ", ": it has more than 64.0 MB"];
    let fake = at_first(Fault::Endless, usize::MAX);
    for arguments in [&PUT[..], &TAIL, &DESCRIBE, &["leases", "--app", "revenue"]] {
        run(tool(&fake.url(), arguments), &lines(3)).expect(1, &says);
    }
    let during =
        World::with_stream().serve().with(|operation, _| (operation == "GetRecords").then_some(Fault::Endless));
    run(tool(&during.url(), &TAIL), b"").expect(1, &says);
}

pub(crate) fn foreign_success() {
    let nothing = Fault::Other(200, "application/json", "{}");
    let fake = at_first(nothing, usize::MAX);
    run(hasty(&fake, &PUT), &lines(3)).expect(1, &["HTTP status 200, with 0 records where 3 were sent"]);
    run(hasty(&fake, &TAIL), b"").expect(1, &["HTTP status 200, without shards"]);
    run(hasty(&fake, &DESCRIBE), b"").expect(1, &["HTTP status 200, without a summary"]);
    // During a run it would pass for the end of the shard.
    let during = |operation: &'static str| {
        World::with_stream().serve().with(move |called, number| {
            (called == operation && (number > 0 || operation == "GetShardIterator")).then_some(nothing)
        })
    };
    for (operation, says) in [("GetRecords", "without records"), ("GetShardIterator", "without an iterator")] {
        run(hasty(&during(operation), &TAIL), b"").expect(1, &[says]);
        let ended = run(local(&during(operation), &[]), b"");
        ended.expect(1, &[says]);
        assert!(!ended.stderr.contains("SHARD_END"), "{ended:?}");
    }
}

pub(crate) fn dripping() {
    let fake = at_first(Fault::Drip(10, Duration::from_millis(60)), usize::MAX);
    run(hasty(&fake, &PUT), &lines(3)).expect(0, &["3 records ("]);
    assert_eq!(fake.count("PutRecords"), 1);
    run(hasty(&fake, &DESCRIBE), b"").expect(0, &[]);
    assert_eq!((fake.count("DescribeStreamSummary"), fake.count("ListShards")), (1, 1));
}

pub(crate) fn slow_upload() {
    let fake = Fake::new(|_, _| Verdict::Take);
    fake.read_slowly(Duration::from_millis(4));
    let record = "x".repeat(1_000_000);
    let mut command = tool(&fake.url(), &PUT);
    // The upload takes several times as long.
    command.env("KCL_IDLE_TIMEOUT", "500ms");
    let ended = run(command, format!("{record}\n{record}\n{record}\n{record}\n").as_bytes());
    ended.expect(0, &["4 records ("]);
    assert!(!ended.stderr.contains("retried"), "{ended:?}");
    assert_eq!(fake.taken().len(), 4);
}

pub(crate) fn lost_changes() {
    // The first call of a change is carried out, and its answer lost.
    let lost = |operation: &'static str, world: World| {
        world.serve().with(move |called, number| (called == operation && number == 0).then_some(Fault::LostAnswer))
    };
    let kcl = |fake: &Fake, arguments: &[&str]| run(hasty(fake, &[&["stream"], arguments].concat()), b"");
    let create = ["create", "orders", "--shards", "1"];
    kcl(&lost("CreateStream", World::default()), &create).expect(0, &["stream `orders` was created with 1 shard"]);
    let fake = lost("DeleteStream", World::with_stream());
    kcl(&fake, &["delete", "orders"]).expect(0, &["stream `orders` was deleted"]);
    let fake = lost("SplitShard", World::with_stream());
    kcl(&fake, &["split", "orders", "0"]).expect(0, &["into `shardId-000000000001` and `shardId-000000000002`"]);
    let fake = lost("MergeShards", World::with_stream());
    kcl(&fake, &["split", "orders", "0"]).expect(0, &[]);
    kcl(&fake, &["merge", "orders", "1", "2"]).expect(0, &["were merged into `shardId-000000000003`"]);

    // A change that another made is not this one's.
    let fake = World::with_stream().serve();
    kcl(&fake, &create).expect(1, &["the stream `orders` already exists"]);
    kcl(&fake, &["split", "orders", "0"]).expect(0, &[]);
    let fake = World::default().serve();
    kcl(&fake, &["delete", "orders"]).expect(1, &["there is no stream `orders`"]);
}

pub(crate) fn busy() {
    let world = World { busy: 3, ..World::with_stream() };
    let fake = world.serve();
    run(hasty(&fake, &["stream", "split", "orders", "0"]), b"").expect(0, &["was split at"]);
    assert_eq!(fake.count("SplitShard"), 2);
}

pub(crate) fn closed_output() {
    let fake = World::with_stream().serve();
    let mut tail = hasty(&fake, &[&TAIL[..], &["--quiet"]].concat());
    tail.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut tail = start(tail);
    let mut stdout = BufReader::new(tail.stdout.take().expect("piped"));
    for _ in 0..2 {
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a line");
        assert_eq!(line, "one\n");
    }
    // No more records come, as after `head -2`.
    drop(stdout);
    let Ended { code, stderr, .. } = end(tail);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
}

pub(crate) fn blocked_output() {
    // Each call returns the records again.
    let mut world = World::with_stream();
    let fake = Fake::answering(move |operation, input| match operation {
        "GetRecords" => {
            let record = json!({ "SequenceNumber": "7", "PartitionKey": "k", "Data": "b25l" });
            let records = vec![record; 5_000];
            (200, json!({ "Records": records, "NextShardIterator": "next", "MillisBehindLatest": 0 }))
        }
        _ => world.answer(operation, input),
    });
    let mut tail = hasty(&fake, &[&TAIL[..], &["--json"]].concat());
    tail.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut tail = start(tail);
    let mut stdout = tail.stdout.take().expect("piped");
    stdout.read_exact(&mut [0; 100]).expect("the first line");
    signal(&tail, Signal::TERM);
    assert_eq!(tail.wait().expect("it ends").code(), Some(130));
}

pub(crate) fn expiring() {
    let expired = r#"{"__type":"ExpiredIteratorException","message":"it expired"}"#;
    let fake = World::with_stream().serve().with(move |operation, _| {
        (operation == "GetRecords").then_some(Fault::Other(400, "application/x-amz-json-1.1", expired))
    });
    let says = "shardId-000000000000 cannot be read: 5 iterators in a row were refused as soon as they were issued";
    run(hasty(&fake, &TAIL), b"").expect(1, &[says, "ExpiredIteratorException"]);
    assert_eq!(fake.count("GetRecords"), 5);
}

pub(crate) fn never_ending() {
    let mut world = World::with_stream();
    world.shards = vec![(0, Vec::new(), false), (0, vec![0], true), (1 << 127, vec![0], true)];
    let fake = world.serve();
    let tail = Printing::start(hasty(&fake, &TAIL));
    assert_eq!(tail.take(2), ["one", "one"]);
    tail.wait_for("shardId-000000000000 is closed and returns no more records, but its end is not reported");
    signal(&tail.child, Signal::INT);
    assert_eq!(tail.code(), Some(130));
}

pub(crate) fn permanent() {
    let fake = Fake::new(|_, _| Verdict::Refuse(400, "ResourceNotFoundException", "Stream orders not found"));
    let ended = run(hasty(&fake, &[&PUT[..], &["--json"]].concat()), &lines(3));
    ended.expect(1, &["there is no stream `orders`"]);
    let summary: Value = serde_json::from_str(&ended.stdout).expect("it is JSON");
    assert_eq!((&summary["calls"], &summary["again"]), (&json!(1), &json!(0)));
    for url in ["localhost:4566", "kinesis", "ftp://localhost", "http://"] {
        run(tool(url, &PUT), &lines(1)).expect(2, &[&format!("`{url}` is not the URL of an endpoint")]);
    }
}

pub(crate) fn two_at_once() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let state = folder.path().join("state");
    let arguments = [&PUT[..], &["--resume", state.to_str().expect("text")]].concat();
    let fake = Fake::new(|_, _| Verdict::Take);
    let mut first = tool(&fake.url(), &arguments);
    first.stdin(Stdio::piped());
    let mut first = start(first);
    let mut input = first.stdin.take().expect("piped");
    std::io::Write::write_all(&mut input, &lines(2)).expect("it reads");
    fake.wait_for_calls(1);
    run(tool(&fake.url(), &arguments), &lines(2)).expect(2, &["state is in use by another run that has not ended"]);
    drop(input);
    end(first).expect(0, &["2 records ("]);
    run(tool(&fake.url(), &arguments), &lines(3)).expect(0, &["resuming after 2 records", "1 record ("]);
    assert_eq!(fake.taken().len(), 3);
}
