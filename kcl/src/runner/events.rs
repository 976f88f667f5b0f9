//! The one stream of events of a conversation. Counts, the watch and tracing follow it; nothing else reports to them.

use std::sync::Arc;

use crate::checkpoint::error::CheckpointError;
use crate::error::{HandlerError, Passed};
use crate::protocol::Reply;
use crate::record::Record;
use crate::runner::counts::Counts;
use crate::runner::watch::Watch;
use crate::trace;

/// An event of a conversation.
#[cfg_attr(not(feature = "tracing"), allow(dead_code, reason = "only `tracing` reads every field"))]
pub(crate) enum Event<'e> {
    /// A batch arrived.
    Batch(&'e [Record]),
    /// A handler is called for this message, or with these records. Further attempts, and the waits before them, belong
    /// to the same call.
    Called { action: &'static str, records: Option<&'e Arc<Vec<Record>>> },
    /// The call turns to the record at this place of its batch, or is not at a single record.
    At(Option<usize>),
    /// The call is over, whatever its result.
    Returned,
    /// An attempt failed, and another one follows after a wait.
    Failed(&'e HandlerError),
    /// The other attempt begins.
    Retried,
    /// A record was skipped or dead-lettered.
    Passed(&'e Passed<'e>),
    /// This many more records are done: they were processed, skipped or dead-lettered, and so were all before them.
    Settled(usize),
    /// The daemon accepted a checkpoint.
    Accepted,
    /// A checkpoint was made or refused, after all retries.
    Checkpoint { request: &'e Reply, result: Result<(), &'e CheckpointError> },
}

/// The followers of the events.
#[derive(Debug, Default)]
pub(crate) struct Events {
    pub(crate) counts: Counts,
    pub(crate) watch: Watch,
}

impl Events {
    // Each place emits one kind of event. Inlined, the followers cost only what they do for this kind.
    #[inline(always)]
    pub(crate) fn emit(&mut self, event: &Event<'_>) {
        self.watch.observe(event);
        self.counts.observe(event);
        trace::observe(event);
    }
}
