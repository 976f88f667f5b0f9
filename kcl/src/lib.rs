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
//! That is a complete `src/main.rs`. [`processor`](macro@processor) generates `main` and the code that talks to
//! Amazon's MultiLangDaemon, which starts the program once for each shard and talks to it through stdin and stdout (see
//! [`protocol`]). On your own machine, `cargo kcl local` stands in for the daemon.
//!
//! # Correct by default
//!
//! - **Delivery is at least once.** Records that are not checkpointed are delivered again, to this process's successor
//!   or to another worker's process.
//! - **Checkpoints.** If the record handler does not take a [`Checkpointer`], the runtime makes the checkpoints: after
//!   each batch that succeeded, or [at another pace](macro@processor#who-checkpoints); before it gives up on a batch that
//!   failed (for the records before the failed one); and when a shutdown is requested. If the handler takes a
//!   [`Checkpointer`], it makes all of these itself. SHARD_END is always checkpointed, once `#[on_shard_end]` has
//!   succeeded or if there is no such handler.
//! - **Failure.** If a handler returns an error or panics, its message is never acknowledged: the error goes to stderr
//!   with the shard and the record, and the process ends with exit code 1. Retries, skipped records and dead letters
//!   exist only where the user [asks for them](macro@processor#records-that-fail).
//! - **Stdio.** stdout belongs to the protocol. Anything that user code prints, to stdout or stderr, goes to stderr.
//!   Processes that user code starts inherit neither the daemon's messages nor its pipes. See [`Runner::run`].
//!
//! # Features
//!
//! - `macros` (on by default): the attributes. Without this feature, implement [`Processor`] by hand.
//! - `daemon`: the daemon's side of the protocol, in the module [`protocol`], for programs that stand in for the daemon.
//! - `metrics`: counts, latencies and delays of a running processor, as lines on stderr or datagrams to a socket, if the
//!   environment variable `KCL_METRICS` asks for them; see the module [`metrics`].
//! - `testing`: the module [`testing`], a daemon in process for tests of processors, with the page "Testing a processor";
//!   and `#[kcl::test]`, which lets it follow random schedules. It belongs in `[dev-dependencies]`, and turns on `daemon`.
//! - `tokio`: handlers may be `async`. The runtime is a `current_thread` runtime of tokio, and blocking and `async` handlers
//!   mix. By hand, implement [`AsyncProcessor`] instead of [`Processor`]. Without the feature, there is no runtime, and a processor
//!   must not be run inside of one.
//! - `tracing`: spans and events with the target `kcl`, for any subscriber of the `tracing` crate:
//!
//!   | level | content |
//!   |---|---|
//!   | info | span `shard` around the whole run: `shard_id`, `position` |
//!   | debug | span `message` around a handler's work on one message: `action`, `records`, `first_sequence_number`, `last_sequence_number` |
//!   | trace | span `record` around a record handler's work on one record: `sequence_number`, `sub_sequence_number` |
//!   | warn | events for retries and for skipped and dead-lettered records, with `error` and `attempts`; events for refused checkpoints |
//!   | debug | events for checkpoints, with their `sequence_number`; without one, the checkpoint is for the end of the batch or of the shard |
//!
//!   The event for a retry has the `sequence_number` of the record, unless the whole batch failed. Calls with halves of a batch are not
//!   events. With many records at once, there is no span of the message: records of several messages run together.
//!
//!   Levels without a subscriber cost next to nothing. A subscriber may write to stdout as usual: its output goes to stderr.
//!   Set it up in `#[on_init]`, or in your own `main`.
//!
#![cfg_attr(not(feature = "tokio"), doc = "[`AsyncProcessor`]: #features")]
#![cfg_attr(feature = "metrics", doc = "[`metrics`]: crate::metrics")]
#![cfg_attr(not(feature = "metrics"), doc = "[`metrics`]: #features")]
#![cfg_attr(feature = "testing", doc = "[`testing`]: crate::testing")]
#![cfg_attr(not(feature = "testing"), doc = "[`testing`]: #features")]
// Without the feature `macros`, the attributes' pages do not exist.
#![cfg_attr(not(feature = "macros"), allow(rustdoc::broken_intra_doc_links))]

#[cfg(not(unix))]
compile_error!("kcl supports only Unix: it moves the stdin, stdout and stderr of a processor by file descriptor");

mod async_processor;
#[cfg(feature = "macros")]
mod attributes;
mod buffers;
mod chain;
mod checkpoint;
mod clock;
mod concurrency;
pub mod dead_letter;
mod diagnosis;
mod error;
mod excerpt;
mod failed_records;
mod handler;
#[cfg(any(feature = "daemon", feature = "metrics", test))]
mod histogram;
mod inputs;
mod io;
mod measure;
#[cfg(feature = "metrics")]
pub mod metrics;
mod panics;
mod payload;
mod permanent;
mod policy;
mod processor;
pub mod protocol;
mod record;
mod redact;
mod runner;
#[cfg(feature = "tokio")]
mod runtime;
mod sequence;
mod shard;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
mod trace;

#[cfg(feature = "macros")]
pub use attributes::{
    on_dead_letter, on_init, on_lease_lost, on_record, on_records, on_shard_end, on_shutdown_requested, on_tick,
    processor,
};

// The names that people write instead of `processor`. That of the trait is one of them, and an attribute can have it, too.
#[cfg(feature = "macros")]
#[doc(hidden)]
pub use attributes::{
    Processor, RecordProcessor, async_processor, consumer, handler, main, porcessor, proccesor, proccessor, procesor,
    process, process_records, processer, processors, processsor, record_processor, shard_processor,
};

#[cfg(all(feature = "macros", feature = "testing"))]
pub use attributes::test;

#[cfg(feature = "tokio")]
pub use async_processor::{AsyncInitialize, AsyncProcessor};
pub use checkpoint::Checkpointer;
// It can be imported without the feature, too. Then the only error about an `async` handler that takes it names the feature.
#[cfg_attr(not(feature = "tokio"), doc(hidden))]
pub use checkpoint::asynchronous::AsyncCheckpointer;
pub use checkpoint::error::CheckpointError;
pub use checkpoint::pace::Checkpoints;
#[cfg(feature = "tokio")]
pub use concurrency::{Concurrency, ConcurrentRecord, ConcurrentTick, Order};
pub use dead_letter::DeadLetter;
pub use error::{BoxError, HandlerError, RunError};
pub use failed_records::FailedRecords;
pub use inputs::{LeaseLost, ProcessRecord, ProcessRecords, ShardEnded, ShutdownRequested, Tick};
pub use payload::{FromRecord, Json};
pub use permanent::Permanent;
pub use policy::{FailureAction, FailurePolicy};
pub use processor::{Initialize, Processor};
pub use record::Record;
pub use runner::{Runner, run};
#[cfg(feature = "tokio")]
pub use runtime::{AsyncRunner, run_async};
pub use sequence::{ParseSequenceNumberError, SequenceNumber};
pub use shard::{MillisBehindLatest, Position, Shard};

/// Items for the expansion of `#[kcl::processor]`, and for simulations with the test kit's half of a daemon. They are not part
/// of the public API.
#[doc(hidden)]
pub mod __private {
    pub use crate::async_processor::{AsyncInitialize, AsyncProcessor};
    pub use crate::chain::LONGEST_TEXT;
    pub use crate::checkpoint::asynchronous::AsyncCheckpointer;
    pub use crate::clock::{Clock, Sleep};
    pub use crate::concurrency::{Concurrency, ConcurrentRecord, ConcurrentTick, Order};
    pub use crate::error::passed_over;
    pub use crate::excerpt::{is_harmful, middle_cut};
    pub use crate::handler::*;
    #[cfg(any(feature = "daemon", feature = "metrics", test))]
    pub use crate::histogram::Histogram;
    pub use crate::io::lines::{Io, Lines, Received, Watcher};
    #[cfg(feature = "testing")]
    pub use crate::protocol::scanner::Scanner;
    pub use crate::sequence::{Decimal, number_of_parts};
    #[cfg(feature = "testing")]
    pub use crate::testing::{schedules, wire};
}
