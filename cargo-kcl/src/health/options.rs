//! The options of `cargo kcl health`.
#![cfg_attr(not(feature = "metrics"), allow(dead_code))]

use std::time::Duration;

use clap::Args;

use crate::args::interval;
use crate::metrics::RunOptions;

/// Report with the exit code whether a running `daemon` or `local` is healthy, for probes that run a command
///
/// A run is healthy if its daemon is running and no processor is stuck. It is ready if its daemon is up, and a processor has received its
/// first message or there is no lease to hold.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 healthy, 1 not healthy or not running, 2 usage error; stderr says why.\n\n\
                  Examples:\n  \
                  cargo kcl health --app revenue\n  \
                  cargo kcl health --ready --address 9464")]
pub(crate) struct HealthOptions {
    #[command(flatten)]
    pub(crate) run: RunOptions,

    /// Ask whether the run is ready
    #[arg(long)]
    pub(crate) ready: bool,

    /// Wait at most TIME for an answer
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = interval)]
    pub(crate) timeout: Duration,
}
