//! The numbers of one processor, as they are sent to a socket.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::histogram::Histogram;

/// The numbers of one processor at one moment, as a processor sends them to the socket that `KCL_METRICS=unix:PATH` names.
///
/// A field that the sender does not know is missing, and is read as 0 or empty.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Snapshot {
    /// The application, if `KCL_APP` named it.
    pub application: Option<String>,
    /// The stream, if `KCL_STREAM` named it.
    pub stream: Option<String>,
    /// The shard's id.
    pub shard: String,
    /// The id of the process.
    pub pid: u32,
    /// The time of the snapshot, in milliseconds since 1970.
    pub time: u64,
    /// The time since the daemon named the shard, in milliseconds.
    pub uptime_ms: u64,
    /// The time between two snapshots, in milliseconds.
    pub period_ms: u64,
    /// Whether the process sends no more snapshots.
    pub is_last: bool,
    /// The exit code of the process, in its last snapshot, if it is known.
    pub exit_code: Option<u8>,
    /// The totals since the start of the process.
    pub totals: Totals,
    /// The state now.
    pub now: Now,
    /// The durations of the attempts of the record handler, in nanoseconds.
    pub handler: Histogram,
    /// The durations of the handling of single records, in nanoseconds: a sample, with more of the slow ones, weighted accordingly.
    pub record: Histogram,
    /// The numbers of records of the batches that had any.
    pub batch: Histogram,
}

/// The totals since the start of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Totals {
    /// Records that were delivered.
    pub delivered: u64,
    /// The size of their data, in bytes.
    pub bytes: u64,
    /// Records that are done, as are all before them: they were processed, skipped or dead-lettered.
    pub settled: u64,
    /// Batches with records.
    pub batches: u64,
    /// Batches without records.
    pub empty_batches: u64,
    /// How often a handler was called again after a failure.
    pub retries: u64,
    /// Failed attempts of handlers, by the [class](Self::FAILURE_CLASSES) of the error.
    pub failures: BTreeMap<String, u64>,
    /// Records that were skipped, by the class of their error.
    pub skipped: BTreeMap<String, u64>,
    /// Records that were dead-lettered, by the class of their error.
    pub dead_lettered: BTreeMap<String, u64>,
    /// Checkpoints that the daemon accepted.
    pub checkpoints: u64,
    /// Checkpoints that the daemon refused, after all retries, by the [reason](Self::REFUSAL_REASONS).
    pub refused: BTreeMap<String, u64>,
}

impl Totals {
    /// The classes of failures, and of the errors of skipped and dead-lettered records.
    pub const FAILURE_CLASSES: &'static [&'static str] = &["undecodable", "permanent", "panic", "cancelled", "error"];
    /// The reasons for which checkpoints are refused.
    pub const REFUSAL_REASONS: &'static [&'static str] =
        &["throttled", "dependency", "lease_lost", "invalid_state", "out_of_range", "io", "other"];
}

/// The state at the moment of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Now {
    /// How far the last batch was behind the newest record of the shard, in milliseconds, if the daemon reported it.
    pub millis_behind_latest: Option<u64>,
    /// Records that were delivered and are not settled.
    pub unsettled: u64,
    /// The time since the oldest of them was delivered, in milliseconds.
    pub oldest_unsettled_ms: Option<u64>,
    /// Attempts of the record handler that are running.
    pub in_flight: u64,
    /// Partition keys whose next record waits for another attempt.
    pub blocked_keys: u64,
    /// The call of a handler that is running.
    pub running: Option<Running>,
    /// The time since the last message arrived, in milliseconds.
    pub last_message_ms: Option<u64>,
    /// The time since the last checkpoint was accepted, in milliseconds.
    pub last_checkpoint_ms: Option<u64>,
}

/// A call of a handler that is running.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Running {
    /// The message that it handles, such as `processRecords`.
    pub action: String,
    /// How long it has been running, or handling the present record, in milliseconds.
    pub ms: u64,
    /// The record or the batch that it handles, such as `at record 49…/0, number 3 of 12 in its batch`, after a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sender_does_not_know_is_empty() {
        let text = r#"{"shard":"a","future":{"x":[1]},"totals":{"refused":{"throttled":3}}}"#;
        let snapshot: Snapshot = serde_json::from_str(text).expect("it is read");
        assert_eq!((snapshot.shard.as_str(), snapshot.totals.refused["throttled"]), ("a", 3));
        assert_eq!((snapshot.handler.count(), snapshot.now), (0, Now::default()));
    }
}
