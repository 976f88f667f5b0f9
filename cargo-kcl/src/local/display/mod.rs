//! What a run shows of itself: how far it is, and what it came to.

mod bottom;
pub(crate) mod progress;
pub(crate) mod summary;
