//! Handlers that go on without end: each fails its test, with a sentence that names it.

use std::convert::Infallible;
use std::time::Duration;

use kcl::testing::{Daemon, Fault, Sink, pass};
use kcl::{BoxError, Checkpointer, Record, Shard};

use crate::{failure, first_line};

/// Does one thing again and again.
struct Endless(Sink<u64>);

#[kcl::processor(main = false)]
impl Endless {
    #[on_record(retry = 4_294_967_295)]
    fn handle(&mut self, record: &Record, checkpointer: &mut Checkpointer) -> Result<(), BoxError> {
        loop {
            match record.data() {
                b"refused" if checkpointer.checkpoint().is_ok() => return Ok(()),
                b"refused" => {}
                b"accepted" => checkpointer.checkpoint()?,
                b"writes" => self.0.write(1)?,
                b"passes" => pass(Duration::from_secs(1)),
                _ => return Err("as always".into()),
            }
        }
    }
}

fn run(daemon: Daemon) {
    let sink = Sink::new();
    daemon.run_with(|_: &Shard| Ok::<_, Infallible>(Endless(sink.clone())));
}

#[test]
fn each_one_is_named() {
    let problem = |record: &str| {
        let daemon = Daemon::new();
        let daemon = if record == "refused" { daemon.fault(Fault::lose_lease()) } else { daemon };
        let line = first_line(|| run(daemon.batch([record])));
        line.strip_prefix("shard shardId-000000000000: processRecords").expect(&line).to_owned()
    };
    assert_eq!(problem("fails"), " goes on without end: 10101 failed attempts since a record was last done");
    for record in ["refused", "accepted"] {
        assert_eq!(
            problem(record),
            " of record 1 goes on without end: 10101 checkpoints in one call that did not move forward"
        );
    }
    for record in ["writes", "passes"] {
        let expected = " of record 1 goes on without end: 100101 writes to sinks and calls of `pass` in one call";
        assert_eq!(problem(record), expected);
    }
}

#[kcl::test]
#[ignore = "fails on purpose"]
fn a_checkpoint_until_it_is_made(daemon: Daemon) {
    run(daemon.any_records(0..=5, |_| "refused"));
}

#[test]
fn the_script_is_printed() {
    let message = failure(a_checkpoint_until_it_is_made);
    assert!(
        message.contains("shard shardId-000000000000: processRecords of record 1 goes on without end"),
        "{message}"
    );
    let script = "Daemon::new()\n    .fault(Fault::lose_lease())\n    .batch([\"refused\"])\n";
    let refused = script.replace("lose_lease()", "refuse_checkpoints(Refusal::LeaseLost, 1)");
    assert!(message.contains(script) || message.contains(&refused), "{message}");
    assert!(message.lines().count() < 120, "{message}");
}

#[test]
fn a_processor_that_gets_somewhere_has_time() {
    /// Fails many times before each success.
    #[derive(Default)]
    struct Late(u32);

    #[kcl::processor(main = false)]
    impl Late {
        #[on_record(retry = 9_000)]
        fn handle(&mut self) -> Result<(), BoxError> {
            self.0 += 1;
            if self.0.is_multiple_of(9_000) { Ok(()) } else { Err("not yet".into()) }
        }
    }

    let run = Daemon::new().batch(["a", "b", "c"]).run::<Late>();
    run.assert_succeeded();
    assert_eq!(run.processor().0, 27_000);

    /// Ignores that its checkpoints are refused.
    #[derive(Default)]
    struct Ignores;

    #[kcl::processor(main = false)]
    impl Ignores {
        #[on_records]
        fn handle(&mut self, records: &[Record], checkpointer: &mut Checkpointer) {
            records.iter().for_each(|record| _ = checkpointer.checkpoint_at(record));
        }
    }

    let run = Daemon::new().fault(Fault::lose_lease()).batch(vec!["a"; 12_000]).run::<Ignores>();
    run.assert_succeeded();
    assert_eq!(run.checkpoints().len(), 12_000);
}
