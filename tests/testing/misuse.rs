//! Bad use of the kit: each panic explains itself.

use std::io::Write;

use kcl::Position;
use kcl::testing::{Daemon, Fault, Sink, TestRecord};

use crate::{failure, first_line};

#[derive(Default, Debug)]
struct Nothing;

#[kcl::processor(main = false)]
impl Nothing {
    #[on_record]
    fn handle(&mut self) {}
}

#[test]
fn records_after_the_shards_end() {
    let line = line!() + 1;
    let message = failure(|| Daemon::new().shard_end().batch(["a"]));
    let expected = format!(
        "records after the shard's end at tests/testing/misuse.rs:{line}:44: move the step before `.shard_end()`"
    );
    assert_eq!(message, expected);
}

#[test]
fn a_fault_that_never_happens() {
    let line = line!() + 1;
    let message = first_line(|| Daemon::new().batch(["a"]).fault(Fault::lose_lease()).run::<Nothing>());
    let expected = format!(
        "Fault::lose_lease() at tests/testing/misuse.rs:{line}:60 never happened: no step after it gives it \
         the occasion, or the processor ended before"
    );
    assert_eq!(message, expected);
}

#[test]
fn sequence_numbers_that_do_not_ascend() {
    let message = failure(|| {
        Daemon::new().batch([TestRecord::text("a").sequence_number(7), TestRecord::text("b").sequence_number(7)])
    });
    assert_eq!(message, "record 2: its sequence number 7/0 does not come after 7/0");

    let at = || Daemon::new().starting_at(Position::after(7.into(), 1));
    let early = || TestRecord::text("a").part(1).sequence_number(7);
    let expected = "record 1: its sequence number 7/1 does not come after 7/1, where the shard starts";
    assert_eq!(failure(|| at().batch([early()])), expected);
    let message = failure(|| Daemon::new().batch([early()]).starting_at(Position::after(7.into(), 1)));
    assert_eq!(message, expected);
    let most = "9".repeat(129).parse().expect("digits");
    let message = failure(|| Daemon::new().starting_at(Position::after(most, 0)).batch(["a"]));
    assert_eq!(message, format!("record 1: no sequence number comes after {most}"));
}

#[test]
fn a_sink_or_a_pass_outside_of_a_handler() {
    let message = failure(|| Sink::new().write(1));
    assert_eq!(message, "Sink::write works only in a handler, on the thread that runs the test's `Daemon`");
    let message = failure(|| kcl::testing::pass(std::time::Duration::ZERO));
    assert!(message.starts_with("kcl::testing::pass works only in a handler"), "{message}");
}

#[test]
fn a_shard_that_does_not_exist_or_exists_twice() {
    let message = failure(|| Daemon::new().shard("a", |steps| steps).shard("a", |steps| steps));
    assert_eq!(message, "shard a has steps already: write all steps of a shard in one `.shard(...)`");
    let run = Daemon::new().shard("a", |steps| steps).shard("b", |steps| steps).run::<Nothing>();
    assert_eq!(failure(|| drop(run.shard("c").calls())), "no shard c in this test, but a, b");
    assert_eq!(failure(|| drop(run.calls())), "the test has several shards: ask `run.shard(id)`, with an id of a, b");
    let message = failure(|| Daemon::new().shard("a", |steps| steps.after("b")).run::<Nothing>());
    assert_eq!(message, "shard a starts after b, which has no script");
    let daemon = Daemon::new().shard("a", |steps| steps.batch(["1"]).shard_end());
    let daemon = daemon.shard("b", |steps| steps.after("a").after("c")).shard("c", |steps| steps.after("b"));
    assert_eq!(failure(|| daemon.run::<Nothing>()), "shards start after each other, so none of them can: b, c");
    let message = failure(|| Daemon::new().shard("a", |steps| steps.after("a")).run::<Nothing>());
    assert_eq!(message, "shards start after each other, so none of them can: a");
}

#[test]
fn a_file_that_does_not_hold_records() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    writeln!(file, "{{\"data\":\"a\"}}\n\n{{\"partitionKey\":\"k\"}}").expect("room");
    let message = failure(|| TestRecord::read_json_lines(file.path()));
    assert_eq!(
        message,
        format!(
            "{} line 3 is not a record: it has neither `data` nor `dataBase64`; each line must be an object such as cargo kcl \
             tail --json prints",
            file.path().display()
        )
    );
}
