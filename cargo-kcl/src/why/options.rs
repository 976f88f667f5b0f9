//! The options of `cargo kcl why`.
#![cfg_attr(not(feature = "aws"), allow(dead_code))]

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::args::{ApplicationOptions, AwsOptions, ShardName, interval};

/// Say for each shard of an application whether it moves, and if not, why and what to do
///
/// The answer comes from the lease table, the shards of the stream and their records at the checkpoints. The command watches the leases for
/// twice failoverTimeMillis if something does not move, or if a lease is missing or free. With --log, it also reads what the daemon and its processors logged, and names
/// the record that a handler is working on, and the calls that AWS refuses.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 every shard moves, waits for records or its parent, or is done; 1 a shard does not move, or AWS did not answer; 2 usage error, no region or no \
                  credentials; 130 interrupted.\n\n\
                  Examples:\n  \
                  cargo kcl why --app revenue --stream orders\n  \
                  cargo kcl why --properties revenue.properties --log daemon.log --shard 3"
)]
pub(crate) struct WhyOptions {
    #[command(flatten)]
    pub(crate) application: ApplicationOptions,

    /// Report on this shard only, given by its id or number. May be given several times
    #[arg(long, value_name = "SHARD")]
    pub(crate) shard: Vec<ShardName>,

    /// Read this log of the daemon, too: the file of `cargo kcl daemon --log FILE`, or its stderr with --log-format json. May be given
    /// several times
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Vec<PathBuf>,

    /// Watch the leases for at least this long, so that slow shards are seen to move; by default twice failoverTimeMillis
    #[arg(long, value_name = "TIME", value_parser = interval)]
    pub(crate) watch: Option<Duration>,

    /// Print the result as one JSON object
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) aws: AwsOptions,
}
