//! The daemon of a test: its script, step by step.

use std::future::ready;
use std::ops::RangeInclusive;
use std::panic::Location;
use std::time::Duration;

#[cfg(feature = "tokio")]
use crate::async_processor::{AsyncInitialize, AsyncProcessor};
use crate::error::BoxError;
use crate::processor::{Initialize, Processor};
use crate::runner::conversation::{Waits, now};
use crate::shard::{Position, Shard};
use crate::testing::draw::{Schedule, Stretch};
use crate::testing::record::{IntoRecords, TestRecord};
use crate::testing::report::{Report, brief, judge};
use crate::testing::schedules;
use crate::testing::script::{Action, Fault, SHARD, Script, ShardScript};
use crate::testing::sink::Sink;
use crate::testing::stage::{Options, Performance, perform};
#[cfg(feature = "tokio")]
use crate::testing::tasks::block_on;

/// A daemon for one test: it runs a processor in process, on the caller's thread, in virtual time.
///
/// Its steps happen in order. A [fault](Self::fault) is armed for the steps after it. After the last step, the input
/// ends. After a crash, a new process takes the shard over at its checkpoint, and gets the records after it again, as in
/// production. The same happens if steps follow a lost lease or a requested shutdown.
///
/// After every run, the daemon checks the [promises](super#the-promises) of a processor without being asked.
///
/// ```
/// use std::convert::Infallible;
/// use std::time::Duration;
///
/// use kcl::testing::{Daemon, Fault, Refusal};
/// use kcl::{Json, Shard};
///
/// #[derive(serde::Deserialize)]
/// struct Order {
///     cents: u64,
/// }
///
/// struct Revenue {
///     cents: u64,
/// }
///
/// #[kcl::processor(main = false)]
/// impl Revenue {
///     #[on_record]
///     fn add(&mut self, Json(order): Json<Order>) {
///         self.cents += order.cents;
///     }
/// }
///
/// let run = Daemon::new()
///     .batch([r#"{"cents": 5}"#, r#"{"cents": 7}"#])
///     .fault(Fault::refuse_checkpoints(Refusal::Throttled, 3))
///     .pass(Duration::from_secs(60))
///     .shard_end()
///     .run_with(|_: &Shard| Ok::<_, Infallible>(Revenue { cents: 0 }));
/// run.assert_succeeded();
/// run.assert_shard_ended();
/// assert_eq!(run.processor().cents, 12);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Daemon {
    script: Script,
    options: Options,
    schedule: Option<Schedule>,
}

/// The steps of one shard; see [`Daemon::shard`].
#[derive(Clone, Debug)]
pub struct Steps {
    script: ShardScript,
    schedule: Option<Schedule>,
}

/// The steps, which a daemon has for its first shard, too.
macro_rules! steps {
    () => {
        /// Delivers records in one `processRecords`.
        ///
        /// # Panics
        ///
        /// If the shard has ended, or if sequence numbers do not ascend.
        #[must_use]
        #[track_caller]
        pub fn batch(self, records: impl IntoRecords) -> Self {
            self.step(Action::Batch(records.into_records()))
        }

        /// Delivers records in batches that the schedule of [`#[kcl::test]`](macro@crate::test) draws, with what goes wrong
        /// before, within and between them. If no step ends the shard after them, the schedule does.
        ///
        /// # Panics
        ///
        /// If the daemon is not that of a `#[kcl::test]`, if the shard has ended, or if sequence numbers do not ascend.
        #[must_use]
        #[track_caller]
        pub fn records(self, records: impl IntoRecords) -> Self {
            let records = records.into_records();
            let part = schedules::of(self.schedule.as_ref(), "records").records(records.len());
            self.draw(part, |n| records[n].clone())
        }

        /// Delivers records as [`records`](Self::records) does, and draws their number, too. `record` makes the record `n`,
        /// counted from 0. If the test fails, records are left out as long as it fails.
        ///
        /// # Panics
        ///
        /// As `records`, or if the range is empty.
        #[must_use]
        #[track_caller]
        pub fn any_records<R: Into<TestRecord>>(
            self,
            count: RangeInclusive<usize>,
            mut record: impl FnMut(usize) -> R,
        ) -> Self {
            assert!(!count.is_empty(), "no number of records is in the range {count:?}");
            let part = schedules::of(self.schedule.as_ref(), "any_records").any_records(&count);
            self.draw(part, |n| record(n).into())
        }

        /// Delivers a `processRecords` without records, as the real daemon does on a quiet shard if it is configured to.
        ///
        /// # Panics
        ///
        /// If the shard has ended.
        #[must_use]
        #[track_caller]
        pub fn empty_batch(self) -> Self {
            self.step(Action::Batch(Vec::new()))
        }

        /// Puts the batches after this step that far behind the newest record of the shard: their
        /// [`MillisBehindLatest`](crate::MillisBehindLatest). At first, they are not behind.
        ///
        /// # Panics
        ///
        /// If the shard has ended.
        #[must_use]
        #[track_caller]
        pub fn behind(self, time: Duration) -> Self {
            self.step(Action::Behind(time))
        }

        /// Arms a fault for the steps after it. A fault that never happens fails the test.
        ///
        /// # Panics
        ///
        /// If the shard has ended.
        #[must_use]
        #[track_caller]
        pub fn fault(self, fault: Fault) -> Self {
            self.step(Action::Fault(fault))
        }

        /// Lets virtual time pass between two messages. Within a handler, [`pass`](super::pass) does.
        ///
        /// # Panics
        ///
        /// If the shard has ended.
        #[must_use]
        #[track_caller]
        pub fn pass(self, time: Duration) -> Self {
            self.step(Action::Pass(time))
        }

        /// Sends `leaseLost`: another worker has the lease. Steps after it happen to that worker's process.
        ///
        /// # Panics
        ///
        /// If the shard has ended.
        #[must_use]
        #[track_caller]
        pub fn lease_lost(self) -> Self {
            self.step(Action::LeaseLost)
        }

        /// Sends `shutdownRequested`, the last chance for a checkpoint. Steps after it happen to another process.
        ///
        /// # Panics
        ///
        /// If the shard has ended.
        #[must_use]
        #[track_caller]
        pub fn shutdown_requested(self) -> Self {
            self.step(Action::ShutdownRequested)
        }

        /// Sends `shardEnded`: the shard was read to its end.
        ///
        /// # Panics
        ///
        /// If the shard has ended.
        #[must_use]
        #[track_caller]
        pub fn shard_end(self) -> Self {
            self.step(Action::ShardEnd)
        }

        /// Kills the process between two messages. The processor is leaked, since a SIGKILL runs no destructors.
        ///
        /// # Panics
        ///
        /// If the shard has ended.
        #[must_use]
        #[track_caller]
        pub fn crash(self) -> Self {
            self.step(Action::Crash)
        }

        /// Gives the shard to a new process, which gets the records after the checkpoint again. The old process gets
        /// the end of its input, or has failed.
        #[must_use]
        #[track_caller]
        pub fn redeliver(self) -> Self {
            self.step(Action::Redeliver)
        }

        /// Starts the shard at this position, instead of `TRIM_HORIZON`. After a sequence number, records without numbers of their
        /// own are numbered from there.
        ///
        /// # Panics
        ///
        /// If a record has a sequence number that does not come after the position.
        #[must_use]
        #[track_caller]
        pub fn starting_at(mut self, position: Position) -> Self {
            if let Err(problem) = self.shard_script().start_at(position) {
                panic!("{problem}");
            }
            self
        }

        #[track_caller]
        fn draw(mut self, part: Stretch, record: impl FnMut(usize) -> TestRecord) -> Self {
            if let Err(problem) = self.shard_script().draw(part, record, Location::caller()) {
                panic!("{problem}");
            }
            self
        }

        #[track_caller]
        fn step(mut self, action: Action) -> Self {
            if let Err(problem) = self.shard_script().push(action, Location::caller()) {
                panic!("{problem}");
            }
            self
        }
    };
}

impl Steps {
    steps!();

    /// Starts the shard only after another one has ended, as a child after its parent when a stream is resharded. Call
    /// it twice for a shard that merges two. Shards that start after each other fail the test.
    #[must_use]
    pub fn after(mut self, parent: impl Into<String>) -> Self {
        self.script.parents.push(parent.into());
        self
    }

    fn shard_script(&mut self) -> &mut ShardScript {
        &mut self.script
    }
}

impl Daemon {
    /// A daemon that follows a schedule.
    pub(crate) fn scheduled(schedule: Schedule) -> Self {
        Self { schedule: Some(schedule), ..Self::default() }
    }

    /// A daemon without steps. Its own steps are for the shard `shardId-000000000000`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    steps!();

    fn shard_script(&mut self) -> &mut ShardScript {
        let at = self.script.shards.iter().position(|shard| shard.id == SHARD).unwrap_or_else(|| {
            self.script.shards.insert(0, ShardScript::new(SHARD));
            0
        });
        &mut self.script.shards[at]
    }

    /// Adds the steps of a shard. All shards have processes of the same processor. They take turns in the order in which they were added,
    /// with one message each: no handlers of two shards run at the same time. In its turn, a processor that handles records at once gets
    /// its messages one after the other, up to one that it must be alone for, such as `leaseLost`.
    ///
    /// ```
    /// use kcl::testing::Daemon;
    ///
    /// #[derive(Default)]
    /// struct Count(u64);
    ///
    /// #[kcl::processor(main = false)]
    /// impl Count {
    ///     #[on_record]
    ///     fn count(&mut self) {
    ///         self.0 += 1;
    ///     }
    /// }
    ///
    /// let run = Daemon::new()
    ///     .shard("parent", |steps| steps.batch(["a", "b"]).shard_end())
    ///     .shard("child", |steps| steps.after("parent").batch(["c"]))
    ///     .assert_shards_independent()
    ///     .run::<Count>();
    /// run.assert_succeeded();
    /// assert_eq!(run.shard("parent").processor().0, 2);
    /// assert_eq!(run.shard("child").processor().0, 1);
    /// ```
    ///
    /// # Panics
    ///
    /// If the daemon has a shard with this id already.
    #[must_use]
    #[track_caller]
    pub fn shard(mut self, id: impl Into<String>, steps: impl FnOnce(Steps) -> Steps) -> Self {
        let id = id.into();
        assert!(
            self.script.shards.iter().all(|shard| shard.id != id),
            "shard {id} has steps already: write all steps of a shard in one `.shard(...)`"
        );
        let steps = steps(Steps { script: ShardScript::new(id), schedule: self.schedule.clone() });
        self.script.shards.push(steps.script);
        self
    }

    /// Runs each shard once more, alone, after the run with all of them. The test fails if a shard then replies in
    /// another way, or writes something else to a [`Sink`]. That finds state that shards share, such as a `static` that
    /// grows.
    #[must_use]
    pub fn assert_shards_independent(mut self) -> Self {
        self.script.independent = true;
        self
    }

    /// Makes a sink part of the run even if no processor owns it directly.
    #[must_use]
    pub fn sink<T: Clone + std::fmt::Debug + Send + 'static>(mut self, sink: &Sink<T>) -> Self {
        self.options.sinks.push(sink.known());
        self
    }

    /// Draws from this seed the random waits before retries and, among the handlers that can go on at once, the next one. Without a
    /// seed, each wait takes as long as it can, and the handler whose record arrived first goes on first.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.options.seed = Some(seed);
        self
    }

    /// Runs the steps with processors of this type.
    ///
    /// # Panics
    ///
    /// If a promise is broken, or if a scripted fault does not happen. The message contains the report.
    #[track_caller]
    pub fn run<P: Initialize>(self) -> Report<P> {
        self.run_with(P::initialize)
    }

    /// Runs the steps with processors that a factory makes, as [`Runner::new`](crate::Runner::new) does: one for each
    /// process of each shard.
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run) does.
    #[track_caller]
    pub fn run_with<P, E>(self, factory: impl Fn(&Shard) -> Result<P, E>) -> Report<P>
    where
        P: Processor,
        E: Into<BoxError>,
    {
        let make = |shard: &Shard| ready(factory(shard));
        self.report(|script, options| now(perform(script, options, &make, Waits::Thread)))
    }

    /// Runs the steps with processors of this type, whose handlers may be `async`. It needs the feature `tokio`.
    ///
    /// Handlers are polled on the test's thread, on a runtime of tokio whose clock is [virtual](super#async-handlers).
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run) does; within a runtime; and if a handler waits for something that never happens.
    #[cfg(feature = "tokio")]
    #[track_caller]
    pub fn run_async<P: AsyncInitialize>(self) -> Report<P> {
        self.run_with_async(async |shard: &Shard| P::initialize(shard).await)
    }

    /// Runs the steps with processors that an `async` factory makes, as [`Runner::from_async`](crate::Runner::from_async) does: one for
    /// each process of each shard. It needs the feature `tokio`.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use std::time::Duration;
    ///
    /// use kcl::testing::{Daemon, Sink};
    /// use kcl::{Json, Shard};
    ///
    /// struct Store {
    ///     sink: Sink<u64>,
    /// }
    ///
    /// #[kcl::processor(main = false)]
    /// impl Store {
    ///     #[on_record(concurrency = 64)]
    ///     async fn store(&self, Json(cents): Json<u64>) -> std::io::Result<()> {
    ///         tokio::time::sleep(Duration::from_millis(5)).await;
    ///         self.sink.write(cents)
    ///     }
    /// }
    ///
    /// let sink = Sink::every_record();
    /// let run = Daemon::new()
    ///     .batch(["5", "7"])
    ///     .run_with_async(async |_: &Shard| Ok::<_, Infallible>(Store { sink: sink.clone() }));
    /// run.assert_succeeded();
    /// assert_eq!(sink.values(), [5, 7]);
    /// ```
    ///
    /// # Panics
    ///
    /// As [`run_async`](Self::run_async) does.
    #[cfg(feature = "tokio")]
    #[track_caller]
    pub fn run_with_async<P, E>(mut self, factory: impl AsyncFn(&Shard) -> Result<P, E>) -> Report<P>
    where
        P: AsyncProcessor,
        E: Into<BoxError>,
    {
        if let Some(seed) = self.schedule.as_ref().and_then(Schedule::seed) {
            self.script.seed = Some(*self.options.seed.get_or_insert(seed));
        }
        self.report(|script, options| {
            let performance = block_on(perform(script, options, &factory, Waits::Task));
            performance.map_err(|error| format!("the runtime of the test could not be started: {error}"))?
        })
    }

    /// Performs the script, and judges the performance.
    #[track_caller]
    fn report<P>(self, perform: impl FnOnce(&Script, &Options) -> Result<Performance<P>, String>) -> Report<P> {
        let Self { mut script, options, schedule } = self;
        if let Some(schedule) = &schedule {
            if let Err(problem) = schedules::end(&mut script, schedule, Location::caller()) {
                panic!("{problem}");
            }
        }
        let performance = match perform(&script, &options) {
            Ok(performance) => performance,
            Err(problem) => {
                // The problem contains the notes.
                if let Some(schedule) = &schedule {
                    schedule.note(&script, String::new, None);
                }
                panic!("{problem}")
            }
        };
        let judged = judge(script.clone(), performance);
        if let Some(schedule) = schedule {
            let notes =
                || judged.as_ref().map_or_else(|wrong| wrong.notes.clone(), |report| brief(&report.to_string()));
            schedule.note(&script, notes, judged.as_ref().err().and_then(|wrong| wrong.promise));
        }
        match judged {
            Ok(report) => report,
            Err(wrong) => panic!("{wrong}"),
        }
    }
}
