//! The daemon's messages.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;

use super::records::Records;
use crate::chain::Text;
use crate::excerpt::{Excerpt, Start};
use crate::record::Record;
use crate::sequence::SequenceNumber;
use crate::shard::Position;

/// A message from the daemon to a processor: one line of JSON.
///
/// Reading is lenient, because future daemons may add fields: unknown fields are skipped, and nullable fields may be
/// missing. With the feature `daemon`, messages also serialize.
///
/// ```
/// use kcl::protocol::Message;
///
/// let message = Message::from_line(br#"{"action":"shardEnded","checkpoint":null}"#)?;
/// assert!(matches!(message, Message::ShardEnded));
/// # Ok::<(), kcl::protocol::MessageError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Message {
    /// The first message: the shard, and the start of its records. (`InitializeMessage`)
    Initialize {
        /// The shard's id.
        shard_id: String,
        /// The start of its records.
        position: Position,
    },
    /// A batch of records. (`ProcessRecordsMessage`)
    ProcessRecords {
        /// The records, in order.
        records: Vec<Record>,
        /// How far the batch is behind the newest record of the shard, in milliseconds.
        millis_behind_latest: Option<u64>,
    },
    /// Another worker has the lease. (`LeaseLostMessage`)
    LeaseLost,
    /// The shard was read to its end. (`ShardEndedMessage`)
    ShardEnded,
    /// The worker is about to stop or to hand over the lease. (`ShutdownRequestedMessage`)
    ShutdownRequested,
    /// The message that KCL 1 sends instead of [`ShardEnded`](Self::ShardEnded) and [`LeaseLost`](Self::LeaseLost).
    Shutdown {
        /// The reason, which says which of the two it is.
        reason: ShutdownReason,
    },
    /// The answer to [`Reply::Checkpoint`](super::Reply::Checkpoint), with the request's numbers unchanged.
    /// (`CheckpointMessage`)
    Checkpoint {
        /// As requested.
        sequence_number: Option<String>,
        /// As requested.
        sub_sequence_number: Option<i64>,
        /// The simple class name of the exception, if the checkpoint failed.
        error: Option<String>,
    },
}

/// The reason a KCL 1 daemon shuts down a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutdownReason {
    /// The shard was read to its end.
    Terminate,
    /// The lease is gone.
    Zombie,
}

impl Message {
    /// The message's records.
    pub(crate) fn records(&self) -> &[Record] {
        match self {
            Self::ProcessRecords { records, .. } => records,
            _ => &[],
        }
    }

    /// The message's name on the wire, which is also the `responseFor` of its status.
    pub fn action(&self) -> &'static str {
        match self {
            Self::Initialize { .. } => "initialize",
            Self::ProcessRecords { .. } => "processRecords",
            Self::LeaseLost => "leaseLost",
            Self::ShardEnded => "shardEnded",
            Self::ShutdownRequested => "shutdownRequested",
            Self::Shutdown { .. } => "shutdown",
            Self::Checkpoint { .. } => "checkpoint",
        }
    }

    /// Reads one line, with or without its line feed.
    ///
    /// # Errors
    ///
    /// If the line is not a JSON object, does not name a known action, or lacks a field that its action needs.
    pub fn from_line(line: &[u8]) -> Result<Self, MessageError> {
        Self::read(line).map_err(|problem| MessageError::new(line, line.trim_ascii_end().len(), problem))
    }

    /// Reads one line, and leaves the line's excerpt to the caller.
    pub(super) fn read(line: &[u8]) -> Result<Self, Problem> {
        serde_json::from_slice::<Raw<'_>>(line).map_err(Problem::json)?.into_message()
    }

    /// The message of these records.
    pub(super) fn process_records(records: Vec<Record>, millis_behind_latest: Option<i64>) -> Self {
        let millis_behind_latest = millis_behind_latest.map(|millis| u64::try_from(millis).unwrap_or(0));
        Self::ProcessRecords { records, millis_behind_latest }
    }
}

/// All fields of all messages. The action decides which fields are needed, and may come anywhere in the object.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a JSON object")]
struct Raw<'a> {
    #[serde(borrow)]
    action: Option<Name<'a>>,
    shard_id: Option<String>,
    sequence_number: Option<String>,
    sub_sequence_number: Option<i64>,
    records: Option<Records>,
    millis_behind_latest: Option<i64>,
    reason: Option<String>,
    error: Option<String>,
}

/// A string, which costs no memory of its own unless it contains escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl Raw<'_> {
    fn into_message(self) -> Result<Message, Problem> {
        Ok(match self.action.as_ref().map(|action| &*action.0) {
            Some("initialize") => Message::Initialize {
                shard_id: self.shard_id.ok_or(Problem::Missing("shardId"))?,
                position: position(self.sequence_number.as_deref(), self.sub_sequence_number),
            },
            Some("processRecords") => {
                let records = self.records.ok_or(Problem::Missing("records"))?.0;
                Message::process_records(records, self.millis_behind_latest)
            }
            Some("leaseLost") => Message::LeaseLost,
            Some("shardEnded") => Message::ShardEnded,
            Some("shutdownRequested") => Message::ShutdownRequested,
            Some("shutdown") => Message::Shutdown {
                reason: match self.reason.as_deref() {
                    Some("TERMINATE") => ShutdownReason::Terminate,
                    Some("ZOMBIE") => ShutdownReason::Zombie,
                    _ => return Err(Problem::Reason(self.reason)),
                },
            },
            Some("checkpoint") => Message::Checkpoint {
                sequence_number: self.sequence_number,
                sub_sequence_number: self.sub_sequence_number,
                error: self.error,
            },
            action => return Err(Problem::Action(action.map(str::to_owned))),
        })
    }
}

/// A sentinel that this version does not know is not a reason to refuse a shard.
fn position(sequence_number: Option<&str>, sub_sequence_number: Option<i64>) -> Position {
    match sequence_number {
        Some("TRIM_HORIZON") => Position::TrimHorizon,
        Some("LATEST") => Position::Latest,
        Some("AT_TIMESTAMP") => Position::AtTimestamp,
        Some("SHARD_END") => Position::ShardEnd,
        Some(digits) => digits.parse::<SequenceNumber>().map_or(Position::Unknown, |sequence_number| {
            Position::after(sequence_number, sub_sequence_number.and_then(|sub| sub.try_into().ok()).unwrap_or(0))
        }),
        None => Position::Unknown,
    }
}

/// The error for a line that is not a [`Message`].
#[derive(Debug)]
pub struct MessageError {
    problem: Problem,
    /// The start of the line; `None` if payloads are not logged.
    excerpt: Option<String>,
}

#[derive(Debug)]
pub(super) enum Problem {
    /// The line has no text.
    Blank,
    Json {
        error: serde_json::Error,
        /// The place in the line, which need not be that in the text that was parsed.
        column: usize,
    },
    Action(Option<String>),
    Missing(&'static str),
    Reason(Option<String>),
}

impl Problem {
    fn json(error: serde_json::Error) -> Self {
        Self::Json { column: error.column(), error }
    }

    /// The same problem, with its place changed by `translate`.
    pub(super) fn at(mut self, translate: impl FnOnce(usize) -> usize) -> Self {
        if let Self::Json { column, .. } = &mut self {
            *column = translate(*column);
        }
        self
    }
}

impl MessageError {
    /// An error about a line of which this is the start. The length is that of the line without the whitespace at its end.
    pub(super) fn new(start: &[u8], length: usize, problem: Problem) -> Self {
        let problem = if length == 0 { Problem::Blank } else { problem };
        Self { problem, excerpt: Some(Start(start, length).to_string()) }
    }

    /// Leaves the parts of the line out of the text: they may be payloads.
    pub(crate) fn without_payloads(self) -> Self {
        Self { excerpt: None, ..self }
    }

    /// Whether the line is incomplete JSON, for example because the daemon died while it wrote the line. An empty line is not.
    pub fn is_truncated(&self) -> bool {
        matches!(&self.problem, Problem::Json { error, .. } if error.is_eof())
    }
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            Problem::Blank => return f.write_str("the line is empty"),
            Problem::Json { error, column } => {
                let mut text = error.to_string();
                if let Some(start) = text.strip_suffix(&format!(" column {}", error.column())) {
                    text = format!("{start} column {column}");
                }
                Text { text: &text, log_payloads: self.excerpt.is_some() }.fmt(f)?;
            }
            Problem::Action(None) => f.write_str("`action` is missing")?,
            Problem::Action(Some(action)) => write!(f, "unknown action `{}`", Excerpt(action.as_bytes()))?,
            Problem::Missing(field) => write!(f, "`{field}` is missing")?,
            Problem::Reason(None) => f.write_str("a `shutdown` without a `reason`")?,
            Problem::Reason(Some(reason)) => {
                write!(f, "a `shutdown` with the unknown reason `{}`", Excerpt(reason.as_bytes()))?;
            }
        }
        self.excerpt.as_ref().map_or(Ok(()), |excerpt| write!(f, "; received `{excerpt}`"))
    }
}

impl std::error::Error for MessageError {}
