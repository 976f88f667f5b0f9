//! States and recordings of an earlier version, which are in `states/`: later versions read them on, or say why not.
//!
//! They were written by the version before rotated files were found, over these inputs, with `--app` of the file's name:
//!
//! | file | the run |
//! |---|---|
//! | `ended` | `--shards 2` over `1 2 3`, to its end |
//! | `ended-stdin` | `--input -` over `1 2 3`, to its end |
//! | `limited` | `--limit 2` over `1 2 3`, which ended the shard |
//! | `failed` | `--max-records 1` over `1 2 now 4`; the processor failed at `now` |
//! | `limited-failed` | the same with `--limit 3` |
//! | `followed` | `--follow` over `a b`, interrupted |
//! | `followed-rotated` | the same, with the file rotated and `c` written to the new one before the interruption |
//! | `recording` | `--record` of `failed` with `--restarts 1` |

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use redb::{Database, TableDefinition};

use crate::follow::{append, interrupt, start, wait_for};
use crate::harness::{Ended, Place, Running, witness};

/// A folder with an input and this state, in which the input has the path that it has here.
fn place(state: &str, input: &str) -> Place {
    const RUN: TableDefinition<'_, &str, &str> = TableDefinition::new("run");
    let place = Place::with_input(input);
    fs::create_dir(place.path(".kcl")).unwrap();
    let path = place.path(".kcl").join(format!("{state}.redb"));
    fs::copy(tests::workspace().join(format!("tests/local/states/{state}.redb")), &path).unwrap();
    if !state.ends_with("-stdin") {
        let write = Database::open(path).unwrap().begin_write().unwrap();
        let input = place.path("input").canonicalize().unwrap();
        write.open_table(RUN).unwrap().insert("--input", input.to_str().unwrap()).unwrap();
        write.commit().unwrap();
    }
    place
}

fn with_stdin(mut command: Command, text: &str) -> Ended {
    command.stdin(Stdio::piped());
    let mut running = Running::start(command);
    _ = running.child().stdin.take().unwrap().write_all(text.as_bytes());
    running.end()
}

#[test]
fn ended_shards_stay_ended() {
    let place = place("ended", "1\n2\n3\n");
    let run = || place.run(&["--app", "ended", "--shards", "2"]);
    run().expect(0, &["everything was already processed: all 2 shards are at SHARD_END"]);
    fs::write(place.path("input"), "3\n2\n1\n").unwrap();
    run().expect(2, &["input has changed since it was processed"]);
    fs::write(place.path("input"), "1\n2\n3\n4\n").unwrap();
    run().expect(2, &["input had 6 bytes when 2 shards ended and has 8 now"]);

    let place = self::place("ended-stdin", "");
    let run = |text| with_stdin(place.tool(["--app", "ended-stdin", "--input", "-", "--", witness()]), text);
    run("1\n2\n3\n").expect(0, &["everything was already processed"]);
    run("1\n2\n").expect(2, &["standard input has changed since it was processed"]);
    run("1\n2\n3\n4\n").expect(2, &["standard input has more records than the 6 bytes that it had"]);
}

#[test]
fn a_failed_run_is_resumed_after_its_checkpoint() {
    let place = place("failed", "1\n2\nxxx\n4\n");
    place.run(&["--app", "failed"]).expect(0, &["resuming after the saved checkpoints", "2 records"]);
    assert_eq!(place.seen().data(), ["4", "xxx"]);
    let place = self::place("failed", "2\n1\nxxx\n4\n");
    place.run(&["--app", "failed"]).expect(2, &["input has changed since it was processed: its content up to line 2"]);
}

#[test]
fn shards_that_ended_at_a_limit_keep_it() {
    let place = place("limited", "1\n2\n3\n");
    place.run(&["--app", "limited", "--limit", "2"]).expect(0, &["everything was already processed"]);
    for limit in [&[][..], &["--limit", "3"]] {
        let refused = place.run(&[&["--app", "limited"], limit].concat());
        refused.expect(2, &["the shards ended at --limit 2", "cannot continue with --limit", "--fresh"]);
    }
    // A run that did not reach its limit may have another one.
    let place = self::place("limited-failed", "1\n2\nxxx\n4\n");
    place.run(&["--app", "limited-failed"]).expect(0, &["2 records", "ended"]);
    assert_eq!(place.seen().data(), ["4", "xxx"]);
}

#[test]
fn a_followed_log_is_followed_on() {
    let place = place("followed", "a\nb\n");
    append(&place, "input", "c\n");
    let running = start(&place, &["--app", "followed", "--input", "input"]);
    wait_for(&place, &["c"]);
    assert_eq!(interrupt(&place, running), ["c"]);

    // It was rotated meanwhile, and only its records tell which file it is.
    let place = self::place("followed", "new\n");
    append(&place, "input.1", "a\nb\nc\n");
    let running = start(&place, &["--app", "followed", "--input", "input"]);
    wait_for(&place, &["c", "new"]);
    assert_eq!(interrupt(&place, running), ["c", "new"]);

    let place = self::place("followed-rotated", "c\nd\n");
    let running = start(&place, &["--app", "followed-rotated", "--input", "input"]);
    wait_for(&place, &["d"]);
    assert_eq!(interrupt(&place, running), ["d"]);

    let place = self::place("followed-rotated", "other\n");
    start(&place, &["--app", "followed-rotated", "--input", "input"])
        .end()
        .expect(2, &["input was replaced or removed since it was processed", "input.1", "--fresh"]);
}

#[test]
fn a_recording_is_replayed() {
    let place = Place::with_input("");
    let recording = tests::workspace().join("tests/local/states/recording");
    let mut command = place.replay([recording.to_str().unwrap(), "--", witness()]);
    command.env("DO", "fail");
    Running::start(command).end().expect(0, &["2 conversations: all the same"]);
}
