//! Metrics and health of a run, for `--metrics`, `cargo kcl health` and `cargo kcl top`.
//!
//! `local` and `daemon` report what happens to their shards here ([`Metrics`]), and processors that are built with the feature
//! `metrics` of `kcl` send their own numbers to a socket. Both meet on the [`board`]. A thread ([`server`]) answers requests for
//! them, on a socket that `health` and `top` find ([`folder`]), and on the address of `--metrics`. A build without the feature
//! `metrics` does none of it.

#[cfg(feature = "metrics")]
mod board;
#[cfg(feature = "metrics")]
pub(crate) mod client;
#[cfg(feature = "metrics")]
pub(crate) mod folder;
#[cfg(feature = "metrics")]
mod http;
#[cfg(feature = "metrics")]
mod life;
#[cfg(feature = "metrics")]
mod live;
#[cfg(feature = "metrics")]
mod mailbox;
mod options;
#[cfg(feature = "metrics")]
mod prometheus;
#[cfg(feature = "metrics")]
mod recent;
#[cfg(feature = "metrics")]
mod server;
#[cfg(feature = "metrics")]
mod shard;
mod site;
#[cfg(feature = "metrics")]
pub(crate) mod state;
#[cfg(feature = "metrics")]
mod sums;

use std::ffi::OsString;
use std::time::Duration;

use kcl::__private::Histogram;

#[cfg(feature = "metrics")]
pub(crate) use self::live::Metrics;
#[cfg(not(feature = "metrics"))]
pub(crate) use self::off::Metrics;
pub(crate) use self::options::{MetricsOptions, RunOptions};
pub(crate) use self::site::Site;

use crate::exit::of_io;

/// The description of a run.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "a build without metrics does not show it"))]
pub(crate) struct About {
    /// `local` or `daemon`.
    pub(crate) verb: &'static str,
    pub(crate) application: String,
    /// The stream, if the records come from one.
    pub(crate) stream: Option<String>,
    /// A handler that runs for this long is stuck.
    pub(crate) stuck_after: Duration,
}

impl About {
    /// The environment variables that name the run in the metrics of its processors, wherever these go.
    fn names(&self) -> Vec<(&'static str, OsString)> {
        let stream = self.stream.as_ref().map(|stream| ("KCL_STREAM", stream.into()));
        [("KCL_APP", self.application.clone().into())].into_iter().chain(stream).collect()
    }
}

/// The reason why metrics cannot be served.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "a build without metrics does not serve them"))]
pub(crate) enum MetricsError {
    #[error("the metrics cannot be served at {address}: {error}; give another address with --metrics")]
    Listen { address: std::net::SocketAddr, error: std::io::Error },
    #[error(
        "the metrics of processors cannot be received in {}: {error}; set XDG_RUNTIME_DIR or TMPDIR to another folder",
        path.display()
    )]
    Socket { path: std::path::PathBuf, error: std::io::Error },
    #[error("the metrics cannot be served: {0}")]
    Thread(std::io::Error),
}

impl MetricsError {
    /// The tool's exit code for this error.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Listen { error, .. } | Self::Socket { error, .. } | Self::Thread(error) => of_io(error),
        }
    }
}

/// Where a shard stands in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Stage {
    /// Its processor has not started yet.
    #[default]
    Waiting,
    Running,
    /// Its processor failed, and another one will start.
    Restarting,
    /// It was processed to its end.
    Ended,
    /// Another worker has its lease.
    Lost,
    /// Its processor was asked to stop.
    Stopped,
    Failed,
}

/// The tool's own observations of a shard's processors, whatever they are built with.
#[derive(Clone, Debug, Default)]
#[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "a build without metrics does not read them"))]
pub(crate) struct Seen {
    /// Records acknowledged.
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) checkpoints: u64,
    pub(crate) skipped: u64,
    pub(crate) dead_lettered: u64,
    /// The durations of batches with records, in nanoseconds.
    pub(crate) batches: Histogram,
    /// How long ago a processor first answered `initialize`.
    pub(crate) answered: Option<Duration>,
    /// The message that the processor is handling, and for how long.
    pub(crate) running: Option<(&'static str, Duration)>,
}

/// An event of the daemon.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "a build without metrics does not read them"))]
pub(crate) enum DaemonEvent {
    /// It was started, with this process id.
    Started(u32),
    /// It has initialized itself.
    Up,
    /// It holds no lease.
    Idle,
    /// It ended with this exit code.
    Ended(u8),
}

/// Metrics in a build without them.
#[cfg(not(feature = "metrics"))]
mod off {
    use std::ffi::OsString;

    use super::{About, DaemonEvent, MetricsError, MetricsOptions, Seen, Site, Stage};

    #[derive(Clone, Debug)]
    pub(crate) struct Metrics(About);

    impl Metrics {
        pub(crate) fn open(_: &MetricsOptions, about: About) -> Result<Self, MetricsError> {
            Ok(Self(about))
        }

        pub(crate) fn variables(&self) -> Vec<(&'static str, OsString)> {
            self.0.names()
        }

        pub(crate) fn work_as(&self, _: Option<&str>, _: &Site) {}

        pub(crate) fn reach(&self, _: &str, _: Stage) {}

        pub(crate) fn started(&self, _: &str) {}

        pub(crate) fn exited(&self, _: &str, _: Option<i32>) {}

        pub(crate) fn watch(&self, _: &str, _: impl Fn() -> Seen + Send + 'static, _: impl Fn(u64) + Send + 'static) {}

        pub(crate) fn catch_up(&self) {}

        pub(crate) fn daemon(&self, _: DaemonEvent) {}
    }
}
