//! `--chaos`: what goes wrong in production goes wrong here, by a schedule, and what must hold all the same is checked.
//!
//! The [`schedule`] says what happens at which message. A [`Trial`] lets it happen to one shard, and shows what passes to the
//! [`ledger`], which follows the input's [`course`] on its own. The [`verdict`] is what all of it came to.

mod course;
mod ledger;
mod schedule;
mod verdict;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use self::course::Track;
use self::ledger::Ledger;
use self::schedule::{Draw, Schedule};

pub(crate) use self::schedule::{Fault, Point, Rates};
pub(crate) use self::verdict::Verdict;

use super::LocalError;
use super::source::plan::Reshard;
use crate::input::lines::Source;
use crate::local::LocalOptions;

/// After so many lives in a row that did not move the checkpoint the next one is let live until it has.
const FRUITLESS: u32 = 3;
/// Longer messages are cut at every byte near their ends only.
const SHORT: usize = 1 << 10;
/// How near that is.
const NEAR: usize = 256;
/// How often they are cut between.
const CUTS: u64 = 32;

/// A run's chaos.
#[derive(Debug)]
pub(crate) struct Chaos {
    schedule: Arc<Schedule>,
    track: Arc<Track>,
    /// How many records the input has.
    records: u64,
    reshard: Reshard,
}

impl Chaos {
    /// None if none is asked for. Reads the input once, to know how many records there are.
    pub(crate) fn prepare(options: &LocalOptions) -> Result<Option<Self>, LocalError> {
        let Some(seed) = options.chaos else { return Ok(None) };
        let (sources, _) = options.sources()?;
        if sources.is_empty() || options.follow || !sources.iter().all(Source::is_file) {
            return Err(LocalError::Options(
                "--chaos takes input that can be read again, by each new processor and to check what they got: files that are not followed",
            ));
        }
        let schedule = Schedule { seed, rates: options.chaos_rates.clone().unwrap_or_default() };
        let reading = options.reading(None);
        // What is wrong with the input shows when it is fed.
        let records = course::count(&options.input, reading.format.longest_line(reading.longest), reading.limit);
        let records = records.unwrap_or(0);
        let drawn = || schedule.reshard(records, options.shards)?.parse().ok();
        let reshard: Reshard = options.reshard.clone().or_else(drawn).unwrap_or_default();
        let track = Track {
            inputs: options.input.clone(),
            format: reading.format,
            longest: reading.longest,
            limit: reading.limit,
            plan: options.plan(&reshard)?,
        };
        Ok(Some(Self { schedule: Arc::new(schedule), track: Arc::new(track), records, reshard }))
    }

    /// How shards are split and merged.
    pub(crate) fn reshard(&self) -> &Reshard {
        &self.reshard
    }

    /// For one shard.
    pub(crate) fn trial(&self, shard: u32) -> Box<Trial> {
        Box::new(Trial {
            schedule: Arc::clone(&self.schedule),
            ledger: Ledger::new(Arc::clone(&self.track), shard),
            shard,
            number: 0,
            message: Message::default(),
            had_empty: false,
            lives: 0,
            moved: true,
            fruitless: 0,
            gave_up: 0,
            hits: [0; Fault::COUNT],
            notes: Vec::new(),
            recent: Vec::new(),
        })
    }
}

/// One shard under chaos, through the lives of all its processors.
#[derive(Debug)]
pub(crate) struct Trial {
    schedule: Arc<Schedule>,
    ledger: Ledger,
    shard: u32,
    /// Of the line that was told last.
    number: u64,
    message: Message,
    had_empty: bool,
    lives: u64,
    /// Whether this life has moved the checkpoint.
    moved: bool,
    /// Lives in a row that did not.
    fruitless: u32,
    /// Processors that ended by themselves over a checkpoint that was refused.
    gave_up: u64,
    hits: [u64; Fault::COUNT],
    /// What was done and is not written down yet.
    notes: Vec<String>,
    /// What was done to the message at hand, and is in store for the next one: the number of the line, and what.
    recent: Vec<(u64, String)>,
}

/// What is in store for the message at hand.
#[derive(Debug, Default)]
struct Message {
    kill: Option<Point>,
    /// Whether a checkpoint was refused that was good.
    refused: bool,
    is_new: bool,
}

/// What a shard's processor gets next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many records.
    Deliver(usize),
    /// A batch without any.
    Empty,
    /// The news that another has its lease.
    LoseLease,
    /// A request to shut down, and then that news.
    ShutDown,
}

/// How a line is written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Whole,
    /// In pieces that end at these bytes, each once the one before was read.
    Pieces(Vec<usize>),
    /// Up to this byte; then the processor is killed.
    Torn(usize),
}

impl Trial {
    /// A new processor starts.
    pub(crate) fn begin_life(&mut self) {
        self.lives += 1;
        self.fruitless = if self.moved { 0 } else { self.fruitless + 1 };
        self.moved = false;
    }

    /// Whether this life is let live until it has moved the checkpoint, so that the run comes to an end.
    fn is_spared(&self) -> bool {
        self.fruitless >= FRUITLESS && !self.moved
    }

    /// What comes next, of so many records.
    pub(crate) fn step(&mut self, records: usize) -> Step {
        let schedule = Arc::clone(&self.schedule);
        let draw = schedule.at(self.shard, self.number + 1);
        if draw.hits(Fault::Empty) && !std::mem::replace(&mut self.had_empty, true) {
            self.hit(self.number + 1, Fault::Empty, "");
            return Step::Empty;
        }
        self.had_empty = false;
        if draw.hits(Fault::Lease) && !self.is_spared() {
            self.hit(self.number + 1, Fault::Lease, "");
            return Step::LoseLease;
        }
        if draw.hits(Fault::Shutdown) && !self.is_spared() {
            self.hit(self.number + 1, Fault::Shutdown, "");
            return Step::ShutDown;
        }
        Step::Deliver(draw.share(records))
    }

    /// What the next message says of how far behind it is.
    pub(crate) fn millis_behind_latest(&mut self, truly: Option<u64>) -> Option<u64> {
        let schedule = Arc::clone(&self.schedule);
        if !schedule.at(self.shard, self.number + 1).hits(Fault::NullMillis) {
            return truly;
        }
        self.hit(self.number + 1, Fault::NullMillis, "");
        None
    }

    /// A message is about to be told; true if the lease is lost while the processor is at it.
    pub(crate) fn begin(&mut self, action: &str) -> bool {
        let spared = self.is_spared();
        let schedule = Arc::clone(&self.schedule);
        let draw = self.next(&schedule);
        let number = self.number;
        // What was done to the message before is why the lease is lost.
        if action != "leaseLost" {
            self.recent.retain(|(message, _)| *message == number);
        }
        let kill = (draw.hits(Fault::Kill) && !spared).then(|| draw.point());
        self.message = Message { kill, refused: false, is_new: true };
        let loses = matches!(action, "processRecords" | "shardEnded") && draw.hits(Fault::Duplicate) && !spared;
        if loses {
            self.hit(self.number, Fault::Duplicate, "");
        }
        loses
    }

    /// An answer to a checkpoint is about to be told.
    pub(crate) fn answer(&mut self) {
        let schedule = Arc::clone(&self.schedule);
        self.next(&schedule);
    }

    fn next<'a>(&mut self, schedule: &'a Schedule) -> Draw<'a> {
        self.number += 1;
        schedule.at(self.shard, self.number)
    }

    /// How the line at hand is written, which is so long.
    pub(crate) fn manner(&mut self, length: usize) -> Manner {
        let schedule = Arc::clone(&self.schedule);
        let draw = schedule.at(self.shard, self.number);
        if std::mem::take(&mut self.message.is_new) && self.message.kill == Some(Point::Torn) {
            self.kills(Point::Torn);
            return Manner::Torn(1 + draw.nth_number(Fault::Kill, 0, length as u64 - 1) as usize);
        }
        if !draw.hits(Fault::Pieces) {
            return Manner::Whole;
        }
        self.hit(self.number, Fault::Pieces, "");
        if length <= SHORT {
            return Manner::Pieces((1..=length).collect());
        }
        let between = (length - 2 * NEAR) as u64;
        let mut cuts: Vec<_> = (1..=NEAR).chain(length - NEAR..=length).collect();
        cuts.extend((0..CUTS).map(|nth| NEAR + draw.nth_number(Fault::Pieces, nth, between) as usize));
        cuts.sort_unstable();
        cuts.dedup();
        Manner::Pieces(cuts)
    }

    /// The name of the exception if a checkpoint that is good is refused.
    pub(crate) fn refusal(&mut self) -> Option<&'static str> {
        const OTHERS: [&str; 3] =
            ["KinesisClientLibDependencyException", "InvalidStateException", "IllegalArgumentException"];
        if self.is_spared() {
            return None;
        }
        let schedule = Arc::clone(&self.schedule);
        let draw = schedule.at(self.shard, self.number);
        let (fault, exception) = if draw.hits(Fault::Throttle) {
            (Fault::Throttle, "ThrottlingException")
        } else if draw.hits(Fault::Refuse) {
            (Fault::Refuse, OTHERS[draw.number(Fault::Refuse, OTHERS.len() as u64) as usize])
        } else {
            return None;
        };
        self.hit(self.number, fault, exception);
        self.refused();
        Some(exception)
    }

    /// A checkpoint that is good was refused.
    pub(crate) fn refused(&mut self) {
        self.message.refused = true;
    }

    /// The checkpoint has moved.
    pub(crate) fn moved(&mut self) {
        self.moved = true;
    }

    /// Whether the processor is killed here.
    pub(crate) fn kills(&mut self, point: Point) -> bool {
        let due = |kill: &mut Point| *kill == point || point == Point::Acknowledged;
        let Some(at) = self.message.kill.take_if(due) else { return false };
        self.hit(self.number, Fault::Kill, at);
        true
    }

    /// How long one that is killed at its work may have been at it.
    pub(crate) fn pause(&self) -> Duration {
        Duration::from_micros(self.schedule.at(self.shard, self.number).nth_number(Fault::Kill, 1, 3_000))
    }

    pub(crate) fn told(&mut self, line: &[u8]) {
        self.ledger.told(self.number, line);
    }

    pub(crate) fn acknowledged(&mut self) {
        self.ledger.acknowledged();
    }

    pub(crate) fn asked(&mut self, sequence_number: Option<&str>, sub: Option<i64>, error: Option<&str>) {
        self.ledger.asked(sequence_number, sub, error);
    }

    /// Whether a processor that ends now by itself has a reason: a checkpoint that was good was refused.
    pub(crate) fn excuses_the_end(&self) -> bool {
        self.message.refused
    }

    /// What was done to the message at hand, for who wonders why it failed.
    pub(crate) fn at_hand(&self) -> String {
        let mut text = format!("chaos {}, message {}: ", self.schedule.seed, self.number);
        if self.recent.is_empty() {
            text.push_str("nothing was done to it");
        }
        for (index, (_, what)) in self.recent.iter().enumerate() {
            text.push_str(if index > 0 { ", " } else { "" });
            text.push_str(what);
        }
        text
    }

    pub(crate) fn gave_up(&mut self) {
        self.gave_up += 1;
    }

    /// What was done since this was asked last, a fault each: the number of the message, its name, and more.
    pub(crate) fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    fn hit(&mut self, number: u64, fault: Fault, detail: impl fmt::Display) {
        self.hits[fault as usize] += 1;
        let what = format!("{fault} {detail}").trim_end().to_owned();
        self.notes.push(format!("{number} {what}"));
        self.recent.push((number, what));
    }
}

/// What `--help` says of `--chaos`.
pub(crate) const HELP: &str = "\
Let go wrong what goes wrong in production, by a schedule drawn from this number, and check that nothing is lost by it

The same number over the same input does the same to the same processor: what happens at a message depends on the number, the shard, and \
how many lines were said to the shard's processors before, neither on time nor on other shards. So a run that went wrong can be repeated; \
it says how. Batches are cut to sizes that vary. With --record, times.tsv shows what was done. Faults, and how probable each is unless \
--chaos-rates says otherwise:

  throttle    0.1  a checkpoint is refused with ThrottlingException
  refuse      0.05 a checkpoint is refused, with
                   InvalidStateException, IllegalArgumentException or
                   KinesisClientLibDependencyException
  lease       0.03 the lease is lost between two messages: leaseLost,
                   then a new process goes on behind the checkpoint
  duplicate   0.03 the lease is lost while a batch is being
                   processed: its checkpoints are refused with
                   ShutdownException, then comes leaseLost, and a new
                   process gets the batch again
  shutdown    0.03 shutdownRequested, then leaseLost, as when a
                   worker stops
  kill        0.05 SIGKILL: with a part of the message on stdin, at
                   work on it, asking for a checkpoint that is not
                   kept, or that is kept without its knowing, right
                   behind that, or behind the status
  empty       0.1  a batch without records comes first
  null-millis 0.1  millisBehindLatest is null
  pieces      0.1  the message arrives in pieces, cut at each byte; a
                   long one at each byte near its ends
  reshard     0.2  shards split or merge, drawn for each tenth of the
                   input; not with --reshard

A processor that chaos ended starts again at once, and so does one that ended with an error over a checkpoint that was refused. One that \
fails by itself, or does not answer for --stuck-after, has failed; --restarts counts these. After three lives in a row that did not move \
the checkpoint the next one is let live until it has, so that the run ends.

At the end it is stated whether this held, by what was seen on the wire and by the input, read a second time: each record was delivered at \
least once, as it is, and acknowledged or checkpointed; records came in order; a restart went on right behind the checkpoint; no checkpoint \
was asked for past the last record delivered, or before the last checkpoint. If not, the exit code is 1.

What cannot be seen from outside is what a processor did with a record before it acknowledged or checkpointed it: one that checkpoints first \
and works later, or keeps in memory what it has checkpointed, loses records when it is killed, and all of the above holds. Compare what it \
has written with the input. That two processes are at work on one shard at once, as when a lease is lost unnoticed, does not occur here.

Takes files, which can be read again; each new process reads its input from the start. Checkpoints go with the run.";
