//! Asks a run for its numbers, and shows them once or live.

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::time::Duration;

use super::TopOptions;
use super::screen::{self, ScreenError};
use super::table::{Order, Table};
use crate::exit::FAILED;
use crate::metrics::client::{ClientError, Run};
use crate::metrics::state::State;
use crate::report;
use crate::waiting;

/// The longest time that a run may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The width of what is shown without a terminal.
const WIDTH: usize = 80;

/// The reason why the run cannot be shown any more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TopError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("the run answered with the HTTP status {0}, so it may belong to another version of `cargo kcl`")]
    Answer(u16),
    #[error("the run's answer cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("stdout cannot be written: {0}")]
    Output(io::Error),
    #[error(transparent)]
    Screen(#[from] ScreenError),
}

/// Runs the verb.
pub(crate) fn run(options: &TopOptions) -> ExitCode {
    match show(options) {
        Ok(code) => code,
        Err(error) => {
            report::error(error);
            ExitCode::from(FAILED)
        }
    }
}

fn show(options: &TopOptions) -> Result<ExitCode, TopError> {
    let run = Run::new(&options.run);
    let ask = move || ask(&run);
    if options.json {
        report::json(&ask()?).map_err(TopError::Output)?;
        return Ok(ExitCode::SUCCESS);
    }
    let has_terminal = io::stdin().is_terminal() && io::stdout().is_terminal() && !console::is_dumb();
    if options.once || !has_terminal {
        let width = width();
        let table = Table { state: &ask()?, order: Order::default(), width: WIDTH.max(width), marked: false };
        let lines: String = table.lines(width > 0).into_iter().map(|line| line + "\n").collect();
        waiting::write_all(&mut io::stdout().lock(), lines.as_bytes()).map_err(TopError::Output)?;
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::from(screen::show(ask, options.every)?))
}

/// The columns of the terminal, or 0 if stdout is not one.
fn width() -> usize {
    console::Term::stdout().size_checked().map_or(0, |(_, columns)| columns.into())
}

fn ask(run: &Run) -> Result<State, TopError> {
    let answer = run.ask("/state", PATIENCE)?;
    if answer.code != 200 {
        return Err(TopError::Answer(answer.code));
    }
    Ok(serde_json::from_str(&answer.body)?)
}
