//! The world outside one processor: it decides what the daemon of the test kit delivers, redelivers and refuses, and keeps a
//! ledger of the state of each record. The ledger is written apart from the kit's own, so that neither repeats a mistake of the
//! other.

use std::time::Duration;

use kcl::__private::wire::{Delivery, Director, Request, Shared};
use kcl::protocol::WireRecord;
use kcl::protocol::daemon::Lease;
use kcl::{BoxError, Checkpoints, DeadLetter, FailureAction, Position, RunError};

use crate::clock;
use crate::random::Random;

/// The rules that a simulated processor must keep.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) retry: u32,
    pub(crate) on_failure: FailureAction,
    pub(crate) on_undecodable: FailureAction,
    /// Its handler gets whole batches.
    pub(crate) whole: bool,
    pub(crate) checkpoints: Checkpoints,
}

/// One record of the shard and its state.
struct Entry {
    number: u64,
    sub: u64,
    /// Its payload can be decoded.
    valid: bool,
    /// The handler fails at it each time.
    poison: bool,
    /// It was processed, skipped or dead-lettered.
    settled: bool,
    /// It was settled by the current process.
    by_current: bool,
}

/// The counts of a process, which it should report at its end.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    records: usize,
    batches: usize,
    retries: usize,
    skipped: usize,
    letters: usize,
    checkpoints: usize,
}

pub(crate) struct World {
    pub(crate) random: Random,
    rules: Rules,
    entries: Vec<Entry>,
    /// How many more failures may be injected, apart from poison.
    trouble: usize,
    /// The position of the last checkpoint.
    position: Position,
    /// The checkpoint that is being judged covers only a part of the batch, and is due.
    is_between: bool,
    /// The batch that is being processed, by the places of its records.
    delivered: std::ops::Range<usize>,
    /// The record of this process's last call of the handler; for whole batches, the first record of the batch.
    last: Option<usize>,
    /// How often the handler was called with it.
    attempts: u32,
    /// The place of the first record that was delivered to this process.
    start: usize,
    counts: Counts,
    /// The counts that the process reported.
    reported: Option<Counts>,
    /// A checkpoint was refused during this message, so the time of the next one is not checked.
    refused: bool,
    /// When the daemon last answered a checkpoint, and how many records it had not accepted then.
    asked: (Duration, usize),
    /// How often the current request may still be repeated, because its last answer allows that.
    repeats: u32,
    /// A checkpoint came within a batch although none was due, so the process must be about to fail.
    failing: bool,
    /// The number of checkpoints between records that were accepted and refused, in all processes.
    pub(crate) between: [usize; 2],
    /// A message was acknowledged without settling its records. From then on, no checkpoint is expected.
    gap: bool,
    lost: bool,
    /// The daemon reported that the lease is lost, so this message may be acknowledged although its records are not settled.
    excused: bool,
    /// The last message was sent.
    over: bool,
    /// The process was killed: nothing that it does from now on has an effect.
    killed: bool,
    /// The first broken rule.
    violation: Option<String>,
}

macro_rules! check {
    ($world:ident, $condition:expr, $($text:tt)+) => {
        if !$condition && $world.violation.is_none() {
            $world.violation = Some(format!($($text)+));
        }
    };
}

impl World {
    pub(crate) fn new(seed: u64, rules: Rules) -> Self {
        let mut random = Random::new(seed);
        let mut entries = Vec::new();
        // Each sequence number belongs to an aggregate of one to three user records.
        for number in 1..=random.below(8) as u64 {
            for sub in 0..=random.below(3) as u64 {
                let valid = rules.on_undecodable == FailureAction::Fail || !random.percent(15);
                let poison = valid && rules.on_failure != FailureAction::Fail && random.percent(10);
                entries.push(Entry { number: number * 10, sub, valid, poison, settled: false, by_current: false });
            }
        }
        let trouble = random.below(8);
        Self {
            random,
            rules,
            entries,
            trouble,
            position: Position::TrimHorizon,
            is_between: false,
            delivered: 0..0,
            last: None,
            attempts: 0,
            start: 0,
            counts: Counts::default(),
            reported: None,
            refused: false,
            asked: (Duration::ZERO, 0),
            repeats: 0,
            failing: false,
            between: [0; 2],
            gap: false,
            lost: false,
            excused: false,
            over: false,
            killed: false,
            violation: None,
        }
    }

    /// Gives the shard to a new process.
    pub(crate) fn start(&mut self) {
        let position = &self.position;
        let next = self.entries.iter().position(|entry| !passes(position, entry)).unwrap_or(self.entries.len());
        self.delivered = next..next;
        (self.last, self.attempts) = (None, 0);
        self.start = next;
        (self.counts, self.reported) = (Counts::default(), None);
        (self.refused, self.gap, self.failing) = (false, false, false);
        self.asked = (clock::time(), 0);
        (self.lost, self.excused, self.over, self.killed) = (false, false, false, false);
        self.entries.iter_mut().for_each(|entry| entry.by_current = false);
    }

    /// Judges the end of a process. Returns whether the shard is done.
    pub(crate) fn end(&mut self, result: Result<(), RunError>) -> Result<bool, String> {
        if !self.killed {
            if let Err(RunError::Handler(failed)) = &result {
                // There is no attempt if the payload cannot be decoded.
                let expected = [0, self.rules.retry + 1].contains(&failed.attempts());
                check!(self, expected || self.excused, "gave up too early or too late: {failed}");
                self.judge_end_of_failure();
            } else if let Err(error) = &result {
                check!(self, matches!(error, RunError::ShardEnd { .. }), "{error}");
            }
            if !self.gap && !self.excused {
                self.counts.records = self.entries.iter().filter(|entry| entry.by_current).count();
                let right = self.reported.as_ref() == Some(&self.counts);
                check!(self, right, "counted {:?}, but reported {:?}", self.counts, self.reported);
            }
        }
        if let Some(violation) = self.violation.take() {
            return Err(violation);
        }
        let done = self.position == Position::ShardEnd;
        match self.entries.iter().find(|entry| !entry.settled) {
            Some(entry) if done => Err(format!("{}/{} was lost", entry.number, entry.sub)),
            _ => Ok(done),
        }
    }

    /// Decides whether a failure happens now, with this probability in percent, if any failures are left.
    fn trouble(&mut self, percent: usize) -> bool {
        let trouble = self.trouble > 0 && self.random.percent(percent);
        self.trouble -= usize::from(trouble);
        trouble
    }

    /// May kill the process, which can happen between any two effects. Returns whether it is alive.
    fn alive(&mut self) -> bool {
        self.killed = self.killed || self.trouble(2);
        !self.killed
    }

    /// The place of the first record that is not settled, as far as the runtime can know.
    fn reached(&self) -> usize {
        if self.rules.whole {
            return self.delivered.start;
        }
        let mut places = self.start..self.delivered.end;
        places.find(|&place| !self.entries[place].by_current).unwrap_or(self.delivered.end)
    }

    /// The number of records that this process has settled after the last checkpoint.
    fn outstanding(&self) -> usize {
        let position = &self.position;
        self.entries.iter().filter(|entry| entry.by_current && !passes(position, entry)).count()
    }

    /// Whether the runtime owes the daemon a checkpoint.
    fn is_due(&self) -> bool {
        let (at, outstanding) = self.asked;
        self.outstanding() > 0
            && match self.rules.checkpoints {
                Checkpoints::Batch => true,
                Checkpoints::Interval(interval) => clock::time() - at >= interval,
                Checkpoints::Records(records) => self.outstanding() as u64 >= outstanding as u64 + records,
                Checkpoints::Handler => false,
            }
    }

    /// Whether the runtime also checkpoints between records.
    fn has_finer_pace(&self) -> bool {
        !self.rules.whole && matches!(self.rules.checkpoints, Checkpoints::Interval(_) | Checkpoints::Records(_))
    }

    /// Whether the runtime owes the daemon a checkpoint before the next record.
    fn is_due_between(&self) -> bool {
        let (at, outstanding) = self.asked;
        self.has_finer_pace()
            && self.outstanding() > 0
            && match self.rules.checkpoints {
                Checkpoints::Interval(interval) => clock::time() - at >= interval,
                Checkpoints::Records(records) => self.outstanding() as u64 >= outstanding as u64 + records,
                _ => false,
            }
    }

    /// Checks a checkpoint that does not cover the whole batch: it names the last record that is settled, and is due
    /// unless the process is failing.
    fn judge_between(&mut self, sequence_number: Option<&str>, sub_sequence_number: Option<i64>) -> bool {
        if self.rules.checkpoints == Checkpoints::Handler {
            return false;
        }
        let due = self.is_due_between() || self.repeats > 0;
        self.failing = self.failing || !due;
        if !self.rules.whole {
            let named =
                self.reached().checked_sub(1).map(|place| (&self.entries[place].number, self.entries[place].sub));
            let named = named.map(|(number, sub)| (number.to_string(), sub as i64));
            let given = sequence_number.map(str::to_owned).zip(sub_sequence_number);
            check!(self, given == named, "{given:?} was checkpointed within a batch, and not {named:?}");
        }
        due
    }

    /// Checks that a record may be handed over now.
    fn judge_hand_over(&mut self, first: usize) {
        let own = self.rules.checkpoints == Checkpoints::Handler;
        check!(self, own || !self.excused, "{first} was handed over after the lease was lost");
        check!(self, own || !self.failing, "{first} was handed over after a checkpoint that was not due");
        check!(self, self.gap || !self.is_due_between(), "{first} was handed over, but a checkpoint was due");
    }

    /// Checks that a failing processor has checkpointed the records that succeeded.
    fn judge_end_of_failure(&mut self) {
        if self.rules.checkpoints != Checkpoints::Handler && !self.refused && !self.gap {
            let reached = self.reached();
            let left = self.entries[self.start..reached].iter().position(|entry| !passes(&self.position, entry));
            check!(self, left.is_none(), "{left:?} after {} succeeded and was not checkpointed", self.start);
        }
    }

    /// Checks that an acknowledging processor does not owe a checkpoint.
    fn judge_acknowledgement(&mut self) {
        if self.refused || self.gap || self.rules.checkpoints == Checkpoints::Handler {
            return;
        }
        // `over` was set when the message that is acknowledged now was sent.
        let owed = if self.over { !self.lost && self.outstanding() > 0 } else { self.is_due() };
        check!(self, !owed, "{} records were processed and not checkpointed in time", self.outstanding());
    }

    /// Checks the main rule: every record that is checkpointed was settled.
    fn checkpoint(&mut self, position: Option<&Position>) {
        let Some(position) = position else { return };
        for place in 0..self.entries.len() {
            let entry = &self.entries[place];
            if passes(position, entry) {
                let settled = entry.settled && (entry.by_current || place < self.start);
                check!(self, settled, "{position} was checkpointed, but {place} was not settled");
            }
        }
        self.position = position.clone();
    }

    /// Judges a call of the handler with these records, and decides its result.
    pub(crate) fn call(&mut self, places: &[usize]) -> Result<(), BoxError> {
        let Some(&first) = places.first() else { return Ok(()) };
        if !self.alive() {
            return Ok(());
        }
        self.judge_hand_over(first);
        let identity = if self.rules.whole { self.delivered.start } else { first };
        clock::advance(self.random.below(3));
        if self.last == Some(identity) {
            self.attempts += 1;
            self.counts.retries += 1;
        } else {
            check!(self, self.last.is_none_or(|last| last < identity), "{identity} came after {:?}", self.last);
            (self.last, self.attempts) = (Some(identity), 1);
        }
        check!(self, self.attempts <= self.rules.retry + 1, "{identity} was tried {} times", self.attempts);
        if self.rules.whole {
            let valid = self.delivered.clone().filter(|&place| self.entries[place].valid);
            check!(self, valid.eq(places.iter().copied()), "{places:?} is not the batch");
        } else {
            let left = (self.delivered.start..first).find(|&place| !self.entries[place].settled);
            check!(self, left.is_none(), "{first} was handed over before {left:?} was settled");
        }
        for &place in places {
            check!(self, self.entries[place].valid, "{place} cannot be decoded, but was handed over");
            if self.entries[place].poison || self.trouble(15) {
                if self.random.percent(20) {
                    std::panic::resume_unwind(Box::new("as scheduled"));
                }
                return Err("as scheduled".into());
            }
        }
        for &place in places {
            self.settle(place);
        }
        self.alive();
        Ok(())
    }

    /// Judges a call with a dead letter, and decides its result.
    pub(crate) fn letter(&mut self, letter: &DeadLetter<'_>) -> Result<(), BoxError> {
        let place = place(letter.record().partition_key());
        if !self.alive() {
            return Ok(());
        }
        self.judge(place, letter.attempts(), FailureAction::DeadLetter);
        if self.trouble(10) {
            return Err("as scheduled".into());
        }
        self.settle(place);
        self.counts.letters += 1;
        self.alive();
        Ok(())
    }

    /// Marks a record as settled.
    fn settle(&mut self, place: usize) {
        (self.entries[place].settled, self.entries[place].by_current) = (true, true);
    }

    /// Checks that skipping or dead-lettering a record follows the policy.
    fn judge(&mut self, place: usize, attempts: u32, action: FailureAction) {
        let valid = self.entries[place].valid;
        let expected =
            if valid { (self.rules.on_failure, self.rules.retry + 1) } else { (self.rules.on_undecodable, 0) };
        check!(self, expected == (action, attempts), "{place} was settled by {action:?} after {attempts} attempts");
        check!(self, !valid || self.attempts == attempts, "{place} was tried {} times, not {attempts}", self.attempts);
    }

    /// Reads a line that the process wrote to stderr.
    pub(crate) fn line(&mut self, line: &str) {
        if let Some(counts) = parse_counts(line) {
            self.reported = Some(counts);
            return;
        }
        let Some((_, rest)) = line.split_once(": skipped a record: ") else { return };
        if !self.alive() {
            return;
        }
        let number = |label: &str| rest.split_once(label)?.1.split([' ', '`']).next()?.parse::<usize>().ok();
        match number("partition key `") {
            Some(place) => {
                self.judge(place, number(" after ").unwrap_or(0) as u32, FailureAction::Skip);
                self.settle(place);
                self.counts.skipped += 1;
            }
            None => check!(self, false, "no partition key in {line}"),
        }
    }
}

/// The counts in a process's report.
fn parse_counts(line: &str) -> Option<Counts> {
    let (_, counts) = line.split_once("shard shard: ")?;
    let mut numbers = counts.split(", ").map(|count| count.split(' ').next()?.parse().ok());
    let mut next = || numbers.next()?;
    let counts = Counts {
        records: next()?,
        batches: next()?,
        retries: next()?,
        skipped: next()?,
        letters: next()?,
        checkpoints: next()?,
    };
    Some(counts)
}

const REFUSALS: [&str; 6] = [
    "ThrottlingException",
    "KinesisClientLibDependencyException",
    "ShutdownException",
    "InvalidStateException",
    "IllegalArgumentException",
    "NullPointerException",
];

fn passes(position: &Position, entry: &Entry) -> bool {
    match position {
        Position::After { sequence_number, sub_sequence_number } => {
            (entry.number.into(), entry.sub) <= (*sequence_number, *sub_sequence_number)
        }
        Position::ShardEnd => true,
        _ => false,
    }
}

/// The place of a record, which is its partition key in the simulation.
pub(crate) fn place(key: &str) -> usize {
    key.parse().expect("a place")
}

/// The daemon's half of a conversation, which the world directs.
pub(crate) type Ends = Shared<World>;

impl Director for World {
    fn is_alive(&mut self) -> bool {
        self.alive()
    }

    fn next(&mut self, _: &Lease) -> Option<Delivery> {
        if self.over {
            return None; // the end of the input
        }
        clock::advance(self.random.below(20));
        if self.lost || self.trouble(1) {
            (self.over, self.lost) = (true, true);
            return Some(Delivery::LeaseLost);
        }
        if self.trouble(2) {
            self.over = true;
            return Some(Delivery::ShutdownRequested);
        }
        let next = self.delivered.end;
        let end = self.entries.len().min(next + self.random.below(6));
        self.delivered = next..end;
        self.counts.batches += usize::from(!self.delivered.is_empty());
        if next == self.entries.len() {
            self.over = true;
            return Some(Delivery::ShardEnded);
        }
        let keys: Vec<_> = self.delivered.clone().map(|place| place.to_string()).collect();
        let entries = self.entries[self.delivered.clone()].iter();
        let records = entries.zip(&keys).map(|(entry, key)| WireRecord {
            data: if entry.valid { b"1" } else { b"x" },
            partition_key: key,
            sequence_number: entry.number.into(),
            sub_sequence_number: entry.sub,
            approximate_arrival_timestamp: None,
        });
        Some(Delivery::Records(WireRecord::into_batch(records), Some(0)))
    }

    fn refuse(&mut self, request: &Request, _: &Lease) -> Option<String> {
        let all = self.delivered.clone().all(|place| self.entries[place].by_current);
        let early = all && !self.over && !self.is_due() && self.rules.checkpoints != Checkpoints::Handler;
        check!(self, !early || self.refused, "a checkpoint came too early");
        // At the start of a batch, a checkpoint may still cover the batches before it.
        let Request { sequence_number, sub_sequence_number } = request;
        self.is_between = !all && !self.over && self.judge_between(sequence_number.as_deref(), *sub_sequence_number);
        self.trouble(10).then(|| self.random.pick(&REFUSALS).to_owned())
    }

    fn answer(&mut self, _: &Request, answer: Result<Option<&Position>, &str>) -> bool {
        match answer {
            Ok(position) => {
                self.checkpoint(position);
                self.counts.checkpoints += 1;
            }
            Err(_) => self.refused = true,
        }
        self.repeats = match answer {
            Err("ThrottlingException" | "KinesisClientLibDependencyException") if self.repeats == 0 => 4,
            Err("ThrottlingException" | "KinesisClientLibDependencyException") => self.repeats - 1,
            _ => 0,
        };
        self.asked = (clock::time(), if answer.is_err() { self.outstanding() } else { 0 });
        self.between[usize::from(answer.is_err())] += usize::from(self.is_between);
        if answer != Err("ShutdownException") {
            return false;
        }
        self.excused = true;
        // A daemon may report this and continue anyway.
        self.lost = self.lost || self.random.percent(60);
        self.lost
    }

    fn acknowledge(&mut self, action: &'static str) {
        if action == "initialize" {
            return;
        }
        let left = self.delivered.clone().find(|&place| !self.entries[place].by_current);
        check!(self, self.excused || left.is_none(), "{left:?} was acknowledged, but not settled");
        check!(self, self.excused || !self.failing, "a checkpoint between records was not due");
        self.failing = false;
        self.judge_acknowledgement();
        // A handler that checkpoints may fail after it has settled its record.
        let own = self.rules.checkpoints == Checkpoints::Handler;
        self.gap = self.gap || left.is_some() || (own && self.excused);
        (self.excused, self.refused) = (false, false);
        self.delivered.start = self.delivered.end;
    }

    fn misunderstand(&mut self, problem: String) {
        check!(self, false, "{problem}");
    }
}
