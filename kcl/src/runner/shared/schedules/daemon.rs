//! The daemon of a schedule: its messages, its answers, and the time at which it goes away.

use std::io;
use std::str;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::io::lines::{Io, Received, Watcher};
use crate::protocol::daemon::{CheckpointRefusedError, Lease};
use crate::protocol::scanner::Scanner;
use crate::protocol::{Message, Reply};
use crate::record::Record;
use crate::runner::shared::random::Random;
use crate::runner::shared::schedules::model::Model;
use crate::runner::shared::schedules::world::Time;
use crate::shard::Position;

/// A daemon and one shard.
pub(super) struct Daemon {
    pub(super) time: Arc<Time>,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) model: Model,
    pub(super) random: Random,
    lease: Lease,
    /// The action of the message that waits for its status.
    pending: Option<&'static str>,
    /// The number of records of that message.
    count: usize,
    /// The answer to a checkpoint, and when it comes.
    answer: Option<(Duration, Message)>,
    /// The last answer asked for another attempt.
    is_throttled: bool,
    /// The next message, and when it comes.
    next: Option<(Duration, Option<Message>)>,
    /// Another worker has the lease, which the next checkpoint finds out.
    is_stolen: bool,
    /// The last message was sent.
    is_over: bool,
    /// The time at which nobody reads the output any more. The input has ended by then.
    gone_at: Option<Duration>,
    /// Nothing goes wrong any more.
    pub(super) is_calm: bool,
    /// The process was killed: nothing that it does has an effect.
    pub(super) is_dead: bool,
    pub(super) has_ended: bool,
}

impl Daemon {
    pub(super) fn new(time: Arc<Time>, random: Random, model: Model) -> Arc<Self> {
        let state = State {
            model,
            random,
            lease: Lease::new(Position::TrimHorizon),
            pending: None,
            count: 0,
            answer: None,
            is_throttled: false,
            next: None,
            is_stolen: false,
            is_over: false,
            gone_at: None,
            is_calm: false,
            is_dead: false,
            has_ended: false,
        };
        Arc::new(Self { time, state: Mutex::new(state) })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the shard to a new process.
    pub(super) fn start(&self) {
        let mut state = self.state();
        let position = state.lease.position().clone();
        state.lease = Lease::new(position.clone());
        state.model.restart();
        let now = self.time.now();
        let from = state.model.start + 1;
        state.model.tell(now, || format!("a process starts at record {from}"));
        let message = Message::Initialize { shard_id: "shard".to_owned(), position };
        (state.pending, state.answer, state.next) = (None, None, Some((now, Some(message))));
        (state.is_stolen, state.is_over, state.is_throttled, state.is_dead) = (false, false, false, false);
        state.gone_at = None;
    }

    /// Called when nothing can go on before time passes.
    pub(super) fn idle(&self) {
        let mut state = self.state();
        state.model.look_at_end(self.time.now() + Duration::from_nanos(1));
        state.model.check_idle();
        let State { model, .. } = &*state;
        let waits = state.answer.is_some() || state.is_throttled || model.tick_runs;
        let is_free = !waits && model.failed_at.is_none() && !model.is_lost;
        let is_answerable = state.count == 0 || model.may_acknowledge();
        if state.pending == Some("processRecords") && is_free && is_answerable {
            state.model.violate("a status is held back without a reason".to_owned());
        }
        if state.pending == Some("shardEnded") && is_free && model_is_settled(&state.model) {
            state.model.violate("the end of the shard is held back without a reason".to_owned());
        }
    }
}

fn model_is_settled(model: &Model) -> bool {
    model.open() == 0
}

impl State {
    pub(super) fn is_gone(&self, now: Duration) -> bool {
        self.gone_at.is_some_and(|at| at <= now)
    }

    fn one_in(&mut self, n: usize) -> bool {
        !self.is_calm && self.random.one_in(n)
    }

    fn pause(&mut self, most: usize) -> Duration {
        if self.random.one_in(2) { Duration::ZERO } else { Duration::from_millis(self.random.below(most) as u64) }
    }

    /// Draws the next message; `None` is the end of the input.
    fn draw(&mut self) -> Option<Message> {
        if self.is_over || self.one_in(40) {
            return None;
        }
        if self.model.is_lost || self.one_in(25) {
            self.is_over = true;
            return Some(Message::LeaseLost);
        }
        if self.model.is_draining {
            return None;
        }
        if self.one_in(20) {
            return Some(Message::ShutdownRequested);
        }
        let left = self.model.entries.len() - self.model.delivered;
        if self.random.one_in(6) || (left == 0 && self.random.one_in(3)) {
            return Some(Message::ProcessRecords { records: Vec::new(), millis_behind_latest: None });
        }
        if left == 0 {
            self.is_over = true;
            return Some(Message::ShardEnded);
        }
        let size = 1 + self.random.below(left.min(4));
        let records: Vec<Record> =
            self.model.entries[self.model.delivered..][..size].iter().map(|entry| entry.record.clone()).collect();
        Some(Message::ProcessRecords { records, millis_behind_latest: Some(7) })
    }

    /// Sends a message.
    fn deliver(&mut self, message: &Message, now: Duration) {
        self.pending = Some(message.action());
        self.is_stolen |= self.one_in(25);
        if self.one_in(40) {
            let at = now + Duration::from_millis(self.random.below(12) as u64);
            self.model.ends_at = Some(at);
            self.gone_at = self.one_in(2).then_some(at);
        }
        match message {
            Message::ProcessRecords { records, .. } => {
                self.count = records.len();
                self.model.delivered += records.len();
                let delivered = self.model.delivered;
                if let Some(last) = records.last() {
                    self.lease.deliver(last.sequence_number(), last.sub_sequence_number());
                    self.model.batches.push(delivered);
                } else {
                    self.lease.open();
                }
                self.model.check_duplicates();
                self.model.tell(now, || format!("records up to {delivered} arrive"));
            }
            Message::LeaseLost => {
                self.lease.close();
                self.model.is_lost = true;
            }
            Message::ShardEnded => self.lease.end_shard(),
            Message::ShutdownRequested => {
                self.lease.open();
                self.model.is_draining = true;
            }
            _ => {}
        }
        let action = message.action();
        self.model.tell(now, || format!("{action} arrives"));
    }

    /// Judges a request for a checkpoint. Returns the exception of the answer.
    fn judge(&mut self, number: Option<&str>, sub: Option<i64>) -> Option<&'static str> {
        let to = number.and_then(|number| number.parse().ok()).map(|number| (number, sub.unwrap_or(0) as u64));
        let place = |entry: &&super::model::Entry| {
            to.is_none_or(|to| (entry.record.sequence_number(), entry.record.sub_sequence_number()) <= to)
        };
        let reached = self.model.entries[..self.model.delivered].iter().take_while(place).count();
        if self.pending.is_none() {
            self.model.violate("a checkpoint was sent between messages".to_owned());
        }
        if self.answer.is_some() {
            self.model.violate("a checkpoint was sent before the last one was answered".to_owned());
        }
        if self.model.is_lost {
            self.model.violate("a checkpoint was sent after the lease was lost".to_owned());
        }
        if reached > self.model.prefix() {
            let prefix = self.model.prefix();
            self.model.violate(format!("a checkpoint passes record {reached}, and only {prefix} are settled"));
        }
        self.is_throttled = false;
        if self.is_stolen {
            self.lease.lose();
        } else if self.one_in(12) {
            (self.is_throttled, self.model.was_refused) = (true, true);
            return Some("ThrottlingException");
        } else if self.one_in(60) {
            self.model.was_refused = true;
            return Some("InvalidStateException");
        }
        match self.lease.judge(number, sub) {
            Ok(None) => None,
            Ok(Some(position)) => {
                self.has_ended |= position == Position::ShardEnd;
                self.lease.advance(position);
                if reached < self.model.checkpointed {
                    self.model.violate("a checkpoint goes backwards".to_owned());
                }
                self.model.checkpointed = reached;
                self.model.was_refused = false;
                None
            }
            Err(refused) => {
                if refused == CheckpointRefusedError::OutOfRange {
                    self.model.violate(format!("the checkpoint {number:?}/{sub:?} is out of range"));
                }
                self.model.is_lost |= refused.exception() == "ShutdownException";
                Some(refused.exception())
            }
        }
    }

    /// Takes a status.
    fn acknowledge(&mut self, action: &str, now: Duration) {
        self.model.look_at_end(now);
        if self.pending != Some(action) || self.answer.is_some() {
            self.model.violate(format!("{action} was acknowledged while {:?} was pending", self.pending));
        }
        self.pending = None;
        let (open, running) = (self.model.open(), self.model.running());
        let model = &mut self.model;
        if model.is_lost || action == "leaseLost" || action == "shutdownRequested" {
            if running > 0 {
                model.violate(format!("{running} handlers run after {action}"));
            }
            model.has_hole |= open > 0;
        } else if model.failed_at.is_some() {
            model.violate(format!("{action} was acknowledged after a failure"));
        } else if action == "processRecords" && self.count > 0 && !model.may_acknowledge() {
            model.violate("a batch was acknowledged too early".to_owned());
        }
        if action == "shardEnded" && !self.model.is_lost && !(self.has_ended && open == 0) {
            self.model.violate("the end of the shard was acknowledged too early".to_owned());
        }
        let model = &mut self.model;
        if action == "shutdownRequested" && !model.is_lost && !model.was_refused && model.checkpointed != model.prefix()
        {
            model.violate(format!("record {} was settled before a shutdown, and not checkpointed", model.prefix()));
        }
    }
}

/// The ends of a process's conversation with the daemon.
pub(super) struct Ends(pub(super) Arc<Daemon>);

impl Io for Ends {
    fn receive(&mut self, _: &mut Scanner) -> Received {
        unreachable!("the thread does not wait")
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>, _: &mut Scanner) -> Poll<Received> {
        let now = self.0.time.now();
        let state = &mut *self.0.state();
        if state.model.has_ended(now) {
            return Poll::Ready(Ok(None));
        }
        if let Some(at) = state.model.ends_at {
            self.0.time.wake_at(at, cx.waker());
        }
        if let Some((at, _)) = &state.answer {
            if *at > now {
                self.0.time.wake_at(*at, cx.waker());
                return Poll::Pending;
            }
            let answer = state.answer.take().map(|(_, answer)| Ok(answer));
            return Poll::Ready(Ok(answer));
        }
        if state.pending.is_some() {
            return Poll::Pending;
        }
        if state.next.is_none() {
            state.next = Some((now + state.pause(12), state.draw()));
        }
        match &mut state.next {
            Some((at, message)) if *at <= now => {
                let message = message.take();
                state.next = None;
                if let Some(message) = &message {
                    state.deliver(message, now);
                }
                Poll::Ready(Ok(message.map(Ok)))
            }
            Some((at, _)) => {
                self.0.time.wake_at(*at, cx.waker());
                Poll::Pending
            }
            None => Poll::Pending,
        }
    }

    fn send(&mut self, line: &[u8]) -> io::Result<()> {
        let now = self.0.time.now();
        let state = &mut *self.0.state();
        if state.is_gone(now) || state.is_dead {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        // A status as the runtime writes it need not be parsed.
        let status = line.strip_prefix(br#"{"action":"status","responseFor":""#);
        let status = status.and_then(|rest| rest.strip_suffix(b"\"}\n")).and_then(|action| str::from_utf8(action).ok());
        let reply = match status {
            Some(action) => Ok(Reply::Status { response_for: Some(action.to_owned()) }),
            None => Reply::from_line(line),
        };
        match reply {
            Ok(Reply::Status { response_for: Some(action) }) => {
                state.model.tell(now, || format!("{action} is acknowledged"));
                state.acknowledge(&action, now);
            }
            Ok(Reply::Checkpoint { sequence_number, sub_sequence_number }) => {
                let error = state.judge(sequence_number.as_deref(), sub_sequence_number);
                let reached = state.model.checkpointed;
                state.model.tell(now, || format!("a checkpoint: {error:?}, at {reached}"));
                let at = now + state.pause(8);
                let error = error.map(str::to_owned);
                state.answer = Some((at, Message::Checkpoint { sequence_number, sub_sequence_number, error }));
            }
            reply => state.model.violate(format!("{reply:?} was sent")),
        }
        Ok(())
    }

    fn watcher(&self) -> Option<Box<dyn Watcher>> {
        Some(Box::new(End(Arc::clone(&self.0))))
    }
}

/// Notices the end of the daemon.
struct End(Arc<Daemon>);

impl Watcher for End {
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let ends_at = self.0.state().model.ends_at;
        self.poll_time(ends_at, cx)
    }

    fn poll_both(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let gone_at = self.0.state().gone_at;
        self.poll_time(gone_at, cx)
    }
}

impl End {
    /// Waits for this time.
    fn poll_time(&self, at: Option<Duration>, cx: &mut Context<'_>) -> Poll<()> {
        match at {
            Some(at) if at <= self.0.time.now() => Poll::Ready(()),
            Some(at) => {
                self.0.time.wake_at(at, cx.waker());
                Poll::Pending
            }
            None => Poll::Pending,
        }
    }
}
