//! The options of `cargo kcl top`.
#![cfg_attr(not(feature = "metrics"), allow(dead_code))]

use std::time::Duration;

use clap::Args;

use crate::args::interval;
use crate::metrics::RunOptions;

/// Show the shards of a running `daemon` or `local` live: rates, delays, latencies, retries, dead letters, checkpoints and restarts
///
/// Latencies and the number of running attempts come from processors that are built with the feature `metrics` of `kcl`. Of others, only what `local` itself
/// sees is shown. Without a terminal, the shards are shown once.
///
/// Keys: q quits, ? shows all keys, the arrow keys, Page Up and Page Down select a shard, Enter shows only its details, s sorts by the
/// next column, and r reverses the order.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 success, 1 the run does not answer, 2 usage error, 130 interrupted, 143 ended by SIGTERM or \
                  SIGHUP.\n\n\
                  Examples:\n  \
                  cargo kcl top\n  \
                  cargo kcl top --app revenue --once\n  \
                  cargo kcl top --address 9464 --json"
)]
pub(crate) struct TopOptions {
    #[command(flatten)]
    pub(crate) run: RunOptions,

    /// Show the shards once, and end
    #[arg(long)]
    pub(crate) once: bool,

    /// Write everything that is known to stdout once, as one JSON object
    #[arg(long, conflicts_with = "once")]
    pub(crate) json: bool,

    /// Ask for new numbers every TIME
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    pub(crate) every: Duration,
}
