//! The error of a checkpoint.

use std::fmt;
use std::io;

use crate::excerpt::Excerpt;

/// The reason a checkpoint was not made, with the daemon's exception in parentheses. Its text includes the cause.
#[derive(Debug)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The lease table receives too many requests (`ThrottlingException`).
    Throttled,
    /// The lease table, or another service that the daemon depends on, cannot be reached
    /// (`KinesisClientLibDependencyException`).
    Dependency,
    /// Another worker has the lease now, or the daemon is stopping (`ShutdownException`): the records since the last
    /// checkpoint are delivered to that worker. `leaseLost` follows.
    LeaseLost,
    /// The daemon cannot checkpoint now: it is in `initialize` or `leaseLost`, or its lease table is missing
    /// (`InvalidStateException`).
    InvalidState,
    /// The sequence number is before the last checkpoint, or after the last record that was delivered
    /// (`IllegalArgumentException`).
    OutOfRange,
    /// Another exception, with its simple class name.
    Other(String),
    /// The daemon could not be reached, or did not answer.
    Io(io::Error),
}

impl CheckpointError {
    /// Whether the same request may succeed a moment later: true for [`Throttled`](Self::Throttled) and
    /// [`Dependency`](Self::Dependency).
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Throttled | Self::Dependency)
    }

    /// The error for the simple class name of the exception that the daemon's checkpointer threw.
    pub(super) fn from_daemon(name: String) -> Self {
        match name.as_str() {
            "ThrottlingException" => Self::Throttled,
            "KinesisClientLibDependencyException" => Self::Dependency,
            "ShutdownException" => Self::LeaseLost,
            "InvalidStateException" => Self::InvalidState,
            "IllegalArgumentException" => Self::OutOfRange,
            _ => Self::Other(name),
        }
    }
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Throttled => f.write_str("the lease table is throttled (ThrottlingException)"),
            Self::Dependency => f.write_str(
                "the lease table or another service cannot be reached (KinesisClientLibDependencyException)",
            ),
            Self::LeaseLost => f.write_str("the lease is gone; another worker may have it (ShutdownException)"),
            Self::InvalidState => f.write_str("no checkpoint is possible in this state (InvalidStateException)"),
            Self::OutOfRange => f.write_str(
                "the sequence number is before the last checkpoint or after the last record delivered (IllegalArgumentException)",
            ),
            Self::Other(name) => write!(f, "the daemon's checkpoint failed ({})", Excerpt(name.as_bytes())),
            Self::Io(error) => write!(f, "the daemon could not be reached: {error}"),
        }
    }
}

impl std::error::Error for CheckpointError {}
