//! The events of a run.

use std::error::Error;

use crate::signals::Request;

/// The events that the main thread handles.
#[derive(Debug)]
pub(crate) enum Event {
    Interruption(Request),
    /// The input has an error, which ends the run with this exit code.
    BadInput(Box<dyn Error + Send + Sync>, u8),
    /// Everything is read, so no new shards can appear.
    Read,
    /// The requested number of records was read, so no further shard starts. A failed processor still restarts.
    #[cfg(feature = "aws")]
    Over,
    /// A new shard exists; it starts when its parents have ended.
    Born {
        shard: u32,
        parents: Vec<u32>,
    },
    /// A shard's processor is done, and its thread returns the result.
    Ended {
        shard: u32,
    },
}
