//! Sinks: what they note, and what they do to a processor.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use kcl::testing::{Daemon, Fault, Sink};
use kcl::{Record, Shard};

#[derive(Debug)]
struct Stores(Sink<String>);

#[kcl::processor(main = false, warn_after = "1s")]
impl Stores {
    #[on_record(retry = 1)]
    fn store(&mut self, record: &Record) -> io::Result<()> {
        self.0.write(String::from_utf8_lossy(record.data()).into_owned())
    }
}

fn run(daemon: Daemon, sink: &Sink<String>) -> kcl::testing::Report<Stores> {
    daemon.run_with(|_: &Shard| Ok::<_, Infallible>(Stores(sink.clone())))
}

#[test]
fn a_sink_notes_records_and_values() {
    let sink = Sink::every_record();
    run(Daemon::new().batch(["a", "b"]), &sink).assert_succeeded();
    let values = sink.values_of("shardId-000000000000");
    assert_eq!(values, [(vec![1], "a".to_owned()), (vec![2], "b".to_owned())]);
}

#[test]
fn a_write_that_fails_is_tried_again() {
    let sink = Sink::every_record().fail_at(2);
    let run = run(Daemon::new().batch(["a", "b"]), &sink);
    run.assert_succeeded();
    assert_eq!(sink.values(), ["a", "b"]);
    let errors: Vec<_> = run.calls().iter().filter_map(|call| call.error()).collect();
    assert_eq!(errors, ["write 2 of the sink fails, as the test asks for"]);
}

#[test]
fn a_crash_within_a_write_delivers_the_record_again() {
    let sink = Sink::every_record().crash_at(2);
    let run = run(Daemon::new().batch(["a", "b", "c"]).shard_end(), &sink);
    run.assert_succeeded();
    run.assert_shard_ended();
    assert_eq!(sink.values(), ["a", "b", "a", "b", "c"]);
}

#[test]
fn a_write_that_waits_makes_its_handler_slow() {
    let sink = Sink::every_record().wait_at(1, Duration::from_secs(2));
    let run = run(Daemon::new().batch(["a"]), &sink);
    assert_eq!(
        run.stderr(),
        [
            "shard shardId-000000000000: processRecords at record 1/0 with partition key `key-1`, number 1 of 1 in its batch, has been \
             running for 1s",
            "shard shardId-000000000000: processRecords at record 1/0 with partition key `key-1`, number 1 of 1 in its batch, has been \
             running for 2s"
        ]
    );
}

#[test]
fn a_sink_that_no_processor_owns_is_part_of_the_run_if_it_is_named() {
    #[derive(Default, Debug)]
    struct Forgets;

    #[kcl::processor(main = false)]
    impl Forgets {
        #[on_record]
        fn handle(&mut self) {}
    }

    let sink = Sink::<u64>::every_record();
    Daemon::new().batch(["a"]).run::<Forgets>().assert_succeeded();
    let message = crate::first_line(|| Daemon::new().batch(["a"]).sink(&sink).run::<Forgets>());
    assert!(message.contains("record 1 was not written to the sink made at tests/testing/sinks.rs"), "{message}");
}

#[test]
fn a_process_is_killed_before_or_after_a_write() {
    let stored = |fault| {
        let sink = Sink::every_record();
        let run = run(Daemon::new().batch(["a"]).fault(fault).batch(["b", "c", "d"]).shard_end(), &sink);
        run.assert_succeeded();
        run.assert_shard_ended();
        sink.values().concat()
    };
    assert_eq!(stored(Fault::crash_before_write(2)), "abbcd");
    assert_eq!(stored(Fault::crash_after_write(2)), "abcbcd");
}

/// Stores each record, and once more when it is dropped.
struct Flushes(Sink<String>);

struct Guard<'a>(&'a Sink<String>);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // The process may have been killed.
        _ = self.0.write("flushed".to_owned());
    }
}

#[kcl::processor(main = false)]
impl Flushes {
    #[on_record]
    fn add(&mut self, record: &Record) -> std::io::Result<()> {
        let _guard = Guard(&self.0);
        self.0.write(String::from_utf8_lossy(record.data()).into_owned())
    }
}

#[test]
fn what_destructors_write_after_a_kill_is_not_stored() {
    let sink = Sink::new();
    let daemon = Daemon::new().fault(Fault::crash_after_write(1)).batch(["a"]);
    daemon.run_with(|_: &Shard| Ok::<_, Infallible>(Flushes(sink.clone()))).assert_succeeded();
    assert_eq!(sink.values(), ["a", "a", "flushed"]);
}
