//! The lives of all shards: when each processor starts and restarts, and how it ends.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kcl::Position;

use super::chaos::{Chaos, Trial, Verdict};
use super::display::page::Page;
use super::display::progress::{Progress, ShardProgress, ShardState};
use super::display::summary::{ShardSummary, Summary};
use super::error::LocalError;
use super::event::Event;
use super::options::LocalOptions;
use super::shard::pulse::Pulse;
use super::shard::{Ended, Outcome, Shard};
use super::source::queue::{End, Queue};
use super::source::{Standing, Supply, descendants};
use super::state::Store;
use super::state::marks::Met;
use super::watchers::Watchers;
use crate::args::shard_id;
use crate::backoff::Backoff;
use crate::exit::{FAILED, INTERRUPTED};
use crate::input::path::Input;
use crate::metrics::{Metrics, Stage};
use crate::process::description::Description;
use crate::process::program::Program;
use crate::process::spawn::{self, Process, Spawned, spawn_with};
use crate::recording::{Recording, Tape};
use crate::report::{self, Level, Message, Prefix, Source, Speaker};
use crate::signals::Request;
use crate::threads;

/// The wait before a shard's processor is restarted.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(500), most: Duration::from_secs(30) };
/// How often a shard without records gets a batch without records, if the processor needs them and the user has not chosen a time.
const EMPTY_EVERY: Duration = Duration::from_secs(1);
/// The longest interval between checks for stuck processors.
const LOOK: Duration = Duration::from_secs(1);

/// All shards of a run.
pub(crate) struct Supervisor<'a> {
    options: &'a LocalOptions,
    program: &'a Program,
    supply: Box<dyn Supply>,
    /// `None` if checkpoints do not outlive the run.
    store: Option<Arc<Store>>,
    sender: Sender<Event>,
    events: Receiver<Event>,
    members: BTreeMap<u32, Member>,
    /// Whether the run started with a single shard, so that lines need no prefix with the shard's number.
    is_single: bool,
    /// The names of the inputs as the user knows them.
    inputs: Arc<[String]>,
    recording: Option<Recording>,
    chaos: Option<Chaos>,
    /// How often a shard without records gets a batch without records.
    empty_every: Option<Duration>,
    /// Whether processors acknowledge batches before all of their records are done.
    works_ahead: bool,
    metrics: Metrics,
    started: Instant,
    /// The page about the run, if it is requested.
    page: Option<Page>,
    progress: Progress,
    interrupted: bool,
    /// The exit code for an error in the input.
    bad_input: Option<u8>,
    /// Whether the requested number of records was read, so that no further shard starts.
    over: bool,
    /// Whether reading continues, so that new shards may appear.
    reads: bool,
}

/// One shard.
struct Member {
    parents: Vec<u32>,
    /// Whether reading has reached the place where the shard starts.
    born: bool,
    position: Position,
    met: Met,
    state: State,
    pulse: Arc<Pulse>,
    restarts: u32,
    /// The number of processors so far.
    lives: u32,
    /// A queue that is filled although no processor runs yet.
    queue: Option<Arc<Queue>>,
    /// The lines that were printed about the last failure.
    failure: Vec<String>,
    last_words: Vec<String>,
    /// The trial between two processors, if there is chaos.
    trial: Option<Box<Trial>>,
}

enum State {
    /// The shard waits until its parents have ended and another processor may run.
    Waiting,
    /// The shard's processor failed, and restarts at this time.
    Again(Instant),
    Running {
        queue: Arc<Queue>,
        process: Process,
        /// The thread that converses with the processor. It returns the trial too, if there is chaos.
        thread: JoinHandle<(Ended, Option<Box<Trial>>)>,
    },
    Done(Outcome),
}

impl From<Standing> for Member {
    fn from(Standing { position, parents, born, .. }: Standing) -> Self {
        Self {
            parents,
            born,
            state: match position {
                Position::ShardEnd => State::Done(Outcome::EndedBefore),
                _ => State::Waiting,
            },
            position,
            met: Met::default(),
            pulse: Arc::default(),
            restarts: 0,
            lives: 0,
            queue: None,
            failure: Vec::new(),
            last_words: Vec::new(),
            trial: None,
        }
    }
}

impl Member {
    fn outcome_in_words(&self) -> String {
        match &self.state {
            State::Done(outcome) => outcome.to_string(),
            State::Waiting | State::Again(_) | State::Running { .. } => "did not end".to_owned(),
        }
    }
}

impl<'a> Supervisor<'a> {
    pub(crate) fn new(
        options: &'a LocalOptions,
        program: &'a Program,
        supply: Box<dyn Supply>,
        store: Option<Arc<Store>>,
        (recording, chaos, metrics, page): (Option<Recording>, Option<Chaos>, Metrics, Option<Page>),
        (sender, events): (Sender<Event>, Receiver<Event>),
        shards: Vec<Standing>,
    ) -> Self {
        let progress = Progress::new(options.quiet, &*supply);
        let supervisor = Self {
            options,
            program,
            supply,
            store,
            sender,
            events,
            is_single: shards.len() == 1,
            members: shards.into_iter().map(|shard| (shard.number, shard.into())).collect(),
            inputs: options.input.iter().map(Input::to_string).collect(),
            recording,
            chaos,
            empty_every: options.empty_every,
            works_ahead: false,
            metrics,
            started: Instant::now(),
            page,
            progress,
            interrupted: false,
            bad_input: None,
            over: false,
            reads: true,
        };
        supervisor.members.keys().for_each(|number| supervisor.show(*number));
        supervisor
    }

    /// Starts the processors that can start, and begins to fill their queues. The main thread starts all processors, because a
    /// processor dies with the thread that started it.
    pub(crate) fn start(&mut self) -> Result<(), LocalError> {
        let description = Description::ask(&self.program.command).unwrap_or_default();
        self.empty_every = self.empty_every.or_else(|| description.empty_batches.then_some(EMPTY_EVERY));
        self.works_ahead = description.ahead > 0;
        let ready: Vec<_> = self.ready().collect();
        let positions = |&number: &u32| Some((number, self.members.get(&number)?.position.clone()));
        let waiting = self
            .members
            .iter()
            .filter(|(number, member)| matches!(member.state, State::Waiting) && !ready.contains(number));
        let waiting: Vec<_> = waiting.map(|(number, member)| (*number, member.position.clone())).collect();
        let queues = self.supply.begin(ready.iter().filter_map(positions).collect(), waiting);
        for (number, queue) in queues {
            if let Some(member) = self.members.get_mut(&number) {
                member.queue = Some(queue);
            }
        }
        for number in ready {
            self.begin(number)?;
        }
        Ok(())
    }

    /// The shards whose processors can start now.
    fn ready(&self) -> impl Iterator<Item = u32> {
        let stops = self.stops();
        let ready = self.members.iter().filter(move |(_, member)| match member.state {
            State::Waiting => !stops && !self.over && self.parents_have_ended(member),
            State::Again(at) => !stops && at <= Instant::now(),
            State::Running { .. } | State::Done(_) => false,
        });
        ready.map(|(number, _)| *number).take(self.room())
    }

    /// How many more processors may run at once.
    fn room(&self) -> usize {
        let running = self.members.values().filter(|member| matches!(member.state, State::Running { .. })).count();
        self.options.jobs.map_or(usize::MAX, |jobs| jobs as usize).saturating_sub(running)
    }

    fn parents_have_ended(&self, member: &Member) -> bool {
        let has_ended = |parent: &u32| {
            let state = self.members.get(parent).map(|member| &member.state);
            matches!(state, Some(State::Done(Outcome::Ended | Outcome::EndedBefore)))
        };
        member.born && member.parents.iter().all(has_ended)
    }

    /// The shards that never start, because a parent or an earlier ancestor failed or was stopped.
    fn orphans(&self) -> BTreeSet<u32> {
        let ended = |state: &State| matches!(state, State::Done(Outcome::Failed | Outcome::Stopped));
        let ended = self.members.iter().filter(|(_, member)| ended(&member.state)).map(|(number, _)| *number);
        let parents = self.members.iter().map(|(number, member)| (*number, &member.parents[..]));
        descendants(ended.collect(), parents)
    }

    /// Starts a shard's processor.
    fn begin(&mut self, number: u32) -> Result<(), LocalError> {
        let Some(member) = self.members.get_mut(&number) else { return Ok(()) };
        member.lives += 1;
        if let (1, Some(page)) = (member.lives, &mut self.page) {
            member.pulse.draw(page.history(self.started));
        }
        member.pulse.started();
        let tape = self.recording.as_ref().map(|recording| recording.tape(number, member.lives)).transpose()?;
        let spawned = spawn_with(&self.program.command, self.metrics.variables());
        let failed = |error| LocalError::Spawn { shard: shard_id(number), error };
        let spawned = spawned.map_err(failed)?;
        let process = spawned.process.clone();
        self.metrics.started(&shard_id(number));
        self.converse(number, spawned, tape).inspect_err(|_| process.kill()).map_err(failed)
    }

    /// Starts a thread that converses with a shard's processor.
    fn converse(&mut self, number: u32, spawned: Spawned, tape: Option<Tape>) -> io::Result<()> {
        let Some(member) = self.members.get_mut(&number) else { return Ok(()) };
        let queue = member.queue.take().unwrap_or_else(|| self.supply.fill(number, &member.position, member.met));
        let shard = Shard {
            number,
            position: member.position.clone(),
            queue: Arc::clone(&queue),
            store: self.store.clone(),
            marks: self.store.is_some() || self.options.restarts > 0 || self.chaos.is_some(),
            inputs: Arc::clone(&self.inputs),
            speaker: Speaker {
                source: Source::Processor,
                prefix: if self.is_single { Prefix::None } else { Prefix::Label(number.to_string(), number as usize) },
                shard: Some(shard_id(number)),
            },
            pulse: Arc::clone(&member.pulse),
            empty_every: self.empty_every,
            works_ahead: self.works_ahead,
        };
        let pulse = Arc::clone(&member.pulse);
        let retried = {
            let pulse = Arc::clone(&pulse);
            move |times| pulse.note(|timeline| timeline.retried(times))
        };
        self.metrics.watch(&shard_id(number), move || pulse.seen(), retried);
        let trial = member.trial.take().or_else(|| self.chaos.as_ref().map(|chaos| chaos.trial(number)));
        let pulse = Arc::clone(&member.pulse);
        let sender = self.sender.clone();
        let Spawned { stdin, stdout, stderr, process } = spawned;
        let ends = (stdin, stdout, process.clone());
        let started = shard.pump(stderr).and_then(|pump| {
            threads::spawn(move || {
                let watchers = RefCell::new(Watchers { trial, tape, pulse });
                let ended = shard.run(ends, pump, &watchers);
                _ = sender.send(Event::Ended { shard: number });
                (ended, watchers.into_inner().trial)
            })
        });
        let thread = started.inspect_err(|_| queue.abandon())?;
        member.state = State::Running { queue, process, thread };
        Ok(())
    }

    /// Waits until all shards are done. Returns the exit code.
    pub(crate) fn finish(mut self) -> u8 {
        loop {
            for number in self.ready().collect::<Vec<_>>() {
                if let Err(error) = self.begin(number) {
                    report::error(&error);
                    self.give_up(number, &error);
                }
            }
            let Some(wait) = self.next_look() else { break };
            match self.events.recv_timeout(wait.min(self.progress.patience())) {
                Ok(Event::Interruption(Request::Kill)) => {
                    self.progress.end();
                    report::line("interrupted again: the processors are killed");
                    self.processes().for_each(Process::kill);
                    return INTERRUPTED;
                }
                Ok(event) => self.handle(event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.report_stuck();
            self.report_progress();
        }
        self.progress.end();
        let verdict = self.verdict();
        let failed = verdict.as_ref().is_some_and(|verdict| !verdict.held());
        let failed = failed || self.members.values().any(|member| matches!(member.state, State::Done(Outcome::Failed)));
        let code = match (self.interrupted, self.bad_input, failed) {
            (true, _, _) => INTERRUPTED,
            (_, Some(code), _) => code,
            (_, _, true) => FAILED,
            _ => 0,
        };
        self.sum_up(code, verdict)
    }

    /// How long to wait for an event; `None` if no more events can come.
    fn next_look(&self) -> Option<Duration> {
        let has_room = self.room() > 0;
        let waits = self.members.values().filter_map(|member| match member.state {
            State::Running { .. } => Some(self.options.stuck_after.clamp(Duration::from_millis(10), LOOK)),
            State::Again(at) => until(at, has_room),
            State::Waiting | State::Done(_) => None,
        });
        waits.min().or_else(|| (self.reads && self.awaits_a_change()).then_some(LOOK))
    }

    /// Whether new shards can still appear.
    fn awaits_a_change(&self) -> bool {
        let orphans = self.orphans();
        let mut members = self.members.iter();
        !self.stops()
            && !self.over
            && members.any(|(number, member)| matches!(member.state, State::Waiting) && !orphans.contains(number))
    }

    /// Whether no further processor may start.
    fn stops(&self) -> bool {
        self.interrupted || self.bad_input.is_some()
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Interruption(_) => {
                self.interrupted = true;
                report::line("interrupted: the processors are asked to shut down; interrupt again to kill them");
                for member in self.members.values() {
                    if let State::Running { queue, .. } = &member.state {
                        queue.end(End::Interrupted);
                    }
                }
                self.give_up_restarts();
            }
            Event::Born { shard, parents } => self.born(shard, parents),
            Event::Read => self.reads = false,
            Event::BadInput(error, code) => {
                // Every pass finds the same error, so report it once.
                if self.bad_input.replace(code).is_none() {
                    report::error(error);
                }
                self.give_up_restarts();
            }
            #[cfg(feature = "aws")]
            Event::Over => self.over = true,
            Event::Ended { shard } => {
                self.ended(shard);
                self.show(shard);
            }
        }
    }

    /// Marks shards that wait for a restart as failed, because nothing starts any more.
    fn give_up_restarts(&mut self) {
        for member in self.members.values_mut().filter(|member| matches!(member.state, State::Again(_))) {
            // A processor that chaos ended did not fail.
            member.state = State::Done(if self.chaos.is_some() { Outcome::Stopped } else { Outcome::Failed });
        }
        self.members.keys().for_each(|number| self.show(*number));
    }

    /// Makes the metrics show where a shard stands.
    fn show(&self, number: u32) {
        let Some(member) = self.members.get(&number).filter(|member| member.born) else { return };
        let stage = match member.state {
            State::Waiting | State::Done(Outcome::Waiting) => Stage::Waiting,
            State::Again(_) | State::Done(Outcome::HandedOver) => Stage::Restarting,
            State::Running { .. } => Stage::Running,
            State::Done(Outcome::Ended | Outcome::EndedBefore) => Stage::Ended,
            State::Done(Outcome::Stopped) => Stage::Stopped,
            State::Done(Outcome::Failed) => Stage::Failed,
        };
        self.metrics.reach(&shard_id(number), stage);
    }

    fn born(&mut self, number: u32, mut parents: Vec<u32>) {
        parents.retain(|parent| self.members.contains_key(parent));
        self.metrics.reach(&shard_id(number), Stage::Waiting);
        let new = || Standing { number, position: Position::TrimHorizon, parents, born: true };
        self.members.entry(number).or_insert_with(|| new().into()).born = true;
    }

    /// Takes the result of a shard's processor, and decides whether another one resumes the shard.
    fn ended(&mut self, number: u32) {
        let stops = self.stops();
        let Some(member) = self.members.get_mut(&number) else { return };
        let State::Running { thread, .. } = std::mem::replace(&mut member.state, State::Done(Outcome::Failed)) else {
            return;
        };
        let Ok((Ended { outcome, position, met, failure, last_words, status }, trial)) = thread.join() else { return };
        self.metrics.exited(&shard_id(number), status.map(spawn::code));
        member.pulse.ended(outcome == Outcome::Failed);
        let may_restart = outcome == Outcome::Failed && !stops && position != Position::ShardEnd;
        member.position = position;
        member.met = member.met.and(met);
        member.failure = failure;
        member.last_words = last_words;
        member.trial = trial;
        if outcome == Outcome::HandedOver {
            member.state = if stops { State::Done(Outcome::Stopped) } else { State::Again(Instant::now()) };
            return;
        }
        if !may_restart || member.restarts == self.options.restarts {
            member.state = State::Done(outcome);
            self.give_up_orphans();
            return;
        }
        member.restarts += 1;
        let wait = BACKOFF.longest(member.restarts);
        member.state = State::Again(Instant::now() + wait);
        let (restart, most, wait) = (member.restarts, self.options.restarts, report::elapsed(wait));
        let text = format_args!("restart {restart} of {most} in {wait}, from {}", member.position);
        Message::new(Level::Info, text).of(shard_id(number)).print();
    }

    /// Gives up a shard whose processor cannot be started.
    fn give_up(&mut self, number: u32, error: &LocalError) {
        if let Some(member) = self.members.get_mut(&number) {
            member.state = State::Done(Outcome::Failed);
            member.failure = vec![error.to_string()];
            member.last_words = Vec::new();
            // Nobody takes its records, which would hold back the other shards.
            member.queue.take().iter().for_each(|queue| queue.abandon());
        }
        self.give_up_orphans();
        self.show(number);
    }

    /// Abandons the queues of shards that never start, so that these do not hold back the others.
    fn give_up_orphans(&self) {
        let orphans = self.orphans().into_iter().filter_map(|orphan| self.members.get(&orphan)?.queue.as_deref());
        orphans.for_each(Queue::abandon);
    }

    fn report_stuck(&self) {
        for (&number, member) in &self.members {
            let Some(action) = member.pulse.stuck(self.options.stuck_after) else { continue };
            let what = match (&member.state, &self.chaos) {
                // Chaos runs without a user who could intervene, so a stuck processor is killed.
                (State::Running { process, .. }, Some(_)) => {
                    process.kill();
                    "it is killed, which --chaos counts as its failure"
                }
                _ => "still waiting, as the MultiLangDaemon does unless timeoutInSeconds is set",
            };
            let time = report::duration(self.options.stuck_after);
            let text = format_args!("the processor has been handling {action} for {time}; {what}");
            Message::new(Level::Warn, text).of(shard_id(number)).print();
        }
    }

    fn processes(&self) -> impl Iterator<Item = &Process> {
        self.members.values().filter_map(|member| match &member.state {
            State::Running { process, .. } => Some(process),
            _ => None,
        })
    }

    /// Reports the results of each shard and of the whole run. Returns the exit code, which is not 0 if that fails.
    fn sum_up(&self, mut exit_code: u8, verdict: Option<Verdict>) -> u8 {
        let mut shards = Vec::new();
        let mut counts = Vec::new();
        let mut drawn = Vec::new();
        let orphans = self.orphans();
        // The last retries of processors are part of the page.
        self.metrics.catch_up();
        for (&number, member) in &self.members {
            let outcome = match member.state {
                State::Done(outcome) => outcome,
                _ if member.born || orphans.contains(&number) => Outcome::Waiting,
                // The shard would result from a split or merge that the input does not reach.
                _ => continue,
            };
            let counted = member.pulse.counts();
            let mut shard = ShardSummary::new(shard_id(number), outcome, &counted);
            shard.restarts = member.lives.saturating_sub(1);
            shard.position = member.position.to_string();
            if outcome == Outcome::Failed {
                shard.failure.clone_from(&member.failure);
                shard.last_words.clone_from(&member.last_words);
            }
            drawn.extend(self.page.as_ref().map(|page| page.drawn(member.pulse.history(), counted.clone())));
            shards.push(shard);
            counts.push(counted);
        }
        let broken = verdict.as_ref().filter(|verdict| !verdict.held()).map(Verdict::message);
        let summary = Summary::new(exit_code, self.started.elapsed(), shards, &counts).under(verdict);
        let mut summary = summary.with_dropped(self.supply.dropped().total());
        if let Some(page) = &self.page {
            exit_code = page.write(&summary, &drawn, self.options.quiet, exit_code);
            summary.set_exit_code(exit_code);
        }
        if self.options.json {
            exit_code = report::summary(&summary, exit_code);
        } else if !self.options.quiet {
            summary.print();
        }
        if let (true, Some(broken)) = (self.options.json || self.options.quiet, broken) {
            broken.print();
        }
        exit_code
    }

    /// The verdict of chaos, if there is chaos.
    fn verdict(&mut self) -> Option<Verdict> {
        let unfinished = self.stops();
        let members = self.members.values_mut();
        let trials = members.filter_map(|member| Some((member.trial.take()?, member.outcome_in_words())));
        let trials: Vec<_> = trials.collect();
        Some(Verdict::new(self.chaos.as_ref()?, trials, unfinished))
    }

    /// Shows the progress, if it is due.
    fn report_progress(&mut self) {
        if !self.progress.is_due() {
            return;
        }
        let mut shards: Vec<ShardProgress> = Vec::new();
        for (&number, member) in &self.members {
            let state = match member.state {
                State::Running { .. } => ShardState::Running,
                State::Again(at) => ShardState::Again(at.saturating_duration_since(Instant::now())),
                State::Done(outcome) => ShardState::Done(outcome),
                State::Waiting if member.born => ShardState::Waiting,
                State::Waiting => continue,
            };
            let (records, bytes, reached) = member.pulse.progress();
            let before = match &member.position {
                Position::After { sequence_number, .. } => Some(*sequence_number),
                _ => {
                    // Records that its parents have processed are not left to this shard.
                    let parents = shards.iter().filter(|shard| member.parents.contains(&shard.number));
                    parents.filter_map(|shard| shard.reached).max()
                }
            };
            let reached = reached.max(before);
            shards.push(ShardProgress {
                number,
                state,
                records,
                bytes,
                reached,
                restarts: member.lives.saturating_sub(1),
            });
        }
        self.progress.show(&shards);
    }
}

/// How long to wait for a restart. Without room, the restart follows the end of another processor, which is an event.
fn until(restart: Instant, has_room: bool) -> Option<Duration> {
    has_room.then(|| restart.saturating_duration_since(Instant::now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_without_room_is_not_polled() {
        assert_eq!(until(Instant::now(), true), Some(Duration::ZERO));
        assert_eq!(until(Instant::now(), false), None);
    }
}
