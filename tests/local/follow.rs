//! Files that are followed.

use std::fs::{self, File};
use std::io::Write;

use rustix::process::Signal;

use crate::harness::{Place, Running, wait_until, witness};

fn start(place: &Place, arguments: &[&str]) -> Running {
    let arguments = [&["--follow", "--max-records", "10"], arguments, &["--", witness()]].concat();
    Running::start(place.tool(arguments))
}

fn append(place: &Place, name: &str, text: &str) {
    File::options().append(true).create(true).open(place.path(name)).unwrap().write_all(text.as_bytes()).unwrap();
}

fn wait_for(place: &Place, data: &[&str]) {
    wait_until("the records are seen", || {
        let seen = place.read("seen");
        data.iter()
            .all(|data| seen.lines().any(|line| line.starts_with("record ") && line.ends_with(&format!(" {data}"))))
    });
}

fn interrupt(place: &Place, running: Running) -> Vec<String> {
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
    ended.expect(2, &["input has changed since it was processed: its content up to line 2"]);
}

#[test]
fn a_limit_ends_a_followed_input() {
    let place = Place::with_input("a\n");
    let running = start(&place, &["--limit", "2", "--input", "input"]);
    wait_for(&place, &["a"]);
    append(&place, "input", "b\nc\n");
    running.end().expect(0, &["ended", "2 records"]);
    assert_eq!(place.seen().data(), ["a", "b"]);
}
