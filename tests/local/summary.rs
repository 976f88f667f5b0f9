//! The summary at the end of a run, for people and for scripts.

use crate::harness::{Place, Running, witness};

#[test]
fn a_summary_that_cannot_be_written_is_a_failure() {
    let place = Place::with_input("1\n");
    let mut command = place.tool(["--input", "input", "--json", "--", crate::harness::witness()]);
    command.stdout(std::fs::File::options().write(true).open("/dev/full").unwrap());
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("the summary cannot be written to stdout: No space left"), "{stderr}");
}

#[test]
fn people_read_how_the_time_was_spent() {
    let place = Place::with_input("1\n2\n3\n");
    let ended = place.run(&["--max-records", "1"]);
    ended.expect(0, &["3 records (3 B) in ", "\n3 batches: ", " ms (p50)", "\ntime spent: processors "]);
    let ended = place.run(&["--app", "app", "--quiet"]);
    ended.expect(0, &[]);
    assert!(!ended.stderr.contains("records"), "{}", ended.stderr);
}

#[test]
fn scripts_read_json() {
    let place = Place::with_input("1\nnow\n3\n");
    let mut command = place.tool(["--json", "--input", "input", "--max-records", "1", "--", witness()]);
    command.env("DO", "fail");
    let (ended, stdout) = Running::start(command).end_with_stdout();
    ended.expect(1, &["as told"]);
    assert!(!ended.stderr.contains("checkpoints\n"), "{}", ended.stderr);
    let summary: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&summary["exitCode"], &summary["records"], &summary["bytes"]), (&1.into(), &1.into(), &1.into()));
    let shard = &summary["shards"][0];
    assert_eq!((&shard["shardId"], &shard["outcome"]), (&"shardId-000000000000".into(), &"failed".into()));
    assert_eq!((&shard["checkpoints"], &shard["restarts"]), (&1.into(), &0.into()));
    assert!(shard["position"].as_str().unwrap().starts_with("49"));
    assert!(shard["lastWords"].as_array().unwrap().iter().any(|line| line.as_str().unwrap().contains("as told")));
    let failure: Vec<_> = shard["failure"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert_eq!(failure[0], "the processor exited (exit status: 1) while handling processRecords");
    assert!(failure[1].starts_with("not acknowledged: record 49"), "{failure:?}");
    assert!(summary["batchMillis"]["max"].as_f64().unwrap() >= summary["batchMillis"]["p50"].as_f64().unwrap());
    assert!(summary["secondsAt"]["processor"].is_number());
}
