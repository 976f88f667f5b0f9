//! The state of a schedule's records, as seen from outside of the runtime, and the promises.

use std::time::Duration;

use crate::checkpoint::pace::Checkpoints;
use crate::concurrency::Order;
use crate::policy::FailureAction;
use crate::record::Record;
use crate::runner::shared::schedules::cases::{DRAIN, Kind};

/// The state of a record in the process that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Its handler is not running.
    Open,
    Running,
    /// It failed, and its dead letter is the next thing in its slot.
    Failed,
    /// Its dead letter is being taken.
    Taking,
    Settled,
}

/// The end of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Done,
    Failed,
    Permanent,
    Undecodable,
}

pub(super) struct Entry {
    pub(super) record: Record,
    pub(super) key: char,
    pub(super) state: State,
    pub(super) attempts: u32,
    /// The end of its last attempt.
    pub(super) tried_at: Duration,
    /// The record was settled by some process.
    pub(super) was_settled: bool,
}

/// The state of a shard and of the process that has it now. Records are known by their places, counted from 0.
pub(super) struct Model {
    pub(super) kind: &'static Kind,
    /// The handler that goes on next is drawn. If not, it is the one whose record arrived first.
    pub(super) picks: bool,
    pub(super) entries: Vec<Entry>,
    /// The place of the first record that was delivered to this process.
    pub(super) start: usize,
    /// The place after the last record that was delivered to this process.
    pub(super) delivered: usize,
    /// The ends of the batches that were delivered to this process.
    pub(super) batches: Vec<usize>,
    /// The number of records that a checkpoint passes.
    pub(super) checkpointed: usize,
    /// A checkpoint was refused in this process.
    pub(super) was_refused: bool,
    /// The daemon answered that the lease is gone.
    pub(super) is_lost: bool,
    /// Records of this process were dropped: no later checkpoint passes them.
    pub(super) has_hole: bool,
    /// The time at which a record failed that the policy does not pass over.
    pub(super) failed_at: Option<Duration>,
    /// The time at which the input ends, although a message waits for its status.
    pub(super) ends_at: Option<Duration>,
    /// It has ended while a record waited for its next attempt, so no record is skipped or dead-lettered any more.
    pub(super) is_over: bool,
    /// No attempt should start, because a shutdown was requested.
    pub(super) is_draining: bool,
    pub(super) tick_runs: bool,
    pub(super) violations: Vec<String>,
    pub(super) events: Option<Vec<String>>,
}

impl Model {
    pub(super) fn violate(&mut self, what: String) {
        self.violations.push(what);
    }

    pub(super) fn tell(&mut self, now: Duration, what: impl FnOnce() -> String) {
        if let Some(events) = &mut self.events {
            events.push(format!("{:>6} {}", format!("{now:?}"), what()));
        }
    }

    /// Gives the shard to a new process.
    pub(super) fn restart(&mut self) {
        self.start = self.checkpointed;
        self.delivered = self.start;
        self.batches.clear();
        (self.was_refused, self.is_lost, self.has_hole, self.failed_at) = (false, false, false, None);
        (self.is_draining, self.tick_runs) = (false, false);
        (self.ends_at, self.is_over) = (None, false);
        for entry in &mut self.entries {
            (entry.state, entry.attempts) = (State::Open, 0);
        }
    }

    pub(super) fn running(&self) -> usize {
        self.entries.iter().filter(|entry| matches!(entry.state, State::Running | State::Taking)).count()
    }

    /// The number of records up to which all that were delivered are settled.
    pub(super) fn prefix(&self) -> usize {
        let settled = |entry: &&Entry| entry.state == State::Settled;
        self.start + self.entries[self.start..self.delivered].iter().take_while(settled).count()
    }

    pub(super) fn open(&self) -> usize {
        self.entries[self.start..self.delivered].iter().filter(|entry| entry.state != State::Settled).count()
    }

    /// Whether an earlier record of its key is not settled.
    fn is_blocked(&self, place: usize) -> bool {
        self.kind.concurrency.order == Order::PartitionKey
            && self.entries[self.start..place]
                .iter()
                .any(|entry| entry.key == self.entries[place].key && entry.state != State::Settled)
    }

    /// The first record whose handler could be called for the first time.
    fn first_ready(&self) -> Option<usize> {
        (self.start..self.delivered).find(|&place| {
            let Entry { state, attempts, .. } = self.entries[place];
            state == State::Open && attempts == 0 && !self.is_blocked(place)
        })
    }

    /// Whether the input has ended.
    pub(super) fn has_ended(&self, now: Duration) -> bool {
        self.ends_at.is_some_and(|at| at <= now)
    }

    /// Notes if the input has ended before `now` while a record waited for its next attempt: that record has failed.
    pub(super) fn look_at_end(&mut self, now: Duration) {
        let Some(ends_at) = self.ends_at.filter(|_| self.failed_at.is_none() && !self.is_draining && !self.is_lost)
        else {
            return;
        };
        let parked = self.entries[self.start..self.delivered].iter();
        let parked = parked.filter(|entry| entry.state == State::Open && entry.attempts > 0);
        let over = parked.map(|entry| entry.tried_at.max(ends_at)).min().filter(|&over| over < now);
        (self.is_over, self.failed_at) = (over.is_some(), over);
    }

    /// Notes that the handler is called with a record.
    pub(super) fn begin(&mut self, place: usize, now: Duration) {
        self.look_at_end(now);
        let ready = self.first_ready();
        let Entry { state, attempts, .. } = self.entries[place];
        let name = place + 1;
        if place < self.start || place >= self.delivered {
            self.violate(format!("record {name} was handled before it was delivered"));
        }
        if state != State::Open {
            self.violate(format!("record {name} was handled again while it was {state:?}"));
        }
        if self.is_blocked(place) {
            self.violate(format!("record {name} was handled before an earlier record of its key was settled"));
        }
        if attempts > self.kind.policy.retry {
            self.violate(format!("record {name} was handled more often than it may be"));
        }
        if attempts == 0 && ready != Some(place) && !self.picks {
            self.violate(format!("record {name} came before record {:?}", ready.map(|ready| ready + 1)));
        }
        if self.failed_at.is_some() || self.is_draining {
            self.violate(format!("record {name} was handled although nothing should start"));
        }
        self.entries[place].state = State::Running;
        self.entries[place].attempts += 1;
        self.check_slots();
    }

    pub(super) fn check_slots(&mut self) {
        let (running, most) = (self.running(), self.kind.concurrency.at_once as usize);
        if running > most {
            self.violate(format!("{running} handlers ran at once"));
        }
    }

    /// Notes that the handler returned from a record.
    pub(super) fn end(&mut self, place: usize, end: End, now: Duration) {
        self.look_at_end(now);
        self.check_drain(now);
        let policy = self.kind.policy;
        let entry = &mut self.entries[place];
        (entry.state, entry.tried_at) = (State::Open, now);
        let word = match end {
            End::Done => None,
            End::Undecodable => Some(policy.on_undecodable),
            _ if self.is_over => return,
            End::Failed if entry.attempts <= policy.retry => return,
            End::Failed | End::Permanent => Some(policy.on_failure),
        };
        match word {
            None | Some(FailureAction::Skip) => self.settle(place),
            Some(FailureAction::DeadLetter) => entry.state = State::Failed,
            Some(FailureAction::Fail) => self.fail(now),
        }
    }

    /// Notes that the handler of dead letters is called.
    pub(super) fn take(&mut self, place: usize, now: Duration) {
        self.look_at_end(now);
        if self.entries[place].state != State::Failed {
            self.violate(format!("record {} is not for the dead letters", place + 1));
        }
        if self.is_over {
            self.violate(format!("record {} was dead-lettered although the daemon is gone", place + 1));
        }
        self.entries[place].state = State::Taking;
        self.check_slots();
    }

    /// Notes that the handler of dead letters returned.
    pub(super) fn taken(&mut self, place: usize, is_taken: bool, now: Duration) {
        self.look_at_end(now);
        self.check_drain(now);
        if is_taken {
            self.settle(place);
        } else {
            self.entries[place].state = State::Open;
            self.fail(now);
        }
    }

    fn settle(&mut self, place: usize) {
        (self.entries[place].state, self.entries[place].was_settled) = (State::Settled, true);
    }

    pub(super) fn fail(&mut self, now: Duration) {
        self.failed_at.get_or_insert(now);
    }

    /// Checks that no handler goes on after a failure for longer than it may.
    fn check_drain(&mut self, now: Duration) {
        if self.failed_at.is_some_and(|at| now > at + DRAIN) {
            self.violate("a handler went on after the time that it gets after a failure".to_owned());
        }
    }

    /// Whether the status of a batch may be sent, as far as the records are concerned.
    pub(super) fn may_acknowledge(&self) -> bool {
        let ahead = self.kind.concurrency.ahead as usize;
        let old = self.batches.len().checked_sub(ahead + 1).map_or(self.start, |last| self.batches[last]);
        let bytes = self.entries[self.start..self.delivered].iter().filter(|entry| entry.state != State::Settled);
        let bytes: usize = bytes.map(|entry| entry.record.data().len() + entry.record.partition_key().len()).sum();
        self.prefix() >= old && bytes as u64 <= self.kind.concurrency.ahead_bytes
    }

    /// Checks that no slot is idle while a record could be handled. Called when nothing can go on before time passes.
    pub(super) fn check_idle(&mut self) {
        let stops = self.failed_at.is_some() || self.is_draining || self.is_lost;
        if stops || self.running() >= self.kind.concurrency.at_once as usize {
            return;
        }
        if let Some(place) = self.first_ready() {
            self.violate(format!("record {} waits although a slot is free", place + 1));
        }
    }

    /// Checks how many records are delivered again if the process ends now. Only some paces have a bound in records.
    pub(super) fn check_duplicates(&mut self) {
        let spare = match self.kind.pace {
            Checkpoints::Batch => 0,
            Checkpoints::Records(records) => records as usize - 1,
            _ => return,
        };
        if self.was_refused || self.is_lost || self.has_hole {
            return;
        }
        let ahead = self.kind.concurrency.ahead as usize;
        let old = self.batches.len().checked_sub(ahead + 2).map_or(self.start, |last| self.batches[last]);
        let (again, most) = (self.delivered - self.checkpointed, self.delivered - old + spare);
        if again > most {
            self.violate(format!("{again} records would be delivered again, and {most} are the most"));
        }
    }
}
