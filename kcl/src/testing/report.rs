//! The questions that a test can ask after a run.

use std::fmt;

use crate::error::How;
use crate::shard::Position;
use crate::testing::journal::{Call, Checkpoint, Moment};
use crate::testing::ledger::{Promise, Violation};
use crate::testing::script::{Script, ShardScript};
use crate::testing::stage::{Performance, Performed};

/// The report of a run, with one part for each shard. Its methods are those of the only shard; with several shards, ask
/// [`shard`](Self::shard) first.
///
/// Records are named by their places in their shard, counted from 1. The report's `Display` text is the same for each
/// run of the same test, so snapshot tools can keep it.
#[derive(Debug)]
pub struct Report<P> {
    shards: Vec<ShardReport<P>>,
    script: Script,
}

/// The part of a [`Report`] that concerns one shard.
#[derive(Debug)]
pub struct ShardReport<P> {
    performed: Performed<P>,
}

impl<P> Report<P> {
    pub(crate) fn new(script: Script, shards: Vec<Performed<P>>) -> Self {
        Self { shards: shards.into_iter().map(ShardReport::from).collect(), script }
    }

    /// The report of one shard.
    ///
    /// # Panics
    ///
    /// If the test has no shard with this id.
    #[track_caller]
    pub fn shard(&self, id: &str) -> &ShardReport<P> {
        match self.shards.iter().find(|shard| shard.id() == id) {
            Some(shard) => shard,
            None => panic!("no shard {id} in this test, but {}", self.ids()),
        }
    }

    /// The reports of all shards.
    pub fn shards(&self) -> &[ShardReport<P>] {
        &self.shards
    }

    fn ids(&self) -> String {
        self.shards.iter().map(ShardReport::id).collect::<Vec<_>>().join(", ")
    }

    #[track_caller]
    fn only(&self) -> &ShardReport<P> {
        match &self.shards[..] {
            [only] => only,
            [] => panic!("the test has no shard: give the daemon a step such as `.batch(...)`"),
            _ => panic!("the test has several shards: ask `run.shard(id)`, with an id of {}", self.ids()),
        }
    }

    /// The payloads of all records that the test gave to the only shard, in order.
    ///
    /// # Panics
    ///
    /// If there are several shards.
    #[track_caller]
    pub fn given(&self) -> Vec<Vec<u8>> {
        let id = self.only().id();
        self.script.shards.iter().filter(|shard| shard.id == id).flat_map(ShardScript::given).collect()
    }

    /// The processor of the only shard; see [`ShardReport::processor`].
    ///
    /// # Panics
    ///
    /// If there are several shards, or as that method does.
    #[track_caller]
    pub fn processor(&self) -> &P {
        self.only().processor()
    }

    /// The calls of handlers of the only shard; see [`ShardReport::calls`].
    ///
    /// # Panics
    ///
    /// If there are several shards.
    #[track_caller]
    pub fn calls(&self) -> Vec<&Call> {
        self.only().calls()
    }

    /// The checkpoints of the only shard; see [`ShardReport::checkpoints`].
    ///
    /// # Panics
    ///
    /// If there are several shards.
    #[track_caller]
    pub fn checkpoints(&self) -> Vec<&Checkpoint> {
        self.only().checkpoints()
    }

    /// The acknowledged messages of the only shard; see [`ShardReport::acknowledgements`].
    ///
    /// # Panics
    ///
    /// If there are several shards.
    #[track_caller]
    pub fn acknowledgements(&self) -> Vec<&'static str> {
        self.only().acknowledgements()
    }

    /// The dead letters of the only shard; see [`ShardReport::dead_letters`].
    ///
    /// # Panics
    ///
    /// If there are several shards.
    #[track_caller]
    pub fn dead_letters(&self) -> Vec<(usize, &str)> {
        self.only().dead_letters()
    }

    /// The skipped records of the only shard; see [`ShardReport::skipped`].
    ///
    /// # Panics
    ///
    /// If there are several shards.
    #[track_caller]
    pub fn skipped(&self) -> Vec<(usize, &str)> {
        self.only().skipped()
    }

    /// kcl's own lines of the only shard; see [`ShardReport::stderr`].
    ///
    /// # Panics
    ///
    /// If there are several shards.
    #[track_caller]
    pub fn stderr(&self) -> Vec<&str> {
        self.only().stderr()
    }

    /// The exit code of the last process: of the only shard, or the largest one of all shards.
    pub fn exit_code(&self) -> u8 {
        self.shards.iter().map(ShardReport::exit_code).max().unwrap_or(0)
    }

    /// Asserts that the processors of all shards ended without an error.
    ///
    /// # Panics
    ///
    /// If they did not. The message contains the report.
    #[track_caller]
    pub fn assert_succeeded(&self) {
        for shard in &self.shards {
            if let Some(problem) = shard.problem() {
                panic!("{problem}\n\n{self}");
            }
        }
    }

    /// Asserts that a processor failed: that its last process ended with exit code 1.
    ///
    /// # Panics
    ///
    /// If none did. The message contains the report.
    #[track_caller]
    pub fn assert_failed(&self) {
        assert!(
            self.shards.iter().any(|shard| shard.exit_code() == 1),
            "expected a processor that fails with exit code 1; the exit code is {}\n\n{self}",
            self.exit_code()
        );
    }

    /// Asserts that the last checkpoint of the only shard stands at this record; see
    /// [`ShardReport::assert_checkpoint_at`].
    ///
    /// # Panics
    ///
    /// If it does not, or if there are several shards.
    #[track_caller]
    pub fn assert_checkpoint_at(&self, record: usize) {
        self.only().assert_checkpoint_at(record);
    }

    /// Asserts that the end of the only shard is checkpointed; see [`ShardReport::assert_shard_ended`].
    ///
    /// # Panics
    ///
    /// If it is not, or if there are several shards.
    #[track_caller]
    pub fn assert_shard_ended(&self) {
        self.only().assert_shard_ended();
    }
}

impl<P> fmt::Display for Report<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, shard) in self.shards.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            shard.fmt(f)?;
        }
        Ok(())
    }
}

impl<P> From<Performed<P>> for ShardReport<P> {
    fn from(performed: Performed<P>) -> Self {
        Self { performed }
    }
}

impl<P> ShardReport<P> {
    /// The shard's id.
    pub fn id(&self) -> &str {
        &self.performed.id
    }

    /// The last processor of the shard, for a look at its state. It is dropped with the report.
    ///
    /// # Panics
    ///
    /// If there is none: its process was killed, it could not be made, or the shard was never started.
    #[track_caller]
    pub fn processor(&self) -> &P {
        match &self.performed.processor {
            Some(processor) => processor,
            None => panic!("no processor is left of shard {}\n\n{self}", self.id()),
        }
    }

    /// All calls of handlers, in order. `initialize` is the constructor.
    pub fn calls(&self) -> Vec<&Call> {
        let calls = self.performed.journal.iter();
        calls.filter_map(|moment| if let Moment::Called(call) = moment { Some(call) } else { None }).collect()
    }

    /// All requests for a checkpoint, in order, with their answers.
    pub fn checkpoints(&self) -> Vec<&Checkpoint> {
        let moments = self.performed.journal.iter();
        moments.filter_map(|moment| if let Moment::Checkpointed(made) = moment { Some(made) } else { None }).collect()
    }

    /// The messages that were acknowledged, in order, by their names.
    pub fn acknowledgements(&self) -> Vec<&'static str> {
        let moments = self.performed.journal.iter();
        moments
            .filter_map(|moment| if let Moment::Acknowledged(action) = moment { Some(*action) } else { None })
            .collect()
    }

    /// The records that were dead-lettered, by their places, with their errors.
    pub fn dead_letters(&self) -> Vec<(usize, &str)> {
        self.settled(How::DeadLettered)
    }

    /// The records that were skipped, by their places, with their errors.
    pub fn skipped(&self) -> Vec<(usize, &str)> {
        self.settled(How::Skipped)
    }

    fn settled(&self, as_wanted: How) -> Vec<(usize, &str)> {
        let moments = self.performed.journal.iter();
        let settled = moments.filter_map(|moment| match moment {
            Moment::Settled { how, place, error } if *how == as_wanted => Some((*place, error.as_str())),
            _ => None,
        });
        settled.collect()
    }

    /// The lines that kcl writes to stderr, without their prefix `kcl: `. What handlers print is not among them.
    pub fn stderr(&self) -> Vec<&str> {
        let moments = self.performed.journal.iter();
        moments
            .filter_map(|moment| if let Moment::Stderr(line) = moment { Some(line.as_str()) } else { None })
            .collect()
    }

    /// The exit code of the last process: 0 at the end of its input, 1 if a handler failed, 2 if the conversation did,
    /// and 137 if it was killed.
    pub fn exit_code(&self) -> u8 {
        self.performed.exit_code.unwrap_or(0)
    }

    /// The position of the shard's lease at the end.
    pub fn position(&self) -> &Position {
        &self.performed.position
    }

    /// Whether the shard is not in order, in a sentence.
    fn problem(&self) -> Option<String> {
        match self.performed.exit_code {
            None => Some(format!("shard {} was never started, because a shard before it has not ended", self.id())),
            Some(0) => None,
            // The process was killed after it had done everything.
            Some(_) if self.performed.position == Position::ShardEnd => None,
            Some(code) => {
                let error = self.stderr().last().map(|line| format!(": {line}")).unwrap_or_default();
                Some(format!("the processor of shard {} ended with exit code {code}{error}", self.id()))
            }
        }
    }

    /// Asserts that the last checkpoint stands at this record, by its place counted from 1; with 0, that there is none.
    ///
    /// # Panics
    ///
    /// If it does not. The message says why, and contains the report.
    #[track_caller]
    pub fn assert_checkpoint_at(&self, record: usize) {
        let ledger = &self.performed.ledger;
        assert!(
            record <= ledger.len(),
            "expected a checkpoint at record {record}; only {} records were delivered\n\n{self}",
            ledger.len()
        );
        let place = ledger.place(self.position());
        if place == record {
            return;
        }
        let last = match (self.position(), place) {
            (Position::ShardEnd, _) => "the last one is at SHARD_END".to_owned(),
            (_, 0) => "there is none".to_owned(),
            (_, place) => format!("the last one is at record {place}"),
        };
        let reason = ledger.first_open(place, record).map(|reason| format!("; {reason}")).unwrap_or_default();
        panic!("expected a checkpoint at record {record}; {last}{reason}\n\n{self}");
    }

    /// Asserts that SHARD_END is checkpointed, so that the shard's children can start.
    ///
    /// # Panics
    ///
    /// If it is not. The message contains the report.
    #[track_caller]
    pub fn assert_shard_ended(&self) {
        let position = self.position();
        assert!(
            *position == Position::ShardEnd,
            "expected that SHARD_END of shard {} is checkpointed; the checkpoint stands at {position}\n\n{self}",
            self.id()
        );
    }
}

impl<P> fmt::Display for ShardReport<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "shard {}", self.id())?;
        for moment in &self.performed.journal {
            writeln!(f, "  {moment}")?;
        }
        if self.performed.exit_code.is_none() {
            writeln!(f, "  never started")?;
        }
        Ok(())
    }
}

impl ShardScript {
    /// The payloads of all records.
    fn given(&self) -> Vec<Vec<u8>> {
        let batches = self.steps.iter().filter_map(|step| step.action.records());
        batches.flatten().map(|record| record.data.clone()).collect()
    }
}

/// The first violation of each promise in each shard, in words: a promise that is broken once is often broken again and
/// again.
pub(crate) fn first_of_each(violations: &[Violation]) -> Vec<String> {
    let mut first: Vec<&Violation> = Vec::new();
    for violation in violations {
        if first.iter().all(|known| (known.promise, &known.shard) != (violation.promise, &violation.shard)) {
            first.push(violation);
        }
    }
    first.into_iter().map(Violation::to_string).collect()
}

/// The reason for which a run fails its test unasked.
#[derive(Debug)]
pub(crate) struct Wrong {
    /// The promise that was broken first, if one was.
    pub(crate) promise: Option<Promise>,
    what: String,
    /// The notes of the run, without the middle of a long one.
    pub(crate) notes: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n\n{}", self.what, self.notes)
    }
}

/// Turns a performance into a report.
///
/// # Errors
///
/// If a promise was broken, or a step never happened.
pub(crate) fn judge<P>(script: Script, performance: Performance<P>) -> Result<Report<P>, Wrong> {
    let Performance { shards, violations, idle } = performance;
    let report = Report::new(script, shards);
    if !violations.is_empty() {
        let promise = violations.first().map(|violation| violation.promise);
        let what = first_of_each(&violations).join("\n");
        return Err(Wrong { promise, what, notes: brief(&report.to_string()) });
    }
    if let Some(fault) = idle.first() {
        let what =
            format!("{fault} never happened: no step after it gives it the occasion, or the processor ended before");
        return Err(Wrong { promise: None, what, notes: brief(&report.to_string()) });
    }
    Ok(report)
}

/// The notes without the middle of a long run.
pub(crate) fn brief(notes: &str) -> String {
    const FIRST: usize = 10;
    const LAST: usize = 80;
    let lines: Vec<_> = notes.lines().collect();
    let Some(more) = lines.len().checked_sub(FIRST + LAST).filter(|&more| more > 0) else { return notes.to_owned() };
    let (first, last) = (&lines[..FIRST], &lines[FIRST + more..]);
    format!("{}\n  ... {more} more lines ...\n{}\n", first.join("\n"), last.join("\n"))
}
