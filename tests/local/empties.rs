//! Batches without records, which `--empty-every` sends.

use rustix::process::Signal;
use serde_json::Value;

use crate::follow::{append, interrupt};
use crate::harness::{Place, Running, planted, wait_until, witness};

/// Answers each message after 50 ms, and ends shards properly.
const SLOW: &str = r#"while read -r line; do
    sleep 0.05
    action=${line#*\"action\":\"}; action=${action%%\"*}
    if [ "$action" = shardEnded ]; then
        echo '{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null}'; read -r answer
    fi
    echo "{\"action\":\"status\",\"responseFor\":\"$action\"}"
done"#;

/// The messages to a shard's first processor. A batch is the number of its records.
fn messages(place: &Place, recording: &str, shard: u32) -> Vec<String> {
    let lines = place.read(&format!("{recording}/shardId-{shard:012}/in.jsonl"));
    let messages = lines.lines().map(|line| {
        let message: Value = serde_json::from_str(line).unwrap();
        match message["records"].as_array() {
            Some(records) => {
                assert_eq!(message["millisBehindLatest"], 0, "{message}");
                records.len().to_string()
            }
            None => message["action"].as_str().unwrap().to_owned(),
        }
    });
    messages.collect()
}

fn empties(place: &Place, recording: &str, shard: u32) -> usize {
    place.read(&format!("{recording}/shardId-{shard:012}/in.jsonl")).matches("\"records\":[]").count()
}

#[test]
fn a_quiet_log_gets_them_on_every_shard() {
    let place = Place::with_input("1\n");
    let arguments = ["--input", "input", "--follow", "--shards", "2", "--empty-every", "20ms", "--record", "recorded"];
    let running = Running::start(place.tool([&arguments[..], &["--", witness()]].concat()));
    let wait_for = |count: usize| {
        wait_until("each shard gets batches without records", || {
            (0..2).all(|shard| empties(&place, "recorded", shard) >= count)
        });
    };
    wait_for(3);
    append(&place, "input", "2\n3\n4\n5\n6\n");
    wait_until("the records are seen", || place.read("seen").matches("record ").count() == 6);
    wait_for(6);
    running.signal(Signal::INT);
    running.end().expect(130, &["stopped", "6 records ("]);
    let seen = place.seen();
    assert_eq!(seen.data(), ["1", "2", "3", "4", "5", "6"]);
    assert_eq!((seen.count("shutdownRequested"), seen.count("shardEnded")), (2, 0));
    let times = place.read("recorded/shardId-000000000001/times.tsv");
    assert!(times.contains("processRecords n=0"), "{times}");
    Running::start(place.replay(["recorded", "--", witness()])).end().expect(0, &["2 conversations: all the same"]);
}

#[test]
fn a_slow_processor_gets_one_between_two_batches() {
    let place = Place::with_input("1\n2\n3\n4\n");
    let arguments = ["--empty-every", "1ms", "--max-records", "1", "--record", "recorded", "--reshard", "split@3"];
    let script = place.script(&[&arguments[..], &["--json"]].concat(), SLOW);
    let (ended, stdout) = Running::start(script).end_with_stdout();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let messages = messages(&place, "recorded", 0);
    let batches: Vec<_> =
        messages.iter().enumerate().filter(|(_, message)| *message == "1").map(|(at, _)| at).collect();
    assert_eq!(batches.len(), 3, "{messages:?}");
    for pair in batches.windows(2) {
        assert!(pair[1] > pair[0] + 1, "{messages:?}");
        assert!(messages[pair[0] + 1..pair[1]].iter().all(|message| message == "0"), "{messages:?}");
    }
    assert!(messages.ends_with(&["shardEnded".to_owned(), "checkpoint".to_owned()]), "{messages:?}");
    let result: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(result["batchMillis"]["count"], 4, "only batches with records are measured: {result}");
}

#[test]
fn a_fast_processor_gets_none() {
    let place = Place::with_input("1\n2\n3\n4\n");
    let arguments = ["--empty-every", "1h", "--max-records", "1", "--record", "recorded"];
    place.run(&arguments).expect(0, &["4 records ("]);
    assert_eq!(empties(&place, "recorded", 0), 0);
}

#[test]
fn a_variable_that_asks_for_a_description_does_not_reach_processors() {
    let place = Place::with_input("1\n2\n");
    let mut command = place.tool(["--input", "input", "--", witness()]);
    command.env("KCL_DESCRIBE", "1");
    Running::start(command).end().expect(0, &["2 records"]);
}

#[test]
fn a_processor_that_fails_or_hangs_in_one_is_reported() {
    let place = Place::with_input("1\n");
    let follow = ["--input", "input", "--follow", "--empty-every", "10ms"];
    let mut fails = place.tool([&follow[..], &["--", planted()]].concat());
    fails.env("BUG", "empty-batches");
    Running::start(fails).end().expect(
        1,
        &[
            "while handling processRecords",
            "cargo kcl: shardId-000000000000: the processor exited",
            "\n  delivered again: all records after the checkpoint at 49",
        ],
    );

    const HANGS: &str =
        r#"read -r line; echo '{"action":"status","responseFor":"initialize"}'; while :; do sleep 1; done"#;
    let empty = Place::with_input("");
    let mut hangs = empty.script(&["--follow", "--empty-every", "10ms", "--stuck-after", "20ms"], HANGS);
    let stderr = std::fs::File::create(empty.path("stderr")).unwrap();
    hangs.stderr(stderr);
    let mut child = hangs.spawn().unwrap();
    wait_until("it is reported", || {
        empty.read("stderr").contains("the processor has been handling processRecords for 20 ms")
    });
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn saved_checkpoints_are_as_without_them() {
    let place = Place::with_input("1\n");
    let follow = ["--input", "input", "--follow", "--app", "app", "--empty-every", "10ms", "--", witness()];
    let running = Running::start(place.tool(follow));
    wait_until("the record is seen", || place.read("seen").contains("record "));
    assert_eq!(interrupt(&place, running), ["1"]);
    append(&place, "input", "2\n");
    let running = Running::start(place.tool(follow));
    wait_until("the record is seen", || place.read("seen").contains("record "));
    assert_eq!(interrupt(&place, running), ["2"]);
}
