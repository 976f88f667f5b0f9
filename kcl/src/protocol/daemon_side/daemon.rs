//! The daemon's side: the rules for checkpoints.

use std::cmp::Ordering;

use crate::sequence::SequenceNumber;
use crate::shard::Position;

/// The position of a shard's lease, and the rules for the checkpoints that move it. These are the rules of the KCL's
/// `ShardRecordProcessorCheckpointer`, without its table.
///
/// First [judge](Self::judge) a request, then store it where the leases are kept, then [advance](Self::advance) the
/// lease. That way, no checkpoint is acknowledged that was not stored.
///
/// ```
/// use kcl::Position;
/// use kcl::protocol::daemon::{CheckpointRefusedError, Lease};
///
/// let mut lease = Lease::new(Position::TrimHorizon);
/// lease.deliver(7.into(), 0);
/// assert_eq!(lease.judge(Some("8"), None), Err(CheckpointRefusedError::OutOfRange));
///
/// let position = lease.judge(None, None)?;
/// assert_eq!(position, Some(Position::after(7.into(), 0)));
/// lease.advance(Position::after(7.into(), 0));
/// assert_eq!(lease.judge(Some("7"), Some(0))?, None, "the lease is already there");
/// # Ok::<(), CheckpointRefusedError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lease {
    last: Position,
    largest: Position,
    /// The last record of a shard that has ended. A checkpoint at this record is a checkpoint of SHARD_END.
    end: Option<Position>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The current message does not allow checkpoints.
    Closed,
    Held,
    Lost,
}

impl Lease {
    /// Creates a lease at this position. It refuses checkpoints until something is delivered, as during `initialize`.
    pub fn new(position: Position) -> Self {
        Self { last: position.clone(), largest: position, end: None, state: State::Closed }
    }

    /// The position of the lease.
    pub fn position(&self) -> &Position {
        &self.last
    }

    /// Delivers a batch with this last record. For an empty batch, call [`Lease::open`].
    pub fn deliver(&mut self, sequence_number: SequenceNumber, sub_sequence_number: u64) {
        self.largest = Position::after(sequence_number, sub_sequence_number);
        self.open();
    }

    /// Delivers a message without records that allows checkpoints: an empty batch, or `shutdownRequested`.
    pub fn open(&mut self) {
        if self.state == State::Closed {
            self.state = State::Held;
        }
    }

    /// Delivers `shardEnded`.
    pub fn end_shard(&mut self) {
        self.end = Some(std::mem::replace(&mut self.largest, Position::ShardEnd));
        self.open();
    }

    /// Loses the lease. From now on, checkpoints that would move it are refused with `ShutdownException`.
    pub fn lose(&mut self) {
        self.state = State::Lost;
    }

    /// Delivers `initialize` or `leaseLost`, for which the daemon has no checkpointer.
    pub fn close(&mut self) {
        self.state = State::Closed;
    }

    /// The position to which a request would move the lease; `None` if the lease is already there, which is a success
    /// too.
    ///
    /// # Errors
    ///
    /// The error that the daemon would answer with.
    pub fn judge(
        &self,
        sequence_number: Option<&str>,
        sub_sequence_number: Option<i64>,
    ) -> Result<Option<Position>, CheckpointRefusedError> {
        if self.state == State::Closed {
            return Err(CheckpointRefusedError::InvalidState);
        }
        let requested = match sequence_number {
            None => self.largest.clone(),
            Some(text) => {
                let requested =
                    parse(text, sub_sequence_number.unwrap_or(0)).ok_or(CheckpointRefusedError::OutOfRange)?;
                let in_range = compare(&self.last, &requested).is_le() && compare(&requested, &self.largest).is_le();
                if !in_range {
                    return Err(CheckpointRefusedError::OutOfRange);
                }
                requested
            }
        };
        if requested == self.last {
            return Ok(None);
        }
        if self.state == State::Lost {
            return Err(CheckpointRefusedError::LeaseLost);
        }
        Ok(Some(if self.end.as_ref() == Some(&requested) { Position::ShardEnd } else { requested }))
    }

    /// Moves the lease to this position, after the checkpoint was stored.
    pub fn advance(&mut self, position: Position) {
        self.last = position;
    }
}

/// The reason the daemon refuses a checkpoint, with the exception that it names in its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CheckpointRefusedError {
    /// `IllegalArgumentException`: not a sequence number, or before the last checkpoint, or after the last record
    /// delivered.
    OutOfRange,
    /// `InvalidStateException`: the current message does not allow checkpoints.
    InvalidState,
    /// `ShutdownException`: the lease is gone.
    LeaseLost,
}

impl CheckpointRefusedError {
    /// The exception's simple class name, as in the answer.
    pub fn exception(self) -> &'static str {
        match self {
            Self::OutOfRange => "IllegalArgumentException",
            Self::InvalidState => "InvalidStateException",
            Self::LeaseLost => "ShutdownException",
        }
    }
}

impl std::fmt::Display for CheckpointRefusedError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.exception())
    }
}

impl std::error::Error for CheckpointRefusedError {}

fn parse(text: &str, sub_sequence_number: i64) -> Option<Position> {
    let sub_sequence_number = u64::try_from(sub_sequence_number).ok()?;
    Some(match text {
        "TRIM_HORIZON" => Position::TrimHorizon,
        "LATEST" => Position::Latest,
        "AT_TIMESTAMP" => Position::AtTimestamp,
        "SHARD_END" => Position::ShardEnd,
        digits => Position::after(digits.parse().ok()?, sub_sequence_number),
    })
}

/// `ExtendedSequenceNumber.compareTo`: SHARD_END comes after every number, the other sentinels come before.
fn compare(one: &Position, other: &Position) -> Ordering {
    fn rank(position: &Position) -> (u8, Option<(&SequenceNumber, u64)>) {
        match position {
            Position::AtTimestamp => (0, None),
            Position::TrimHorizon | Position::Unknown => (1, None),
            Position::Latest => (2, None),
            Position::After { sequence_number, sub_sequence_number } => {
                (3, Some((sequence_number, *sub_sequence_number)))
            }
            Position::ShardEnd => (4, None),
        }
    }
    rank(one).cmp(&rank(other))
}
