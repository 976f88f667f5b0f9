//! Schedules that are drawn: how records become batches, and what goes wrong between them.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::testing::ledger::Promise;
use crate::testing::random::Random;
use crate::testing::script::{Action, Fault, Kind, Refusal, Script, ShardScript};

/// A checkpoint is tried five times, so this many refusals are survived.
const THROTTLES: u32 = 4;

/// A part of a schedule: one or several records, or a step between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// One batch, with these of the records that the test gives.
    Batch(Vec<usize>),
    Step(Action),
}

/// The part of a schedule that one call of `records` adds, or that ends a shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// The number of records that the call had, or made.
    pub(crate) given: usize,
    /// The number of records that must be left; `None` if the test says which records there are.
    pub(crate) least: Option<usize>,
    pub(crate) pieces: Vec<Piece>,
}

impl Stretch {
    /// All records in one batch.
    fn plain(given: usize) -> Self {
        let batch = (given > 0).then(|| Piece::Batch((0..given).collect()));
        Self { given, least: None, pieces: batch.into_iter().collect() }
    }

    /// The number of records that are left of those that were given.
    pub(crate) fn records(&self) -> usize {
        let sizes = self.pieces.iter().map(|piece| match piece {
            Piece::Batch(records) => records.len(),
            Piece::Step(_) => 0,
        });
        sizes.sum()
    }
}

/// A schedule as data, in the order in which the test asked for its parts.
pub(crate) type Plan = Vec<Stretch>;

/// The outcome of the last run of a test's body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Noted {
    /// The last script that ran.
    pub(crate) script: Option<Script>,
    /// The notes of that run, unless the schedule was drawn just now: most schedules pass, and nobody reads their notes.
    pub(crate) notes: Option<String>,
    pub(crate) broken: Option<Promise>,
}

/// One schedule, which a daemon follows when it gets its records.
#[derive(Clone, Debug)]
pub(crate) struct Schedule(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// The schedule's plan. While it is drawn, each call adds to it.
    plan: Plan,
    /// The number of calls so far.
    calls: usize,
    /// `None` if the plan is prescribed.
    dice: Option<Dice>,
    /// The seed of what a processor with `async` methods draws.
    seed: Option<u64>,
    /// A script with a step was run.
    has_run: bool,
    noted: Noted,
}

impl Schedule {
    /// A schedule that is drawn from a seed. In every second one, handlers that can go on at once do so in the order of their records,
    /// as in production.
    pub(crate) fn draw(seed: u64) -> Self {
        Self::new(Plan::new(), Some(Dice::new(seed)), (seed % 2 == 1).then_some(seed))
    }

    /// A schedule that follows a plan, with the seed of the one that was drawn.
    pub(crate) fn follow(plan: Plan, seed: Option<u64>) -> Self {
        Self::new(plan, None, seed)
    }

    fn new(plan: Plan, dice: Option<Dice>, seed: Option<u64>) -> Self {
        Self(Arc::new(Mutex::new(State { plan, calls: 0, dice, seed, has_run: false, noted: Noted::default() })))
    }

    /// The seed of what a processor with `async` methods draws.
    pub(crate) fn seed(&self) -> Option<u64> {
        self.lock().seed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The part for this many records.
    pub(crate) fn records(&self, given: usize) -> Stretch {
        self.lock().next(|part| part.given == given, given, |dice| dice.stretch(given, None))
    }

    /// The part for any number of records that is in the range.
    pub(crate) fn any_records(&self, count: &RangeInclusive<usize>) -> Stretch {
        let least = *count.start();
        let draw = |dice: &mut Dice| {
            let given = least + dice.random.below((count.end() - least).saturating_add(1));
            dice.stretch(given, Some(least))
        };
        self.lock().next(|part| part.least == Some(least), least, draw)
    }

    /// The part that ends a shard, unless the test itself does.
    pub(crate) fn ending(&self, shard: &ShardScript, has_children: bool) -> Stretch {
        self.lock().next(|part| part.given == 0, 0, |dice| dice.ending(shard, has_children))
    }

    /// Notes a run of a script. `notes` are those of the run.
    pub(crate) fn note(&self, script: &Script, notes: impl FnOnce() -> String, broken: Option<Promise>) {
        let mut state = self.lock();
        state.has_run |= script.shards.iter().any(|shard| !shard.steps.is_empty());
        let notes = state.dice.is_none().then(notes);
        state.noted = Noted { script: Some(script.clone()), notes, broken };
    }

    /// Whether the test has run a script with a step.
    pub(crate) fn has_run(&self) -> bool {
        self.lock().has_run
    }

    /// The plan and the notes, after the test's body ended.
    pub(crate) fn finish(&self) -> (Plan, Noted) {
        let state = self.lock();
        (state.plan.clone(), state.noted.clone())
    }
}

impl State {
    /// The next part: drawn, or as it is prescribed. A test that asks for another part than before gets a plain one, of
    /// this many records.
    fn next(
        &mut self,
        fits: impl Fn(&Stretch) -> bool,
        given: usize,
        draw: impl FnOnce(&mut Dice) -> Stretch,
    ) -> Stretch {
        self.calls += 1;
        if let Some(dice) = &mut self.dice {
            self.plan.push(draw(dice));
        }
        let prescribed = self.plan.get(self.calls - 1).filter(|part| fits(part));
        prescribed.cloned().unwrap_or_else(|| Stretch::plain(given))
    }
}

/// The source of a drawn schedule.
#[derive(Debug)]
struct Dice {
    random: Random,
    /// One batch in this many has something before it.
    calm: usize,
    /// The number of further refusals that the runtime's retries survive.
    throttles: u32,
    /// Whether a checkpoint is to be refused because the lease is lost. Two of them could meet at the end of a shard.
    loses: bool,
    /// The number of records of the last stretch.
    given: usize,
}

impl Dice {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let calm = [1, 2, 4, 16][random.below(4)];
        Self { random, calm, throttles: THROTTLES, loses: false, given: 0 }
    }

    fn stretch(&mut self, given: usize, least: Option<usize>) -> Stretch {
        self.given = given;
        // A message costs more time than its records do, so a few large batches are more common than many small ones.
        let most = match self.random.below(8) {
            0 => 1,
            1 => 4,
            _ => given,
        };
        let mut pieces = Vec::new();
        // Of all that follows a crash, it alone decides which records share a batch.
        if given > 0 && self.random.one_in(2) {
            pieces.push(Piece::Step(Action::Fault(self.cut())));
        }
        let mut next = 0;
        while next < given {
            if self.random.one_in(self.calm) {
                pieces.push(Piece::Step(self.step()));
            }
            let size = 1 + self.random.below(most.min(given - next));
            pieces.push(Piece::Batch((next..next + size).collect()));
            next += size;
        }
        Stretch { given, least, pieces }
    }

    fn step(&mut self) -> Action {
        match self.random.below(14) {
            0 => Action::Crash,
            1 => Action::Redeliver,
            2 => Action::LeaseLost,
            3 => Action::ShutdownRequested,
            4 => Action::Batch(Vec::new()),
            5 => Action::Pass(Duration::from_secs([1, 30, 60, 3600][self.random.below(4)])),
            _ => Action::Fault(self.fault()),
        }
    }

    /// A fault that a processor without mistakes survives. That is why no checkpoint is refused with, for example,
    /// `InvalidState`: a handler that returns the error would end its process, and rightly so.
    fn fault(&mut self) -> Fault {
        let most = self.throttles;
        Fault(match self.random.below(11) {
            0 => Kind::CrashBeforeStatus,
            1 => Kind::CrashAfterStatus,
            2 | 3 => Kind::CrashBeforeCheckpoint,
            4 if most > 0 => {
                let times = 1 + self.random.below(most as usize) as u32;
                self.throttles -= times;
                let refusal = [Refusal::Throttled, Refusal::Dependency][self.random.below(2)].clone();
                Kind::RefuseCheckpoints(refusal, times)
            }
            5 if !self.loses => {
                self.loses = true;
                Kind::RefuseCheckpoints(Refusal::LeaseLost, 1)
            }
            6 => Kind::LoseLease,
            7 => Kind::CrashBeforeWrite(self.number()),
            8 => Kind::CrashAfterWrite(self.number()),
            9 => return self.cut(),
            _ => Kind::CrashAfterCheckpoint,
        })
    }

    fn cut(&mut self) -> Fault {
        Fault(Kind::RedeliverInBatchesOf(self.number()))
    }

    /// A number up to that of the records.
    fn number(&mut self) -> u32 {
        u32::try_from(1 + self.random.below(self.given)).unwrap_or(u32::MAX)
    }

    fn ending(&mut self, shard: &ShardScript, has_children: bool) -> Stretch {
        let mut pieces = Vec::new();
        if !shard.has_ending() {
            let ending = match self.random.below(8) {
                _ if has_children => Some(Action::ShardEnd),
                0..4 => Some(Action::ShardEnd),
                4 | 5 => Some(Action::ShutdownRequested),
                6 => Some(Action::LeaseLost),
                _ => None,
            };
            // A lost lease in addition to one that is refused would leave nobody who ends the shard.
            if ending.is_some() && !self.loses && self.random.one_in(self.calm) {
                pieces.push(Piece::Step(Action::Fault(self.fault())));
            }
            pieces.extend(ending.map(Piece::Step));
        }
        // Whatever happened, somebody gets the records that are left.
        pieces.push(Piece::Step(Action::Redeliver));
        Stretch { given: 0, least: None, pieces }
    }
}
