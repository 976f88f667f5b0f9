//! Testing a processor: a daemon in process, with the feature `testing`.
//!
//! A [`Daemon`] delivers records to a processor, causes the failures of production, and checks after every run what a
//! processor promises. Everything happens on the thread of the test and in virtual time: an hour of retries takes
//! milliseconds.
//!
//! # The first test
//!
//! The feature belongs in `[dev-dependencies]`, with the same source as in `[dependencies]`:
//!
//! ```toml
//! [dependencies]
//! kcl = { path = "../kcl" }
//!
//! [dev-dependencies]
//! kcl = { path = "../kcl", features = ["testing"] }
//! serde_json = "1"
//! ```
//!
//! A processor is usually a binary crate, whose items only tests within it can use. They stand at the end of
//! `src/main.rs`:
//!
//! ```
//! use kcl::{Json, Shard};
//!
//! #[derive(serde::Deserialize)]
//! struct Order {
//!     cents: u64,
//! }
//!
//! struct Revenue {
//!     shard: String,
//!     cents: u64,
//! }
//!
//! # /*
//! #[kcl::processor]
//! # */
//! # #[kcl::processor(main = false)]
//! impl Revenue {
//!     #[on_init]
//!     fn open(shard: &Shard) -> Self {
//!         Revenue { shard: shard.id().to_owned(), cents: 0 }
//!     }
//!
//!     #[on_record]
//!     fn add(&mut self, Json(order): Json<Order>) {
//!         self.cents += order.cents;
//!     }
//! }
//!
//! # /*
//! #[cfg(test)]
//! mod tests {
//! # */
//! # mod tests {
//!     use kcl::testing::{Daemon, Fault};
//!     use serde_json::json;
//!
//!     use super::*;
//!
//! # /*
//!     #[test]
//! # */
//!     fn orders_add_up() {
//!         let run = Daemon::new()
//!             .batch([json!({"cents": 5}), json!({"cents": 7})])
//!             .batch([json!({"cents": 8})])
//!             .shard_end()
//!             .run::<Revenue>();
//!         run.assert_succeeded();
//!         run.assert_shard_ended();
//!         assert_eq!(run.processor().cents, 20);
//!     }
//!
//! # /*
//!     #[test]
//! # */
//!     fn a_batch_is_delivered_again_after_a_crash() {
//!         let run = Daemon::new()
//!             .fault(Fault::crash_before_checkpoint())
//!             .batch([json!({"cents": 5})])
//!             .run::<Revenue>();
//!         // The second process got the order again. The first one is gone, and so is its sum.
//!         assert_eq!(run.processor().cents, 5);
//!         run.assert_checkpoint_at(1);
//!     }
//!
//! # /*
//!     #[test]
//! # */
//!     fn a_record_that_is_not_an_order_ends_the_process() {
//!         let run = Daemon::new().batch(["not an order"]).run::<Revenue>();
//!         run.assert_failed();
//!         run.assert_checkpoint_at(0);
//!     }
//! #   pub fn all() {
//! #       orders_add_up();
//! #       a_batch_is_delivered_again_after_a_crash();
//! #       a_record_that_is_not_an_order_ends_the_process();
//! #   }
//! }
//! # fn main() { tests::all() }
//! ```
//!
//! `.run::<P>()` makes the processor as the daemon's child does, with `#[on_init]`, [`Initialize`](crate::Initialize) or
//! `Default`. [`.run_with(|shard| ...)`](Daemon::run_with) makes it with a closure, so that a test can pass in its own
//! connections.
//!
//! A function of your own that runs a daemon for several tests should be `#[track_caller]`: failures then point at the
//! test that called it.
//!
//! Do not import with `use kcl::*`: the glob could hide the standard `#[test]`.
//!
//! # What a script can do
//!
//! The steps of a script happen in order. If the last one is not an end, the processor gets the end of its input.
//!
//! | step | happens |
//! |---|---|
//! | [`.batch(records)`](Daemon::batch), [`.empty_batch()`](Daemon::empty_batch) | one `processRecords` |
//! | [`.shard_end()`](Daemon::shard_end), [`.shutdown_requested()`](Daemon::shutdown_requested), [`.lease_lost()`](Daemon::lease_lost) | the messages of these names |
//! | [`.crash()`](Daemon::crash), [`.redeliver()`](Daemon::redeliver) | another process takes the shard over at its checkpoint |
//! | [`.pass(time)`](Daemon::pass), [`.behind(time)`](Daemon::behind) | virtual time passes; the batches are that far behind |
//! | [`.fault(fault)`](Daemon::fault) | a [`Fault`] is armed for the steps after it |
//! | [`.starting_at(position)`](Daemon::starting_at) | the shard does not start at its oldest record |
//! | [`.shard(id, \|steps\| ...)`](Daemon::shard) | steps of another shard; [`after`](Steps::after) makes it a child of others |
//!
//! A [`Fault`] refuses checkpoints, loses the lease, kills the process at a named point, such as its nth write to a [`Sink`], or
//! delivers records again in other batches. A fault that never happens fails the test: the script does not do what it says.
//!
//! # Records
//!
//! Text, bytes and [`serde_json::Value`]s become records as they are. A [`TestRecord`] can have a partition key, an
//! arrival time, a place in an aggregate of the Kinesis Producer Library, or a sequence number. Without one, it gets the
//! number after that of the record before it, or after the position at which the shard starts. All messages and methods of the kit name
//! records by their places in the shard, counted from 1.
//! [`TestRecord::read_json_lines`] reads what `cargo kcl tail --json` prints, and dead letters.
//!
//! ```
//! use std::time::{Duration, UNIX_EPOCH};
//!
//! use kcl::testing::{Daemon, TestRecord};
//! use kcl::Record;
//!
//! #[derive(Default)]
//! struct Keys(Vec<String>);
//!
//! #[kcl::processor(main = false)]
//! impl Keys {
//!     #[on_record]
//!     fn note(&mut self, record: &Record) {
//!         self.0.push(format!("{}/{}", record.partition_key(), record.sub_sequence_number()));
//!     }
//! }
//!
//! let old = TestRecord::text("a").key("ada").arrival(UNIX_EPOCH + Duration::from_secs(60));
//! let aggregate = (0..2).map(|n| TestRecord::bytes([0xff]).key("bob").part(n));
//! let run = Daemon::new().batch([old]).batch(aggregate).run::<Keys>();
//! assert_eq!(run.processor().0, ["ada/0", "bob/0", "bob/1"]);
//! ```
//!
//! # The promises
//!
//! These hold for every processor. They are checked after every run, also if the test asserts nothing:
//!
//! - No checkpoint passes a record that is not settled. A record is settled after its handler returned `Ok`, or after
//!   the failure policy has skipped or dead-lettered it.
//! - No checkpoint passes a record that is missing in a [`Sink`] of every record.
//! - No checkpoint goes backwards.
//! - The records of a shard are handled in order; with `concurrency`, those of one partition key.
//! - SHARD_END is checkpointed before `shardEnded` is acknowledged, and nothing follows it.
//! - After the lease is lost, no checkpoint is accepted from this process.
//! - The daemon understands every reply.
//!
//! A broken promise fails the test in [`run`](Daemon::run), with a sentence and with everything that happened before:
//!
//! ```text
//! the promise "no checkpoint passes a record that is not in every sink of every record" was broken in shard
//! shardId-000000000000: a checkpoint at record 2 was accepted, but record 2 was not written to the sink made at
//! src/main.rs:40:20; record 2 was tried once and is settled
//!
//! shard shardId-000000000000
//!   a process starts at TRIM_HORIZON
//!      initialize: ok
//!   <- initialize is acknowledged
//!   -> processRecords with records 1 to 2
//!      ...
//! ```
//!
//! # What reaches the store
//!
//! "Settled" means only that the handler returned `Ok`. A [`Sink`] takes the place of the store that a processor writes
//! to, so that the kit knows what arrived there. It can fail, wait or crash at the nth write:
//!
//! ```
//! use std::convert::Infallible;
//!
//! use kcl::testing::{Daemon, Sink};
//! use kcl::{Json, Shard};
//!
//! trait Store {
//!     fn put(&mut self, cents: u64) -> std::io::Result<()>;
//! }
//!
//! impl Store for Sink<u64> {
//!     fn put(&mut self, cents: u64) -> std::io::Result<()> {
//!         self.write(cents)
//!     }
//! }
//!
//! struct Archive<S> {
//!     store: S,
//! }
//!
//! #[kcl::processor(main = false)]
//! impl<S: Store> Archive<S> {
//!     #[on_record(retry = 2)]
//!     fn keep(&mut self, Json(cents): Json<u64>) -> std::io::Result<()> {
//!         self.store.put(cents)
//!     }
//! }
//!
//! let sink = Sink::every_record().fail_at(2);
//! let run = Daemon::new()
//!     .batch(["5", "7"])
//!     .run_with(|_: &Shard| Ok::<_, Infallible>(Archive { store: sink.clone() }));
//! run.assert_succeeded();
//! assert_eq!(sink.values(), [5, 7]);
//! // The calls made the processor, handled the first record, and handled the second one twice.
//! assert_eq!(run.calls()[3].attempt(), 2);
//! ```
//!
//! A processor that keeps records for a while writes for them later, with [`Sink::write_for`]. This one forgets them when
//! a shutdown is requested, so its test fails:
//!
//! ```should_panic
//! use std::convert::Infallible;
//!
//! use kcl::testing::{Daemon, Sink};
//! use kcl::{CheckpointError, Checkpointer, Record, Shard};
//!
//! struct Buffer {
//!     kept: Vec<Record>,
//!     sink: Sink<usize>,
//! }
//!
//! #[kcl::processor(main = false)]
//! impl Buffer {
//!     #[on_records]
//!     fn keep(&mut self, records: &[Record], checkpointer: &mut Checkpointer) -> Result<(), kcl::BoxError> {
//!         self.kept.extend(records.iter().cloned());
//!         if self.kept.len() >= 100 {
//!             self.sink.write_for(&self.kept, self.kept.len())?;
//!             self.kept.clear();
//!             checkpointer.checkpoint()?;
//!         }
//!         Ok(())
//!     }
//!
//!     #[on_shutdown_requested]
//!     fn stop(&mut self, checkpointer: &mut Checkpointer) -> Result<(), CheckpointError> {
//!         checkpointer.checkpoint()
//!     }
//! }
//!
//! let sink = Sink::every_record();
//! let make = |_: &Shard| Ok::<_, Infallible>(Buffer { kept: Vec::new(), sink: sink.clone() });
//! // "... a checkpoint at record 2 was accepted, but record 1 was not written to the sink ..."
//! Daemon::new().batch(["a", "b"]).shutdown_requested().run_with(make);
//! ```
//!
//! # Time
//!
//! Waits before retries, timed checkpoints, [`tick`](crate::Processor::tick) and the reports of slow handlers follow the
//! virtual clock. Only waits of the runtime, [`.pass(time)`](Daemon::pass) between messages, [`pass`] in a handler and
//! [`Sink::wait_at`] let time pass. Handlers themselves take no time.
//!
//! # Async handlers
//!
//! With the feature `tokio`, `.run_async::<P>()` and `.run_with_async(...)` run processors
//! with `async` handlers, also those with `concurrency`. They start a runtime of tokio whose clock is virtual: when nothing else can
//! happen, it goes on to the next timer. So `tokio::time::sleep` in a handler, `timeout`, `drain`, waits before retries and
//! `.pass(time)` follow one clock. Days pass in microseconds, and each run is the same.
//!
//! ```
//! # #[cfg(feature = "tokio")]
//! # mod asynchronous {
//! use std::cell::Cell;
//! use std::time::Duration;
//!
//! use kcl::testing::Daemon;
//!
//! #[derive(Default)]
//! struct Count(Cell<u32>);
//!
//! #[kcl::processor(main = false)]
//! impl Count {
//!     #[on_record(concurrency = 8)]
//!     async fn count(&self) {
//!         tokio::time::sleep(Duration::from_secs(3600)).await;
//!         self.0.set(self.0.get() + 1);
//!     }
//! }
//!
//! # /*
//! #[test]
//! # */
//! # pub
//! fn hours_take_no_time() {
//!     let run = Daemon::new().batch(["a", "b"]).run_async::<Count>();
//!     run.assert_succeeded();
//!     assert_eq!(run.processor().0.get(), 2);
//! }
//! # }
//! # #[cfg(feature = "tokio")]
//! # asynchronous::hours_take_no_time();
//! ```
//!
//! - The test is a plain `#[test]`, not a `#[tokio::test]`.
//! - With `concurrency`, the records of one partition key are handled in order, and [`Sink::write`] belongs to the record whose handler
//!   is being polled. A handler that was dropped before it returned has the error `cancelled` in the report.
//! - [`pass`] and [`Sink::wait_at`] work as code that blocks the thread. A handler that lets others go on sleeps.
//! - Sinks work in handlers, and in tasks of `spawn_local`. They do not work in tasks of `tokio::spawn`, nor on other threads.
//! - `runtime = multi_thread` has no effect: all tasks run on the test's thread.
//! - A panic in a destructor of a handler's future that is cancelled changes nothing, as in production, where it is printed. The report
//!   names it.
//! - A handler that waits for something that never happens fails the test. So does one that waits for a socket or another thread: for the
//!   virtual clock, nothing happens there. It stands still only during `spawn_blocking`.
//! - `tokio::select!` without `biased` chooses at random, and so do hash maps: such a handler is not the same in each run.
//!
//! # Several shards
//!
//! In production, shards have processes of their own. In a test, they share one. State that is not in the processor, such
//! as a `static`, mixes their records up. [`assert_shards_independent`](Daemon::assert_shards_independent) finds that.
//!
//! # What to ask after a run
//!
//! The [`Report`] has the processor, all calls, checkpoints and acknowledgements, the dead letters and the skipped
//! records, the lines that kcl writes to stderr, and the exit code. Its text is the same in each run, so snapshot tools
//! can keep it. What handlers print goes where the test harness sends it.
//!
//! # Schedules
//!
//! [`#[kcl::test]`](macro@crate::test) draws a script: how records come together in batches, the first time and after a crash, what
//! goes wrong, and how the shard ends. A failure is made small, and printed as a script to copy into a test. It finds the case that
//! nobody thought of, and is best with a [`Sink`].
//!
//! With `run_async`, every second schedule also draws which handler goes on next, of those that can, and how long
//! the waits before retries are. That finds state that handlers share across an `.await`. The printed script then has a `.seed(...)`,
//! which repeats these choices.
//!
//! # Recorded conversations
//!
//! `cargo kcl local --record tests/recordings` keeps the conversations of a run. From then on they are a regression suite.
//! If `#[on_init]` connects to something real, replay with [`replay_with`](Recordings::replay_with) and a processor made
//! for tests. Processors with `async` handlers are replayed with `replay_async` and `replay_with_async`, with the feature `tokio`.
//!
//! ```no_run
//! # #[derive(Default)]
//! # struct Revenue;
//! # #[kcl::processor(main = false)]
//! # impl Revenue {
//! #     #[on_record]
//! #     fn add(&mut self) {}
//! # }
//! # /*
//! #[test]
//! # */
//! fn recorded_conversations_go_the_same_way() {
//!     kcl::testing::Recordings::read("tests/recordings").replay::<Revenue>();
//! }
//! ```
//!
//! # What a test cannot show
//!
//! - **Effects without a [`Sink`].** The kit sees a handler's result and its checkpoints. It does not see whether a
//!   database has the record. If a handler takes a [`Checkpointer`](crate::Checkpointer), a checkpoint before the work
//!   looks like one after it, unless the work fails or writes to a sink.
//! - **Duplicates.** Delivery is at least once. The kit delivers records again, and does not know which effects may happen
//!   twice. Assert that on the processor or on the sink's values.
//! - **A kill at any point.** A process is killed between two messages, at a status or a checkpoint, and before or after a write to a
//!   [`Sink`]. It is not killed between two other effects of a handler, such as a write to a database and one to a file.
//! - **The process.** A crash leaks the processor, and no destructor runs. But `static`s, open files, threads and
//!   tasks of `tokio::spawn` survive it, as they would not survive a SIGKILL. A handler that ends the process ends the test.
//! - **Other threads and clocks.** Sinks work only on the test's thread. `std::time` and `sleep` follow the real clock, not
//!   the virtual one.
//! - **A loop that only computes.** A handler that goes on without end fails its test: after 10,000 failed attempts, 10,000 checkpoints in one
//!   call that do not move forward, 100,000 writes to a [`Sink`] or calls of [`pass`] in one call, or 100,000 polls. Each delivered record
//!   adds 100 to these numbers. One that does none of this hangs, and so does its test.
//! - **Pipes.** Messages do not pass through real descriptors, and nothing is moved aside on stdin, stdout and stderr.
//! - **The real daemon.** When leases move and how shards are balanced is the decision of the KCL. How fast a processor is,
//!   a test in virtual time does not say.
//!
//! `cargo kcl local --chaos SEED` runs the real program under failures, with real kills. `cargo kcl daemon` runs it under the
//! real daemon.

mod clock;
mod context;
mod daemon;
mod draw;
mod journal;
mod ledger;
mod patience;
mod play;
mod quiet;
mod random;
mod record;
mod recordings;
mod report;
#[doc(hidden)]
pub mod schedules;
mod script;
mod shrink;
mod sink;
mod stage;
mod tape;
mod tasks;
#[doc(hidden)]
pub mod wire;

pub(crate) use context::overhear;
pub use context::pass;
pub use daemon::{Daemon, Steps};
pub use journal::{Call, Checkpoint};
pub use record::{IntoRecords, TestRecord};
pub use recordings::Recordings;
pub use report::{Report, ShardReport};
pub use script::{Fault, Refusal};
pub use sink::Sink;
