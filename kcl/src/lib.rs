//! Scaffold of the crate's documentation.

#[cfg(not(unix))]
compile_error!("kcl needs a Unix: a processor's stdin, stdout and stderr are moved aside by file descriptor");

mod checkpoint;
mod connection;
mod error;
mod excerpt;
#[doc(hidden)]
pub mod handler;
mod lent_io;
mod line_reader;
mod payload;
mod processor;
pub mod protocol;
mod record;
mod report;
mod retry;
mod runner;
mod sequence;
mod shard;
mod stdio;

pub use checkpoint::{CheckpointError, Checkpointer};
pub use error::{HandlerFailed, RunError};
pub use payload::{FromRecord, Json};
pub use processor::{
    Checkpoints, Initialize, LeaseLost, ProcessRecord, ProcessRecords, Processor, ShardEnded, ShutdownRequested,
};
pub use record::Record;
pub use runner::{Runner, run};
pub use sequence::{ParseSequenceNumberError, SequenceNumber};
pub use shard::{MillisBehindLatest, Position, Shard};

/// Any error: what the methods of [`Processor`] return, and what an error of a handler is turned into.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
