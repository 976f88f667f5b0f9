//! The interface to a source of records, independent of its kind.

pub(crate) mod feed;
pub(crate) mod files;
pub(crate) mod plan;
pub(crate) mod queue;
#[cfg(feature = "aws")]
pub(crate) mod stream;

use std::collections::BTreeMap;
use std::sync::Arc;

use kcl::Position;

use self::queue::Queue;
use super::state::marks::Mark;
use super::state::{Run, Store, StoreError};
use crate::input::lines::InputError;

/// The reason why the records cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[cfg(feature = "aws")]
    #[error(transparent)]
    Stream(#[from] stream::StreamError),
}

/// The state of a shard before the run.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) number: u32,
    /// The position at which its checkpoint stands.
    pub(crate) position: Position,
    /// The shards that must have ended before this one starts.
    pub(crate) parents: Vec<u32>,
    /// Whether it exists from the start of the run.
    pub(crate) born: bool,
}

/// Fills the queues of shards. It reports new shards ([`Event::Born`](super::event::Event::Born)) and errors
/// ([`Event::BadInput`](super::event::Event::BadInput)) before a queue ends because of them.
pub(crate) trait Supply {
    /// The settings that must be the same for saved checkpoints to mean the same records.
    fn identity(&self) -> Run;

    /// The place where a run without checkpoints starts, in a form that a later run of this supply understands.
    fn start(&self) -> Option<String>;

    /// The offset at which each input ends, in bytes, counted as if they were concatenated; `None` if an end is unknown.
    fn ends(&self) -> Option<Vec<u64>> {
        None
    }

    /// Whether the user types the records.
    fn is_typed(&self) -> bool {
        false
    }

    /// The existing shards and the known future ones, with their positions from saved checkpoints.
    fn load(&mut self, store: Option<Arc<Store>>) -> Result<Vec<Standing>, SourceError>;

    /// Compares the whole input with what earlier runs saved, if all shards have ended, so that nothing is read for them.
    fn check(&mut self) -> Result<(), SourceError> {
        Ok(())
    }

    /// Begins to read for the shards whose processors start now, and for those that wait. Returns the queues that must be filled
    /// by the time their processors start.
    fn begin(&mut self, ready: Vec<(u32, Position)>, waiting: Vec<(u32, Position)>) -> BTreeMap<u32, Arc<Queue>>;

    /// A queue that delivers a shard's records after a position, for a shard that starts later or restarts. `mark` is the last
    /// record that its checkpoints in this run cover, if there is one.
    fn fill(&mut self, shard: u32, position: &Position, mark: Option<Mark>) -> Arc<Queue>;
}
