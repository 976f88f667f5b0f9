//! `--chaos`: injects the failures of production on a schedule, and checks the promises that must hold nevertheless.
//!
//! The [`schedule`] chooses the faults of each message. A [`Trial`] injects them into one shard, and shows the conversation to the
//! [`ledger`], which follows the [`course`] of the input independently. The [`verdict`] sums up all shards.

mod course;
mod ledger;
mod schedule;
mod verdict;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use kcl::protocol::daemon::CheckpointRefusedError;

use self::course::Track;
use self::ledger::Ledger;
use self::schedule::{Draw, Fault, Point, Schedule};

pub(crate) use self::schedule::Rates;
pub(crate) use self::verdict::Verdict;

use super::shard::watcher::{Answer, Content, Effect, Excuse, Manner, Moment, Step, Watcher};
use super::source::feed::Reading;
use super::source::plan::{Plan, PlanError, Reshard};
use crate::input::path::Input;

/// After this many lives in a row that did not move the checkpoint, the next one is spared until it has.
const FRUITLESS: u32 = 3;
/// Longer messages are cut at every byte only near their ends.
const SHORT: usize = 1 << 10;
/// How many bytes count as near an end.
const NEAR: usize = 256;
/// How many times longer messages are cut in between.
const CUTS: u64 = 32;

/// The chaos of a run.
#[derive(Debug)]
pub(crate) struct Chaos {
    schedule: Arc<Schedule>,
    track: Arc<Track>,
    /// How many records are delivered.
    records: u64,
    reshard: Reshard,
}

impl Chaos {
    /// The chaos that `seed` determines. Reads the inputs once, to count their records.
    pub(crate) fn new(
        seed: u64,
        rates: Rates,
        inputs: &[Input],
        reading: Reading,
        shards: u32,
        reshard: Option<&Reshard>,
    ) -> Result<Self, PlanError> {
        let schedule = Schedule { seed, rates };
        // Errors in the input appear when it is fed.
        let counted = course::count(inputs, &reading).unwrap_or_default();
        let drawn = || schedule.reshard(counted.records, shards)?.parse().ok();
        let reshard: Reshard = reshard.cloned().or_else(drawn).unwrap_or_default();
        let track = Track {
            inputs: inputs.to_vec(),
            format: reading.format,
            longest: reading.longest,
            limit: reading.limit,
            plan: Plan::new(shards, &reshard)?,
        };
        Ok(Self { schedule: Arc::new(schedule), track: Arc::new(track), records: counted.delivered, reshard })
    }

    /// The splits and merges of the run.
    pub(crate) fn reshard(&self) -> &Reshard {
        &self.reshard
    }

    /// The trial of one shard.
    pub(crate) fn trial(&self, shard: u32) -> Box<Trial> {
        Box::new(Trial {
            schedule: Arc::clone(&self.schedule),
            ledger: Ledger::new(Arc::clone(&self.track), shard),
            shard,
            number: 0,
            message: Message::default(),
            is_timed: false,
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
    /// The number of the last line sent.
    number: u64,
    message: Message,
    /// Whether `--empty-every` sends the current message. Time decides whether such a message comes, so it has no number and no
    /// faults: the faults of all other messages stay the same.
    is_timed: bool,
    had_empty: bool,
    lives: u64,
    /// Whether this life has moved the checkpoint.
    moved: bool,
    /// Lives in a row that did not move the checkpoint.
    fruitless: u32,
    /// Processors that ended by themselves after a checkpoint was refused.
    gave_up: u64,
    hits: [u64; Fault::COUNT],
    /// Faults that were injected and are not recorded yet.
    notes: Vec<String>,
    /// The faults of the current message, and those already drawn for the next one, each with the number of its message.
    recent: Vec<(u64, String)>,
}

/// The state of the current message.
#[derive(Debug, Default)]
struct Message {
    kill: Option<Point>,
    /// Whether a valid checkpoint was refused.
    refused: bool,
    /// Whether no line was written since the message began.
    is_new: bool,
}

impl Trial {
    /// Notes the start of a new processor.
    fn begin_life(&mut self) {
        self.lives += 1;
        self.fruitless = if self.moved { 0 } else { self.fruitless + 1 };
        self.moved = false;
    }

    /// Whether this life is spared until it has moved the checkpoint, so that the run ends.
    fn is_spared(&self) -> bool {
        self.fruitless >= FRUITLESS && !self.moved
    }

    fn next<'a>(&mut self, schedule: &'a Schedule) -> Draw<'a> {
        self.number += 1;
        schedule.at(self.shard, self.number)
    }

    /// How the current line, of this length, is written.
    fn manner(&mut self, length: usize) -> Manner {
        let schedule = Arc::clone(&self.schedule);
        let draw = schedule.at(self.shard, self.number);
        if std::mem::take(&mut self.message.is_new) && self.message.kill == Some(Point::Torn) {
            self.kills(Point::Torn);
            return Manner::Torn(1 + draw.nth_number(Fault::Kill, 0, length as u64 - 1) as usize);
        }
        if self.is_timed || !draw.hits(Fault::Pieces) {
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

    /// The name of the exception if a valid checkpoint is to be refused.
    fn refusal(&mut self) -> Option<&'static str> {
        const OTHERS: [&str; 3] =
            ["KinesisClientLibDependencyException", "InvalidStateException", "IllegalArgumentException"];
        if self.is_timed || self.is_spared() {
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
        self.message.refused = true;
        Some(exception)
    }

    /// Whether the processor is killed at this point.
    fn kills(&mut self, point: Point) -> bool {
        let due = |kill: &mut Point| *kill == point || point == Point::Acknowledged;
        let Some(at) = self.message.kill.take_if(due) else { return false };
        self.hit(self.number, Fault::Kill, at);
        true
    }

    /// How long a processor that is killed while processing may process before.
    fn pause(&self) -> Duration {
        Duration::from_micros(self.schedule.at(self.shard, self.number).nth_number(Fault::Kill, 1, 3_000))
    }

    /// A description of the faults of the current message, to explain a failure.
    fn faults(&self) -> String {
        let mut text = format!("chaos {}, message {}: ", self.schedule.seed, self.number);
        if self.recent.is_empty() {
            text.push_str("no fault was injected");
        }
        for (index, (_, what)) in self.recent.iter().enumerate() {
            text.push_str(if index > 0 { ", " } else { "" });
            text.push_str(what);
        }
        text
    }

    /// Takes the faults since the last call. Each has the number of the message, the name of the fault and details.
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

impl Watcher for Trial {
    fn sees_lines(&self) -> bool {
        true
    }

    fn step(&mut self, records: usize) -> Step {
        self.is_timed = records == 0;
        if self.is_timed {
            return Step::Deliver(0);
        }
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

    fn begin(&mut self, action: &str, millis_behind_latest: &mut Option<u64>) -> bool {
        if action == "initialize" {
            self.begin_life();
        }
        self.is_timed &= action == "processRecords";
        if self.is_timed {
            self.message = Message::default();
            return false;
        }
        let spared = self.is_spared();
        let schedule = Arc::clone(&self.schedule);
        let draw = self.next(&schedule);
        let number = self.number;
        // A lease is lost because of the faults of the previous message, so they are kept.
        if action != "leaseLost" {
            self.recent.retain(|(message, _)| *message == number);
        }
        let has_records = action == "processRecords";
        if has_records && draw.hits(Fault::NullMillis) {
            self.hit(number, Fault::NullMillis, "");
            *millis_behind_latest = None;
        }
        let kill = (draw.hits(Fault::Kill) && !spared).then(|| draw.point());
        self.message = Message { kill, refused: false, is_new: true };
        let loses = (has_records || action == "shardEnded") && draw.hits(Fault::Duplicate) && !spared;
        if loses {
            self.hit(number, Fault::Duplicate, "");
        }
        loses
    }

    fn send(&mut self, line: &[u8], _: Content<'_>) -> io::Result<Manner> {
        Ok(self.manner(line.len()))
    }

    fn reach(&mut self, moment: Moment<'_>) -> io::Result<Effect> {
        let point = match moment {
            Moment::Delivered(line) => {
                self.ledger.sent(self.number, line);
                Point::Delivered
            }
            Moment::Requested => Point::Asked,
            Moment::Judged(Ok(())) => return Ok(self.refusal().map_or(Effect::Continue, Effect::Refuse)),
            Moment::Judged(Err(error)) => {
                self.message.refused |= error == CheckpointRefusedError::LeaseLost;
                return Ok(Effect::Continue);
            }
            Moment::Kept => {
                self.moved = true;
                return Ok(Effect::Continue);
            }
            Moment::Answering(Answer { sequence_number, sub_sequence_number, error }) => {
                self.ledger.checkpoint_requested(sequence_number, sub_sequence_number, error);
                Point::Kept
            }
            Moment::Answered => Point::Answered,
            Moment::Acknowledged => {
                self.ledger.acknowledged();
                Point::Acknowledged
            }
            Moment::Read(_) | Moment::Received(_) | Moment::Closing | Moment::Exited(_) => return Ok(Effect::Continue),
        };
        if self.kills(point) {
            return Ok(Effect::Kill((point == Point::Delivered).then(|| self.pause())));
        }
        if point == Point::Asked && !self.is_timed {
            // The answer has a number of its own.
            self.number += 1;
        }
        Ok(Effect::Continue)
    }

    /// A processor that ends by itself has an excuse if a valid checkpoint was refused.
    fn excuse(&mut self, gave_up: &dyn Fn() -> bool) -> Excuse {
        if self.message.refused && gave_up() {
            self.gave_up += 1;
            return Excuse::Given;
        }
        Excuse::Denied(Some(self.faults()))
    }
}

/// The help text of `--chaos`.
pub(crate) const HELP: &str = "\
Inject production failures on a schedule derived from SEED, and verify that no record is lost

With the same seed, the same input and the same processor, the same faults occur again: the faults of a message depend on the seed, the \
shard, and the number of lines sent to the shard's processors before, not on time or on other shards. A run that failed can therefore be \
repeated; it prints the command. The checkpoints of a processor with `ahead`, or with a `checkpoint` by time, depend on time, and so do \
its faults. The sizes of batches vary. With --record, times.tsv lists the faults that were injected. These are the \
faults, each with its probability unless --chaos-rates sets another:

  throttle    0.1  a checkpoint is refused with ThrottlingException
  refuse      0.05 a checkpoint is refused with
                   InvalidStateException, IllegalArgumentException or
                   KinesisClientLibDependencyException
  lease       0.03 the lease is lost between two messages: leaseLost,
                   then a new process resumes after the checkpoint
  duplicate   0.03 the lease is lost while a batch is being
                   processed: its checkpoints are refused with
                   ShutdownException, then comes leaseLost, and a new
                   process gets the batch again
  shutdown    0.03 shutdownRequested, then leaseLost, as when a
                   worker stops
  kill        0.05 SIGKILL: after part of the message was sent, while
                   it is processed, when a checkpoint is requested
                   (it is not saved), when it is saved but not yet
                   answered, after that answer, or after the status
  empty       0.1  an empty batch is sent first
  null-millis 0.1  millisBehindLatest is null
  pieces      0.1  the message arrives in pieces, cut at each byte; a
                   long one is cut at each byte near its ends
  reshard     0.2  shards split or merge, drawn for each tenth of the
                   input; not with --reshard

A processor that a fault ended is restarted at once, and so is one that ended with an error after a checkpoint was refused. --restarts \
counts all other failures, including a processor that does not answer for --stuck-after. If three processes in a row did not move the \
checkpoint, the next one is spared: no fault ends it or refuses its checkpoints until it has moved the checkpoint. This lets the run come \
to an end.

At the end, the verdict states whether these promises held, based on the messages on the wire and a second reading of the input: every \
record was delivered at least once, unchanged, and acknowledged or checkpointed; records came in order; a restart resumed right after the \
checkpoint; no checkpoint was requested past the last record delivered, or before the previous checkpoint. If a promise did not hold, the \
exit code is 1.

The tool cannot see what a processor did with a record before it acknowledged or checkpointed it. A processor that checkpoints first and \
works later, or keeps in memory what it has checkpointed, loses records when it is killed, even though all of these promises hold. Compare \
its output with the input. In production, two processes can work on one shard at the same time, when a lease is lost unnoticed; here they \
never do.

Batches that --empty-every sends are not counted, and have no faults.

Needs files, which can be read again; each new process reads its input from the start. Checkpoints are discarded after the run.";
