//! Runs whose checkpoints are saved.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use crate::harness::{Place, Running, Seen, wait_until, witness};

/// Records, one of which makes the witness do what `DO` names.
fn with_trouble(at: usize) -> String {
    (1..=2_000).map(|number| if number == at { "now\n".to_owned() } else { format!("{number}\n") }).collect()
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// Runs until the trouble, then again without it. Returns what the two runs saw, and the input.
fn crash_and_resume(trouble: &str, says: &[&str]) -> (Seen, Seen, String) {
    let input = with_trouble(777);
    let place = Place::with_input(&input);
    let arguments = ["--shards", "3", "--max-records", "50", "--app", "app", "--input", "input", "--", witness()];
    let mut command = place.tool(arguments);
    Running::start({
        command.env("DO", trouble);
        command
    })
    .end()
    .expect(1, says);
    let crashed = place.seen();
    let mut command = place.tool(arguments);
    Running::start({
        command.env("DO", "print");
        command
    })
    .end()
    .expect(0, &["resuming after the saved checkpoints", "ended before"]);
    let resumed = place.seen();
    Running::start(place.tool(arguments)).end().expect(0, &["all 3 shards are at SHARD_END", "--fresh"]);
    assert_eq!(place.seen(), Seen(Vec::new()));
    (crashed, resumed, input)
}

#[test]
fn a_crash_loses_nothing_and_skips_nothing() {
    for (trouble, says) in [
        ("panic", ["exited (exit status: 1)", "not acknowledged: record 49", "(input, line 777)"]),
        (
            "abort",
            [
                "exited (signal: 6 (SIGABRT)",
                "not acknowledged: record 49",
                "; delivered again: all records after the checkpoint at ",
            ],
        ),
    ] {
        let (crashed, resumed, input) = crash_and_resume(trouble, &says);
        assert_eq!(crashed.count("shardEnded"), 2, "the other shards continue");
        let mut all = [crashed.data(), resumed.data()].concat();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all, sorted(&input), "{trouble}");

        let position = resumed.starting_with("initialize ").next().and_then(|line| line.split_once(' ')).unwrap().1;
        let before: Vec<_> = crashed.records().filter(|(number, _)| *number <= position).collect();
        assert!(resumed.records().all(|(number, _)| number > position), "it resumes after the checkpoint");
        assert!(before.iter().any(|(number, _)| *number == position), "the checkpointed record was seen");
    }
}

#[test]
fn a_run_resumes_right_after_the_checkpoint() {
    // After a panic, the runtime has checkpointed the record before, so only the failed record is delivered twice.
    let (crashed, resumed, _) = crash_and_resume("panic", &[]);
    let twice: Vec<_> = resumed.data().into_iter().filter(|data| crashed.data().contains(data)).collect();
    assert_eq!(twice, ["now"]);
}

/// A processor that works ahead: it acknowledges each batch, and fails in the third.
const WORKS_AHEAD: &str = r#"#!/bin/sh
if [ "$KCL_DESCRIBE" = 1 ]; then
    echo '{"emptyBatches":false,"concurrency":4,"ahead":2,"drainMillis":1}'
    exit
fi
read -r line; echo '{"action":"status","responseFor":"initialize"}'
for batch in 1 2; do read -r line; echo '{"action":"status","responseFor":"processRecords"}'; done
read -r line; exit 3
"#;

#[test]
fn what_a_processor_has_acknowledged_ahead_is_not_taken_for_done() {
    let place = Place::with_input("1\n2\n3\n");
    fs::write(place.path("ahead"), WORKS_AHEAD).unwrap();
    fs::set_permissions(place.path("ahead"), fs::Permissions::from_mode(0o755)).unwrap();
    // With `--empty-every`, the processor is asked, too.
    for arguments in [&[][..], &["--empty-every", "1h"]] {
        let arguments = [arguments, &["--input", "input", "--max-records", "1", "--", "./ahead"]].concat();
        let ended = Running::start(place.tool(arguments)).end();
        ended.expect(
            1,
            &["(exit status: 3)", "\n  delivered again: all records after the checkpoint at TRIM_HORIZON\n"],
        );
        assert!(!ended.stderr.contains("not acknowledged"), "{}", ended.stderr);
    }
}

#[test]
fn a_run_with_other_settings_is_refused() {
    let place = Place::with_input("{\"k\":1}\n");
    fs::write(place.path("other"), "1\n").unwrap();
    place.run(&["--app", "app", "--key", "/k"]).expect(0, &[]);
    place.run(&["--app", "app", "--key", "/k", "--shards", "2"]).expect(2, &["--shards was 1, now it is 2", "--fresh"]);
    place.run(&["--app", "app"]).expect(2, &["--key was `/k`, now it is the record's number"]);
    place.run(&["--app", "app", "--key", "/k", "--input", "other"]).expect(2, &["--input was ", "other"]);
    place.run(&["--app", "other", "--shards", "2"]).expect(0, &["1 record "]);
}

#[test]
fn fresh_discards_the_checkpoints() {
    let place = Place::with_input("1\n2\n");
    place.run(&["--app", "app"]).expect(0, &["2 records"]);
    place.seen();
    place.run(&["--app", "app", "--fresh", "--shards", "2"]).expect(0, &["2 records"]);
    assert_eq!(place.seen().data(), ["1", "2"]);
    place.run(&["--app", "app", "--shards", "2"]).expect(0, &["all 2 shards are at SHARD_END"]);
}

#[test]
fn records_added_after_the_end_of_a_shard_are_noticed() {
    let place = Place::with_input("1\n2\n");
    place.run(&["--app", "app"]).expect(0, &["2 records"]);
    fs::write(place.path("input"), "1\n2\n3\n").unwrap();
    place.run(&["--app", "app"]).expect(2, &["input had 4 bytes when 1 shard ended and has 6 now", "--fresh"]);
    place.run(&["--app", "app", "--rewind", "0=TRIM_HORIZON"]).expect(0, &["3 records"]);
    place.run(&["--app", "app"]).expect(0, &["everything was already processed"]);

    // A shard that did not end continues to the new end.
    let place = Place::with_input("1\n2\nnow\n");
    let mut fails = place.tool(["--app", "app", "--input", "input", "--", witness()]);
    fails.env("DO", "fail");
    Running::start(fails).end().expect(1, &[]);
    fs::write(place.path("input"), "1\n2\nnow\n4\n").unwrap();
    place.seen();
    let mut resumes = place.tool(["--app", "app", "--input", "input", "--", witness()]);
    resumes.env("DO", "print");
    Running::start(resumes).end().expect(0, &["resuming after the saved checkpoints"]);
    assert_eq!(place.seen().data(), ["4", "now"]);
}

#[test]
fn a_script_learns_that_everything_was_already_processed() {
    let place = Place::with_input("1\n");
    place.run(&["--app", "app"]).expect(0, &[]);
    let arguments = ["--app", "app", "--input", "input", "--json", "--quiet", "--", witness()];
    let (ended, stdout) = Running::start(place.tool(arguments)).end_with_stdout();
    ended.expect(0, &[]);
    assert_eq!(ended.stderr, "");
    let summary: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&summary["records"], &summary["shards"][0]["outcome"]), (&0.into(), &"endedBefore".into()));
}

#[test]
fn showing_checkpoints_creates_no_files() {
    let place = Place::with_input("");
    Running::start(place.tool(["--show-checkpoints", "--app", "app"]))
        .end()
        .expect(2, &["there are no checkpoints in"]);
    assert!(!place.path(".kcl").exists());
}

#[test]
fn without_a_name_nothing_is_saved() {
    let place = Place::with_input("1\n");
    for _ in 0..2 {
        place.run(&[]).expect(0, &["1 record "]);
    }
    assert!(!place.path(".kcl").exists());
}

#[test]
fn the_state_keeps_itself_out_of_version_control() {
    let place = Place::with_input("1\n");
    place.run(&["--app", "app"]).expect(0, &[]);
    assert_eq!(place.read(".kcl/.gitignore"), "*\n");
    assert!(place.path(".kcl/app.redb").exists());

    place.run(&["--state", "elsewhere"]).expect(0, &["1 record "]);
    assert!(place.path("elsewhere/witness.redb").exists(), "named after the processor");
    assert!(!place.path("elsewhere/.gitignore").exists());
}

#[test]
fn standard_input_counts_from_its_start() {
    let place = Place::with_input("");
    let run = |trouble: &str| {
        let mut command = place.tool(["--app", "app", "--input", "-", "--max-records", "10", "--", witness()]);
        command.stdin(Stdio::piped()).env("DO", trouble);
        let mut running = Running::start(command);
        // The tool may end before it has read everything.
        _ = running.child().stdin.take().unwrap().write_all(with_trouble(25).as_bytes());
        running.end()
    };
    run("panic").expect(1, &["(standard input, line 25)"]);
    assert_eq!(place.seen().records().last().unwrap().1, "now");
    run("print").expect(0, &[]);
    let seen = place.seen();
    assert_eq!(seen.records().next().unwrap().1, "now");
    assert_eq!(seen.records().count(), 2_000 - 24);
}

#[test]
fn a_state_serves_one_run_at_a_time() {
    let place = Place::with_input("1\n");
    let mut command = place.tool(["--app", "app", "--input", "-", "--", witness()]);
    command.stdin(Stdio::piped());
    let mut first = Running::start(command);
    first.child().stdin.as_mut().unwrap().write_all(b"1\n").unwrap();
    wait_until("the first run is processing", || place.read("seen").contains("record"));
    let refused = format!("app.redb is in use by another run that has not ended (process {})", first.child().id());
    place.run(&["--app", "app"]).expect(2, &[&refused]);
    place.run(&["--app", "app", "--fresh"]).expect(2, &[&refused]);
    Running::start(place.tool(["--app", "app", "--show-checkpoints"])).end().expect(2, &[&refused]);
    drop(first.child().stdin.take());
    first.end().expect(0, &["1 record "]);
}

#[test]
fn two_runs_that_begin_at_once_do_not_both_process() {
    let place = Place::with_input("1\n");
    for round in 0..5 {
        let app = format!("app{round}");
        let run = || Running::start(place.tool(["--app", &*app, "--input", "input", "--", witness()]));
        let both = [run(), run()].map(Running::end);
        let processed = both.iter().filter(|ended| ended.stderr.contains("1 record ")).count();
        assert_eq!((processed, place.seen().data()), (1, vec!["1"]), "{both:?}");
        for ended in &both {
            let texts = ["1 record ", "is in use by another run", "everything was already processed"];
            assert!(texts.iter().any(|text| ended.stderr.contains(text)), "{ended:?}");
        }
    }
}

#[test]
fn an_invalid_state_is_an_error() {
    let place = Place::with_input("1\n");
    fs::create_dir(place.path(".kcl")).unwrap();
    for rubbish in ["not a database, but long enough to be taken for one\n".repeat(500), "short".to_owned()] {
        fs::write(place.path(".kcl/app.redb"), rubbish).unwrap();
        place.run(&["--app", "app"]).expect(2, &["app.redb cannot be read", "--fresh"]);
        place.run(&["--app", "app", "--fresh"]).expect(0, &["1 record "]);
    }
    // A version that was killed while it created the file left its header, or nothing but zeros.
    for header in [&[0; 73_728][..], &[&[0; 9][..], b"\x04\0\0\0\x10", &[0; 73_714]].concat()] {
        place.run(&["--app", "app", "--fresh"]).expect(0, &[]);
        fs::write(place.path(".kcl/app.redb"), header).unwrap();
        let show = || Running::start(place.tool(["--app", "app", "--show-checkpoints"])).end();
        show().expect(2, &["there are no checkpoints in"]);
        place.run(&["--app", "app"]).expect(0, &["app.redb was never completed", "this run starts over", "1 record "]);
        place.run(&["--app", "app"]).expect(0, &["everything was already processed"]);
    }
    fs::write(place.path("file"), "").unwrap();
    place.run(&["--state", "file"]).expect(2, &["cannot be saved in file"]);
}

#[test]
fn a_file_that_happens_to_have_the_name_of_the_lock_is_left_alone() {
    let place = Place::with_input("1\n");
    fs::write(place.path("Cargo.lock"), "version = 4\n").unwrap();
    place.run(&["--state", ".", "--app", "Cargo"]).expect(2, &["Cargo.lock is not a lock file of this tool"]);
    assert_eq!(place.read("Cargo.lock"), "version = 4\n");
    std::os::unix::fs::symlink(place.path("input"), place.path("link.lock")).unwrap();
    place.run(&["--state", ".", "--app", "link"]).expect(2, &["link.lock is not a lock file of this tool"]);
    assert_eq!(place.read("input"), "1\n");
}

#[test]
fn checkpoints_go_on_after_an_error_of_the_disk() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};

    let place = Place::with_input("");
    let mut command = place.tool(["--app", "app", "--input", "-", "--", witness()]);
    command.stdin(Stdio::piped());
    let mut running = Running::start(command);
    let id = Pid::from_child(running.child());
    let mut stdin = running.child().stdin.take().unwrap();
    let mut send = |record: &str| {
        stdin.write_all(format!("{record}\n").as_bytes()).unwrap();
        wait_until("the record is seen", || {
            place.read("seen").lines().any(|line| line.ends_with(&format!(" {record}")))
        });
    };
    send("1");
    // Every write fails, as on a full disk.
    let limit = |current| prlimit(Some(id), Resource::Fsize, Rlimit { current, maximum: None }).unwrap();
    let before = limit(Some(1));
    send("2");
    // The processor retries its checkpoint a few times, which the next record waits for.
    send("3");
    limit(before.current);
    send("4");
    drop(stdin);
    running.end().expect(0, &["the checkpoint cannot be saved: I/O error: File too large", "ended"]);
    Running::start(place.tool(["--app", "app", "--show-checkpoints"])).end().expect(0, &["SHARD_END"]);
}

#[test]
fn an_app_stays_in_its_folder() {
    let place = Place::with_input("1\n");
    place.run(&["--app", "../app"]).expect(2, &["letters, digits"]);
}

#[test]
fn an_input_that_changed_before_the_checkpoint_is_refused() {
    for (changed, line) in
        [("1\n2\nX\nnow\n5\n", "line 3"), ("1\n2\n", "line 3"), ("1\n22\n\nnow\n5\n", "line 3"), ("", "line 3")]
    {
        let place = Place::with_input("1\n2\n3\nnow\n5\n");
        let mut command = place.tool(["--app", "app", "--input", "input", "--", witness()]);
        command.env("DO", "panic");
        Running::start(command).end().expect(1, &["(input, line 4)"]);
        place.seen();
        fs::write(place.path("input"), changed).unwrap();
        place.run(&["--app", "app"]).expect(2, &["input has changed since it was processed", line, "--fresh"]);
        assert_eq!(place.seen().records().count(), 0);
    }
}

#[test]
fn another_input_is_refused_after_the_end_too() {
    for (changed, says) in [
        ("3\n2\n1\n", "its content up to line"),
        ("1\n2\nX\n", "its content up to line"),
        ("1\n2\n", "its content up to line 3 is different"),
        ("", "its content up to line"),
    ] {
        let place = Place::with_input("1\n2\n3\n");
        place.run(&["--app", "app", "--shards", "2"]).expect(0, &[]);
        fs::write(place.path("input"), changed).unwrap();
        let refused = place.run(&["--app", "app", "--shards", "2"]);
        refused.expect(2, &["input has changed since it was processed", says, "--fresh"]);
        assert!(!refused.stderr.contains("already processed"), "{}", refused.stderr);
        // A run that would stop before the change compares all of it.
        place.run(&["--app", "app", "--shards", "2", "--limit", "1"]).expect(2, &["has changed", says]);
    }

    let place = Place::with_input("");
    let run = |text: &str| {
        let mut command = place.tool(["--app", "app", "--input", "-", "--", witness()]);
        command.stdin(Stdio::piped());
        let mut running = Running::start(command);
        _ = running.child().stdin.take().unwrap().write_all(text.as_bytes());
        running.end()
    };
    run("1\n2\n").expect(0, &["2 records"]);
    run("1\n2\n").expect(0, &["everything was already processed"]);
    run("1\n3\n").expect(2, &["standard input has changed since it was processed: its content up to line 2"]);
    run("1\n").expect(2, &["standard input has changed since it was processed: its content up to line 2"]);
    run("1\n2\n3\n").expect(2, &["standard input has more records than the 4 bytes that it had when 1 shard ended"]);
}

#[test]
fn checkpoints_can_be_shown_and_moved_back() {
    let place = Place::with_input("1\n2\n3\n");
    let show = || Running::start(place.tool(["--app", "app", "--show-checkpoints"])).end();
    show().expect(2, &["there are no checkpoints in"]);
    let mut command =
        place.tool(["--app", "app", "--max-records", "1", "--input", "input", "--input", "-", "--", witness()]);
    command.stdin(Stdio::piped());
    let mut running = Running::start(command);
    running.child().stdin.as_mut().unwrap().write_all(b"4\n").unwrap();
    wait_until("all were seen", || place.read("seen").matches("record").count() == 4);
    running.signal(rustix::process::Signal::INT);
    running.end().expect(130, &[]);
    let seen = place.seen();
    show().expect(
        0,
        &[
            "Saved by a run with:\n  --follow: ",
            "\n  --input: ",
            "\n  --shards: 1\n",
            "\nshardId-000000000000  49",
            "(input 2, line 1)",
        ],
    );

    let second = seen.records().nth(1).unwrap().0.strip_suffix("/0").unwrap();
    let run = |rewind: &str| {
        let arguments = ["--app", "app", "--max-records", "1", "--rewind", rewind];
        let mut command = place.tool([&arguments[..], &["--input", "input", "--input", "-", "--", witness()]].concat());
        command.stdin(Stdio::piped());
        let mut running = Running::start(command);
        _ = running.child().stdin.take().unwrap().write_all(b"4\n");
        running.end()
    };
    run(&format!("shardId-000000000000={second}")).expect(0, &["2 records"]);
    assert_eq!(place.seen().data(), ["3", "4"]);
    show().expect(0, &["shardId-000000000000  SHARD_END"]);
    run("0=TRIM_HORIZON").expect(0, &["4 records"]);
    assert_eq!(place.seen().data(), ["1", "2", "3", "4"]);
    run("1=TRIM_HORIZON").expect(2, &["shardId-000000000001 has no checkpoint; --rewind moves a checkpoint back"]);
}

#[test]
fn a_refused_run_moves_no_checkpoint() {
    let place = Place::with_input("1\n2\n3\n");
    let show = || Running::start(place.tool(["--show-checkpoints", "--app", "app"])).end().stderr;
    let rewind = |arguments: &[&str]| place.run(&[&["--app", "app", "--shards", "2"], arguments].concat());
    rewind(&[]).expect(0, &["3 records"]);
    let before = show();
    rewind(&["--rewind", "0=TRIM_HORIZON", "--rewind", "7=TRIM_HORIZON"]).expect(2, &["has no checkpoint"]);
    assert_eq!(show(), before);
    std::fs::write(place.path("input"), "1\n2\n3\n4\n").unwrap();
    rewind(&["--rewind", "0=TRIM_HORIZON"]).expect(2, &["an ended shard cannot receive the new records"]);
    assert_eq!(show(), before);
    rewind(&["--rewind", "0=TRIM_HORIZON", "--rewind", "1=TRIM_HORIZON"]).expect(0, &["4 records"]);
}
