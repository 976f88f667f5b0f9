//! The world outside one processor: a daemon that delivers, redelivers and refuses, and a ledger of what became of each record.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kcl::protocol::daemon::Lease;
use kcl::protocol::{Message, ProcessRecords as Batch, Reply, WireRecord};
use kcl::{BoxError, Checkpoints, DeadLetter, Otherwise, Position, RunError};

use crate::clock;
use crate::random::Random;

/// What a processor of the simulation promises.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) retry: u32,
    pub(crate) otherwise: Otherwise,
    pub(crate) invalid: Otherwise,
    /// Its handler gets whole batches.
    pub(crate) whole: bool,
    pub(crate) checkpoints: Checkpoints,
}

/// One record of the shard, and what became of it.
struct Entry {
    number: u64,
    sub: u64,
    /// Its payload can be decoded.
    valid: bool,
    /// The handler fails each time.
    poison: bool,
    /// It was processed, skipped or dead-lettered.
    settled: bool,
    /// By the process at work.
    by_this: bool,
}

/// What a process has done, as it should say itself in the end.
#[derive(Debug, Default, PartialEq, Eq)]
struct Done {
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
    /// How many more things may go wrong, poison aside.
    trouble: usize,
    lease: Lease,
    /// Bytes on their way to the processor.
    input: VecDeque<u8>,
    /// A line on its way from it.
    output: Vec<u8>,
    /// The batch that is being processed, by the places of its records.
    delivered: std::ops::Range<usize>,
    /// What the handler was called with last, in this process, and how often; for whole batches, the batch's first record.
    last: Option<usize>,
    attempts: u32,
    /// The place of the first record that was delivered to this process.
    start: usize,
    /// When the daemon last accepted a checkpoint of this process, or started it.
    told: Duration,
    done: Done,
    /// What the process says that it has done.
    says: Option<Done>,
    /// A checkpoint was refused during this message, so no word on when it should have been made.
    refused: bool,
    /// A message was acknowledged though nothing became of its records: from there on there are no checkpoints.
    gap: bool,
    lost: bool,
    /// The daemon said that the lease is gone, so this message may be acknowledged whatever became of it.
    excused: bool,
    /// The last message is said.
    over: bool,
    /// Whatever the process does from here on never happened.
    killed: bool,
    /// The first broken promise.
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
        // Each sequence number is an aggregate of one to three user records.
        for number in 1..=random.below(8) as u64 {
            for sub in 0..=random.below(3) as u64 {
                let valid = rules.invalid == Otherwise::Fail || !random.percent(15);
                let poison = valid && rules.otherwise != Otherwise::Fail && random.percent(10);
                entries.push(Entry { number: number * 10, sub, valid, poison, settled: false, by_this: false });
            }
        }
        let trouble = random.below(8);
        Self {
            random,
            rules,
            entries,
            trouble,
            lease: Lease::new(Position::TrimHorizon),
            input: VecDeque::new(),
            output: Vec::new(),
            delivered: 0..0,
            last: None,
            attempts: 0,
            start: 0,
            told: Duration::ZERO,
            done: Done::default(),
            says: None,
            refused: false,
            gap: false,
            lost: false,
            excused: false,
            over: false,
            killed: false,
            violation: None,
        }
    }

    /// A new process gets the shard.
    pub(crate) fn start(&mut self) {
        let position = self.lease.position().clone();
        self.lease = Lease::new(position.clone());
        let next = self.entries.iter().position(|entry| !passes(&position, entry)).unwrap_or(self.entries.len());
        self.delivered = next..next;
        self.input.clear();
        self.output.clear();
        (self.last, self.attempts) = (None, 0);
        (self.start, self.told, self.done, self.says) = (next, clock::time(), Done::default(), None);
        (self.refused, self.gap) = (false, false);
        (self.lost, self.excused, self.over, self.killed) = (false, false, false, false);
        self.entries.iter_mut().for_each(|entry| entry.by_this = false);
        self.send(&Message::Initialize { shard_id: "shard".to_owned(), position });
    }

    /// How a process ended; whether the shard needs no other.
    pub(crate) fn end(&mut self, result: Result<(), RunError>) -> Result<bool, String> {
        if !self.killed {
            if let Err(RunError::Handler(failed)) = &result {
                // Without an attempt, its payload could not be decoded.
                let expected = [0, self.rules.retry + 1].contains(&failed.attempts());
                check!(self, expected || self.excused, "gave up too early or too late: {failed}");
                self.judge_end_of_failure();
            } else if let Err(error) = &result {
                check!(self, matches!(error, RunError::ShardEnd { .. }), "{error}");
            }
            if !self.gap && !self.excused {
                self.done.records = self.reached() - self.start;
                check!(self, self.says.as_ref() == Some(&self.done), "did {:?}, says {:?}", self.done, self.says);
            }
        }
        if let Some(violation) = self.violation.take() {
            return Err(violation);
        }
        let done = *self.lease.position() == Position::ShardEnd;
        match self.entries.iter().find(|entry| !entry.settled) {
            Some(entry) if done => Err(format!("{}/{} was lost", entry.number, entry.sub)),
            _ => Ok(done),
        }
    }

    fn send(&mut self, message: &impl serde::Serialize) {
        self.input.extend(serde_json::to_vec(message).expect("it serializes"));
        self.input.push_back(b'\n');
    }

    /// Whether something goes wrong now, of what does as many times in a hundred.
    fn trouble(&mut self, percent: usize) -> bool {
        let trouble = self.trouble > 0 && self.random.percent(percent);
        self.trouble -= usize::from(trouble);
        trouble
    }

    /// Between any two effects the process may be killed. Whether it is alive.
    fn alive(&mut self) -> bool {
        self.killed = self.killed || self.trouble(2);
        !self.killed
    }

    /// The place up to which something has become of the records, as far as the runtime can know.
    fn reached(&self) -> usize {
        if self.rules.whole {
            return self.delivered.start;
        }
        let mut places = self.start..self.delivered.end;
        places.find(|&place| !self.entries[place].by_this).unwrap_or(self.delivered.end)
    }

    /// How many records this process has dealt with behind what the daemon knows.
    fn outstanding(&self) -> usize {
        let position = self.lease.position();
        self.entries.iter().filter(|entry| entry.by_this && !passes(position, entry)).count()
    }

    /// Whether the runtime owes the daemon a checkpoint.
    fn is_due(&self) -> bool {
        self.outstanding() > 0
            && match self.rules.checkpoints {
                Checkpoints::Batch => true,
                Checkpoints::Interval(interval) => clock::time() - self.told >= interval,
                Checkpoints::Records(records) => self.outstanding() as u64 >= records,
                Checkpoints::Handler => false,
            }
    }

    /// Before it gives up, it says what succeeded.
    fn judge_end_of_failure(&mut self) {
        if self.rules.checkpoints != Checkpoints::Handler && !self.refused && !self.gap {
            let reached = self.reached();
            let left = self.entries[self.start..reached].iter().position(|entry| !passes(self.lease.position(), entry));
            check!(self, left.is_none(), "{left:?} behind {} succeeded and was not checkpointed", self.start);
        }
    }

    /// The processor acknowledges: whether it has checkpointed as it should, neither too late nor too early.
    fn judge_acknowledgement(&mut self) {
        if self.refused || self.gap || self.rules.checkpoints == Checkpoints::Handler {
            return;
        }
        // `over` is set by the message that is acknowledged now.
        let owed = if self.over { !self.lost && self.outstanding() > 0 } else { self.is_due() };
        check!(self, !owed, "{} records are processed and not checkpointed in time", self.outstanding());
    }

    /// The processor has acknowledged; it gets what comes next.
    fn deliver(&mut self) {
        if self.over {
            return; // the end of the input
        }
        clock::pass(self.random.below(20));
        if self.lost || self.trouble(1) {
            (self.over, self.lost) = (true, true);
            self.lease.lose();
            return self.send(&Message::LeaseLost);
        }
        if self.trouble(2) {
            self.over = true;
            self.lease.open();
            return self.send(&Message::ShutdownRequested);
        }
        let next = self.delivered.end;
        let end = self.entries.len().min(next + self.random.below(6));
        self.delivered = next..end;
        self.done.batches += usize::from(!self.delivered.is_empty());
        if next == self.entries.len() {
            self.over = true;
            self.lease.end_shard();
            return self.send(&Message::ShardEnded);
        }
        let keys: Vec<_> = self.delivered.clone().map(|place| place.to_string()).collect();
        let entries = &self.entries[self.delivered.clone()];
        match entries.last() {
            Some(last) => self.lease.deliver(last.number.into(), last.sub),
            None => self.lease.open(),
        }
        let records: Vec<_> = entries
            .iter()
            .zip(&keys)
            .map(|(entry, key)| WireRecord {
                data: if entry.valid { b"1" } else { b"x" },
                partition_key: key,
                sequence_number: entry.number.into(),
                sub_sequence_number: entry.sub,
                approximate_arrival_timestamp: None,
            })
            .collect();
        self.send(&Batch { records, millis_behind_latest: None });
    }

    fn reply(&mut self, line: &[u8]) {
        match Reply::from_line(line) {
            Ok(Reply::Checkpoint { sequence_number, sub_sequence_number }) => {
                let all = self.delivered.clone().all(|place| self.entries[place].by_this);
                let early = all && !self.over && !self.is_due() && self.rules.checkpoints != Checkpoints::Handler;
                check!(self, !early || self.refused, "a checkpoint came that nobody waits for");
                let refusal = if self.trouble(10) { Some(self.random.pick(&REFUSALS)) } else { None };
                let error =
                    refusal.or_else(|| match self.lease.judge(sequence_number.as_deref(), sub_sequence_number) {
                        Ok(position) => {
                            self.checkpoint(position);
                            None
                        }
                        Err(refused) => Some(refused.exception()),
                    });
                match error {
                    None => {
                        self.told = clock::time();
                        self.done.checkpoints += 1;
                    }
                    Some(_) => self.refused = true,
                }
                if error == Some("ShutdownException") {
                    self.excused = true;
                    // A daemon may say so and go on all the same.
                    self.lost = self.lost || self.random.percent(60);
                    if self.lost {
                        self.lease.lose();
                    }
                }
                let error = error.map(str::to_owned);
                self.send(&Message::Checkpoint { sequence_number, sub_sequence_number, error });
            }
            Ok(Reply::Status { .. }) => {
                let left = self.delivered.clone().find(|&place| !self.entries[place].by_this);
                check!(self, self.excused || left.is_none(), "{left:?} was acknowledged, but nothing became of it");
                self.judge_acknowledgement();
                // Who checkpoints itself may fail behind a record with which all is well.
                let own = self.rules.checkpoints == Checkpoints::Handler;
                self.gap = self.gap || left.is_some() || (own && self.excused);
                (self.excused, self.refused) = (false, false);
                self.delivered.start = self.delivered.end;
                self.deliver();
            }
            other => check!(self, false, "{other:?}"),
        }
    }

    /// The one promise: something became of all that is checkpointed.
    fn checkpoint(&mut self, position: Option<Position>) {
        let Some(position) = position else { return };
        for place in 0..self.entries.len() {
            let entry = &self.entries[place];
            if passes(&position, entry) {
                let settled = entry.settled && (entry.by_this || place < self.start);
                check!(self, settled, "{position} was checkpointed, but nothing became of {place}");
            }
        }
        self.lease.advance(position);
    }

    /// The handler is called with these records.
    pub(crate) fn call(&mut self, places: &[usize]) -> Result<(), BoxError> {
        let Some(&first) = places.first() else { return Ok(()) };
        if !self.alive() {
            return Ok(());
        }
        let identity = if self.rules.whole { self.delivered.start } else { first };
        clock::pass(self.random.below(3));
        if self.last == Some(identity) {
            self.attempts += 1;
            self.done.retries += 1;
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
            check!(self, left.is_none(), "{first} was handed over, and nothing became of {left:?}");
        }
        for &place in places {
            check!(self, self.entries[place].valid, "{place} cannot be decoded");
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

    /// A dead letter comes.
    pub(crate) fn letter(&mut self, letter: &DeadLetter<'_>) -> Result<(), BoxError> {
        let place = place(letter.record().partition_key());
        if !self.alive() {
            return Ok(());
        }
        self.judge(place, letter.attempts(), Otherwise::DeadLetter);
        if self.trouble(10) {
            return Err("as scheduled".into());
        }
        self.settle(place);
        self.done.letters += 1;
        self.alive();
        Ok(())
    }

    /// Something became of a record.
    fn settle(&mut self, place: usize) {
        (self.entries[place].settled, self.entries[place].by_this) = (true, true);
    }

    /// A record is passed: whether that is the user's word.
    fn judge(&mut self, place: usize, attempts: u32, word: Otherwise) {
        let valid = self.entries[place].valid;
        let expected = if valid { (self.rules.otherwise, self.rules.retry + 1) } else { (self.rules.invalid, 0) };
        check!(self, expected == (word, attempts), "{place} was passed by {word:?} after {attempts} attempts");
        check!(self, !valid || self.attempts == attempts, "{place} was tried {} times, not {attempts}", self.attempts);
    }

    /// A line for stderr.
    fn line(&mut self, line: &str) {
        if let Some(says) = says(line) {
            self.says = Some(says);
            return;
        }
        let Some((_, rest)) = line.split_once("skipped record ") else { return };
        if !self.alive() {
            return;
        }
        let word = |behind: &str| rest.split_once(behind)?.1.split([' ', '`']).next()?.parse::<usize>().ok();
        match word("partition key `") {
            Some(place) => {
                self.judge(place, word(" after ").unwrap_or(0) as u32, Otherwise::Skip);
                self.settle(place);
                self.done.skipped += 1;
            }
            None => check!(self, false, "no record in {line}"),
        }
    }
}

/// What a process says that it has done.
fn says(line: &str) -> Option<Done> {
    let (_, counts) = line.split_once("shard shard: ")?;
    let mut numbers = counts.split(", ").map(|count| count.split(' ').next()?.parse().ok());
    let mut next = || numbers.next()?;
    let done = Done {
        records: next()?,
        batches: next()?,
        retries: next()?,
        skipped: next()?,
        letters: next()?,
        checkpoints: next()?,
    };
    Some(done)
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

/// The keys of the simulation are places.
pub(crate) fn place(key: &str) -> usize {
    key.parse().expect("a place")
}

/// One processor's two ends of the world.
#[derive(Clone)]
pub(crate) struct Ends(Arc<Mutex<World>>);

impl Ends {
    pub(crate) fn new(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn line(&self, line: &str) {
        self.world().line(line);
    }
}

impl Read for Ends {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let mut world = self.world();
        if world.alive() { world.input.read(to) } else { Ok(0) }
    }
}

impl Write for Ends {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut world = self.world();
        if !world.alive() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        for &byte in bytes {
            if byte == b'\n' {
                let line = std::mem::take(&mut world.output);
                world.reply(&line);
            } else {
                world.output.push(byte);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
