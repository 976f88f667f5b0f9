//! `cargo kcl local`: the MultiLangDaemon's part, on one machine.
//!
//! The input is read once ([`feed`]) and split ([`split`]) into queues ([`queue`]), one a shard. Each shard has a processor
//! and a thread that talks to it ([`shard`], [`conversation`]) and keeps its checkpoints ([`store`]), with what the input was
//! up to there ([`marks`]).

mod conversation;
mod feed;
mod follow;
mod input;
mod key;
mod lock;
mod marks;
mod options;
mod queue;
mod record;
mod replies;
mod shard;
mod split;
mod store;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Instant;

use kcl::{Position, SequenceNumber};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

pub(crate) use self::input::{Input, InputError, Lines, Next, Source};
pub(crate) use self::key::Pointer;
pub(crate) use self::options::{AppName, Rewind, StartAt};

use self::feed::{Feed, Lane};
use self::marks::{Mark, Marks};
use self::queue::{End, Queue};
use self::shard::{Outcome, Shard, Summary};
use self::split::{Place, shard_id};
use self::store::{Origin, Store, StoreError};
use crate::cli::LocalOptions;
use crate::processor::{Program, ProgramError};
use crate::report;
use crate::spawn::{Process, spawn};

/// A processor failed.
const FAILED: u8 = 1;
/// Wrong use, or bad input.
const WRONG_USE: u8 = 2;
/// As a shell has it for SIGINT.
const INTERRUPTED: u8 = 130;

/// Why nothing runs.
#[derive(Debug, thiserror::Error)]
enum LocalError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Options(&'static str),
    #[error("{shard} {stands}; --rewind moves a checkpoint back, never on")]
    Rewind { shard: String, stands: String },
    #[error("signals cannot be caught: {0}")]
    Signals(std::io::Error),
    #[error("processor {shard} of {shards} cannot be started: {error}")]
    Spawn { shard: u32, shards: u32, error: std::io::Error },
}

/// Runs the verb.
pub(crate) fn run(options: &LocalOptions) -> ExitCode {
    match prepare_and_run(options) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            report::line(error);
            ExitCode::from(WRONG_USE)
        }
    }
}

fn prepare_and_run(options: &LocalOptions) -> Result<u8, LocalError> {
    if options.show_checkpoints {
        report::raw(&options.checkpoints()?);
        return Ok(0);
    }
    // What can be wrong with the input shows before a build.
    let (sources, start) = options.sources()?;
    let program = Program::prepare(&options.program)?;
    let store = options.store(&program, start)?.map(Arc::new);
    let kept = Kept::load(options, store, start)?;
    if kept.positions.iter().all(|position| *position == Position::ShardEnd) {
        report::line(format_args!(
            "all of it was processed before: {} at SHARD_END; --fresh forgets that and starts anew",
            if options.shards == 1 { "the shard is".to_owned() } else { format!("all {} shards are", options.shards) },
        ));
        return Ok(0);
    }
    if kept.positions.iter().any(|position| matches!(position, Position::After { .. } | Position::ShardEnd)) {
        report::line("goes on behind the checkpoints that were kept; --fresh forgets them");
    }
    if sources.iter().any(Source::is_terminal) {
        report::line("reading records from the terminal, one a line; Ctrl-D ends them");
    }
    Ok(Run::start(options, &program, kept, sources)?.finish())
}

/// What is known before the run.
struct Kept {
    /// None if checkpoints go with the run.
    store: Option<Arc<Store>>,
    /// Where each shard stands.
    positions: Vec<Position>,
    marks: Vec<Mark>,
    origin: Option<Origin>,
    /// The last record before the run's start.
    start: Option<SequenceNumber>,
}

impl Kept {
    fn load(
        options: &LocalOptions,
        store: Option<Arc<Store>>,
        start: Option<SequenceNumber>,
    ) -> Result<Self, StoreError> {
        let initial = match options.from {
            StartAt::TrimHorizon => Position::TrimHorizon,
            StartAt::Latest => Position::Latest,
        };
        let mut kept = Self { store, positions: Vec::new(), marks: Vec::new(), origin: None, start };
        let mut positions = BTreeMap::new();
        if let Some(store) = &kept.store {
            positions = store.positions()?.into_iter().collect();
            kept.marks = store.marks()?;
            kept.origin = store.origin()?;
            kept.start = store.start()?;
        }
        kept.positions = (0..options.shards).map(|shard| positions.remove(&shard).unwrap_or(initial.clone())).collect();
        kept.forget_rotated();
        Ok(kept)
    }

    /// What stood in a file that is gone cannot be compared any more, nor read.
    fn forget_rotated(&mut self) {
        let Some(origin) = self.origin else { return };
        let Some(last) = Place::last_before(origin.input, origin.offset).map(Place::sequence_number) else { return };
        let first = Place { input: origin.input, ..Place::default() }.sequence_number();
        let is_gone = |number: &SequenceNumber| (first..last).contains(number);
        self.marks.retain(|mark| !is_gone(&mark.sequence_number));
        let stand_there = self.positions.iter().filter(|position| match position {
            Position::After { sequence_number, .. } => is_gone(sequence_number),
            _ => false,
        });
        let count = stand_there.count() as u64;
        if count > 0 {
            report::line(format_args!(
                "{} last checkpointed in a file that another has replaced since; what was not processed of it is not delivered",
                report::count(count, "shard"),
            ));
        }
    }
}

/// What the main thread hears of.
enum Event {
    Interruption,
    Fed(Result<(), InputError>),
    Shard(Summary),
}

/// Processors at work.
struct Run {
    started: Instant,
    events: std::sync::mpsc::Receiver<Event>,
    queues: Vec<Arc<Queue>>,
    processes: Vec<Process>,
    summaries: Vec<Summary>,
    shards: usize,
}

impl Run {
    /// Starts everything. Processors are started by this, the main thread, as they die with the thread that started them.
    fn start(options: &LocalOptions, program: &Program, kept: Kept, sources: Vec<Source>) -> Result<Self, LocalError> {
        let (sender, events) = channel();
        catch_signals(sender.clone()).map_err(LocalError::Signals)?;
        let mut run = Self {
            started: Instant::now(),
            events,
            queues: Vec::new(),
            processes: Vec::new(),
            summaries: Vec::new(),
            shards: kept.positions.len(),
        };
        let inputs: Arc<[String]> = options.input.iter().map(Input::to_string).collect();
        let mut lanes = Vec::new();
        let mut started = Vec::new();
        for (number, position) in (0..).zip(&kept.positions) {
            let queue = Arc::new(Queue::default());
            lanes.push(Lane::new(Arc::clone(&queue), position, kept.start));
            if *position == Position::ShardEnd {
                let outcome = Outcome::EndedBefore;
                run.summaries.push(Summary { number, outcome, records: 0, bytes: 0, checkpoints: 0 });
                continue;
            }
            let spawned = spawn(&program.command).map_err(|error| LocalError::Spawn {
                shard: number + 1,
                shards: options.shards,
                error,
            })?;
            run.processes.push(spawned.process.clone());
            run.queues.push(Arc::clone(&queue));
            let shard = Shard {
                number,
                position: position.clone(),
                queue,
                store: kept.store.clone(),
                inputs: Arc::clone(&inputs),
                prefixed: options.shards > 1,
            };
            started.push((shard, spawned));
        }
        for (shard, spawned) in started {
            let sender = sender.clone();
            thread::spawn(move || sender.send(Event::Shard(shard.run(spawned))));
        }
        let Kept { store, marks, origin, start, .. } = kept;
        let feed = Feed { reading: options.reading(start), lanes, marks: Marks::new(marks), origin, store };
        thread::spawn(move || sender.send(Event::Fed(feed.run(sources))));
        Ok(run)
    }

    /// Waits until all shards are done. The exit code.
    fn finish(mut self) -> u8 {
        let mut interrupted = false;
        let mut bad_input = false;
        while self.summaries.len() < self.shards {
            let Ok(event) = self.events.recv() else { break };
            match event {
                Event::Interruption if interrupted => {
                    report::line("interrupted again: the processors are killed");
                    self.processes.iter().for_each(Process::kill);
                    return INTERRUPTED;
                }
                Event::Interruption => {
                    interrupted = true;
                    report::line("interrupted: the processors are asked to shut down; once more kills them");
                    self.queues.iter().for_each(|queue| queue.end(End::Interrupted));
                }
                Event::Fed(Ok(())) => {}
                Event::Fed(Err(error)) => {
                    bad_input = true;
                    report::line(error);
                }
                Event::Shard(summary) => self.summaries.push(summary),
            }
        }
        self.summaries.sort_by_key(|summary| summary.number);
        report::raw(&self.table());
        let failed = self.summaries.iter().any(|summary| summary.outcome == Outcome::Failed);
        match (interrupted, bad_input, failed) {
            (true, _, _) => INTERRUPTED,
            (_, true, _) => WRONG_USE,
            (_, _, true) => FAILED,
            _ => 0,
        }
    }

    /// What became of each shard, and of all.
    fn table(&self) -> String {
        let mut table = String::new();
        for Summary { number, outcome, records, bytes, checkpoints } in &self.summaries {
            table.push_str(&format!(
                "{}  {outcome:<12}  {records:>10} records  {:>9}  {checkpoints:>6} checkpoints\n",
                shard_id(*number),
                report::bytes(*bytes),
            ));
        }
        let records: u64 = self.summaries.iter().map(|summary| summary.records).sum();
        let bytes: u64 = self.summaries.iter().map(|summary| summary.bytes).sum();
        let seconds = self.started.elapsed().as_secs_f64();
        table.push_str(&format!(
            "{} ({}) in {seconds:.1} s: {:.0} records/s, {}/s\n",
            report::count(records, "record"),
            report::bytes(bytes),
            records as f64 / seconds,
            report::bytes((bytes as f64 / seconds) as u64),
        ));
        table
    }
}

/// Lets signals be events for as long as the tool lives.
fn catch_signals(events: Sender<Event>) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::spawn(move || {
        for _ in signals.forever() {
            if events.send(Event::Interruption).is_err() {
                return;
            }
        }
    });
    Ok(())
}
