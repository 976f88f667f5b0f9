//! `cargo kcl replay`: the daemon's side of recorded conversations, again.
//!
//! [`transcript`] finds and reads them, [`play`] holds them with a processor and compares, [`pipes`] are a processor's ends that
//! nobody waits at for ever.

mod pipes;
mod play;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use self::play::{PlayError, Played, play};
use crate::args::duration;
use crate::exit::{FAILED, WRONG_USE};
use crate::process::program::{Program, ProgramError, ProgramOptions};
use crate::recording::reader::{TranscriptError, find};
use crate::report;

/// Play recorded conversations into a processor, and say where its answers differ
///
/// A recording is what `cargo kcl local --record DIR` keeps: a folder for each conversation, with in.jsonl (what the processor was
/// told) and out.jsonl (what it said). Recordings of the real MultiLangDaemon in the same layout do as well.
///
/// For each one the processor is started anew, gets the recorded messages, and has to answer as it was recorded: the same
/// checkpoints, the same statuses, the same exit code. Its checkpoints are answered as they were then, refused ones too. What counts
/// is the order, not the time. Where it says something else, that is shown, with the line of the file, and the conversation ends:
/// what the daemon would have said next was never recorded. The others are played all the same.
///
/// A recording that stops in the middle, because the tool or the processor was killed, is played as far as it goes.
#[derive(Debug, clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Exit codes: 0 all answers are the same, 1 some differ, 2 wrong use, or a recording that cannot be read.\n\n\
                  Examples:\n  \
                  cargo kcl local --input orders.jsonl --record before\n  \
                  cargo kcl replay before"
)]
pub(crate) struct ReplayOptions {
    /// Folders with recordings, however deep, or the in.jsonl of one
    #[arg(value_name = "DIR|FILE", required = true)]
    recordings: Vec<PathBuf>,

    #[command(flatten)]
    program: ProgramOptions,

    /// How long to wait for an answer before it counts as none
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    stuck_after: Duration,

    /// Say nothing but what differs
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Debug, thiserror::Error)]
enum ReplayError {
    #[error(transparent)]
    Transcript(#[from] TranscriptError),
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error(transparent)]
    Play(#[from] PlayError),
}

/// Runs the verb.
pub(crate) fn run(options: &ReplayOptions) -> ExitCode {
    match replay(options) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            report::line(error);
            ExitCode::from(WRONG_USE)
        }
    }
}

fn replay(options: &ReplayOptions) -> Result<u8, ReplayError> {
    let folders = find(&options.recordings)?;
    let program = Program::prepare(&options.program)?;
    let mut different = 0;
    for folder in &folders {
        let name = folder.display();
        match play(folder, &program, options.stuck_after)? {
            Played::Same { messages, checkpoints, stopped } if !options.quiet => {
                let messages = report::count(messages, "message");
                let checkpoints = report::count(checkpoints, "checkpoint");
                let stopped = stopped.map_or(String::new(), |why| format!("; {why}"));
                report::raw(&format!("{name}: same ({messages}, {checkpoints}{stopped})\n"));
            }
            Played::Same { .. } => {}
            Played::Different(difference) => {
                different += 1;
                report::raw(&format!("{name}: differs\n{difference}"));
            }
        }
    }
    let count = folders.len() as u64;
    if !options.quiet {
        let differ = match different {
            0 => "all the same".to_owned(),
            different => format!("{} the same, {different} not", count - different),
        };
        report::raw(&format!("{}: {differ}\n", report::count(count, "conversation")));
    }
    Ok(if different > 0 { FAILED } else { 0 })
}
