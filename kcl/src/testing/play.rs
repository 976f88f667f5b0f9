//! One shard's script while it is played: what the daemon does next, and the notes of what the processes do.

mod ear;

use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;
use std::{io, mem};

use crate::clock::{Clock as _, Sleep};
use crate::protocol::daemon::Lease;
use crate::protocol::{Message, Reply};
use crate::record::Record;
use crate::runner::current;
use crate::shard::Position;
use crate::testing::clock::VirtualClock;
use crate::testing::context::Killed;
use crate::testing::journal::{Call, Checkpoint, Moment};
use crate::testing::ledger::{Ledger, Promise, Rules, places};
use crate::testing::patience::Patience;
pub(crate) use crate::testing::play::ear::Ear;
use crate::testing::script::{Action, Fault, Kind, ShardScript, Step};
use crate::testing::sink::Sinks;
use crate::testing::tape::{Next, Stop, Tape};
use crate::testing::wire::{Delivery, Director, Request};

/// A fault that waits for its moment.
#[derive(Debug)]
struct Armed {
    fault: Fault,
    /// The number of occasions that it lets go by first.
    spared: u32,
    /// The number of times that it may still happen.
    left: u32,
    happened: bool,
    step: Step,
}

/// Why a process does not get another message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Close {
    /// It was sent `shardEnded` or `shutdownRequested`.
    Message,
    /// It was sent `leaseLost`.
    Lost,
    /// The script gives the shard to another process.
    Redeliver,
    /// The script is over.
    Script,
}

/// A shard's script, and its notes.
#[derive(Debug)]
pub(crate) struct Play {
    steps: VecDeque<Step>,
    /// The records of the batches that are still to come.
    batches: VecDeque<Vec<Record>>,
    /// The records that a new process gets first.
    again: Vec<Record>,
    /// The size of the batches in which it gets them, if that is not one batch.
    cut: Option<u32>,
    armed: Vec<Armed>,
    clock: Arc<VirtualClock>,
    /// The recorded conversation that is replayed, instead of steps.
    pub(crate) tape: Option<Tape>,
    /// How far batches are behind the newest record, in milliseconds.
    behind: Option<u64>,
    pub(crate) sinks: Sinks,
    pub(crate) ledger: Ledger,
    pub(crate) journal: Vec<Moment>,
    pub(crate) patience: Patience,
    /// All replies of the shard's processes, as text, if they will be compared.
    pub(crate) replies: Option<Vec<String>>,
    pub(crate) killed: bool,
    pub(crate) close: Option<Close>,
    /// The lease is lost, so `leaseLost` is the last message.
    lost: bool,
    /// The lease is to be lost while the next message is handled.
    loses: bool,
    /// The shard's end was sent to a process that did not reach it.
    ending: Option<Step>,
    /// The action of the call that is running, and of the message.
    action: &'static str,
}

impl Play {
    pub(crate) fn new(
        script: &ShardScript,
        rules: Rules,
        clock: &Arc<VirtualClock>,
        sinks: Sinks,
    ) -> Result<Self, String> {
        Ok(Self {
            steps: script.steps.iter().cloned().collect(),
            batches: script.number()?.into(),
            again: Vec::new(),
            cut: None,
            armed: Vec::new(),
            clock: Arc::clone(clock),
            tape: None,
            behind: Some(0),
            sinks,
            ledger: Ledger::new(&script.id, rules),
            journal: Vec::new(),
            patience: Patience::default(),
            replies: None,
            killed: false,
            close: None,
            lost: false,
            loses: false,
            ending: None,
            action: "",
        })
    }

    /// Gives the shard to a new process.
    pub(crate) fn start(&mut self, position: &Position) {
        (self.killed, self.close, self.lost, self.loses) = (false, None, false, false);
        self.again = self.ledger.restart(position);
        self.cut = None;
        if !self.again.is_empty() {
            if let Some(Kind::RedeliverInBatchesOf(size)) =
                self.happens(|kind| matches!(kind, Kind::RedeliverInBatchesOf(_)))
            {
                self.cut = Some(size);
            }
        }
        if let Some(step) = self.ending.take() {
            if *position != Position::ShardEnd {
                self.steps.push_front(step);
            }
        }
        self.journal.push(Moment::Started(position.clone()));
        self.succeed();
    }

    /// Notes that a process got somewhere.
    fn succeed(&mut self) {
        self.patience.renew(self.ledger.len());
    }

    pub(crate) fn kill(&mut self) {
        if !self.killed {
            self.killed = true;
            self.journal.push(Moment::Crashed);
        }
    }

    /// Whether steps are left that need a process.
    pub(crate) fn has_more(&self) -> bool {
        self.steps.iter().any(|step| !matches!(step.action, Action::Fault(_) | Action::Pass(_) | Action::Behind(_)))
    }

    /// Whether the next step gives the shard to a new process, whatever became of this one. If so, the step is done.
    pub(crate) fn takes_over(&mut self) -> bool {
        let next = self.steps.iter().position(|step| step.action == Action::Redeliver);
        let only_pauses = |to| self.steps.iter().take(to).all(|step| matches!(step.action, Action::Pass(_)));
        match next {
            Some(to) if only_pauses(to) => {
                for step in self.steps.drain(..=to).collect::<Vec<_>>() {
                    self.pause(&step.action);
                }
                true
            }
            _ => false,
        }
    }

    fn pause(&mut self, action: &Action) {
        if let Action::Pass(time) = action {
            self.clock.pass(*time);
            self.journal.push(Moment::Passed(*time));
        }
    }

    /// The scripted faults and redeliveries that never happened.
    pub(crate) fn idle(&self) -> Vec<String> {
        let armed = self.armed.iter().filter(|armed| !armed.happened).map(|armed| &armed.step);
        let scripted = armed.chain(&self.steps).filter(|step| !step.drawn);
        let steps = scripted.filter_map(|step| match &step.action {
            Action::Fault(fault) => Some(format!("{fault} at {}", step.at)),
            Action::Redeliver => Some(format!("{} at {}", step.action, step.at)),
            _ => None,
        });
        steps.collect()
    }

    /// Lets an armed fault of this kind happen.
    pub(crate) fn happens(&mut self, is: impl Fn(&Kind) -> bool) -> Option<Kind> {
        let mut happens = None;
        for armed in self.armed.iter_mut().filter(|armed| armed.left > 0 && is(&armed.fault.0)) {
            match armed.spared.checked_sub(1) {
                Some(spared) => armed.spared = spared,
                None if happens.is_none() => {
                    armed.left -= 1;
                    armed.happened = true;
                    happens = Some(armed.fault.0.clone());
                }
                None => {}
            }
        }
        happens
    }

    fn arm(&mut self, fault: Fault, step: Step) {
        let (spared, left) = match &fault.0 {
            Kind::RefuseCheckpoints(_, times) => (0, *times),
            Kind::CrashBeforeWrite(n) | Kind::CrashAfterWrite(n) => (n - 1, 1),
            _ => (0, 1),
        };
        self.armed.push(Armed { fault, spared, left, happened: false, step });
    }

    /// The next of the records that a new process gets first.
    fn redeliver(&mut self) -> Vec<Record> {
        let Some(size) = self.cut else { return mem::take(&mut self.again) };
        let size = size as usize;
        let mut records: Vec<_> = self.again.drain(..size.min(self.again.len())).collect();
        if records.len() == size || !self.is_batch_next() {
            return records;
        }
        self.set_up();
        if let Some(next) = self.batches.front_mut() {
            records.extend(next.drain(..next.len().min(size - records.len())));
            if next.is_empty() {
                self.batches.pop_front();
                self.steps.pop_front();
            }
        }
        records
    }

    /// Whether the next message is a batch with records, and nothing but what concerns it comes before.
    fn is_batch_next(&self) -> bool {
        let is_set_up = |step: &&Step| matches!(step.action, Action::Behind(_) | Action::Fault(_));
        let next = self.steps.iter().find(|step| !is_set_up(step));
        next.and_then(|step| step.action.records()).is_some_and(|records| !records.is_empty())
    }

    fn deliver(&mut self, records: Vec<Record>) -> Delivery {
        let places = self.ledger.deliver(&records).map(|at| at + 1).collect();
        self.succeed();
        self.journal.push(Moment::Received("processRecords", places));
        Delivery::Records(records, self.behind)
    }

    fn send(&mut self, action: &'static str, delivery: Delivery) -> Delivery {
        self.close = Some(Close::Message);
        self.ledger.message();
        self.succeed();
        self.journal.push(Moment::Received(action, Vec::new()));
        delivery
    }

    /// Takes the steps up to one that is a message, ends the process, or lets time pass. Returns that time.
    fn prepare(&mut self) -> Option<Duration> {
        self.set_up();
        let Some(Action::Pass(time)) = self.steps.front().map(|step| &step.action) else { return None };
        let time = *time;
        self.steps.pop_front();
        self.journal.push(Moment::Passed(time));
        Some(time)
    }

    /// Takes the steps that only concern the ones after them.
    fn set_up(&mut self) {
        while let Some(step) = self.steps.front() {
            match &step.action {
                Action::Behind(time) => self.behind = Some(i64::try_from(time.as_millis()).unwrap_or(i64::MAX) as u64),
                Action::Fault(fault) => {
                    let (fault, step) = (fault.clone(), step.clone());
                    self.arm(fault, step);
                }
                _ => return,
            }
            self.steps.pop_front();
        }
    }

    /// Takes steps until one of them is a message, or ends the process.
    fn advance(&mut self) -> Option<Delivery> {
        while let Some(time) = self.prepare() {
            self.clock.pass(time);
        }
        let Some(step) = self.steps.pop_front() else {
            self.close = Some(Close::Script);
            return None;
        };
        match &step.action {
            Action::Batch(_) => {
                let records = self.batches.pop_front().unwrap_or_default();
                return Some(self.deliver(records));
            }
            Action::LeaseLost => return Some(self.lose()),
            Action::ShutdownRequested => return Some(self.send("shutdownRequested", Delivery::ShutdownRequested)),
            Action::ShardEnd => {
                self.ending = Some(step);
                return Some(self.send("shardEnded", Delivery::ShardEnded));
            }
            Action::Crash => self.kill(),
            Action::Redeliver => self.close = Some(Close::Redeliver),
            // `prepare` has taken them.
            Action::Pass(_) | Action::Behind(_) | Action::Fault(_) => {}
        }
        None
    }

    fn lose(&mut self) -> Delivery {
        self.ledger.lose();
        let delivery = self.send("leaseLost", Delivery::LeaseLost);
        self.close = Some(Close::Lost);
        delivery
    }

    /// The next message of a recorded conversation.
    fn recorded(&mut self, next: Option<Next>) -> Option<Delivery> {
        let (message, since) = next?;
        // Waits of the runtime may have let more time pass already.
        self.clock.pass(since.unwrap_or_default().saturating_sub(self.clock.now()));
        match message {
            Message::ProcessRecords { records, millis_behind_latest } => {
                self.behind = millis_behind_latest;
                Some(self.deliver(records))
            }
            Message::LeaseLost => Some(self.lose()),
            Message::ShardEnded => Some(self.send("shardEnded", Delivery::ShardEnded)),
            Message::ShutdownRequested => Some(self.send("shutdownRequested", Delivery::ShutdownRequested)),
            other => {
                let problem = format!("it has a second `{}`, or a message of KCL 1", other.action());
                self.stop(Stop::Unknown(problem));
                None
            }
        }
    }

    /// Ends the process, because its recording does not go on.
    fn stop(&mut self, stop: Stop) {
        self.killed = true;
        self.journal.push(Moment::Stopped);
        if let Some(tape) = &mut self.tape {
            tape.stopped = Some(stop);
        }
    }

    /// Asks the recording, if one is replayed. If it does not go on, neither does the process.
    fn ask<T>(&mut self, question: impl FnOnce(&mut Tape) -> Result<T, Stop>) -> Option<T> {
        match question(self.tape.as_mut()?) {
            Ok(answer) => Some(answer),
            Err(stop) => {
                self.stop(stop);
                None
            }
        }
    }

    /// Notes a line that the runtime wrote to stderr.
    pub(crate) fn line(&mut self, line: &str) {
        if !self.killed {
            self.journal.push(Moment::Stderr(line.to_owned()));
        }
    }

    fn note(&mut self, records: Vec<usize>, attempt: u32, error: Option<String>) {
        self.called(Call { handler: self.action, records, attempt, error });
    }

    /// Notes a call that is over.
    fn called(&mut self, call: Call) {
        self.killed |= self.patience.end_call(call.error.is_some());
        if call.error.is_none() && !call.records.is_empty() {
            self.succeed();
        }
        self.journal.push(Moment::Called(call));
    }

    /// The handler that is running, and its records.
    pub(crate) fn running(&self) -> String {
        let (handler, records) = self.ledger.beside().unwrap_or_else(|| (self.action, self.ledger.current()));
        if records.is_empty() { handler.to_owned() } else { format!("{handler} of {}", places(&records)) }
    }

    /// The records that are with the handler now: places counted from 1.
    pub(crate) fn current(&self) -> Vec<usize> {
        match current::record() {
            Some((number, sub)) => self.ledger.find_number(number, sub).into_iter().collect(),
            None => self.ledger.current(),
        }
    }
}

impl Director for Play {
    fn is_alive(&mut self) -> bool {
        !self.killed
    }

    fn bury() -> io::Error {
        resume_unwind(Box::new(Killed))
    }

    fn wait(&mut self) -> Option<Sleep> {
        if self.tape.is_some() || self.lost || self.close.is_some() || !self.again.is_empty() {
            return None;
        }
        let time = self.prepare()?;
        Some(self.clock.sleep_until(self.clock.now().saturating_add(time)))
    }

    fn next(&mut self, _: &Lease) -> Option<Delivery> {
        if self.tape.is_some() {
            let next = self.ask(Tape::next).flatten();
            return self.recorded(next);
        }
        if self.lost && self.close != Some(Close::Lost) {
            return Some(self.lose());
        }
        if self.close.is_some() {
            return None;
        }
        let delivery = if self.again.is_empty() {
            self.advance()
        } else {
            let records = self.redeliver();
            Some(self.deliver(records))
        };
        let allows_checkpoints = !matches!(delivery, None | Some(Delivery::LeaseLost));
        if allows_checkpoints && self.happens(|kind| *kind == Kind::LoseLease).is_some() {
            self.loses = true;
        }
        delivery
    }

    fn refuse(&mut self, request: &Request, lease: &Lease) -> Option<String> {
        if let Some(digits) = &request.sequence_number {
            if let Ok(number) = digits.parse() {
                let sub = request.sub_sequence_number.and_then(|sub| u64::try_from(sub).ok()).unwrap_or(0);
                self.ledger.request(&Position::after(number, sub), lease.position());
            }
        }
        if self.happens(|kind| *kind == Kind::CrashBeforeCheckpoint).is_some() {
            self.kill();
        }
        let recorded = self.ask(|tape| {
            let Request { sequence_number, sub_sequence_number } = request.clone();
            tape.checkpoint(&Reply::Checkpoint { sequence_number, sub_sequence_number })
        });
        if let Some(exception) = recorded {
            return exception;
        }
        if self.killed || self.loses {
            // A killed process does not see the answer.
            return Some("ShutdownException".to_owned());
        }
        match self.happens(|kind| matches!(kind, Kind::RefuseCheckpoints(..))) {
            Some(Kind::RefuseCheckpoints(refusal, _)) => Some(refusal.exception().to_owned()),
            _ => None,
        }
    }

    fn answer(&mut self, request: &Request, answer: Result<Option<&Position>, &str>) -> bool {
        if self.killed {
            return false;
        }
        let before = (self.ledger.passed(), self.ledger.has_ended());
        if let Ok(Some(position)) = answer {
            let sinks = self.sinks.clone();
            self.ledger.accept(position, &sinks);
        }
        if before == (self.ledger.passed(), self.ledger.has_ended()) {
            self.killed |= self.patience.checkpoint();
        } else {
            self.succeed();
        }
        let place = match (answer, &request.sequence_number) {
            (Ok(Some(position)), _) => Some(self.ledger.place(position)),
            (_, Some(digits)) => digits.parse().ok().map(|number| {
                let sub = request.sub_sequence_number.and_then(|sub| u64::try_from(sub).ok()).unwrap_or(0);
                self.ledger.place(&Position::after(number, sub))
            }),
            // The lease is there already.
            (Ok(None), None) => Some(self.ledger.passed()),
            (Err(_), None) => None,
        };
        let is_shard_end = match answer {
            Ok(Some(position)) => *position == Position::ShardEnd,
            Ok(None) => self.ledger.has_ended(),
            Err(_) => false,
        };
        if let Some(replies) = &mut self.replies {
            let Request { sequence_number, sub_sequence_number } = request;
            let at = sequence_number.as_deref().unwrap_or("null");
            let sub = sub_sequence_number.map_or("null".to_owned(), |sub| sub.to_string());
            let answer = answer.map_or_else(ToOwned::to_owned, |_| "accepted".to_owned());
            replies.push(format!("asked for a checkpoint at {at}/{sub} ({answer})"));
        }
        self.journal.push(Moment::Checkpointed(Checkpoint {
            record: place.filter(|&place| place > 0),
            is_shard_end,
            refusal: answer.err().map(str::to_owned),
        }));
        if self.happens(|kind| *kind == Kind::CrashAfterCheckpoint).is_some() {
            self.kill();
        }
        let lost = answer == Err("ShutdownException");
        if lost {
            self.lost = true;
            self.ledger.lose();
        }
        lost
    }

    fn acknowledge(&mut self, action: &'static str) {
        if self.happens(|kind| *kind == Kind::CrashBeforeStatus).is_some() {
            return self.kill();
        }
        self.ask(|tape| tape.status(action));
        if self.killed {
            return;
        }
        if let Some(replies) = &mut self.replies {
            replies.push(format!("acknowledged {action}"));
        }
        self.journal.push(Moment::Acknowledged(action));
        self.succeed();
        if self.loses {
            (self.loses, self.lost) = (false, true);
            self.ledger.lose();
        }
        if action == "shardEnded" {
            if self.ledger.has_ended() {
                self.ending = None;
            } else if !self.lost {
                self.ledger
                    .violate(Promise::ShardEnd, "shardEnded was acknowledged, but SHARD_END is not checkpointed");
            }
        }
        if self.happens(|kind| *kind == Kind::CrashAfterStatus).is_some() {
            self.kill();
        }
    }

    fn misunderstand(&mut self, problem: String) {
        self.ledger.violate(Promise::Replies, problem);
    }
}
