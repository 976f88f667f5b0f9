//! Amazon Kinesis record processors: annotate an `impl` block and run it.
//!
#![cfg_attr(feature = "macros", doc = "```no_run")]
#![cfg_attr(not(feature = "macros"), doc = "```ignore")]
//! use kcl::{Json, Shard};
//!
//! #[derive(serde::Deserialize)]
//! struct Order {
//!     cents: u64,
//! }
//!
//! struct Revenue {
//!     shard: String,
//!     cents: u64,
//! }
//!
//! #[kcl::processor]
//! impl Revenue {
//!     #[on_init]
//!     fn open(shard: &Shard) -> Self {
//!         Revenue { shard: shard.id().to_owned(), cents: 0 }
//!     }
//!
//!     #[on_record]
//!     fn add(&mut self, Json(order): Json<Order>) {
//!         self.cents += order.cents;
//!     }
//!
//!     #[on_shard_end]
//!     fn report(&mut self) {
//!         eprintln!("{}: {} cents", self.shard, self.cents);
//!     }
//! }
//! ```
//!
//! That is a whole `src/main.rs`: [`processor`](macro@processor) writes `main` and the conversation with Amazon's
//! MultiLangDaemon, which starts the program once for each shard and talks to it through stdin and stdout
//! (see [`protocol`]). On one machine, `cargo kcl local` stands in for the daemon.
//!
//! # Right by default
//!
//! - **Delivery is at least once.** What is not checkpointed is delivered again, to this process's successor or to another
//!   worker's.
//! - **Checkpoints.** If the record handler takes no [`Checkpointer`], the runtime checkpoints after each batch that
//!   succeeded, or [less often](macro@processor#who-checkpoints), before it gives up on one that failed (the records before),
//!   and when a shutdown is requested. If it takes one, they are the handler's alone. SHARD_END is always checkpointed, once
//!   `#[on_shard_end]` has succeeded or is left out.
//! - **Failure.** A handler that returns an error or panics is never acknowledged: the error goes to stderr with the shard and
//!   the record, and the process ends with exit code 1. Retry, skip and dead-letter are
//!   [spelled out](macro@processor#records-that-fail) by the user.
//! - **Stdio.** stdout is the protocol's. What user code prints, to stdout or stderr, goes to stderr; processes it starts
//!   inherit neither the daemon's messages nor its pipes. See [`Runner::run`].
//!
//! # Features
//!
//! - `macros` (on by default): the attributes. Without it, implement [`Processor`] by hand.
//! - `tracing`: spans and events with the target `kcl`, for any subscriber of the `tracing` crate:
//!
//!   | level | what |
//!   |---|---|
//!   | info | span `shard` around everything: `shard_id`, `position` |
//!   | debug | span `message` around a handler's work on one: `action`, `records`, `first_sequence_number`, `last_sequence_number` |
//!   | trace | span `record` around a record handler's work on one: `sequence_number`, `sub_sequence_number` |
//!   | warn | events of what is tried again, skipped and dead-lettered, with `error` and `attempts`, and of refused checkpoints |
//!   | debug | events of checkpoints, with their `sequence_number`; none is the end of the batch, or of the shard |
//!
//!   Levels that nobody listens to cost next to nothing. A subscriber may write to stdout as it is used to: what arrives there
//!   goes to stderr. Set it up in `#[on_init]`, or in a `main` of your own.

// The attributes' pages are not there without them.
#![cfg_attr(not(feature = "macros"), allow(rustdoc::broken_intra_doc_links))]

#[cfg(not(unix))]
compile_error!("kcl needs a Unix: a processor's stdin, stdout and stderr are moved aside by file descriptor");

#[cfg(feature = "macros")]
mod attributes;
mod checkpoint;
mod connection;
mod counts;
pub mod dead_letter;
mod error;
mod excerpt;
#[doc(hidden)]
pub mod handler;
mod lent_io;
mod line_reader;
mod payload;
mod policy;
mod processor;
pub mod protocol;
mod record;
mod report;
mod retry;
mod runner;
mod sequence;
mod shard;
mod stdio;
mod trace;
mod watch;

#[cfg(feature = "macros")]
pub use attributes::{
    on_dead_letter, on_init, on_lease_lost, on_record, on_records, on_shard_end, on_shutdown_requested, processor,
};

pub use checkpoint::{CheckpointError, Checkpointer};
pub use dead_letter::DeadLetter;
pub use error::{HandlerFailed, RunError};
pub use payload::{FromRecord, Json};
pub use policy::{Otherwise, Policy};
pub use processor::{
    Checkpoints, Initialize, LeaseLost, ProcessRecord, ProcessRecords, Processor, ShardEnded, ShutdownRequested,
};
pub use record::Record;
pub use runner::{Runner, run};
pub use sequence::{ParseSequenceNumberError, SequenceNumber};
pub use shard::{MillisBehindLatest, Position, Shard};

/// Any error: what the methods of [`Processor`] return, and what an error of a handler is turned into.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
