//! Faults that are injected on a schedule, and the promises that must hold anyway.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;

use serde_json::Value;

use crate::harness::{Ended, Place, Running, ledger, planted, wait_until, witness};

fn numbers(count: u32) -> String {
    (1..=count).map(|number| format!("{number}\n")).collect()
}

/// The number of promises reported as held; there are five.
fn held(ended: &Ended) -> usize {
    ended.stderr.matches("\n  held    ").count()
}

/// The events in the conversations of a recording, without their times.
fn schedule(place: &Place, recording: &str) -> Vec<(String, Vec<String>)> {
    let folders = fs::read_dir(place.path(recording)).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = folders.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name != "meta.json");
    names.sort_unstable();
    let rows = |name: &String| {
        let times = place.read(&format!("{recording}/{name}/times.tsv"));
        times.lines().map(|row| row.split_once('\t').unwrap().1.to_owned()).collect()
    };
    names.iter().map(|name| (name.clone(), rows(name))).collect()
}

#[test]
fn the_same_seed_does_the_same_again() {
    let place = Place::with_input(numbers(600));
    let run = |seed: &str, recording: &str| {
        let arguments = ["--chaos", seed, "--chaos-rates", "reshard=0.5", "--record", recording, "--shards", "3"];
        place.run(&arguments).expect(0, &["every record was delivered at least once", ": 600 of 600\n"]);
        place.seen();
        schedule(&place, recording)
    };
    let first = run("11", "first");
    assert!(first.iter().any(|(name, _)| name.ends_with(".2")), "a processor was restarted");
    let faults = |run: &[(String, Vec<String>)]| {
        let rows = run.iter().flat_map(|(_, rows)| rows.clone());
        rows.filter(|row| row.starts_with("chaos\t")).collect::<Vec<_>>()
    };
    assert!(faults(&first).len() > 20, "{:?}", faults(&first));
    assert_eq!(run("11", "second"), first);
    for (name, _) in &first {
        let messages = |recording: &str| place.read(&format!("{recording}/{name}/in.jsonl"));
        assert_eq!(messages("first"), messages("second"), "{name}");
    }
    assert_ne!(faults(&run("12", "third")), faults(&first));
}

#[test]
fn batches_without_records_change_no_fault() {
    let place = Place::with_input(numbers(300));
    let run = |arguments: &[&str], recording: &str| {
        let chaos = ["--chaos", "11", "--shards", "2", "--max-records", "7", "--record", recording];
        let ended = place.run(&[&chaos[..], arguments].concat());
        ended.expect(0, &[": 300 of 300\n"]);
        assert_eq!(held(&ended), 5, "{ended:?}");
        place.seen();
        let rows = schedule(&place, recording).into_iter().flat_map(|(_, rows)| rows);
        let (faults, others): (Vec<_>, Vec<_>) = rows.partition(|row| row.starts_with("chaos\t"));
        (faults, others.iter().filter(|row| row.ends_with("processRecords n=0")).count())
    };
    // Each message takes longer than this.
    let (faults, more) = run(&["--empty-every", "1ms"], "with");
    let (expected, fewer) = run(&[], "without");
    assert!(more > fewer, "{more} {fewer}");
    assert_eq!(faults, expected);
}

#[test]
fn a_good_processor_survives_every_fault() {
    let place = Place::with_input(numbers(1_000));
    let rates = "all=0.1,reshard=1,throttle=0.2";
    let arguments = ["--chaos", "3", "--chaos-rates", rates, "--json", "--shards", "2", "--input", "input"];
    let mut command = place.tool([&arguments[..], &["--", ledger()]].concat());
    command.env("LEDGER", place.path("ledger"));
    let (ended, stdout) = Running::start(command).end_with_stdout();
    ended.expect(0, &[]);
    let summary: Value = serde_json::from_str(&stdout).unwrap();
    let faults = summary["chaos"]["faults"].as_object().unwrap();
    assert!(faults.len() == 10 && faults.values().all(|count| count.as_u64() > Some(0)), "{faults:?}");
    let promises = summary["chaos"]["promises"].as_array().unwrap();
    assert!(promises.len() == 5 && promises.iter().all(|promise| promise["held"] == true), "{promises:?}");
    // The processor's ledger confirms what the tool reports.
    let text = place.read("ledger");
    let data: BTreeSet<_> = text.lines().filter_map(|line| Some(line.split_once(" record ")?.1)).collect();
    assert_eq!(data.len(), 1_000);
    assert!(text.contains("leaseLost") && text.contains("shutdownRequested"));
}

#[test]
fn bugs_are_found() {
    let place = Place::with_input(numbers(2_000));
    let run = |bug: &str, seed: &str| {
        let arguments = ["--chaos", seed, "--stuck-after", "1s", "--shards", "2", "--input", "input", "--", planted()];
        let mut command = place.tool(arguments);
        command.env("BUG", bug);
        Running::start(command).end()
    };
    let ended = run("none", "1");
    ended.expect(0, &["chaos 1: ", ": 2000 of 2000\n"]);
    assert_eq!(held(&ended), 5, "{}", ended.stderr);
    let repeat = format!(
        "To repeat this run: cargo kcl local --chaos 1 --stuck-after 1s --shards 2 --input input -- {}",
        planted()
    );
    for (bug, says) in [
        (
            "past-the-end",
            [
                "  BROKEN  no checkpoint was requested past the last record delivered",
                "; the last record delivered is 49",
            ],
        ),
        (
            "goes-back",
            ["  BROKEN  no checkpoint was requested before the previous one", ", but the shard's checkpoint is 49"],
        ),
        ("ignores-refusals", ["shardEnded was acknowledged without a checkpoint", "Exception\n"]),
        ("empty-batches", ["the processor exited (exit status: 1) while handling processRecords", ": empty"]),
        ("null-millis", ["the processor exited (exit status: 1) while handling processRecords", ": null-millis"]),
        ("short-reads", ["; it is killed, which --chaos counts as its failure", ": pieces"]),
        ("leaves-early", ["the processor exited (exit status: 0) while handling leaseLost", ": shutdown\n"]),
    ] {
        let ended = run(bug, "1");
        ended.expect(1, &says);
        ended.expect(1, &["\n  BROKEN  ", &repeat]);
    }
}

#[test]
fn the_processors_own_failure_is_told_apart_from_chaos() {
    let place = Place::with_input("1\n2\nnow\n4\n");
    let run = |rates: &str, restarts: &str| {
        let arguments =
            ["--chaos", "5", "--chaos-rates", rates, "--restarts", restarts, "--input", "input", "--", witness()];
        let mut command = place.tool(arguments);
        command.env("DO", "fail");
        let ended = Running::start(command).end();
        place.seen();
        ended
    };
    let ended = run("all=0", "0");
    ended.expect(1, &["as told", "chaos 5, message ", ": no fault was injected", "failed; its checkpoint is 49"]);
    ended.expect(1, &["; no fault occurred\n", "2 of 4 records were processed"]);
    run("all=0", "1").expect(1, &["restart 1 of 1"]);
    let ended = run("all=0,kill=0.5", "0");
    ended.expect(1, &["as told", "kill "]);
    assert_eq!(ended.stderr.matches("not acknowledged: record").count(), 1, "{}", ended.stderr);
}

#[test]
fn input_that_cannot_be_read_again_is_refused() {
    let place = Place::with_input("1\n");
    const AGAIN: &str = "--chaos needs input that can be read again";
    place.run(&["--chaos", "1", "--follow"]).expect(2, &[AGAIN]);
    let mut command = place.tool(["--chaos", "1", "--input", "-", "--", witness()]);
    command.stdin(Stdio::piped());
    Running::start(command).end().expect(2, &[AGAIN]);
    place.run(&["--chaos", "1", "--app", "app"]).expect(2, &["--chaos", "--app"]);
    place.run(&["--chaos", "1", "--chaos-rates", "kills=1"]).expect(2, &["`kills=1` is not NAME=RATE", "null-millis"]);
    place.run(&["--chaos", "one"]).expect(2, &["one"]);
}

#[test]
fn an_interrupted_run_does_not_report_that_all_was_delivered() {
    let place = Place::with_input(numbers(200_000));
    let running = Running::start(place.tool(["--chaos", "1", "--input", "input", "--", witness()]));
    wait_until("a record was processed", || place.read("seen").contains("record"));
    running.signal(rustix::process::Signal::INT);
    let ended = running.end();
    ended.expect(130, &["  open    every record was delivered", " of 200000\n", "did not reach its end"]);
    assert_eq!(held(&ended), 4, "{}", ended.stderr);
}
