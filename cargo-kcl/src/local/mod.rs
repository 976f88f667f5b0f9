//! `cargo kcl local`: plays the part of the MultiLangDaemon on one machine.
//!
//! Each shard has a queue ([`queue`]), which a supply of records fills ([`supply`]). Files and standard input ([`files`]) are read
//! ([`feed`]) and split according to a plan ([`plan`], [`split`]); a Kinesis stream (`stream`) has its own shards. Each shard has a
//! processor, which the main thread starts and restarts ([`supervise`]). A thread per shard converses with the processor ([`shard`],
//! [`conversation`]) and saves its checkpoints ([`store`]), together with a digest of the input up to there ([`marks`]).
//! Conversations can be recorded ([`recording`]) and disturbed ([`chaos`]).

mod chaos;
mod display;
mod options;
pub(crate) mod place;
mod shard;
mod source;
mod state;
mod supervise;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use kcl::Position;
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

#[cfg(feature = "aws")]
pub(crate) use self::options::LONGEST_RECORD;
pub(crate) use self::options::{LocalOptions, StartAt};

use self::chaos::Chaos;
use self::shard::Ended;
use self::source::Supply;
use self::source::files::Files;
use self::source::plan::Reshard;
#[cfg(feature = "aws")]
use self::source::stream;
use self::state::StoreError;
use self::supervise::Supervisor;

use crate::exit::WRONG_USE;
use crate::input::lines::InputError;
use crate::process::program::{Program, ProgramError};
use crate::recording::writer::{Recording, RecordingError};
use crate::report;

/// The reason why the run cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LocalError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Recording(#[from] RecordingError),
    #[cfg(feature = "aws")]
    #[error(transparent)]
    Stream(#[from] stream::StreamError),
    #[error("{0}")]
    Options(&'static str),
    #[error(
        "{shard} {stands}; --rewind moves a checkpoint back, never forward; --show-checkpoints shows where each one stands"
    )]
    Rewind { shard: String, stands: String },
    #[error("signals cannot be caught: {0}")]
    Signals(std::io::Error),
    #[error("the processor of {shard} cannot be started: {error}")]
    Spawn { shard: String, error: std::io::Error },
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
    let (sender, events) = channel();
    // Report errors in files and folders before a build.
    let chaos = Chaos::prepare(options)?;
    let mut supply = supply(options, chaos.as_ref(), sender.clone())?;
    let recording = options.record.as_deref().map(Recording::create).transpose()?;
    let program = Program::prepare(&options.program)?;
    let store = options.store(&program, &*supply)?.map(Arc::new);
    let shards = supply.load(store.clone())?;
    let all_ended = shards.iter().all(|shard| shard.position == Position::ShardEnd);
    let has_checkpoints = |position: &Position| matches!(position, Position::After { .. } | Position::ShardEnd);
    if all_ended && !options.quiet {
        report::line(format_args!(
            "everything was already processed: {} at SHARD_END; --fresh discards the checkpoints and starts over",
            if shards.len() == 1 { "the shard is".to_owned() } else { format!("all {} shards are", shards.len()) },
        ));
    } else if !options.quiet && shards.iter().any(|shard| has_checkpoints(&shard.position)) {
        report::line("resuming after the saved checkpoints; --fresh discards them");
    }
    if all_ended && !options.json {
        return Ok(0);
    }
    recording.iter().try_for_each(|recording| recording.describe(&program.command))?;
    catch_signals(sender.clone()).map_err(LocalError::Signals)?;
    let watched = (recording, chaos);
    let mut supervisor = Supervisor::new(options, &program, supply, store, watched, (sender, events), shards);
    if !all_ended {
        supervisor.start()?;
    }
    Ok(supervisor.finish())
}

/// Opens the source of the records.
fn supply(options: &LocalOptions, chaos: Option<&Chaos>, events: Sender<Event>) -> Result<Box<dyn Supply>, LocalError> {
    #[cfg(feature = "aws")]
    if let Some(name) = &options.stream {
        return Ok(Box::new(stream::Stream::open(options, name, events)?));
    }
    if options.aws.is_given() {
        return Err(LocalError::Options(
            "--region, --profile and --endpoint say where a stream is; they require --stream",
        ));
    }
    let reshard = chaos.map(Chaos::reshard).or(options.reshard.as_ref());
    Ok(Box::new(Files::open(options, reshard.unwrap_or(&Reshard::default()), events)?))
}

/// The events that the main thread handles.
enum Event {
    Interruption,
    /// The input has an error.
    BadInput(Box<dyn Error + Send + Sync>),
    /// Everything is read, so no new shards can appear.
    Read,
    /// The requested number of records was delivered, so no further processor starts.
    #[cfg(feature = "aws")]
    Over,
    /// A new shard exists; it starts when its parents have ended.
    Born {
        shard: u32,
        parents: Vec<u32>,
    },
    /// A shard's processor is done.
    Ended(Ended),
}

/// Turns signals into events while the tool runs.
fn catch_signals(events: Sender<Event>) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    // Makes a write beyond the file size limit an error, as on a full disk, instead of killing the tool.
    signal_hook::flag::register(SIGXFSZ, Arc::default())?;
    thread::spawn(move || {
        for _ in signals.forever() {
            if events.send(Event::Interruption).is_err() {
                return;
            }
        }
    });
    Ok(())
}
