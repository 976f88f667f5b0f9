//! `cargo kcl replay`: plays the daemon's side of recorded conversations.
//!
//! [`play`] plays one into a processor and compares the answers. [`pipes`] wraps a processor's stdin and stdout, so that no
//! wait lasts forever.

mod pipes;
mod play;

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use kcl::protocol::recording::{TranscriptError, find};

use self::play::{PlayError, Played, play};
use crate::args::duration;
use crate::exit::{FAILED, WRONG_USE};
use crate::process::program::{Program, ProgramError, ProgramOptions};
use crate::report::{self, Level, Message, Prefix};

/// Replay recorded conversations with a processor, and show where its answers differ
///
/// A recording is what `cargo kcl local --record DIR` writes: a folder for each conversation, with in.jsonl (what the processor
/// received) and out.jsonl (what it sent). Recordings of the real MultiLangDaemon in the same layout work as well.
///
/// Each recording is replayed with a new processor. It receives the recorded messages, and must answer as recorded: the same
/// checkpoints, the same statuses, the same exit code. Its checkpoints get the recorded answers, including refusals. Only the order
/// counts, not the timing. The checkpoints of a processor with `ahead`, or with a `checkpoint` by time, depend on time themselves, so
/// its replay can differ without a change. The handlers really run: what they write or send is written or sent again. The first answer
/// that differs is shown with its line in the recording, and the conversation ends, because the daemon's reaction to it was never
/// recorded. The other recordings are still replayed, also after one that cannot be read.
///
/// A recording that breaks off, because the tool or the processor was killed, is replayed as far as it goes. The same applies to a
/// recording that was cut short: it could not be written, as on a full disk, or one of its files ends before the others. The exit code
/// is then 1, because the end is unknown.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 all answers are the same, 1 some differ or were cut short, 2 usage error or a recording that cannot be read.\n\n\
                  Examples:\n  \
                  cargo kcl local --input orders.jsonl --record before\n  \
                  cargo kcl replay before"
)]
pub(crate) struct ReplayOptions {
    /// Folders that contain recordings at any depth, or the in.jsonl of a recording
    #[arg(value_name = "DIR|FILE", required = true)]
    recordings: Vec<PathBuf>,

    #[command(flatten)]
    program: ProgramOptions,

    /// Wait at most TIME for an answer, and then count it as missing
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    stuck_after: Duration,

    /// Report only differences
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
            report::error(error);
            ExitCode::from(WRONG_USE)
        }
    }
}

fn replay(options: &ReplayOptions) -> Result<u8, ReplayError> {
    let folders = find(&options.recordings)?;
    let program = Program::prepare(&options.program)?;
    let mut tally = Tally { conversations: folders.len() as u64, ..Tally::default() };
    for (number, folder) in folders.iter().enumerate() {
        let name = folder.display();
        // The folders of several recordings may have the same name, but not the same path.
        let prefix = if folders.len() == 1 { Prefix::None } else { Prefix::Label(name.to_string(), number) };
        let played = match play(folder, &program, options.stuck_after, prefix) {
            Err(PlayError::Transcript(error)) => {
                tally.unreadable += 1;
                report::error(error);
                continue;
            }
            played => played?,
        };
        match played {
            Played::Same { messages, checkpoints, is_cut: true, .. } => {
                tally.cut += 1;
                let messages = report::count(messages, "message");
                let checkpoints = report::count(checkpoints, "checkpoint");
                let how = "it was cut short, as by a full disk";
                let text = format_args!("{name}: same as far as the recording goes ({messages}, {checkpoints}); {how}");
                Message::result(Level::Warn, text).print();
            }
            Played::Same { messages, checkpoints, stopped, is_cut: false } if !options.quiet => {
                let messages = report::count(messages, "message");
                let checkpoints = report::count(checkpoints, "checkpoint");
                let stopped = stopped.map_or(String::new(), |why| format!("; {why}"));
                report::result(format_args!("{name}: same ({messages}, {checkpoints}{stopped})"));
            }
            Played::Same { .. } => {}
            Played::Different(difference) => {
                tally.different += 1;
                Message::result(Level::Error, format_args!("{name}: differs")).with(difference.lines()).print();
            }
        }
    }
    if !options.quiet {
        report::result(format_args!("{}: {tally}", report::count(tally.conversations, "conversation")));
    }
    Ok(tally.code())
}

/// The number of conversations with each outcome. The others are the same as recorded.
#[derive(Debug, Default)]
struct Tally {
    conversations: u64,
    different: u64,
    unreadable: u64,
    /// These are the same as far as they go.
    cut: u64,
}

impl Tally {
    fn code(&self) -> u8 {
        match () {
            () if self.unreadable > 0 => WRONG_USE,
            () if self.different + self.cut > 0 => FAILED,
            () => 0,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.different + self.unreadable {
            0 => f.write_str("all the same")?,
            others => write!(f, "{} the same", self.conversations - others)?,
        }
        for (count, how) in [(self.different, "different"), (self.unreadable, "unreadable"), (self.cut, "cut short")] {
            if count > 0 {
                write!(f, ", {count} {how}")?;
            }
        }
        Ok(())
    }
}
