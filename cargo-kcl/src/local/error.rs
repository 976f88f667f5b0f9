//! The reasons why a run cannot start.

use super::display::page::PageError;
use super::place::MOST_INPUTS;
use super::source::SourceError;
use super::source::plan::PlanError;
use super::state::StoreError;
use crate::exit::WRONG_USE;
use crate::input::source::InputError;
use crate::metrics::MetricsError;
use crate::process::program::ProgramError;
use crate::recording::RecordingError;

/// The reason why the run cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LocalError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Recording(#[from] RecordingError),
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    #[error(transparent)]
    Page(#[from] PageError),
    #[error("{0}")]
    Options(&'static str),
    #[error(
        "{shard} {stands}; --rewind moves a checkpoint back, never forward; --show-checkpoints shows where each one stands"
    )]
    Rewind { shard: String, stands: String },
    #[error("--input is given {0} times; a run reads at most {MOST_INPUTS} inputs: concatenate some of them")]
    Inputs(usize),
    #[error("signals cannot be caught: {0}")]
    Signals(std::io::Error),
    #[error("the processor of {shard} cannot be started: {error}")]
    Spawn { shard: String, error: std::io::Error },
}

impl LocalError {
    /// The tool's exit code for this error.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Source(error) => error.code(),
            Self::Metrics(error) => error.code(),
            _ => WRONG_USE,
        }
    }
}
