//! The one stream of events of a conversation. Counts, the watch, metrics and tracing follow it; nothing else reports to them.

use std::time::Duration;

use crate::checkpoint::error::CheckpointError;
use crate::error::{BoxError, Failure, HandlerError, Passed};
use crate::measure::Measure;
use crate::protocol::Reply;
use crate::record::Record;
use crate::runner::counts::Counts;
use crate::runner::watch::Watch;
use crate::shard::MillisBehindLatest;
use crate::trace;

/// An event of a conversation.
#[cfg_attr(
    not(all(feature = "testing", feature = "tracing", feature = "metrics")),
    allow(dead_code, reason = "only followers that are features read some of the fields")
)]
pub(crate) enum Event<'e> {
    /// A batch arrived.
    Batch(&'e [Record]),
    /// How far that batch is behind the newest record of the shard.
    Behind(MillisBehindLatest),
    /// A handler is called for this message, or with these records. Further attempts, and the waits before them, belong
    /// to the same call.
    Called { action: &'static str, records: Option<&'e [Record]> },
    /// The call is at the record at this place of its batch, or not at a single record.
    At(Option<usize>),
    /// The record handler gets the records at these places of its batch, or all that are left of it.
    Attempt(Option<&'e [usize]>),
    /// The handler gets the record at this place of its batch.
    Record(usize),
    /// The handler returned from that record.
    Handled(&'e Result<(), BoxError>),
    /// An attempt of the call is over: the handler returned from all of it, or panicked.
    Attempted(Result<(), &'e Failure>),
    /// The call is over, whatever its result.
    Returned,
    /// The handler named the records that failed, by their places in the batch. The others of the attempt are done.
    Named(&'e [usize]),
    /// An attempt failed, and another one follows after a wait. `record` is the one that failed, or the first of several, if it is known.
    #[cfg_attr(not(feature = "tracing"), allow(dead_code, reason = "only tracing reads the record"))]
    Failed { failed: &'e HandlerError, record: Option<&'e Record> },
    /// The other attempt begins.
    Retried,
    /// A record was skipped or dead-lettered.
    Passed(&'e Passed<'e>),
    /// `done` more records were processed, skipped or dead-lettered. `in_order` is by how many more records all are done.
    Settled { done: usize, in_order: usize },
    /// What happens to a record that is handled beside others. `at` is its place among all records that arrived in this phase.
    #[cfg_attr(
        not(any(feature = "tokio", test)),
        allow(dead_code, reason = "records are handled at once with a runtime")
    )]
    Among { at: u64, record: &'e Record, step: Step<'e> },
    /// The daemon accepted a checkpoint.
    Accepted,
    /// A checkpoint was made or refused, after all retries.
    Checkpoint { request: &'e Reply, result: Result<(), &'e CheckpointError> },
}

/// What happens to a record that is handled beside others.
#[allow(dead_code, reason = "records are handled at once with a runtime, and not every follower reads every field")]
pub(crate) enum Step<'e> {
    /// It gets a slot, and its handler is called. `attempt` counts its calls, and `since` is the start of the first one.
    Started { attempt: u32, since: Duration },
    /// The attempt, which began at `began`, is over: its handler returned, panicked or took too long. The slot is free. `running` is the
    /// last time that was read while it was still running; the clock is not read for this event.
    Ended { began: Duration, running: Duration, result: Result<(), &'e Failure> },
    /// It waits for its next attempt, without a slot. With `blocks`, so do all records of its partition key.
    Parked { wait: Duration, blocks: bool },
    /// It failed permanently, keeps its slot, and the handler of dead letters is called.
    Letter,
    /// That handler returned or panicked.
    Taken(Result<(), &'e Failure>),
    /// It is settled: it succeeded, was skipped or dead-lettered.
    Settled { since: Duration },
    /// It is dropped without being settled, although its handler was called.
    Dropped { since: Duration },
}

/// A follower of the events from outside of the runtime.
#[cfg(feature = "testing")]
pub(crate) trait Listener: Send {
    fn observe(&mut self, event: &Event<'_>);
}

/// The followers of the events.
#[derive(Default)]
pub(crate) struct Events {
    pub(crate) counts: Counts,
    pub(crate) watch: Watch,
    pub(crate) measure: Measure,
    #[cfg(feature = "testing")]
    pub(crate) listener: Option<Box<dyn Listener>>,
}

impl Events {
    // Each place emits one kind of event. Inlined, the followers cost only what they do for this kind.
    #[inline(always)]
    pub(crate) fn emit(&mut self, event: &Event<'_>) {
        self.watch.observe(event);
        self.counts.observe(event);
        self.measure.observe(event);
        trace::observe(event);
        #[cfg(feature = "testing")]
        if let Some(listener) = &mut self.listener {
            listener.observe(event);
        }
    }
}
