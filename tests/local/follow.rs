//! Files that are followed.

use std::fs::{self, File};
use std::io::Write;

use rustix::process::Signal;

use crate::harness::{Place, Running, wait_until, witness};

pub(crate) fn start(place: &Place, arguments: &[&str]) -> Running {
    let arguments = [&["--follow", "--max-records", "10"], arguments, &["--", witness()]].concat();
    Running::start(place.tool(arguments))
}

pub(crate) fn append(place: &Place, name: &str, text: &str) {
    File::options().append(true).create(true).open(place.path(name)).unwrap().write_all(text.as_bytes()).unwrap();
}

pub(crate) fn wait_for(place: &Place, data: &[&str]) {
    wait_until("the records are seen", || {
        let seen = place.read("seen");
        data.iter()
            .all(|data| seen.lines().any(|line| line.starts_with("record ") && line.ends_with(&format!(" {data}"))))
    });
}

pub(crate) fn interrupt(place: &Place, running: Running) -> Vec<String> {
    running.signal(Signal::INT);
    running.end().expect(130, &["stopped"]);
    let seen = place.seen();
    assert_eq!((seen.count("shutdownRequested"), seen.count("shardEnded")), (1, 0));
    let numbers: Vec<_> = seen.records().map(|(number, _)| number).collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
    seen.records().map(|(_, data)| data.to_owned()).collect()
}

#[test]
fn a_log_is_followed_through_growth_rotation_and_truncation() {
    let place = Place::with_input("a\n");
    fs::write(place.path("before"), "0\n").unwrap();
    let running = start(&place, &["--input", "before", "--input", "input"]);
    wait_for(&place, &["0", "a"]);
    append(&place, "input", "b\nunfin");
    wait_for(&place, &["b"]);
    append(&place, "input", "ished\n");
    wait_for(&place, &["unfinished"]);
    fs::rename(place.path("input"), place.path("input.1")).unwrap();
    append(&place, "input.1", "late\n");
    append(&place, "input", "new\n");
    wait_for(&place, &["late", "new"]);
    fs::write(place.path("input"), "c\n").unwrap();
    wait_for(&place, &["c"]);
    // Longer than before, so that its length alone tells nothing.
    fs::write(place.path("input"), "d\ne\nf\n").unwrap();
    wait_for(&place, &["d", "e", "f"]);
    assert_eq!(interrupt(&place, running), ["0", "a", "b", "unfinished", "late", "new", "c", "d", "e", "f"]);
}

#[test]
fn existing_records_can_be_skipped() {
    let place = Place::with_input("a\nb\nunfin");
    let arguments = ["--from", "latest", "--app", "app", "--input", "input"];
    let running = start(&place, &arguments);
    wait_until("the processor is running", || place.read("seen").contains("initialize"));
    assert!(place.read("seen").contains(" LATEST"));
    running.signal(Signal::INT);
    running.end().expect(130, &[]);
    place.seen();
    // Records added between the runs are after the start, so they are delivered.
    append(&place, "input", "ished\nc\n");
    let running = start(&place, &arguments);
    wait_for(&place, &["c"]);
    assert_eq!(interrupt(&place, running), ["unfinished", "c"]);
    place.run(&["--app", "app", "--follow"]).expect(2, &["--from was latest, now it is trim-horizon"]);
}

#[test]
fn a_run_resumes_in_the_file_that_replaced_another() {
    let place = Place::with_input("a\n");
    let arguments = ["--app", "app", "--input", "input"];
    let running = start(&place, &arguments);
    wait_for(&place, &["a"]);
    fs::rename(place.path("input"), place.path("input.1")).unwrap();
    append(&place, "input", "b\n");
    wait_for(&place, &["b"]);
    assert_eq!(interrupt(&place, running), ["a", "b"]);
    append(&place, "input", "c\n");
    let running = start(&place, &arguments);
    wait_for(&place, &["c"]);
    assert_eq!(interrupt(&place, running), ["c"]);

    fs::write(place.path("input"), "another\n").unwrap();
    let ended = start(&place, &arguments).end();
    ended.expect(2, &["input was replaced or removed since it was processed", "such as input.1", "--fresh"]);
}

#[test]
fn children_go_on_in_the_file_that_replaced_another() {
    let place = Place::with_input("a\nb\n");
    let arguments = ["--app", "app", "--input", "input", "--reshard", "split@1"];
    let running = start(&place, &arguments);
    wait_for(&place, &["a", "b"]);
    fs::rename(place.path("input"), place.path("input.1")).unwrap();
    append(&place, "input", "c\n");
    wait_for(&place, &["c"]);
    running.signal(Signal::INT);
    running.end().expect(130, &[]);
    place.seen();
    append(&place, "input", "d\ne\nf\ng\n");
    let running = start(&place, &arguments);
    wait_for(&place, &["d", "e", "f", "g"]);
    running.signal(Signal::INT);
    running.end().expect(130, &["shardId-000000000001  stopped", "shardId-000000000002  stopped"]);
}

#[test]
fn inputs_before_the_followed_one_must_not_change() {
    let place = Place::with_input("a\n");
    fs::write(place.path("before"), "0\n").unwrap();
    let arguments = ["--app", "app", "--input", "before", "--input", "input"];
    let running = start(&place, &arguments);
    wait_for(&place, &["0", "a"]);
    assert_eq!(interrupt(&place, running), ["0", "a"]);
    append(&place, "input", "b\n");
    let running = start(&place, &arguments);
    wait_for(&place, &["b"]);
    assert_eq!(interrupt(&place, running), ["b"]);
    append(&place, "before", "1\n");
    let refused = start(&place, &arguments).end();
    refused.expect(2, &["the inputs before input have changed since they were processed", "--fresh"]);
    place.seen();
    fs::write(place.path("before"), "0\n").unwrap();
    append(&place, "input", "c\n");
    let running = start(&place, &arguments);
    wait_for(&place, &["c"]);
    assert_eq!(interrupt(&place, running), ["c"]);
}

#[test]
fn a_limit_before_the_followed_input_leaves_its_start_open() {
    let place = Place::with_input("a\n");
    fs::write(place.path("before"), "0\n1\n").unwrap();
    let arguments = |limit| ["--app", "app", "--limit", limit, "--input", "before", "--input", "input"];
    for (limit, seen) in [("1", &["0"][..]), ("3", &["1", "a"])] {
        start(&place, &arguments(limit)).end().expect(0, &[]);
        assert_eq!(place.seen().records().map(|(_, data)| data.to_owned()).collect::<Vec<_>>(), seen);
    }
}

#[test]
fn a_log_that_was_rotated_while_nobody_followed_it_is_finished_first() {
    let place = Place::with_input("a\nb\n");
    let arguments = ["--app", "app", "--input", "input"];
    let running = start(&place, &arguments);
    wait_for(&place, &["a", "b"]);
    assert_eq!(interrupt(&place, running), ["a", "b"]);
    append(&place, "input", "c\n");
    fs::rename(place.path("input"), place.path("input.2")).unwrap();
    append(&place, "input.1", "d\n");
    append(&place, "input.bak", "no rotated file\n");
    // The new file does not exist yet.
    let running = start(&place, &arguments);
    wait_for(&place, &["c", "d"]);
    append(&place, "input", "e\n");
    wait_for(&place, &["e"]);
    assert_eq!(interrupt(&place, running), ["c", "d", "e"]);
    fs::rename(place.path("input"), place.path("input.1.gz")).unwrap();
    append(&place, "input", "f\n");
    let refused = start(&place, &arguments).end();
    refused.expect(2, &["input was replaced or removed since it was processed", "not compressed", "--fresh"]);
    // A file that is gone is not waited for either.
    fs::remove_file(place.path("input")).unwrap();
    let refused = start(&place, &arguments).end();
    refused.expect(2, &["input was replaced or removed since it was processed"]);
    assert!(!refused.stderr.contains("waiting for it"), "{}", refused.stderr);
    append(&place, "input", "f\n");
    fs::rename(place.path("input.1.gz"), place.path("input-20260131")).unwrap();
    let running = start(&place, &arguments);
    wait_for(&place, &["f"]);
    assert_eq!(interrupt(&place, running), ["f"]);

    // Copied and truncated instead of renamed.
    fs::copy(place.path("input"), place.path("input.1")).unwrap();
    append(&place, "input.1", "g\n");
    fs::write(place.path("input"), "h\n").unwrap();
    let running = start(&place, &arguments);
    wait_for(&place, &["g", "h"]);
    assert_eq!(interrupt(&place, running), ["g", "h"]);
}

#[test]
fn records_without_a_checkpoint_are_found_in_the_rotated_file() {
    let place = Place::with_input("now\nb\n");
    let arguments = ["--app", "app", "--input", "input"];
    let mut command = place.tool([&["--follow"], &arguments[..], &["--", witness()]].concat());
    command.env("DO", "fail");
    let running = Running::start(command);
    wait_for(&place, &["now"]);
    wait_until("the file is known", || place.path(".kcl/app.redb").exists());
    running.end().expect(1, &["failed"]);
    place.seen();
    fs::rename(place.path("input"), place.path("input.1")).unwrap();
    append(&place, "input", "c\n");
    let mut command = place.tool([&["--follow"], &arguments[..], &["--", witness()]].concat());
    command.env("DO", "print");
    let running = Running::start(command);
    wait_for(&place, &["now", "b", "c"]);
    assert_eq!(interrupt(&place, running), ["now", "b", "c"]);
}

#[test]
fn a_run_is_refused_if_a_file_with_unprocessed_records_was_compressed() {
    let place = Place::with_input("a\nb\n");
    let arguments = ["--app", "app", "--input", "input"];
    let running = start(&place, &arguments);
    wait_for(&place, &["a", "b"]);
    let first =
        place.read("seen").lines().find_map(|line| line.strip_prefix("record ")?.split('/').next().map(str::to_owned));
    fs::rename(place.path("input"), place.path("input.1")).unwrap();
    append(&place, "input", "c\n");
    wait_for(&place, &["c"]);
    assert_eq!(interrupt(&place, running), ["a", "b", "c"]);

    fs::rename(place.path("input.1"), place.path("input.1.gz")).unwrap();
    let rewind = format!("0={}", first.unwrap());
    let refused = start(&place, &[&arguments[..], &["--rewind", &rewind]].concat()).end();
    refused.expect(2, &["input.1.gz, which is compressed; decompress it", "--fresh"]);
    fs::rename(place.path("input.1.gz"), place.path("input.1")).unwrap();
    let running = start(&place, &[&arguments[..], &["--rewind", &rewind]].concat());
    wait_for(&place, &["b", "c"]);
    assert_eq!(interrupt(&place, running), ["b", "c"]);

    // A file whose records are all processed is not needed.
    fs::rename(place.path("input.1"), place.path("input.1.gz")).unwrap();
    append(&place, "input", "d\n");
    let running = start(&place, &arguments);
    wait_for(&place, &["d"]);
    assert_eq!(interrupt(&place, running), ["d"]);

    // A file that is gone is reported, also for a shard without a checkpoint.
    fs::remove_file(place.path("input.1.gz")).unwrap();
    let running = start(&place, &[&arguments[..], &["--rewind", "0=TRIM_HORIZON"]].concat());
    wait_for(&place, &["c", "d"]);
    running.signal(Signal::INT);
    running
        .end()
        .expect(130, &["the checkpoints of 1 shard are before the end of a file that has since been replaced"]);
    assert_eq!(place.seen().data(), ["c", "d"]);
}

#[test]
fn a_truncated_file_with_the_same_first_line_is_not_the_one_that_was_copied() {
    let place = Place::with_input("title\n");
    let arguments = ["--app", "app", "--input", "input"];
    let running = start(&place, &arguments);
    wait_for(&place, &["title"]);
    append(&place, "input", "a\nb\n");
    wait_for(&place, &["a", "b"]);
    assert_eq!(interrupt(&place, running), ["title", "a", "b"]);
    append(&place, "input", "c\n");
    fs::copy(place.path("input"), place.path("input.1")).unwrap();
    fs::write(place.path("input"), "title\nd\ne\nf\ng\n").unwrap();
    let running = start(&place, &arguments);
    wait_for(&place, &["c", "d", "e", "f", "g"]);
    assert_eq!(interrupt(&place, running), ["c", "title", "d", "e", "f", "g"]);
}

#[test]
fn a_followed_file_whose_records_were_changed_is_refused() {
    let title = "x".repeat(2_000);
    let place = Place::with_input(format!("{title}\na\n"));
    let arguments = ["--app", "app", "--input", "input"];
    let running = start(&place, &arguments);
    wait_for(&place, &["a"]);
    interrupt(&place, running);
    fs::write(place.path("input"), format!("{title}\nb\n")).unwrap();
    start(&place, &arguments).end().expect(2, &["input has changed since it was processed", "line 2"]);
}

#[test]
fn a_log_that_is_gone_may_hide_others() {
    let place = Place::with_input("a\n");
    let running = start(&place, &["--input", "input"]);
    wait_for(&place, &["a"]);
    fs::remove_file(place.path("input")).unwrap();
    append(&place, "input", "b\n");
    wait_for(&place, &["b"]);
    running.signal(Signal::INT);
    running.end().expect(130, &["input: the file that was read is not beside the new one", "input was rotated"]);
}

#[test]
fn a_limit_may_be_reached_at_the_first_record_of_a_new_file() {
    let place = Place::with_input("a\n");
    let arguments = ["--app", "app", "--input", "input"];
    let running = start(&place, &[&arguments[..], &["--limit", "2"]].concat());
    wait_for(&place, &["a"]);
    fs::rename(place.path("input"), place.path("input.1")).unwrap();
    append(&place, "input", "b\nc\n");
    running.end().expect(0, &["stopped"]);
    assert_eq!(place.seen().data(), ["a", "b"]);
    // Another rotation, so that the saved identity is needed.
    fs::rename(place.path("input.1"), place.path("input.2")).unwrap();
    fs::rename(place.path("input"), place.path("input.1")).unwrap();
    append(&place, "input", "d\n");
    start(&place, &[&arguments[..], &["--limit", "4"]].concat()).end().expect(0, &["stopped"]);
    assert_eq!(place.seen().data(), ["c", "d"]);
}

#[test]
fn a_file_that_is_not_there_yet_is_waited_for() {
    let place = Place::with_input("");
    let arguments = ["--app", "app", "--input", "later"];
    // The first run does not read files that were rotated before it.
    append(&place, "later.1", "old\n");
    let running = start(&place, &arguments);
    wait_until("the processor is running", || place.read("seen").contains("initialize"));
    append(&place, "later", "a\n");
    wait_for(&place, &["a"]);
    running.signal(Signal::INT);
    let ended = running.end();
    ended.expect(130, &["later does not exist yet; waiting for it", "later was created"]);
    assert!(!ended.stderr.contains("was replaced") && !ended.stderr.contains("missed"), "{}", ended.stderr);
    assert_eq!(place.seen().data(), ["a"]);
    append(&place, "later", "b\n");
    let running = start(&place, &arguments);
    wait_for(&place, &["b"]);
    assert_eq!(interrupt(&place, running), ["b"]);
    start(&place, &["--input", "nowhere/later"]).end().expect(2, &["nowhere/later cannot be opened"]);
}

#[test]
fn a_limit_may_change() {
    let place = Place::with_input("a\nb\nc\nd\n");
    for (arguments, expected) in [
        (&["--limit", "2"][..], &["a", "b"][..]),
        (&["--limit", "2"], &[]),
        (&["--limit", "1"], &[]),
        (&["--limit", "3"], &["c"]),
        (&[], &["d"]),
        (&["--limit", "9"], &[]),
    ] {
        let outcome = if arguments.is_empty() || arguments[1] == "9" { "ended" } else { "stopped" };
        let ended = place.run(&[&["--app", "app"], arguments].concat());
        ended.expect(0, &[if arguments.get(1) == Some(&"9") { "already processed" } else { outcome }]);
        assert_eq!(place.seen().data(), expected);
    }
    let place = Place::with_input("a\nb\nc\n");
    for (limit, expected) in [("1", "a"), ("3", "b c")] {
        start(&place, &["--app", "app", "--input", "input", "--limit", limit]).end().expect(0, &["stopped"]);
        assert_eq!(place.seen().data().join(" "), expected);
    }
}

#[test]
fn a_limit_ends_a_followed_input() {
    let place = Place::with_input("a\n");
    let running = start(&place, &["--limit", "2", "--input", "input"]);
    wait_for(&place, &["a"]);
    append(&place, "input", "b\nc\n");
    running.end().expect(0, &["stopped", "2 records"]);
    assert_eq!(place.seen().data(), ["a", "b"]);
}
