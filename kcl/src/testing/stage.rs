//! Plays a script: one process after the other for each shard, the shards in turns, all on the caller's thread.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::checkpoint::pace::Checkpoints;
use crate::error::{BoxError, RunError};
use crate::io::stderr::Report;
use crate::processor::Processor;
use crate::runner::Runner;
use crate::runner::conversation::{Conversation, Waits, now};
use crate::runner::session::Session;
use crate::shard::{Position, Shard};
use crate::testing::clock::VirtualClock;
use crate::testing::context::{Context, Killed};
use crate::testing::journal::Moment;
use crate::testing::ledger::{Ledger, Promise, Violation};
use crate::testing::play::{Close, Ear, Play};
use crate::testing::quiet;
use crate::testing::script::{Script, ShardScript};
use crate::testing::sink::{Known, Owners, Sinks};
use crate::testing::tape::{Stop, Tape};
use crate::testing::wire::{Half, Shared};

/// The exit code of a process that was killed, as a shell reports it.
const KILLED: u8 = 137;

/// The outcome of one shard.
#[derive(Debug)]
pub(crate) struct Performed<P> {
    pub(crate) id: String,
    pub(crate) journal: Vec<Moment>,
    pub(crate) ledger: Ledger,
    pub(crate) position: Position,
    /// The exit code of the last process; `None` if no process was started.
    pub(crate) exit_code: Option<u8>,
    /// The last processor, unless it was not made, or was killed.
    pub(crate) processor: Option<P>,
    replies: Vec<String>,
    idle: Vec<String>,
    sinks: Sinks,
}

/// The outcome of a script.
#[derive(Debug)]
pub(crate) struct Performance<P> {
    pub(crate) shards: Vec<Performed<P>>,
    /// The promises that were broken, in the order in which they were.
    pub(crate) violations: Vec<Violation>,
    /// The scripted faults and redeliveries that never happened.
    pub(crate) idle: Vec<String>,
}

/// How a script is played.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// The seed of jitter; without one, each wait takes as long as it can.
    pub(crate) seed: Option<u64>,
    /// Sinks that are part of the run, whoever owns them.
    pub(crate) sinks: Vec<Known>,
}

/// Plays a script.
///
/// # Errors
///
/// If the script is not one that a daemon could follow.
pub(crate) fn perform<F, P, E>(script: &Script, options: &Options, factory: &F) -> Result<Performance<P>, String>
where
    F: Fn(&Shard) -> Result<P, E>,
    P: Processor,
    E: Into<BoxError>,
{
    quiet::hush();
    let shards = play(script, options, factory)?;
    let mut violations: Vec<_> = shards.iter().flat_map(|shard| shard.ledger.violations.iter().cloned()).collect();
    if script.independent {
        for (alone, among) in script.shards.iter().zip(&shards) {
            let mut alone = alone.clone();
            alone.parents.clear();
            let alone = play(&Script { shards: vec![alone], independent: true }, options, factory)?;
            violations.extend(alone.first().and_then(|alone| differ(alone, among)));
        }
    }
    let idle = shards.iter().flat_map(|shard| shard.idle.iter().cloned()).collect();
    Ok(Performance { shards, violations, idle })
}

/// Replays a recorded conversation with one process. Returns what the process did, and why it was stopped, if it was.
///
/// # Errors
///
/// None that a recording could cause.
pub(crate) fn replay<F, P, E>(
    script: &ShardScript,
    tape: Tape,
    factory: &F,
) -> Result<(Performed<P>, Option<Stop>), String>
where
    F: Fn(&Shard) -> Result<P, E>,
    P: Processor,
    E: Into<BoxError>,
{
    quiet::hush();
    let clock = Arc::new(VirtualClock::new(None));
    let mut lane = Lane::<P>::new(script, next_run(), &clock, &Options::default())?;
    lane.context.half.lock().director.tape = Some(tape);
    let runner = Runner::new(factory);
    while !lane.is_over() {
        lane.step(&runner);
    }
    let code = lane.exit_code.unwrap_or_default();
    let tape = lane.context.half.lock().director.tape.take();
    Ok((lane.finish(), tape.and_then(|tape| tape.end(code).err())))
}

/// The number of a new run.
fn next_run() -> u64 {
    static RUNS: AtomicU64 = AtomicU64::new(1);
    RUNS.fetch_add(1, Ordering::Relaxed)
}

/// Compares what a shard did alone and among others.
fn differ<P>(alone: &Performed<P>, among: &Performed<P>) -> Option<Violation> {
    let deeds = |shard: &Performed<P>, forget| {
        let mut deeds = shard.replies.clone();
        deeds.extend(shard.sinks.written(&shard.id, forget));
        deeds
    };
    let (alone, others) = (deeds(alone, true), deeds(among, false));
    let length = alone.len().max(others.len());
    let at = (0..length).find(|&at| alone.get(at) != others.get(at))?;
    let deed = |deeds: &[String]| deeds.get(at).cloned().unwrap_or_else(|| "did nothing more".to_owned());
    let what = format!(
        "among the other shards, it {}; alone, after them, it {}. Its processors share state, such as a `static`, with \
         those of other shards",
        deed(&others),
        deed(&alone)
    );
    Some(Violation { promise: Promise::Independent, shard: among.id.clone(), what })
}

/// Plays the shards in turns, one message each.
fn play<F, P, E>(script: &Script, options: &Options, factory: &F) -> Result<Vec<Performed<P>>, String>
where
    F: Fn(&Shard) -> Result<P, E>,
    P: Processor,
    E: Into<BoxError>,
{
    let run = next_run();
    let clock = Arc::new(VirtualClock::new(options.seed));
    let runner = Runner::new(factory);
    let mut lanes = Vec::new();
    for shard in &script.shards {
        if let Some(parent) = shard.parents.iter().find(|parent| script.shards.iter().all(|shard| shard.id != **parent))
        {
            return Err(format!("shard {} starts after {parent}, which has no script", shard.id));
        }
        let lane = Lane::<P>::new(shard, run, &clock, options)?;
        lane.context.half.lock().director.replies = script.independent.then(Vec::new);
        lanes.push(lane);
    }
    loop {
        let mut moved = false;
        for at in 0..lanes.len() {
            let ended = |parent: &String| {
                lanes.iter().any(|lane| lane.shard.id == *parent && lane.position() == Position::ShardEnd)
            };
            if !lanes[at].is_over() && lanes[at].shard.parents.iter().all(ended) {
                lanes[at].step(&runner);
                moved = true;
            }
        }
        if !moved {
            return Ok(lanes.into_iter().map(Lane::finish).collect());
        }
    }
}

/// One shard while it is played.
struct Lane<'s, P> {
    shard: &'s ShardScript,
    context: Context,
    session: Option<Session<P>>,
    /// The last process has ended, with this exit code.
    exit_code: Option<u8>,
    processor: Option<P>,
}

/// The result of a process's turn.
enum Turn {
    GoesOn,
    Ended(Result<(), RunError>),
    Killed,
}

impl<'s, P: Processor> Lane<'s, P> {
    fn new(shard: &'s ShardScript, run: u64, clock: &Arc<VirtualClock>, options: &Options) -> Result<Self, String> {
        let sinks = Sinks::new(run, options.sinks.clone());
        let play = Play::new(shard, P::CHECKPOINTS == Checkpoints::Handler, clock, sinks)
            .map_err(|problem| format!("shard {}: {problem}", shard.id))?;
        let half = Shared::new(Half::new(play, shard.position.clone()));
        let context = Context { half, clock: Arc::clone(clock), run, shard: shard.id.clone() };
        Ok(Self { shard, context, session: None, exit_code: None, processor: None })
    }

    fn is_over(&self) -> bool {
        self.exit_code.is_some()
    }

    fn position(&self) -> Position {
        self.context.half.lock().position().clone()
    }

    /// Starts a process, or gives the running one its next message.
    fn step<F, E>(&mut self, runner: &Runner<&F>)
    where
        F: Fn(&Shard) -> Result<P, E>,
        E: Into<BoxError>,
    {
        let turn = match &mut self.session {
            Some(session) => self.context.turn(|| now(session.turn_within_span())),
            None => self.start(runner),
        };
        match turn {
            Turn::GoesOn => {}
            Turn::Ended(result) => self.end(result),
            Turn::Killed => {
                // A SIGKILL runs no destructors.
                if let Some(session) = self.session.take() {
                    mem::forget(session.processor);
                }
                if self.position() == Position::ShardEnd || self.context.half.lock().director.tape.is_some() {
                    self.exit_code = Some(KILLED);
                }
            }
        }
    }

    fn start<F, E>(&mut self, runner: &Runner<&F>) -> Turn
    where
        F: Fn(&Shard) -> Result<P, E>,
        E: Into<BoxError>,
    {
        let half = &self.context.half;
        {
            let mut half = half.lock();
            let position = half.position().clone();
            half.director.start(&position);
            half.start(&self.shard.id);
        }
        let report = Report::callback({
            let half = half.clone();
            move |line| half.lock().director.line(line)
        });
        let clock: Arc<VirtualClock> = Arc::clone(&self.context.clock);
        let mut conversation = Conversation::new(Box::new(half.ends()), clock, report, Waits::Thread);
        conversation.log_payloads = P::LOG_PAYLOADS;
        conversation.events.listener = Some(Box::new(Ear(half.clone())));
        let owners = Owners::count();
        let mut session = None;
        let turn = self.context.turn(|| {
            session = runner.open(conversation)?;
            session.as_mut().map_or(Ok(false), |session| session.acknowledge("initialize").map_err(|error| *error))
        });
        half.lock().director.sinks.bind(&owners);
        self.session = session;
        turn
    }

    /// A process has ended. Either another one takes over, or the shard's script is over.
    fn end(&mut self, result: Result<(), RunError>) {
        let takes_over = {
            let mut half = self.context.half.lock();
            let is_at_end = *half.position() == Position::ShardEnd;
            let play = &mut half.director;
            let is_asked = play.close == Some(Close::Redeliver);
            let goes_on = result.is_ok() && play.has_more();
            !is_at_end && (is_asked || play.takes_over() || goes_on)
        };
        let result = match self.session.take() {
            Some(session) if takes_over => match self.context.turn(|| session.close(result).map(|()| false)) {
                Turn::Ended(result) => result,
                // Nothing that a destructor does kills the process.
                Turn::GoesOn | Turn::Killed => Ok(()),
            },
            Some(session) => {
                self.processor = Some(session.processor);
                result
            }
            None => result,
        };
        let code = result.as_ref().map_or_else(RunError::exit_code, |()| 0);
        let mut half = self.context.half.lock();
        if let Err(error) = result {
            half.director.line(&error.to_string());
        }
        half.director.journal.push(Moment::Ended(code));
        self.exit_code = (!takes_over).then_some(code);
    }

    fn finish(self) -> Performed<P> {
        let mut half = self.context.half.lock();
        let position = half.position().clone();
        let play = &mut half.director;
        Performed {
            id: self.shard.id.clone(),
            idle: play.idle(),
            journal: mem::take(&mut play.journal),
            ledger: mem::replace(&mut play.ledger, Ledger::new(&self.shard.id, false)),
            position,
            exit_code: self.exit_code,
            processor: self.processor,
            replies: play.replies.take().unwrap_or_default(),
            sinks: play.sinks.clone(),
        }
    }
}

impl Context {
    /// Lets a process take its turn in this context.
    fn turn(&self, turn: impl FnOnce() -> Result<bool, RunError>) -> Turn {
        match self.within(|| catch_unwind(AssertUnwindSafe(turn))) {
            Ok(Ok(true)) => Turn::GoesOn,
            Ok(Ok(false)) => Turn::Ended(Ok(())),
            Ok(Err(error)) => Turn::Ended(Err(error)),
            Err(payload) if payload.is::<Killed>() => Turn::Killed,
            Err(payload) => resume_unwind(payload),
        }
    }
}
