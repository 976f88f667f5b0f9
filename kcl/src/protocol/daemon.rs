//! The daemon's side: which checkpoints it takes.

use std::cmp::Ordering;

use crate::{Position, SequenceNumber};

/// How far a shard's lease stands, and which checkpoints may move it: the rules of the KCL's
/// `ShardRecordProcessorCheckpointer`, without its table.
///
/// A request is [judged](Self::judge), then stored by whoever keeps the leases, then [taken over](Self::advance), so that
/// nothing is acknowledged that was not kept.
///
/// ```
/// use kcl::Position;
/// use kcl::protocol::daemon::{CheckpointRefused, Lease};
///
/// let mut lease = Lease::new(Position::TrimHorizon);
/// lease.deliver(7.into(), 0);
/// assert_eq!(lease.judge(Some("8"), None), Err(CheckpointRefused::OutOfRange));
///
/// let position = lease.judge(None, None)?;
/// assert_eq!(position, Some(Position::after(7.into(), 0)));
/// lease.advance(Position::after(7.into(), 0));
/// assert_eq!(lease.judge(Some("7"), Some(0))?, None, "it stands there already");
/// # Ok::<(), CheckpointRefused>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lease {
    last: Position,
    largest: Position,
    /// The last record of a shard that has ended: to checkpoint it is to checkpoint SHARD_END.
    end: Option<Position>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No message that allows checkpoints is at hand.
    Closed,
    Held,
    Lost,
}

impl Lease {
    /// A lease that stands here. Checkpoints are refused until something is delivered, as during `initialize`.
    pub fn new(position: Position) -> Self {
        Self { last: position.clone(), largest: position, end: None, state: State::Closed }
    }

    /// Where the lease stands.
    pub fn position(&self) -> &Position {
        &self.last
    }

    /// A batch is handed over whose last record is this; an empty batch is [`Lease::open`].
    pub fn deliver(&mut self, sequence_number: SequenceNumber, sub_sequence_number: u64) {
        self.largest = Position::after(sequence_number, sub_sequence_number);
        self.open();
    }

    /// A message that allows checkpoints is at hand and brings no records: an empty batch, or `shutdownRequested`.
    pub fn open(&mut self) {
        if self.state == State::Closed {
            self.state = State::Held;
        }
    }

    /// `shardEnded` is at hand.
    pub fn end_shard(&mut self) {
        self.end = Some(std::mem::replace(&mut self.largest, Position::ShardEnd));
        self.open();
    }

    /// The lease is gone: from here on every checkpoint is refused with `ShutdownException`.
    pub fn lose(&mut self) {
        self.state = State::Lost;
    }

    /// `initialize` or `leaseLost` is at hand: the daemon has no checkpointer for it.
    pub fn close(&mut self) {
        self.state = State::Closed;
    }

    /// Where a request would move the lease; `None` if it stands there already, which is a success too.
    ///
    /// # Errors
    ///
    /// What the daemon would answer in its place.
    pub fn judge(
        &self,
        sequence_number: Option<&str>,
        sub_sequence_number: Option<i64>,
    ) -> Result<Option<Position>, CheckpointRefused> {
        if self.state == State::Closed {
            return Err(CheckpointRefused::InvalidState);
        }
        let asked = match sequence_number {
            None => self.largest.clone(),
            Some(text) => {
                let asked = parse(text, sub_sequence_number.unwrap_or(0)).ok_or(CheckpointRefused::OutOfRange)?;
                let in_range = compare(&self.last, &asked).is_le() && compare(&asked, &self.largest).is_le();
                if !in_range {
                    return Err(CheckpointRefused::OutOfRange);
                }
                asked
            }
        };
        if asked == self.last {
            return Ok(None);
        }
        if self.state == State::Lost {
            return Err(CheckpointRefused::LeaseLost);
        }
        Ok(Some(if self.end.as_ref() == Some(&asked) { Position::ShardEnd } else { asked }))
    }

    /// The checkpoint is kept: the lease stands here now.
    pub fn advance(&mut self, position: Position) {
        self.last = position;
    }
}

/// A checkpoint that the daemon refuses, by the exception it names in its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CheckpointRefused {
    /// `IllegalArgumentException`: no sequence number, before the last checkpoint, or behind the last record delivered.
    OutOfRange,
    /// `InvalidStateException`: not in this message.
    InvalidState,
    /// `ShutdownException`: the lease is gone.
    LeaseLost,
}

impl CheckpointRefused {
    /// The exception's simple class name, as the answer has it.
    pub fn exception(self) -> &'static str {
        match self {
            Self::OutOfRange => "IllegalArgumentException",
            Self::InvalidState => "InvalidStateException",
            Self::LeaseLost => "ShutdownException",
        }
    }
}

impl std::fmt::Display for CheckpointRefused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.exception())
    }
}

impl std::error::Error for CheckpointRefused {}

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

/// `ExtendedSequenceNumber.compareTo`: the sentinels before every number, SHARD_END behind.
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
