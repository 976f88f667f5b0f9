//! `cargo kcl local`: the MultiLangDaemon's part, on one machine.
//!
//! The input is read ([`feed`]) and split by plan ([`plan`], [`split`]) into queues ([`queue`]), one a shard. Each shard has a
//! processor, which the main thread starts and starts again ([`supervise`]), and a thread that talks to it ([`shard`],
//! [`conversation`]) and keeps its checkpoints ([`store`]), with what the input was up to there ([`marks`]).

mod conversation;
mod feed;
mod follow;
mod input;
mod key;
mod lock;
mod marks;
mod options;
mod plan;
mod pulse;
mod queue;
mod record;
mod replies;
mod shard;
mod split;
mod store;
mod summary;
mod supervise;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use kcl::{Position, SequenceNumber};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

pub(crate) use self::input::{Input, InputError, Lines, Next, Source};
pub(crate) use self::key::Pointer;
pub(crate) use self::options::{AppName, Rewind, StartAt};
pub(crate) use self::plan::Reshard;

use self::feed::Feeder;
use self::marks::Mark;
use self::plan::Plan;
use self::shard::Ended;
use self::split::Place;
use self::store::{Origin, Store, StoreError};
use self::supervise::Supervisor;
use crate::cli::LocalOptions;
use crate::processor::{Program, ProgramError};
use crate::report;

/// Wrong use, or bad input.
const WRONG_USE: u8 = 2;

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
    let plan = Arc::new(options.plan()?);
    let program = Program::prepare(&options.program)?;
    let store = options.store(&program, start)?.map(Arc::new);
    let kept = Kept::load(options, &plan, store, start)?;
    if kept.positions.iter().all(|position| *position == Position::ShardEnd) {
        report::line(format_args!(
            "all of it was processed before: {} at SHARD_END; --fresh forgets that and starts anew",
            if plan.len() == 1 { "the shard is".to_owned() } else { format!("all {} shards are", plan.len()) },
        ));
        return Ok(0);
    }
    let has_checkpoints = |position: &Position| matches!(position, Position::After { .. } | Position::ShardEnd);
    if !options.quiet && kept.positions.iter().any(has_checkpoints) {
        report::line("goes on behind the checkpoints that were kept; --fresh forgets them");
    }
    if sources.iter().any(Source::is_terminal) {
        report::line("reading records from the terminal, one a line; Ctrl-D ends them");
    }
    let again = !options.follow && sources.iter().all(Source::is_file);
    if !again && options.restarts > 0 {
        return Err(LocalError::Options("--restarts takes input that can be read again: files that are not followed"));
    }
    if !again && options.jobs.is_some_and(|jobs| jobs < plan.len()) {
        return Err(LocalError::Options(
            "--jobs below the number of shards takes input that can be read again: files that are not followed",
        ));
    }
    let (sender, events) = channel();
    catch_signals(sender.clone()).map_err(LocalError::Signals)?;
    let feeder = Feeder {
        inputs: options.input.clone().into(),
        again,
        reading: options.reading(kept.start),
        plan,
        store: kept.store.clone(),
        events: sender,
    };
    let mut supervisor = Supervisor::new(options, &program, feeder, &kept, events);
    supervisor.start(kept, sources)?;
    Ok(supervisor.finish())
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
        plan: &Plan,
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
        kept.positions = (0..plan.len()).map(|shard| positions.remove(&shard).unwrap_or(initial.clone())).collect();
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
    /// Something is wrong with the input.
    BadInput(InputError),
    /// The pass over the input that serves several shards is over.
    Read,
    /// Shards changed behind so many records.
    Reached(u64),
    /// A shard's processor is done.
    Ended(Ended),
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
