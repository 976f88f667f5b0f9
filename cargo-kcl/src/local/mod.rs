//! `cargo kcl local`: plays the part of the MultiLangDaemon on one machine.
//!
//! Records come from a source ([`source`]): files and standard input, which are split into shards according to a plan, or a
//! Kinesis stream, which has its own shards. A source fills a queue for each shard. Each shard has a processor, which the main
//! thread starts and restarts ([`supervise`]). A thread per shard converses with the processor ([`shard`]) and saves its
//! checkpoints ([`state`]), together with a digest of the input up to there. Conversations can be watched ([`watchers`]), which means
//! disturbed ([`chaos`]) or recorded. The progress and the result of the run are shown ([`display`]).

mod chaos;
mod display;
mod error;
mod event;
mod options;
pub(crate) mod place;
mod shard;
mod source;
mod state;
mod supervise;
mod timeline;
mod watchers;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use kcl::Position;

pub(crate) use self::options::LocalOptions;

use self::chaos::Chaos;
use self::display::page::Page;
use self::error::LocalError;
use self::event::Event;
use self::source::plan::Reshard;
#[cfg(feature = "aws")]
use self::source::stream::Stream;
use self::source::{Supply, check_order};
use self::supervise::Supervisor;
use crate::metrics::Metrics;
use crate::process::program::Program;
use crate::recording::Recording;
use crate::report;
use crate::signals::{self, Signals};

/// Runs the verb.
pub(crate) fn run(options: &LocalOptions) -> ExitCode {
    options.log.apply();
    if let Some(stream) = &options.stream {
        report::use_stream(stream);
    }
    match prepare_and_run(options) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            report::error(&error);
            ExitCode::from(error.code())
        }
    }
}

fn prepare_and_run(options: &LocalOptions) -> Result<u8, LocalError> {
    if options.show_checkpoints {
        options.checkpoints()?.iter().for_each(report::result);
        return Ok(0);
    }
    let (sender, events) = channel();
    // Report errors in files and folders before a build.
    let chaos = options.chaos()?;
    let mut supply = supply(options, chaos.as_ref(), sender.clone())?;
    let recording = options.record.as_deref().map(Recording::create).transpose()?;
    let hidden = options.program.arguments().len();
    let page = options.report.as_deref().map(|path| Page::create(path, hidden)).transpose()?;
    let program = Program::prepare(&options.program)?;
    let store = options.store(&program, &*supply)?.map(Arc::new);
    let shards = supply.load(store.clone())?;
    check_order(&shards)?;
    let all_ended = shards.iter().all(|shard| shard.position == Position::ShardEnd);
    let has_checkpoints = |position: &Position| matches!(position, Position::After { .. } | Position::ShardEnd);
    if all_ended {
        supply.check()?;
    }
    if all_ended && !options.quiet {
        report::line(format_args!(
            "everything was already processed: {} at SHARD_END; --fresh discards the checkpoints and starts over",
            if shards.len() == 1 { "the shard is".to_owned() } else { format!("all {} shards are", shards.len()) },
        ));
    } else if !options.quiet && shards.iter().any(|shard| has_checkpoints(&shard.position)) {
        report::line("resuming after the saved checkpoints; --fresh discards them");
    }
    if all_ended && !options.json && page.is_none() {
        return Ok(0);
    }
    recording.iter().try_for_each(|recording| recording.describe(&program.command))?;
    catch_signals(sender.clone()).map_err(LocalError::Signals)?;
    let metrics = Metrics::open(&options.metrics, options.about(&program))?;
    let watched = (recording, chaos, metrics, page);
    // Only what is found while the input is read can refuse the run now.
    store.iter().try_for_each(|store| store.keep_moved())?;
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
        let stream = Stream::open(name, &options.aws, options.from, options.max_records, options.limit, events)?;
        return Ok(Box::new(stream));
    }
    if options.aws.is_given() {
        return Err(LocalError::Options(
            "--region, --aws-profile and --endpoint say where a stream is; they require --stream",
        ));
    }
    let reshard = chaos.map(Chaos::reshard).or(options.reshard.as_ref());
    Ok(Box::new(options.files(reshard.unwrap_or(&Reshard::default()), events)?))
}

/// Turns signals into events while the tool runs.
fn catch_signals(events: Sender<Event>) -> std::io::Result<()> {
    signals::survive_file_size_limit()?;
    Signals::forward(move |request| events.send(Event::Interruption(request)).is_ok())
}
