//! What a processor has done, counted for the line that `KCL_REPORT=1` asks for.

use std::env;
use std::fmt;

/// What a processor has done with its records.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Records that were dealt with: processed, skipped or dead-lettered.
    pub(crate) records: u64,
    /// Messages that brought records.
    pub(crate) batches: u64,
    /// How often a handler was called again with what had failed.
    pub(crate) retries: u64,
    pub(crate) skipped: u64,
    pub(crate) dead_lettered: u64,
    /// Those that the daemon accepted.
    pub(crate) checkpoints: u64,
}

impl Counts {
    /// Whether they were asked for.
    pub(crate) fn are_wanted() -> bool {
        env::var_os("KCL_REPORT").is_some_and(|value| !value.is_empty() && value != "0")
    }
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
