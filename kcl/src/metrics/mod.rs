//! Metrics of a running processor, as the environment variables `KCL_METRICS` and `KCL_METRICS_PERIOD` ask for them.
//!
//! A processor that is built with the feature `metrics` collects the same numbers for each of these forms. It sends a snapshot of them
//! at intervals and at its end. It opens no port. Without `KCL_METRICS`, nothing is collected.
//!
//! | `KCL_METRICS` | each snapshot is |
//! |---|---|
//! | `json` | a line of JSON on the real stderr, about this period |
//! | `emf` or `emf:NAMESPACE` | a line in CloudWatch's embedded metric format on the real stderr, about this period; the namespace is `kcl` unless it is given |
//! | `unix:PATH` | a datagram to this Unix socket, with a [`Snapshot`] as JSON, about the whole run; it is dropped if nobody listens, or not fast enough |
//!
//! Several of them are separated by commas. `KCL_METRICS_PERIOD` is the time between two lines: a whole number with one unit,
//! such as `30s` or `500ms`, and by default 10 s. A socket gets a snapshot every second, or once a period if that is shorter. `KCL_APP`
//! and `KCL_STREAM` name the application and the stream; `cargo kcl daemon` and `cargo kcl local` set them.
//!
//! Every attempt of a handler is timed, unless records are handled at once. With `concurrency`, each attempt that waits long is timed, and
//! one in 256 of the others. Without it, one record in 256 is timed, and each one after a slow record or a slow batch. A single slow
//! record among fast ones may be missing unless it takes seconds. Collecting costs at most 1 % of the instructions of a processor that
//! does nothing with small records.
//!
//! A program that listens to the socket reads each datagram as a [`Snapshot`]. Its numbers are totals since the start of the process,
//! and its histograms can be [merged](Histogram::merge) over shards, so a lost datagram loses nothing.
//!
//! ```
//! use kcl::metrics::Snapshot;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let datagram = br#"{"shard":"shardId-000000000000","totals":{"settled":400},"handler":{"count":1,"sum":9000000,"max":9000000,"buckets":[[321,1]]}}"#;
//! let snapshot: Snapshot = serde_json::from_slice(datagram)?;
//! assert_eq!((snapshot.totals.settled, snapshot.handler.quantile(0.99)), (400, 9_000_000));
//! # Ok(())
//! # }
//! ```

mod at_once;
mod classes;
mod collector;
mod emf;
mod line;
mod sender;
mod settings;
mod snapshot;

pub use self::snapshot::{Now, Running, Snapshot, Totals};
pub use crate::histogram::Histogram;

pub(crate) use self::collector::{Collector, Shared};
pub(crate) use self::settings::Settings;
