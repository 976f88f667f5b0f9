//! A daemon in process, for tests of processors. It needs the feature `testing`, in `[dev-dependencies]`.
//!
//! A [`Daemon`] delivers records, lets go wrong what goes wrong in production, and checks after every run what a
//! processor promises. The [`Report`] of the run has everything else that a test may want to assert.

mod clock;
mod context;
mod daemon;
mod journal;
mod ledger;
mod play;
mod quiet;
mod random;
mod record;
mod report;
mod script;
mod sink;
mod stage;
#[doc(hidden)]
pub mod wire;

pub use context::pass;
pub use daemon::{Daemon, Steps};
pub use journal::{Call, Checkpoint};
pub use record::TestRecord;
pub use report::{Report, ShardReport};
pub use script::{Fault, Refusal};
pub use sink::Sink;
