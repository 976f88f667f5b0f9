//! Processors with `async` handlers, under the tool.

use rustix::process::Signal;

use crate::follow::append;
use crate::harness::{Place, Running, annotated, wait_until};

/// Lines with these numbers, and their texts in order.
fn numbered(count: usize) -> (String, Vec<String>) {
    let texts: Vec<_> = (0..count).map(|number| format!("{number:03}")).collect();
    (texts.join("\n") + "\n", texts)
}

#[test]
fn every_record_is_handled_and_the_shards_end() {
    let (input, texts) = numbered(60);
    let place = Place::with_input(input);
    let arguments = ["--input", "input", "--shards", "3", "--max-records", "7", "--", annotated()];
    Running::start(place.tool(arguments)).end().expect(0, &["60 records ("]);
    let seen = place.seen();
    assert_eq!(seen.data(), texts);
    assert_eq!((seen.count("shardEnded"), seen.count("drop")), (3, 3));
}

#[test]
fn an_interrupted_run_goes_on_where_it_stopped() {
    let (input, texts) = numbered(20);
    let place = Place::with_input(input);
    let run = |count: usize| {
        let arguments = ["--input", "input", "--app", "annotated", "--follow", "--", annotated()];
        let running = Running::start(place.tool(arguments));
        wait_until("the records are seen", || place.read("seen").matches("record ").count() == count);
        running.signal(Signal::INT);
        running.end().expect(130, &["stopped"]);
        place.seen()
    };
    let seen = run(20);
    assert_eq!(seen.data(), texts);
    assert_eq!(seen.count("shutdownRequested"), 1);
    append(&place, "input", "new\n");
    assert_eq!(run(1).data(), ["new"]);
}
