//! The notes of a run, in order.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::chain::Chain;
use crate::error::How;
use crate::shard::Position;
use crate::testing::ledger::places;

/// An error of user code with its causes, on one line.
pub(crate) fn explain(error: &(dyn Error + 'static)) -> String {
    Chain { error, log_payloads: true }.to_string()
}

/// One call of a handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub(crate) handler: &'static str,
    pub(crate) records: Vec<usize>,
    pub(crate) attempt: u32,
    pub(crate) error: Option<String>,
}

impl Call {
    /// The message that the call was for, such as `processRecords`, and `initialize` for the constructor. Calls within a
    /// message are `dead_letter` and `tick`; `drop` is a destructor that panicked.
    pub fn handler(&self) -> &'static str {
        self.handler
    }

    /// The places of its records in their shard, counted from 1: one for a handler that gets its records one by one.
    pub fn records(&self) -> &[usize] {
        &self.records
    }

    /// How often a handler has been called with these records, this call included.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The error of the call, or the message of its panic; `None` if it succeeded.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.handler)?;
        if !self.records.is_empty() {
            write!(f, " of {}", places(&self.records))?;
        }
        if self.attempt > 1 {
            write!(f, ", attempt {}", self.attempt)?;
        }
        match &self.error {
            None => f.write_str(": ok"),
            Some(error) => write!(f, ": failed: {error}"),
        }
    }
}

/// One request for a checkpoint, with its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub(crate) record: Option<usize>,
    pub(crate) is_shard_end: bool,
    pub(crate) refusal: Option<String>,
}

impl Checkpoint {
    /// The last record that the checkpoint covers, by its place in its shard, counted from 1. It is `None` if there is
    /// no such record, and for a refused request for everything that was delivered.
    pub fn record(&self) -> Option<usize> {
        self.record
    }

    /// Whether it is SHARD_END.
    pub fn is_shard_end(&self) -> bool {
        self.is_shard_end
    }

    /// The name of the exception with which the daemon refused it; `None` if it was accepted.
    pub fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("checkpoint")?;
        match (self.is_shard_end, self.record) {
            (true, _) => f.write_str(" at SHARD_END")?,
            (false, Some(record)) => write!(f, " at record {record}")?,
            (false, None) => {}
        }
        match &self.refusal {
            None => Ok(()),
            Some(exception) => write!(f, " refused: {exception}"),
        }
    }
}

/// One note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Started(Position),
    /// A message with these records, by their places.
    Received(&'static str, Vec<usize>),
    Called(Call),
    /// A record was skipped or dead-lettered.
    Settled {
        how: How,
        place: usize,
        error: String,
    },
    Checkpointed(Checkpoint),
    Acknowledged(&'static str),
    Stderr(String),
    /// A destructor panicked, which changes nothing.
    Panicked(String),
    Passed(Duration),
    Crashed,
    /// A replay stops, because its recording breaks off or the processor departs from it.
    Stopped,
    Ended(u8),
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started(position) => write!(f, "a process starts at {position}"),
            Self::Received(action, records) if records.is_empty() && *action == "processRecords" => {
                write!(f, "-> {action} without records")
            }
            Self::Received(action, records) if records.is_empty() => write!(f, "-> {action}"),
            Self::Received(action, records) => write!(f, "-> {action} with {}", places(records)),
            Self::Called(call) => write!(f, "   {call}"),
            Self::Settled { how, place, error } => write!(f, "   record {place} is {how}: {error}"),
            Self::Checkpointed(checkpoint) => write!(f, "   {checkpoint}"),
            Self::Acknowledged(action) => write!(f, "<- {action} is acknowledged"),
            Self::Stderr(line) => write!(f, "   stderr: {line}"),
            Self::Panicked(message) => write!(f, "   a destructor panicked: {message}"),
            Self::Passed(time) => write!(f, "{time:?} pass"),
            Self::Crashed => f.write_str("the process is killed"),
            Self::Stopped => f.write_str("the recorded conversation ends here"),
            Self::Ended(code) => write!(f, "the process ends with exit code {code}"),
        }
    }
}
