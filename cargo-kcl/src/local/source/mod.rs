//! Where records come from, whatever that is, as those see it who process them.

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
use super::LocalError;
use super::state::{Run, Store};

/// A shard before the run.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) number: u32,
    /// Where it stands.
    pub(crate) position: Position,
    /// The shards that must have ended before this one starts.
    pub(crate) parents: Vec<u32>,
    /// Whether it is there from the run's start.
    pub(crate) born: bool,
}

/// Fills the queues of shards, and tells of shards that come to be ([`Event::Born`](super::Event::Born)) and of what goes
/// wrong ([`Event::BadInput`](super::Event::BadInput)), before any queue ends over it.
pub(crate) trait Supply {
    /// What must be the same for kept checkpoints to mean the same records.
    fn identity(&self) -> Run;

    /// Where a run starts that has no checkpoints yet, in words that it understands later on.
    fn start(&self) -> Option<String>;

    /// Where each input ends, in bytes, as if they stood behind one another; none if they have no end that is known.
    fn ends(&self) -> Option<Vec<u64>> {
        None
    }

    /// Whether a person types the records.
    fn is_typed(&self) -> bool {
        false
    }

    /// The shards there are, and those that are known to come; where they stand if checkpoints were kept.
    fn load(&mut self, store: Option<Arc<Store>>) -> Result<Vec<Standing>, LocalError>;

    /// Begins to read for shards whose processors start now, and those that wait; the queues to have been filled when their
    /// processors start.
    fn begin(&mut self, ready: Vec<(u32, Position)>, waiting: Vec<(u32, Position)>) -> BTreeMap<u32, Arc<Queue>>;

    /// A queue that brings what stands behind a position of a shard: it starts later, or once more.
    fn fill(&mut self, shard: u32, position: &Position) -> Arc<Queue>;
}
