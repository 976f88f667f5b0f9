//! Handlers that panic, and handlers that are dropped before they end, with destructors that panic then.

use std::cell::Cell;
use std::future::pending;

use kcl::Record;
use kcl::testing::{Daemon, Fault, Report};
use tokio::task::yield_now;

/// Counts that it was dropped, and panics.
struct Bomb<'c>(&'c Cell<u32>);

impl Drop for Bomb<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
        panic!("a destructor");
    }
}

/// Waits forever with each record that says `hang`, and panics with each one that says `panic`.
#[derive(Default)]
struct Hanging {
    dropped: Cell<u32>,
    /// The number of futures that were dropped before `leaseLost` was handled.
    before_lease_lost: Option<u32>,
}

#[kcl::processor(main = false)]
impl Hanging {
    #[on_record(concurrency = 4, ahead = 1, timeout = "10s", on_failure = skip)]
    async fn handle(&self, record: &Record) {
        match record.data() {
            b"hang" => {
                let _bomb = Bomb(&self.dropped);
                pending::<()>().await;
            }
            b"panic" => {
                yield_now().await;
                panic!("a handler");
            }
            _ => {}
        }
    }

    #[on_lease_lost]
    fn lease_lost(&mut self) {
        self.before_lease_lost = Some(self.dropped.get());
    }
}

fn ended(run: &Report<Hanging>, record: usize) -> Option<String> {
    let call = run.calls().into_iter().find(|call| call.records() == [record]).expect("a call");
    call.error().map(str::to_owned)
}

#[test]
fn a_destructor_that_panics_after_the_timeout_concerns_its_record_only() {
    let run = Daemon::new().batch(["a", "hang", "hang", "b"]).batch(["c"]).shard_end().run_async::<Hanging>();
    run.assert_succeeded();
    run.assert_shard_ended();
    assert_eq!(run.processor().dropped.get(), 2);
    for (record, error) in [(1, None), (2, Some("cancelled after its `timeout` of 10s")), (4, None), (5, None)] {
        assert_eq!(ended(&run, record).as_deref(), error, "record {record}");
    }
}

#[test]
fn a_panic_concerns_its_record_only() {
    let run = Daemon::new().batch(["a", "panic", "b"]).batch(["panic", "c"]).shard_end().run_async::<Hanging>();
    run.assert_succeeded();
    run.assert_shard_ended();
    for record in 1..=5 {
        let panicked = ended(&run, record).is_some_and(|error| error.starts_with("panicked: a handler"));
        assert_eq!(panicked, [2, 4].contains(&record), "record {record}");
    }
}

#[test]
fn a_destructor_that_panics_after_the_lease_was_lost_has_no_effect() {
    // The daemon says so, or a checkpoint finds it out.
    let told = Daemon::new().batch(["hang", "a", "hang"]).lease_lost().run_async::<Hanging>();
    let refused = Daemon::new().fault(Fault::lose_lease()).batch(["a", "hang", "hang"]);
    let found_out = refused.run_async::<Hanging>();
    for run in [told, found_out] {
        run.assert_succeeded();
        assert_eq!(ended(&run, 3).as_deref(), Some("cancelled"), "{run}");
        assert_eq!(run.processor().before_lease_lost, Some(2));
    }
}
