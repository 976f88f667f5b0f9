//! The state of each record of a shard, and the promises that were broken.

use std::fmt;
use std::ops::Range;

use crate::error::{Failure, How, Passed};
use crate::record::Record;
use crate::sequence::SequenceNumber;
use crate::shard::Position;
use crate::testing::journal::explain;
use crate::testing::sink::Sinks;

/// A promise that the runtime and the processor keep together. The kit checks each one after every run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Promise {
    /// No checkpoint passes a record that is not settled.
    Settled,
    /// No checkpoint passes a record that is missing in a sink of every record.
    Written,
    /// No checkpoint goes backwards.
    Forwards,
    /// The records of a shard are handled in order.
    Order,
    /// While records are handled at once, those of one partition key are handled in order.
    KeyOrder,
    /// SHARD_END is checkpointed before `shardEnded` is acknowledged, and nothing follows it.
    ShardEnd,
    /// After the lease is lost, no checkpoint is accepted.
    LeaseLost,
    /// The daemon understands every reply.
    Replies,
    /// A shard does the same alone as among others.
    Independent,
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Settled => "no checkpoint passes a record that is not settled",
            Self::Written => "no checkpoint passes a record that is not in every sink of every record",
            Self::Forwards => "no checkpoint goes backwards",
            Self::Order => "the records of a shard are handled in order",
            Self::KeyOrder => "the records of one partition key are handled one after the other, in order",
            Self::ShardEnd => "SHARD_END is checkpointed before shardEnded is acknowledged, and nothing follows it",
            Self::LeaseLost => "after the lease is lost, no checkpoint is accepted from this process",
            Self::Replies => "the daemon understands every reply",
            Self::Independent => "a shard does the same alone as among others",
        })
    }
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) promise: Promise,
    /// The shard's id.
    pub(crate) shard: String,
    /// The events that broke it, in a sentence.
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the promise \"{}\" was broken in shard {}: {}", self.promise, self.shard, self.what)
    }
}

/// One record and its state.
#[derive(Debug)]
struct Entry {
    record: Record,
    state: State,
    /// The number of times that a handler got it.
    tries: u32,
    /// The handler that has it now, beside those of other records.
    with: Option<&'static str>,
    /// The error of the last try, if it failed.
    error: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Handled,
    Passed(How),
}

/// The choices of the processor's type that decide what is allowed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rules {
    /// The record handler checkpoints.
    pub(crate) by_handler: bool,
    /// Records are handled at once, and those of one key in order.
    pub(crate) by_key: bool,
}

/// The ledger of one shard. Records are named by their places, counted from 1.
#[derive(Debug)]
pub(crate) struct Ledger {
    shard: String,
    rules: Rules,
    entries: Vec<Entry>,
    /// The index of the first record that was delivered to the current process.
    start: usize,
    /// The batch of the current message.
    batch: Range<usize>,
    /// The records of the current attempt, by their indexes.
    attempt: Vec<usize>,
    /// The record that is with the handler.
    at: Option<usize>,
    /// This attempt got its records one by one.
    one_by_one: bool,
    /// The index after the last record that a checkpoint of this call covers.
    claimed: usize,
    /// The index after the last record that a checkpoint passes.
    passed: usize,
    ended: bool,
    lost: bool,
    pub(crate) violations: Vec<Violation>,
}

impl Ledger {
    pub(crate) fn new(shard: &str, rules: Rules) -> Self {
        Self {
            shard: shard.to_owned(),
            rules,
            entries: Vec::new(),
            start: 0,
            batch: 0..0,
            attempt: Vec::new(),
            at: None,
            one_by_one: false,
            claimed: 0,
            passed: 0,
            ended: false,
            lost: false,
            violations: Vec::new(),
        }
    }

    pub(crate) fn violate(&mut self, promise: Promise, what: impl Into<String>) {
        self.violations.push(Violation { promise, shard: self.shard.clone(), what: what.into() });
    }

    /// The records after `position`, which a new process gets.
    pub(crate) fn restart(&mut self, position: &Position) -> Vec<Record> {
        self.start = self.reach(position);
        self.entries[self.start..].iter_mut().for_each(|entry| (entry.state, entry.with) = (State::Open, None));
        (self.batch, self.at, self.claimed, self.lost) = (self.start..self.start, None, 0, false);
        self.entries[self.start..].iter().map(|entry| entry.record.clone()).collect()
    }

    /// Delivers records: those of a restart, or new ones.
    pub(crate) fn deliver(&mut self, records: &[Record]) -> Range<usize> {
        let begin = self.batch.end;
        let known = self.entries.len() - begin;
        let new = records.iter().skip(known);
        self.entries.extend(new.map(|record| Entry {
            record: record.clone(),
            state: State::Open,
            tries: 0,
            with: None,
            error: None,
        }));
        self.batch = begin..begin + records.len();
        self.batch.clone()
    }

    /// A message without records begins.
    pub(crate) fn message(&mut self) {
        self.batch = self.batch.end..self.batch.end;
    }

    pub(crate) fn lose(&mut self) {
        self.lost = true;
    }

    /// The index after the last record up to this position.
    fn reach(&self, position: &Position) -> usize {
        match position {
            Position::ShardEnd => self.entries.len(),
            Position::After { sequence_number, sub_sequence_number } => self.entries.partition_point(|entry| {
                (entry.record.sequence_number(), entry.record.sub_sequence_number())
                    <= (*sequence_number, *sub_sequence_number)
            }),
            _ => 0,
        }
    }

    /// The place of the last record up to this position, counted from 1; 0 if there is none.
    pub(crate) fn place(&self, position: &Position) -> usize {
        self.reach(position)
    }

    /// The records that are with the handler now: places counted from 1.
    pub(crate) fn current(&self) -> Vec<usize> {
        match self.at {
            Some(at) => vec![at + 1],
            None if self.one_by_one => Vec::new(),
            None => self.attempt.iter().map(|at| at + 1).collect(),
        }
    }

    /// The handler that has records beside each other, and these: places counted from 1.
    pub(crate) fn beside(&self) -> Option<(&'static str, Vec<usize>)> {
        let handler = self.entries.iter().find_map(|entry| entry.with)?;
        let places = self.entries.iter().zip(1..).filter(|(entry, _)| entry.with == Some(handler));
        Some((handler, places.map(|(_, place)| place).collect()))
    }

    /// The place of a record of this shard, counted from 1.
    pub(crate) fn find(&self, record: &Record) -> Option<usize> {
        self.find_number(record.sequence_number(), record.sub_sequence_number())
    }

    /// The place of the record with this sequence and sub-sequence number, counted from 1.
    pub(crate) fn find_number(&self, number: SequenceNumber, sub: u64) -> Option<usize> {
        let numbers = |entry: &Entry| (entry.record.sequence_number(), entry.record.sub_sequence_number());
        self.entries.binary_search_by_key(&(number, sub), numbers).ok().map(|at| at + 1)
    }

    /// A handler gets the record at this place, counted from 1, beside other records.
    pub(crate) fn begin(&mut self, place: usize) {
        let at = place - 1;
        let key = self.entries[at].record.partition_key();
        let same = |before: &usize| {
            let entry = &self.entries[*before];
            entry.state == State::Open && entry.record.partition_key() == key
        };
        // A checkpoint passes settled records only, or another promise is broken.
        let open = (self.start.max(self.passed)..at).find(same).filter(|_| self.rules.by_key);
        let twice = self.entries[at].with.is_some().then_some(at);
        if let Some(before) = open.or(twice) {
            let what = format!("record {place} was handed over before {} was settled", self.describe(before));
            self.violate(Promise::KeyOrder, what);
        }
        if self.ended {
            self.violate(Promise::ShardEnd, format!("record {place} was handed over after SHARD_END"));
        }
        let entry = &mut self.entries[at];
        (entry.tries, entry.with) = (entry.tries + 1, Some("processRecords"));
    }

    /// The handler of dead letters gets the record at this place, beside other records.
    pub(crate) fn take_up(&mut self, place: usize) {
        self.entries[place - 1].with = Some("dead_letter");
    }

    /// The handler that has the record at this place beside others returned, panicked or was cancelled. Returns that handler and the
    /// number of its tries, if there is one.
    pub(crate) fn finish(&mut self, place: usize, error: Option<String>) -> Option<(&'static str, u32)> {
        let entry = &mut self.entries[place - 1];
        let handler = entry.with.take()?;
        if handler == "dead_letter" {
            return Some((handler, 1));
        }
        if error.is_none() {
            entry.state = State::Handled;
        }
        entry.error = error;
        Some((handler, entry.tries))
    }

    /// A handler is called. Only an attempt of the record handler brings records.
    pub(crate) fn call(&mut self) {
        self.attempt.clear();
        (self.at, self.one_by_one, self.claimed) = (None, false, 0);
    }

    /// The record handler gets the records at these places of the batch, or all that are left of it.
    pub(crate) fn attempt(&mut self, places: Option<&[usize]>) {
        self.call();
        match places {
            Some(places) => self.attempt.extend(places.iter().map(|place| self.batch.start + place)),
            None => {
                let is_left = |&at: &usize| !matches!(self.entries[at].state, State::Passed(_));
                self.attempt.extend(self.batch.clone().filter(is_left));
            }
        }
    }

    /// The handler gets the record at this place of its batch.
    pub(crate) fn hand_over(&mut self, place: usize) {
        let at = self.batch.start + place;
        let before = self.attempt.iter().take_while(|&&before| before < at);
        let open = before.copied().find(|&before| self.entries[before].state == State::Open);
        if let Some(open) = open {
            self.violate(
                Promise::Order,
                format!("record {} was handed over before {} was settled", at + 1, self.describe(open)),
            );
        }
        if self.ended {
            self.violate(Promise::ShardEnd, format!("record {} was handed over after SHARD_END", at + 1));
        }
        (self.at, self.one_by_one, self.claimed) = (Some(at), true, 0);
        self.entries[at].tries += 1;
    }

    /// A dead letter with the record at this place of its batch is handed over.
    pub(crate) fn point(&mut self, place: usize) {
        self.at = Some(self.batch.start + place);
    }

    /// The record of the dead letter, by its place counted from 1.
    pub(crate) fn pointed(&mut self) -> Option<usize> {
        self.at.take().map(|at| at + 1)
    }

    /// The place of the last record that a checkpoint passes.
    pub(crate) fn passed(&self) -> usize {
        self.passed
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// The handler returned from the record that it got. Returns its place, counted from 1, and the number of tries.
    pub(crate) fn handled(&mut self, error: Option<String>) -> Option<(usize, u32)> {
        let at = self.at.take()?;
        match &error {
            None => self.entries[at].state = State::Handled,
            Some(error) => self.blame(&[at], error),
        }
        self.entries[at].error = error;
        Some((at + 1, self.entries[at].tries))
    }

    /// Checks that no checkpoint of this call covered all records that failed.
    fn blame(&mut self, failed: &[usize], error: &str) {
        if failed.last().is_some_and(|&last| self.claimed > last) {
            let which = places(&failed.iter().map(|at| at + 1).collect::<Vec<_>>());
            let (were, their) = if failed.len() == 1 { ("was", "its") } else { ("were", "their") };
            let what = format!("{which} {were} checkpointed, and then {their} handler failed: {error}");
            self.violate(Promise::Settled, what);
        }
    }

    /// An attempt of the record handler is over. Returns the places of its records, counted from 1, and the number of
    /// tries, unless it got its records one by one.
    pub(crate) fn attempted(&mut self, result: Result<(), &Failure>) -> Option<(Vec<usize>, u32)> {
        let attempt = std::mem::take(&mut self.attempt);
        if self.one_by_one {
            // A failure outside of the records concerns all of them.
            if result.is_err() && attempt.iter().all(|&at| self.entries[at].state != State::Open) {
                for at in attempt {
                    self.entries[at].state = State::Open;
                }
            }
            return None;
        }
        let error = result.err().map(|failure| explain(failure.as_error()));
        let mut tries = 1;
        for &at in &attempt {
            let entry = &mut self.entries[at];
            entry.tries += 1;
            tries = tries.max(entry.tries);
            entry.error.clone_from(&error);
            if error.is_none() {
                entry.state = State::Handled;
            }
        }
        let places = attempt.iter().map(|at| at + 1).collect();
        if let Some(error) = error {
            self.blame(&attempt, &error);
            // The handler may name the records that failed.
            self.attempt = attempt;
        }
        Some((places, tries))
    }

    /// Of the records of the last attempt, only those at these places of the batch failed.
    pub(crate) fn named(&mut self, failed: &[usize]) {
        for at in std::mem::take(&mut self.attempt) {
            if !failed.contains(&(at - self.batch.start)) {
                (self.entries[at].state, self.entries[at].error) = (State::Handled, None);
            }
        }
    }

    /// A record was skipped or dead-lettered. Returns its place, counted from 1.
    pub(crate) fn pass(&mut self, passed: &Passed<'_>) -> Option<usize> {
        let place = self.find(passed.record)?;
        self.entries[place - 1].state = State::Passed(passed.how);
        Some(place)
    }

    /// The processor asks for a checkpoint at this position, while the lease is at `lease`.
    pub(crate) fn request(&mut self, position: &Position, lease: &Position) {
        if let (Position::After { .. }, Position::After { .. }) = (position, lease) {
            let (to, from) = (self.reach(position), self.reach(lease));
            if to < from {
                self.violate(
                    Promise::Forwards,
                    format!("a checkpoint at record {to} was requested after the one at record {from} was made"),
                );
            }
        }
    }

    /// The daemon accepted a checkpoint at this position.
    pub(crate) fn accept(&mut self, position: &Position, sinks: &Sinks) {
        let to = self.reach(position);
        let is_end = *position == Position::ShardEnd;
        let accepted = if is_end {
            "SHARD_END was checkpointed".to_owned()
        } else {
            format!("a checkpoint at record {to} was accepted")
        };
        if self.lost {
            self.violate(Promise::LeaseLost, accepted.clone());
        }
        // A handler that checkpoints may do so for the records that it has.
        let with_handler = |at: &usize| match self.at {
            _ if !self.rules.by_handler => false,
            Some(current) => *at == current,
            None => !self.one_by_one && self.attempt.contains(at),
        };
        let left = (self.start..to).find(|at| self.entries[*at].state == State::Open && !with_handler(at));
        if let Some(left) = left {
            self.violate(Promise::Settled, format!("{accepted}, but {}", self.describe(left)));
        }
        self.claimed = to;
        let owed: Vec<_> = (self.passed..to)
            .filter(|&at| !matches!(self.entries[at].state, State::Passed(_)))
            .map(|at| at + 1)
            .collect();
        if let Some((place, sink)) = sinks.missing(&self.shard, &owed) {
            let record = self.describe(place - 1);
            let what = format!("{accepted}, but record {place} was not written to {sink}; {record}");
            self.violate(Promise::Written, what);
        }
        self.passed = self.passed.max(to);
        self.ended = self.ended || is_end;
    }

    /// The record at this index and its state, as a sentence.
    fn describe(&self, at: usize) -> String {
        let Entry { state, tries, error, .. } = &self.entries[at];
        let times = match tries {
            0 => "was not handed to a handler".to_owned(),
            1 => "was tried once".to_owned(),
            2 => "was tried twice".to_owned(),
            tries => format!("was tried {tries} times"),
        };
        let end = match state {
            State::Open => "and is not settled",
            State::Handled => "and is settled",
            State::Passed(How::Skipped) => "and was skipped",
            State::Passed(How::DeadLettered) => "and was dead-lettered",
        };
        let error = error.as_ref().map(|error| format!(" (its last error: {error})")).unwrap_or_default();
        format!("record {} {times} {end}{error}", at + 1)
    }

    /// The story of the first record that is not settled, at index `from` or after it, and before `to`.
    pub(crate) fn first_open(&self, from: usize, to: usize) -> Option<String> {
        let open = (from..to.min(self.entries.len())).find(|&at| self.entries[at].state == State::Open);
        open.map(|at| self.describe(at))
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

/// Names records by their places, which ascend.
pub(crate) fn places(places: &[usize]) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for &place in places {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == place => *last = place,
            _ => runs.push((place, place)),
        }
    }
    let runs: Vec<_> = runs
        .iter()
        .map(|(first, last)| if first == last { first.to_string() } else { format!("{first} to {last}") })
        .collect();
    match places.len() {
        0 => "no records".to_owned(),
        1 => format!("record {}", runs.join("")),
        _ => format!("records {}", runs.join(", ")),
    }
}
