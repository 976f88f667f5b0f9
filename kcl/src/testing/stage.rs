//! Plays a script: one process after the other for each shard, the shards in turns, all on the caller's thread.

use std::future::poll_fn;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use crate::async_processor::AsyncProcessor;
use crate::checkpoint::pace::Checkpoints;
use crate::clock::Clock as _;
use crate::concurrency::Order;
use crate::error::{BoxError, RunError};
use crate::io::stderr::Report;
use crate::panics::discard;
use crate::runner::conversation::{Conversation, Waits};
use crate::runner::open;
use crate::runner::session::Session;
use crate::shard::{Position, Shard};
use crate::testing::clock::VirtualClock;
use crate::testing::context::{Context, Killed};
use crate::testing::journal::Moment;
use crate::testing::ledger::{Ledger, Promise, Rules, Violation};
use crate::testing::play::{Close, Ear, Play};
use crate::testing::quiet;
use crate::testing::report::brief;
use crate::testing::script::{Script, ShardScript};
use crate::testing::sink::{Known, Owners, Sinks};
use crate::testing::tape::{Stop, Tape};
use crate::testing::tasks::Tasks;
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
    /// The seed of jitter and choices; see [`VirtualClock`].
    pub(crate) seed: Option<u64>,
    /// Sinks that are part of the run, whoever owns them.
    pub(crate) sinks: Vec<Known>,
}

/// The virtual time without any event after which a process waits for nothing that could happen.
const STUCK: Duration = Duration::from_secs(365 * 24 * 3600);

/// Plays a script.
///
/// # Errors
///
/// If the script is not one that a daemon could follow, or if a process waits for something that never happens.
pub(crate) async fn perform<M, P, E>(
    script: &Script,
    options: &Options,
    make: &M,
    waits: Waits,
) -> Result<Performance<P>, String>
where
    M: AsyncFn(&Shard) -> Result<P, E>,
    P: AsyncProcessor,
    E: Into<BoxError>,
{
    quiet::hush();
    let shards = play(script, options, make, waits).await?;
    let mut violations: Vec<_> = shards.iter().flat_map(|shard| shard.ledger.violations.iter().cloned()).collect();
    if script.independent {
        for (alone, among) in script.shards.iter().zip(&shards) {
            let mut alone = alone.clone();
            alone.parents.clear();
            let alone = Script { shards: vec![alone], ..script.clone() };
            let alone = play(&alone, options, make, waits).await?;
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
pub(crate) async fn replay<M, P, E>(
    script: &ShardScript,
    tape: Tape,
    make: &M,
    waits: Waits,
) -> Result<(Performed<P>, Option<Stop>), String>
where
    M: AsyncFn(&Shard) -> Result<P, E>,
    P: AsyncProcessor,
    E: Into<BoxError>,
{
    quiet::hush();
    let clock = Arc::new(VirtualClock::new(None, waits));
    let mut lane = Lane::<P>::new(script, next_run(), &clock, &Options::default(), waits)?;
    lane.context.half.lock().director.tape = Some(tape);
    while !lane.is_over() {
        lane.step(make).await?;
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

/// Plays the shards in turns, one message each. A processor that handles records at once goes on until a message that it needs to be
/// alone for.
async fn play<M, P, E>(script: &Script, options: &Options, make: &M, waits: Waits) -> Result<Vec<Performed<P>>, String>
where
    M: AsyncFn(&Shard) -> Result<P, E>,
    P: AsyncProcessor,
    E: Into<BoxError>,
{
    script.check_parents()?;
    let run = next_run();
    let clock = Arc::new(VirtualClock::new(options.seed, waits));
    let mut lanes = Vec::new();
    for shard in &script.shards {
        let lane = Lane::<P>::new(shard, run, &clock, options, waits)?;
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
                lanes[at].step(make).await?;
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
    waits: Waits,
    /// The tasks that the process has spawned.
    tasks: Tasks,
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
    /// It waits for something that never happens, or goes on without end.
    Stuck,
}

impl<'s, P: AsyncProcessor> Lane<'s, P> {
    fn new(
        shard: &'s ShardScript,
        run: u64,
        clock: &Arc<VirtualClock>,
        options: &Options,
        waits: Waits,
    ) -> Result<Self, String> {
        let sinks = Sinks::new(run, options.sinks.clone());
        let rules = Rules {
            by_handler: P::CHECKPOINTS == Checkpoints::Handler,
            by_key: P::CONCURRENCY.is_some_and(|concurrency| concurrency.order == Order::PartitionKey),
        };
        let play = Play::new(shard, rules, clock, sinks).map_err(|problem| format!("shard {}: {problem}", shard.id))?;
        let half = Shared::new(Half::new(play, shard.position.clone()));
        let context = Context { half, clock: Arc::clone(clock), run, shard: shard.id.clone() };
        let tasks = Tasks::default();
        Ok(Self { shard, context, waits, tasks, session: None, exit_code: None, processor: None })
    }

    fn is_over(&self) -> bool {
        self.exit_code.is_some()
    }

    fn position(&self) -> Position {
        self.context.half.lock().position().clone()
    }

    /// Starts a process, or gives the running one its next message.
    ///
    /// # Errors
    ///
    /// If the process waits for something that never happens.
    async fn step<M, E>(&mut self, make: &M) -> Result<(), String>
    where
        M: AsyncFn(&Shard) -> Result<P, E>,
        E: Into<BoxError>,
    {
        let turn = match &mut self.session {
            Some(session) => self.context.turn(self.waits, self.tasks.beside(session.turn_within_span())).await,
            None => self.start(make).await,
        };
        let endless = self.context.half.lock().director.patience.problem.take();
        if let Some(problem) = endless {
            return Err(self.give_up(&problem));
        }
        match turn {
            Turn::GoesOn => {}
            Turn::Ended(result) => self.end(result),
            Turn::Killed => {
                self.leak();
                if self.position() == Position::ShardEnd || self.context.half.lock().director.tape.is_some() {
                    self.exit_code = Some(KILLED);
                }
            }
            Turn::Stuck => {
                let problem = "waits for something that does not come in virtual time, such as a message that nobody sends, a \
                               socket or another thread";
                return Err(self.give_up(problem));
            }
        }
        Ok(())
    }

    /// Drops the process, but nothing of the user's: a SIGKILL runs no destructors.
    fn leak(&mut self) {
        mem::take(&mut self.tasks).leak();
        if let Some(session) = self.session.take() {
            mem::forget(session.processor);
        }
    }

    /// Leaves a process that does not end. Returns the message for its test.
    fn give_up(&mut self, problem: &str) -> String {
        self.leak();
        let play = &self.context.half.lock().director;
        let mut text = format!("shard {}: {} {problem}\n", self.shard.id, play.running());
        play.journal.iter().for_each(|moment| text.push_str(&format!("\n  {moment}")));
        brief(&text)
    }

    async fn start<M, E>(&mut self, make: &M) -> Turn
    where
        M: AsyncFn(&Shard) -> Result<P, E>,
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
        let mut conversation = Conversation::new(Box::new(half.ends()), clock, report, self.waits);
        conversation.log_payloads = P::LOG_PAYLOADS;
        conversation.events.listener = Some(Box::new(Ear(half.clone())));
        let owners = Owners::count();
        let mut session = None;
        self.tasks = Tasks::new(self.waits);
        let start = async {
            session = open(make, conversation).await?;
            session.as_mut().map_or(Ok(false), |session| session.acknowledge("initialize").map_err(|error| *error))
        };
        let turn = self.context.turn(self.waits, self.tasks.beside(start)).await;
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
            // Nothing that a destructor does kills the process.
            Some(session) if takes_over => self.context.try_within(|| session.close(result)).unwrap_or(Ok(())),
            Some(session) => {
                self.processor = Some(session.processor);
                result
            }
            None => result,
        };
        let tasks = mem::take(&mut self.tasks);
        self.context.within(|| discard(tasks));
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
            ledger: mem::replace(&mut play.ledger, Ledger::new(&self.shard.id, Rules::default())),
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
    async fn turn(&self, waits: Waits, turn: impl Future<Output = Result<bool, RunError>>) -> Turn {
        let mut turn = pin!(turn);
        let mut patience = None;
        poll_fn(|cx| {
            match self.try_within(|| turn.as_mut().poll(cx)) {
                None => return Poll::Ready(Turn::Killed),
                Some(Poll::Ready(Ok(true))) => return Poll::Ready(Turn::GoesOn),
                Some(Poll::Ready(Ok(false))) => return Poll::Ready(Turn::Ended(Ok(()))),
                Some(Poll::Ready(Err(error))) => return Poll::Ready(Turn::Ended(Err(error))),
                Some(Poll::Pending) => {}
            }
            if waits == Waits::Thread {
                return Poll::Pending;
            }
            if self.is_endless() {
                return Poll::Ready(Turn::Stuck);
            }
            loop {
                let events = self.half.lock().director.journal.len();
                let (known, end) = patience
                    .get_or_insert_with(|| (events, self.clock.sleep_until(self.clock.now().saturating_add(STUCK))));
                match end.as_mut().poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(()) if *known == events => return Poll::Ready(Turn::Stuck),
                    Poll::Ready(()) => patience = None,
                }
            }
        })
        .await
    }

    /// Whether a process that was polled again has not got anywhere for too long. One that waits for a message has all the time.
    fn is_endless(&self) -> bool {
        let mut half = self.half.lock();
        let is_at_work = half.is_busy() || half.director.close.is_some();
        is_at_work && half.director.patience.poll()
    }

    /// Calls `work` in this context; `None` if the process was killed.
    fn try_within<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        match self.within(|| catch_unwind(AssertUnwindSafe(work))) {
            Ok(result) => Some(result),
            Err(payload) if payload.is::<Killed>() => None,
            Err(payload) => resume_unwind(payload),
        }
    }
}
