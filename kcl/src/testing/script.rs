//! A test as data: the steps of each shard, which can be generated, run, printed and shrunk.

use std::fmt;
use std::ops::Range;
use std::panic::Location;
use std::time::Duration;

use crate::protocol::WireRecord;
use crate::record::Record;
use crate::sequence::SequenceNumber;
use crate::shard::Position;
use crate::testing::draw::{Piece, Stretch};
use crate::testing::record::{TestRecord, code, quoted};

/// The shard of a test that does not name one.
pub(crate) const SHARD: &str = "shardId-000000000000";

/// Why the daemon refuses a checkpoint, as scripted with [`Fault::refuse_checkpoints`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The lease table receives too many requests (`ThrottlingException`); the runtime tries again.
    Throttled,
    /// The lease table cannot be reached (`KinesisClientLibDependencyException`); the runtime tries again.
    Dependency,
    /// The lease is gone (`ShutdownException`). `leaseLost` follows.
    LeaseLost,
    /// The lease table is missing (`InvalidStateException`).
    InvalidState,
    /// The sequence number is out of range (`IllegalArgumentException`).
    OutOfRange,
    /// Another exception, by its simple class name.
    Other(String),
}

impl Refusal {
    pub(crate) fn exception(&self) -> &str {
        match self {
            Self::Throttled => "ThrottlingException",
            Self::Dependency => "KinesisClientLibDependencyException",
            Self::LeaseLost => "ShutdownException",
            Self::InvalidState => "InvalidStateException",
            Self::OutOfRange => "IllegalArgumentException",
            Self::Other(name) => name,
        }
    }
}

/// Something that goes wrong in production, armed for the steps after it.
///
/// A fault that never happens fails the test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault(pub(crate) Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    RefuseCheckpoints(Refusal, u32),
    LoseLease,
    CrashBeforeStatus,
    CrashAfterStatus,
    CrashBeforeCheckpoint,
    CrashAfterCheckpoint,
    CrashBeforeWrite(u32),
    CrashAfterWrite(u32),
    RedeliverInBatchesOf(u32),
}

impl Kind {
    /// The number in it, which is at least 1.
    pub(crate) fn number(&mut self) -> Option<&mut u32> {
        match self {
            Self::RefuseCheckpoints(_, number)
            | Self::CrashBeforeWrite(number)
            | Self::CrashAfterWrite(number)
            | Self::RedeliverInBatchesOf(number) => Some(number),
            _ => None,
        }
    }
}

impl Fault {
    /// Refuses the next `times` requests for a checkpoint.
    #[must_use]
    pub fn refuse_checkpoints(refusal: Refusal, times: u32) -> Self {
        Self(Kind::RefuseCheckpoints(refusal, times))
    }

    /// Loses the lease while the processor handles the next message. Its checkpoints are refused, and `leaseLost`
    /// follows.
    #[must_use]
    pub fn lose_lease() -> Self {
        Self(Kind::LoseLease)
    }

    /// Kills the process just before it acknowledges the next message.
    #[must_use]
    pub fn crash_before_status() -> Self {
        Self(Kind::CrashBeforeStatus)
    }

    /// Kills the process just after it has acknowledged the next message.
    #[must_use]
    pub fn crash_after_status() -> Self {
        Self(Kind::CrashAfterStatus)
    }

    /// Kills the process when it asks for the next checkpoint, before the lease moves.
    #[must_use]
    pub fn crash_before_checkpoint() -> Self {
        Self(Kind::CrashBeforeCheckpoint)
    }

    /// Kills the process after the lease has moved for its next checkpoint, before it gets the answer.
    #[must_use]
    pub fn crash_after_checkpoint() -> Self {
        Self(Kind::CrashAfterCheckpoint)
    }

    /// Kills the process within a handler, just before its `n`th write to any [`Sink`](super::Sink) from now on, counted from 1.
    ///
    /// # Panics
    ///
    /// If `n` is 0.
    #[must_use]
    #[track_caller]
    pub fn crash_before_write(n: u32) -> Self {
        assert!(n > 0, "the writes before a crash are counted from 1");
        Self(Kind::CrashBeforeWrite(n))
    }

    /// Kills the process within a handler, just after its `n`th write to any [`Sink`](super::Sink) from now on, counted from 1.
    ///
    /// # Panics
    ///
    /// If `n` is 0.
    #[must_use]
    #[track_caller]
    pub fn crash_after_write(n: u32) -> Self {
        assert!(n > 0, "the writes before a crash are counted from 1");
        Self(Kind::CrashAfterWrite(n))
    }

    /// Cuts records in another way when they are next delivered again: in batches of this size, of which the last one goes on with
    /// the records of the next step that is not a fault. The real daemon does so too, since it reads from the checkpoint again.
    /// Without this fault, they come back as one batch.
    ///
    /// # Panics
    ///
    /// If `size` is 0.
    #[must_use]
    #[track_caller]
    pub fn redeliver_in_batches_of(size: u32) -> Self {
        assert!(size > 0, "records are delivered again in batches of at least 1");
        Self(Kind::RedeliverInBatchesOf(size))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::RefuseCheckpoints(Refusal::Other(name), times) => {
                write!(f, "Fault::refuse_checkpoints(Refusal::Other({name:?}.to_owned()), {times})")
            }
            Kind::RefuseCheckpoints(refusal, times) => {
                write!(f, "Fault::refuse_checkpoints(Refusal::{refusal:?}, {times})")
            }
            Kind::LoseLease => f.write_str("Fault::lose_lease()"),
            Kind::CrashBeforeStatus => f.write_str("Fault::crash_before_status()"),
            Kind::CrashAfterStatus => f.write_str("Fault::crash_after_status()"),
            Kind::CrashBeforeCheckpoint => f.write_str("Fault::crash_before_checkpoint()"),
            Kind::CrashAfterCheckpoint => f.write_str("Fault::crash_after_checkpoint()"),
            Kind::CrashBeforeWrite(n) => write!(f, "Fault::crash_before_write({n})"),
            Kind::CrashAfterWrite(n) => write!(f, "Fault::crash_after_write({n})"),
            Kind::RedeliverInBatchesOf(size) => write!(f, "Fault::redeliver_in_batches_of({size})"),
        }
    }
}

/// One step of a shard's script.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) action: Action,
    /// The line of the test that scripted it.
    pub(crate) at: &'static Location<'static>,
    /// It was drawn, so it need not happen.
    pub(crate) drawn: bool,
}

/// The things that a script lets happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Batch(Vec<TestRecord>),
    Fault(Fault),
    Pass(Duration),
    /// From now on, batches are this far behind the newest record.
    Behind(Duration),
    LeaseLost,
    ShutdownRequested,
    ShardEnd,
    Crash,
    Redeliver,
}

impl Action {
    /// The records of a batch.
    pub(crate) fn records(&self) -> Option<&[TestRecord]> {
        match self {
            Self::Batch(records) => Some(records),
            _ => None,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Batch(records) if records.is_empty() => f.write_str(".empty_batch()"),
            Self::Batch(records) => write!(f, ".batch({})", Batch(records)),
            Self::Fault(fault) => write!(f, ".fault({fault})"),
            Self::Pass(time) => write!(f, ".pass({})", Time(*time)),
            Self::Behind(time) => write!(f, ".behind({})", Time(*time)),
            Self::LeaseLost => f.write_str(".lease_lost()"),
            Self::ShutdownRequested => f.write_str(".shutdown_requested()"),
            Self::ShardEnd => f.write_str(".shard_end()"),
            Self::Crash => f.write_str(".crash()"),
            Self::Redeliver => f.write_str(".redeliver()"),
        }
    }
}

/// Shows records as an array; as one of plain texts if they are nothing else. A comment stands for the records after the first
/// ten thousand characters.
struct Batch<'a>(&'a [TestRecord]);

impl Batch<'_> {
    const LONGEST: usize = 10_000;

    /// The records that are shown.
    fn shown(&self) -> Vec<String> {
        let is_plain = self.0.iter().all(|record| record.plain_text().is_some());
        let mut left = Self::LONGEST;
        let codes = self.0.iter().map_while(|record| {
            let text = record.plain_text().filter(|_| is_plain);
            let code = text.map_or_else(|| format!("{record:?}"), quoted);
            let has_room = left > 0;
            left = left.saturating_sub(code.len());
            has_room.then_some(code)
        });
        codes.collect()
    }
}

impl fmt::Display for Batch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.shown();
        write!(f, "[{}", shown.join(", "))?;
        match self.0.len() - shown.len() {
            0 => f.write_str("]"),
            more => write!(f, ", /* {more} more */]"),
        }
    }
}

/// Shows a duration as code that makes it.
struct Time(Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.as_secs(), self.0.subsec_nanos()) {
            (seconds, 0) => write!(f, "Duration::from_secs({seconds})"),
            (seconds, nanos) => write!(f, "Duration::new({seconds}, {nanos})"),
        }
    }
}

/// The script of one shard.
#[derive(Clone, Debug)]
pub(crate) struct ShardScript {
    pub(crate) id: String,
    /// The shards that must end before this one starts.
    pub(crate) parents: Vec<String>,
    pub(crate) position: Position,
    pub(crate) steps: Vec<Step>,
    /// Its records were split by a drawn schedule, which ends the shard as well.
    pub(crate) drawn: bool,
    /// The numbers of the records so far, for the check of the next step.
    numbering: Numbering,
}

impl ShardScript {
    pub(crate) fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            parents: Vec::new(),
            position: Position::TrimHorizon,
            steps: Vec::new(),
            drawn: false,
            numbering: Numbering::default(),
        }
    }

    /// Starts the shard at this position. Its records are numbered from there.
    ///
    /// # Errors
    ///
    /// If a record has a number that does not come after it.
    pub(crate) fn start_at(&mut self, position: Position) -> Result<(), String> {
        self.position = position;
        self.numbering = Numbering::after(&self.position);
        let batches = self.steps.iter().filter_map(|step| step.action.records());
        batches.flatten().try_for_each(|record| self.numbering.next(record).map(drop))
    }

    /// Adds a step.
    ///
    /// # Errors
    ///
    /// If no shard of Kinesis could do this.
    pub(crate) fn push(&mut self, action: Action, at: &'static Location<'static>) -> Result<(), String> {
        self.add(action, at, false)
    }

    /// Adds the part of a drawn schedule, with the records that the test gives for it.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    pub(crate) fn draw(
        &mut self,
        part: Stretch,
        mut record: impl FnMut(usize) -> TestRecord,
        at: &'static Location<'static>,
    ) -> Result<(), String> {
        self.drawn = true;
        part.pieces.into_iter().try_for_each(|piece| {
            let action = match piece {
                Piece::Batch(records) => Action::Batch(records.into_iter().map(&mut record).collect()),
                Piece::Step(action) => action,
            };
            self.add(action, at, true)
        })
    }

    /// Whether the last message is one that ends its process.
    pub(crate) fn has_ending(&self) -> bool {
        self.steps
            .last()
            .is_some_and(|step| matches!(step.action, Action::ShardEnd | Action::ShutdownRequested | Action::LeaseLost))
    }

    fn add(&mut self, action: Action, at: &'static Location<'static>, drawn: bool) -> Result<(), String> {
        let end = self.steps.iter().find(|step| step.action == Action::ShardEnd);
        // The end may not be reached, so another process may be needed after it.
        if let Some(end) = end.filter(|_| action != Action::Redeliver) {
            let what = if matches!(action, Action::Batch(_)) { "records" } else { "a step" };
            return Err(format!("{what} after the shard's end at {}: move the step before `.shard_end()`", end.at));
        }
        if let Action::Batch(records) = &action {
            records.iter().try_for_each(|record| self.numbering.next(record).map(drop))?;
        }
        self.steps.push(Step { action, at, drawn });
        Ok(())
    }

    /// The records of all batches, with their numbers.
    ///
    /// # Errors
    ///
    /// If the numbers do not ascend.
    pub(crate) fn number(&self) -> Result<Vec<Vec<Record>>, String> {
        let mut numbering = Numbering::after(&self.position);
        let batches = self.steps.iter().filter_map(|step| step.action.records());
        let mut numbered = Vec::new();
        for batch in batches {
            let mut names = Vec::with_capacity(batch.len());
            for record in batch {
                let (number, sub) = numbering.next(record)?;
                let key = record.key.clone().unwrap_or_else(|| format!("key-{}", numbering.place));
                names.push((key, number, sub));
            }
            let wire = batch.iter().zip(&names).map(|(record, (key, number, sub))| WireRecord {
                data: &record.data,
                partition_key: key,
                sequence_number: *number,
                sub_sequence_number: *sub,
                approximate_arrival_timestamp: record.arrival,
            });
            numbered.push(WireRecord::into_batch(wire));
        }
        Ok(numbered)
    }
}

/// Numbers the records of a shard.
#[derive(Clone, Debug, Default)]
struct Numbering {
    /// The number of records so far.
    place: usize,
    /// The sequence and sub-sequence number of the last one, or of the position before them.
    last: Option<(SequenceNumber, u64)>,
}

impl Numbering {
    /// Numbers the records of a shard that starts at this position.
    fn after(position: &Position) -> Self {
        let last = match position {
            Position::After { sequence_number, sub_sequence_number } => Some((*sequence_number, *sub_sequence_number)),
            _ => None,
        };
        Self { place: 0, last }
    }

    /// The sequence and sub-sequence number of the next record.
    fn next(&mut self, record: &TestRecord) -> Result<(SequenceNumber, u64), String> {
        self.place += 1;
        let place = self.place;
        let sub = record.part.unwrap_or(0);
        let number = match (record.number, self.last) {
            (Some(number), _) => number,
            (None, None) => 1.into(),
            (None, Some((last, last_sub))) if sub > last_sub => last,
            (None, Some((last, _))) => match last.successor() {
                Some(number) => number,
                None => return Err(format!("record {place}: no sequence number comes after {last}")),
            },
        };
        match self.last.replace((number, sub)) {
            Some(last) if last >= (number, sub) => Err(format!(
                "record {place}: its sequence number {number}/{sub} does not come after {}/{}{}",
                last.0,
                last.1,
                if place == 1 { ", where the shard starts" } else { "" }
            )),
            _ => Ok((number, sub)),
        }
    }
}

/// A whole test.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    pub(crate) shards: Vec<ShardScript>,
    /// Each shard must do the same alone as among the others.
    pub(crate) independent: bool,
    /// The seed that a schedule has drawn.
    pub(crate) seed: Option<u64>,
}

impl Script {
    /// Checks that each shard can start once its parents have ended.
    ///
    /// # Errors
    ///
    /// If a parent has no script, or if shards start after each other.
    pub(crate) fn check_parents(&self) -> Result<(), String> {
        let mut waiting: Vec<_> = self.shards.iter().collect();
        for shard in &waiting {
            let is_known = |parent: &&String| waiting.iter().any(|other| other.id == **parent);
            if let Some(parent) = shard.parents.iter().find(|parent| !is_known(parent)) {
                return Err(format!("shard {} starts after {parent}, which has no script", shard.id));
            }
        }
        while !waiting.is_empty() {
            let ids: Vec<_> = waiting.iter().map(|shard| &shard.id).collect();
            let left: Vec<_> = waiting
                .iter()
                .filter(|shard| shard.parents.iter().any(|parent| ids.contains(&parent)))
                .copied()
                .collect();
            if left.len() == waiting.len() {
                let ids: Vec<_> = left.iter().map(|shard| shard.id.as_str()).collect();
                return Err(format!("shards start after each other, so none of them can: {}", ids.join(", ")));
            }
            waiting = left;
        }
        Ok(())
    }

    /// Whether it leaves something out when it is shown.
    pub(crate) fn is_cut(&self) -> bool {
        let mut batches = self.shards.iter().flat_map(|shard| &shard.steps).filter_map(|step| step.action.records());
        self.shards.iter().any(|shard| shard.hidden().is_some())
            || batches.any(|records| Batch(records).shown().len() < records.len())
    }
}

/// Shows the script as the code that makes it. Comments stand for what makes it too long.
impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Daemon::new()")?;
        for shard in &self.shards {
            if self.shards.len() == 1 && shard.id == SHARD {
                shard.write_steps(f, "    ")?;
                continue;
            }
            write!(f, "\n    .shard({:?}, |steps| {{\n        steps", shard.id)?;
            for parent in &shard.parents {
                write!(f, "\n            .after({parent:?})")?;
            }
            shard.write_steps(f, "            ")?;
            f.write_str("\n    })")?;
        }
        if let Some(seed) = self.seed {
            write!(f, "\n    .seed({seed})")?;
        }
        if self.independent {
            f.write_str("\n    .assert_shards_independent()")?;
        }
        Ok(())
    }
}

impl ShardScript {
    /// The steps in the middle that are not shown: a failure is usually caused by the last ones.
    fn hidden(&self) -> Option<Range<usize>> {
        const FIRST: usize = 10;
        const LAST: usize = 50;
        let end = self.steps.len().checked_sub(LAST).filter(|end| *end > FIRST)?;
        Some(FIRST..end)
    }

    fn write_steps(&self, f: &mut fmt::Formatter<'_>, indent: &str) -> fmt::Result {
        match &self.position {
            Position::TrimHorizon => {}
            Position::After { sequence_number, sub_sequence_number } => {
                let number = code(*sequence_number);
                write!(f, "\n{indent}.starting_at(Position::after({number}.into(), {sub_sequence_number}))")?;
            }
            other => write!(f, "\n{indent}.starting_at(Position::{other:?})")?,
        }
        let hidden = self.hidden().unwrap_or_default();
        for (at, step) in self.steps.iter().enumerate() {
            if at == hidden.start && !hidden.is_empty() {
                write!(f, "\n{indent}// {} more steps", hidden.len())?;
            }
            if !hidden.contains(&at) {
                write!(f, "\n{indent}{}", step.action)?;
            }
        }
        Ok(())
    }
}
