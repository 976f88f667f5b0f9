//! The records that are handled at once: which handlers start, and what follows when one ends.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use crate::concurrency::Order;
use crate::error::{BoxError, DeadLetterFailed, Failure, HandlerError, How, Passed};
use crate::excerpt::Excerpt;
use crate::payload::UndecodablePayload;
use crate::permanent::is_permanent;
use crate::policy::{FailureAction, FailurePolicy};
use crate::record::Record;
use crate::runner::call::TimedOut;
use crate::runner::conversation::Conversation;
use crate::runner::events::{Event, Step};
use crate::runner::shared::hot::Hot;
use crate::runner::shared::keys::Keys;
use crate::runner::shared::ring::{Arrival, Ring};
use crate::runner::shared::slots::Slots;
use crate::shard::{MillisBehindLatest, Shard};

const ACTION: &str = "processRecords";

/// The number of polls after which the runtime gets a turn: for input, timers, and tasks that handlers spawned.
const POLLS: usize = 128;

/// The work of one slot.
pub(super) enum Job {
    /// Handle a record.
    Attempt(Record, MillisBehindLatest),
    /// Take a record that failed permanently.
    Letter(Record, Rc<HandlerError>),
}

/// The choices of the processor's type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) limit: usize,
    pub(super) order: Order,
    pub(super) policy: FailurePolicy,
    pub(super) timeout: Option<Duration>,
}

/// The records that arrived, and their handlers. `make` makes the future of a job.
pub(super) struct Work<'s, M, F> {
    pub(super) ring: Ring,
    keys: Keys,
    slots: Slots<F>,
    make: M,
    rules: Rules,
    shard: &'s Shard,
    hot: Hot,
    /// The records whose handler was called, until they are settled.
    tasks: HashMap<Arrival, Task>,
    /// The records that wait for their next attempt, and until when.
    parked: BinaryHeap<Reverse<(Duration, Arrival)>>,
    /// The last failures of the records that wait for their next attempt, or for a slot after that.
    failures: BTreeMap<Arrival, HandlerError>,
    /// The times at which running attempts have taken too long.
    deadlines: VecDeque<Deadline>,
    /// The start of this round, which polls every slot that was woken before.
    round: Duration,
    /// The start of this turn.
    now: Duration,
    /// No further attempt starts.
    is_closed: bool,
    /// The daemon is gone, so no record is skipped or dead-lettered any more.
    pub(super) is_over: bool,
    /// The first failure that the policy does not pass over.
    pub(super) failed: Option<HandlerError>,
}

/// A record whose handler was called.
#[derive(Debug)]
struct Task {
    /// The number of attempts that were started.
    attempts: u32,
    /// The start of the first one.
    since: Duration,
    /// The start of the last one.
    began: Duration,
    /// The failure, once its dead letter is handed over.
    letter: Option<Rc<HandlerError>>,
}

/// The end of the time of one attempt.
#[derive(Debug)]
struct Deadline {
    due: Duration,
    at: Arrival,
    slot: usize,
    attempt: u32,
}

impl<'s, M, F> Work<'s, M, F>
where
    M: Fn(Job) -> F,
    F: Future<Output = Result<(), BoxError>>,
{
    pub(super) fn new(make: M, rules: Rules, shard: &'s Shard) -> Self {
        Self {
            ring: Ring::default(),
            keys: Keys::default(),
            slots: Slots::new(rules.limit),
            make,
            rules,
            shard,
            hot: Hot::default(),
            tasks: HashMap::new(),
            parked: BinaryHeap::new(),
            failures: BTreeMap::new(),
            deadlines: VecDeque::new(),
            round: Duration::ZERO,
            now: Duration::ZERO,
            is_closed: false,
            is_over: false,
            failed: None,
        }
    }

    /// Adds a batch.
    pub(super) fn arrive(&mut self, records: Vec<Record>, behind: MillisBehindLatest, conversation: &Conversation) {
        let is_keyed = self.rules.order == Order::PartitionKey;
        for record in &records {
            let key = record.partition_key();
            self.keys.arrive(is_keyed.then_some(key));
            if is_keyed && self.rules.limit > 1 {
                if let Some(key) = self.hot.look(key) {
                    report_hot(key, self.shard, conversation);
                }
            }
        }
        self.ring.push(records, behind);
    }

    /// Whether handlers are running.
    pub(super) fn is_running(&self) -> bool {
        self.slots.running() > 0
    }

    /// Whether records wait for their next attempt.
    pub(super) fn has_parked(&self) -> bool {
        !self.failures.is_empty()
    }

    /// The time of the next event that does not come from a handler.
    pub(super) fn next_due(&mut self) -> Option<Duration> {
        while self.deadlines.front().is_some_and(|deadline| !self.is_current(deadline)) {
            self.deadlines.pop_front();
        }
        let deadline = self.deadlines.front().map(|deadline| deadline.due);
        let parked = self.parked.peek().map(|Reverse((due, _))| *due);
        deadline.into_iter().chain(parked).min()
    }

    fn is_current(&self, deadline: &Deadline) -> bool {
        let task = self.tasks.get(&deadline.at);
        task.is_some_and(|task| task.attempts == deadline.attempt && task.letter.is_none())
            && self.slots.holds(deadline.at, deadline.slot)
    }

    /// Lets handlers go on until all of them wait, or until the runtime should get a turn.
    pub(super) fn turn(&mut self, task: &Waker, conversation: &mut Conversation) {
        let now = conversation.clock.now();
        self.now = now;
        if self.slots.start_turn(task, POLLS) {
            self.round = now;
        }
        while let Some(&Reverse((due, at))) = self.parked.peek() {
            if due > now {
                break;
            }
            self.parked.pop();
            self.keys.again(at);
        }
        self.admit(conversation);
        while let Some((at, result)) = self.slots.next_ended(|count| conversation.clock.pick(count)) {
            self.ended(at, result, conversation);
            self.admit(conversation);
        }
        if !self.slots.is_round_left() {
            // An attempt that was woken in time was polled first.
            self.time_out(self.round, conversation);
            self.admit(conversation);
        }
        if self.slots.is_turn_left() {
            task.wake_by_ref();
        }
    }

    /// Drops the attempts that have taken too long by this time.
    fn time_out(&mut self, now: Duration, conversation: &mut Conversation) {
        while self.deadlines.front().is_some_and(|deadline| deadline.due <= now) {
            let Some(deadline) = self.deadlines.pop_front().filter(|deadline| self.is_current(deadline)) else {
                continue;
            };
            self.slots.stop(deadline.at, deadline.slot);
            let error = TimedOut(self.rules.timeout.unwrap_or_default());
            self.attempted(deadline.at, Err(Failure::Error(error.into())), conversation);
        }
    }

    /// Starts handlers while slots are free.
    fn admit(&mut self, conversation: &mut Conversation) {
        while !self.is_closed && !self.slots.is_full() {
            let Some(at) = self.keys.next() else { return };
            let Some((record, behind)) = self.ring.record(at) else { continue };
            let now = conversation.clock.now();
            let task = self.tasks.entry(at).or_insert(Task { attempts: 0, since: now, began: now, letter: None });
            (task.attempts, task.began) = (task.attempts + 1, now);
            if task.attempts > 1 {
                self.failures.remove(&at);
                conversation.emit(Event::Retried);
            }
            let step = Step::Started { attempt: task.attempts, since: task.since };
            conversation.emit(Event::Among { at, record, step });
            let slot = self.slots.start(at, (self.make)(Job::Attempt(record.clone(), behind)));
            if let Some(timeout) = self.rules.timeout {
                let due = now.saturating_add(timeout);
                self.deadlines.push_back(Deadline { due, at, slot, attempt: task.attempts });
            }
        }
    }

    /// Takes the result of a job.
    fn ended(&mut self, at: Arrival, result: Result<(), Failure>, conversation: &mut Conversation) {
        match self.tasks.get(&at).and_then(|task| task.letter.clone()) {
            None => self.attempted(at, result, conversation),
            Some(failed) => self.taken(at, &failed, result, conversation),
        }
    }

    /// Takes the result of an attempt.
    fn attempted(&mut self, at: Arrival, result: Result<(), Failure>, conversation: &mut Conversation) {
        let Some((record, _)) = self.ring.record(at) else { return };
        let (attempts, began) = self.tasks.get(&at).map_or((1, self.now), |task| (task.attempts, task.began));
        let step = Step::Ended { began, running: self.now, result: result.as_ref().map(|&()| ()) };
        conversation.emit(Event::Among { at, record, step });
        let Err(failure) = result else { return self.settle(at, conversation) };
        let policy = self.rules.policy;
        let is_undecodable = failure.as_error().is::<UndecodablePayload>();
        let failed = HandlerError::new(self.shard, ACTION, failure).with_records(&[], Some(record));
        if is_undecodable {
            return self.give_up(policy.on_undecodable, at, failed.with_attempts(0), conversation);
        }
        let failed = failed.with_attempts(attempts);
        if attempts > policy.retry || is_permanent(failed.failure().as_error()) {
            return self.give_up(policy.on_failure, at, failed, conversation);
        }
        if self.is_closed {
            // Another attempt would follow, but no attempt starts any more.
            conversation.report.lines(&failed, &failed.backtrace());
            return self.cancelled(at, conversation);
        }
        conversation.emit(Event::Failed { failed: &failed, record: Some(record) });
        let wait = conversation.clock.jitter(policy.backoff.limit(attempts));
        let blocks = self.rules.order == Order::PartitionKey;
        conversation.emit(Event::Among { at, record, step: Step::Parked { wait, blocks } });
        self.parked.push(Reverse((conversation.clock.now().saturating_add(wait), at)));
        self.failures.insert(at, failed);
    }

    /// Applies the policy to a record without an attempt left.
    fn give_up(&mut self, word: FailureAction, at: Arrival, failed: HandlerError, conversation: &mut Conversation) {
        let Some((record, _)) = self.ring.record(at) else { return };
        // Without a daemon, nothing is passed.
        let word = if self.is_over { FailureAction::Fail } else { word };
        match word {
            FailureAction::Fail => {
                self.cancelled(at, conversation);
                self.fail(failed, conversation);
            }
            FailureAction::Skip => self.pass(at, How::Skipped, &failed, conversation),
            FailureAction::DeadLetter => {
                let failed = Rc::new(failed);
                conversation.emit(Event::Among { at, record, step: Step::Letter });
                // Its own slot has just become free.
                self.slots.start(at, (self.make)(Job::Letter(record.clone(), Rc::clone(&failed))));
                if let Some(task) = self.tasks.get_mut(&at) {
                    task.letter = Some(failed);
                }
            }
        }
    }

    /// Takes the result of the handler of a dead letter.
    fn taken(
        &mut self,
        at: Arrival,
        failed: &HandlerError,
        result: Result<(), Failure>,
        conversation: &mut Conversation,
    ) {
        let Some((record, _)) = self.ring.record(at) else { return };
        let step = Step::Taken(result.as_ref().map(|&()| ()));
        conversation.emit(Event::Among { at, record, step });
        let Err(failure) = result else { return self.pass(at, How::DeadLettered, failed, conversation) };
        let both = DeadLetterFailed::new(failure, failed);
        let failed = HandlerError::new(self.shard, ACTION, Failure::Error(both.into()))
            .with_records(&[], Some(record))
            .with_attempts(failed.attempts());
        self.cancelled(at, conversation);
        self.fail(failed, conversation);
    }

    /// Passes over a record that failed, and reports that.
    fn pass(&mut self, at: Arrival, how: How, failed: &HandlerError, conversation: &mut Conversation) {
        if let Some((record, _)) = self.ring.record(at) {
            let passed = Passed { how, record, failed };
            conversation.emit(Event::Passed(&passed));
            conversation.report.lines(passed, &failed.backtrace());
        }
        self.settle(at, conversation);
    }

    fn settle(&mut self, at: Arrival, conversation: &mut Conversation) {
        let since = self.tasks.remove(&at).map(|task| task.since).unwrap_or_default();
        if let Some((record, _)) = self.ring.record(at) {
            conversation.emit(Event::Among { at, record, step: Step::Settled { since } });
        }
        self.keys.settle(at);
        let before = self.ring.prefix();
        let free = self.ring.settle(at);
        let in_order = usize::try_from(self.ring.prefix() - before).unwrap_or(usize::MAX);
        conversation.emit(Event::Settled { done: 1, in_order });
        if let Some(records) = free {
            conversation.take_back(records);
        }
    }

    /// Notes a failure that the policy does not pass over.
    pub(super) fn fail(&mut self, failed: HandlerError, conversation: &mut Conversation) {
        self.close(conversation);
        if self.failed.is_none() {
            self.failed = Some(failed);
        } else {
            conversation.report.lines(&failed, &failed.backtrace());
        }
    }

    /// Fails with the first record that waits for its next attempt, because the daemon is gone.
    pub(super) fn give_up_parked(&mut self, conversation: &mut Conversation) {
        if let Some((_, failed)) = self.failures.pop_first() {
            self.is_over = true;
            self.fail(failed, conversation);
        }
    }

    /// Starts no further attempt, and drops those that wait for their time, for a slot or for their first poll.
    pub(super) fn close(&mut self, conversation: &mut Conversation) {
        self.is_closed = true;
        let tasks = &self.tasks;
        let is_letter = |at| !self.is_over && tasks.get(&at).is_some_and(|task| task.letter.is_some());
        for at in self.slots.stop_those(|at, has_begun| !has_begun && !is_letter(at)) {
            self.cancelled(at, conversation);
        }
        while let Some(Reverse((_, at))) = self.parked.pop() {
            self.cancelled(at, conversation);
        }
        while let Some(at) = self.keys.next() {
            self.cancelled(at, conversation);
        }
    }

    /// Drops all handlers, those of the first records to arrive first.
    pub(super) fn cancel(&mut self, conversation: &mut Conversation) {
        for at in self.slots.stop_all() {
            self.cancelled(at, conversation);
        }
        self.close(conversation);
    }

    /// Forgets all records. The next ones may start.
    pub(super) fn forget(&mut self) {
        (self.ring, self.keys) = (Ring::default(), Keys::default());
        self.deadlines.clear();
        self.is_closed = false;
    }

    /// Reports a record that is dropped, although it is not settled.
    fn cancelled(&mut self, at: Arrival, conversation: &mut Conversation) {
        self.failures.remove(&at);
        let Some(task) = self.tasks.remove(&at) else { return };
        if let Some((record, _)) = self.ring.record(at) {
            conversation.emit(Event::Among { at, record, step: Step::Dropped { since: task.since } });
        }
    }
}

/// Reports a key that most records have.
fn report_hot(key: &str, shard: &Shard, conversation: &Conversation) {
    let quoted = if shard.log_payloads { format!(", `{}`", Excerpt(key.as_bytes())) } else { String::new() };
    conversation.report.line(format_args!(
        "shard {}: at least 80 % of the records have the same partition key{quoted}: the records of one key are handled \
         one after the other, so `concurrency` speeds up the others only",
        shard.id()
    ));
}
