//! Counts of a processor's work, for the line that `KCL_REPORT=1` requests.

use std::env;
use std::fmt;

use crate::error::How;
use crate::runner::events::Event;

/// Counts of a processor's work.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Records that are done: processed, skipped or dead-lettered.
    pub(crate) records: u64,
    /// Messages with records.
    pub(crate) batches: u64,
    /// The number of times a handler was called again after a failure.
    pub(crate) retries: u64,
    pub(crate) skipped: u64,
    pub(crate) dead_lettered: u64,
    /// Checkpoints that the daemon accepted.
    pub(crate) checkpoints: u64,
}

impl Counts {
    /// Counts an event.
    #[inline(always)]
    pub(super) fn observe(&mut self, event: &Event<'_>) {
        match event {
            Event::Batch(records) => self.batches += u64::from(!records.is_empty()),
            Event::Settled { done, .. } => self.records += *done as u64,
            Event::Retried => self.retries += 1,
            Event::Passed(passed) => match passed.how {
                How::Skipped => self.skipped += 1,
                How::DeadLettered => self.dead_lettered += 1,
            },
            Event::Accepted => self.checkpoints += 1,
            _ => {}
        }
    }

    /// Whether the user requested them.
    pub(crate) fn are_requested() -> bool {
        is_on("KCL_REPORT")
    }
}

/// Whether this variable of the environment is set, and not to 0.
pub(crate) fn is_on(variable: &str) -> bool {
    env::var_os(variable).is_some_and(|value| !value.is_empty() && value != "0")
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, batches, retries, skipped, dead_lettered, checkpoints } = self;
        let [record, batch, retry, checkpoint] = [
            plural(*records, "record", "records"),
            plural(*batches, "batch", "batches"),
            plural(*retries, "retry", "retries"),
            plural(*checkpoints, "checkpoint", "checkpoints"),
        ];
        write!(
            f,
            "{records} {record}, {batches} {batch}, {retries} {retry}, {skipped} skipped, {dead_lettered} dead-lettered, \
             {checkpoints} {checkpoint}"
        )
    }
}

fn plural(count: u64, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}
