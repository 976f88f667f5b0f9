//! The options of `cargo kcl daemon`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::compose::{Retrieval, parse_from, parse_set};
use crate::args::{InstallOptions, LockOptions, LogOptions, REPORT, StartAt, count, duration};
use crate::emulate::StreamOptions;
use crate::metrics::MetricsOptions;
use crate::process::program::ProgramOptions;

/// Run a processor under Amazon's MultiLangDaemon, over a stream, with any number of workers
///
/// The daemon is Amazon's Kinesis Client Library in Java. It handles leases, load balancing, failover and resharding. This command
/// installs it once, through Maven or Java, writes its properties, runs it, shows the important part of its log, and stops it gracefully.
///
/// With --emulate it first starts a local Kinesis and a local DynamoDB, and does not need an AWS account.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: the daemon's exit code (143 if it was asked to stop), 1 if the daemon gave up, even with 0, or an emulator failed, 2 usage error, bad \
                  properties or a missing tool, 130 interrupted.\n\nOptions override the properties file, and --set overrides both.\n\n\
                  Examples:\n  \
                  cargo kcl daemon --emulate --input orders.jsonl --shards 4\n  \
                  cargo kcl daemon --stream orders --app revenue --region us-east-1 --release"
)]
pub(crate) struct DaemonOptions {
    #[command(flatten)]
    pub(crate) program: ProgramOptions,

    /// Name of the stream
    #[arg(long, value_name = "NAME", env = "KCL_STREAM")]
    pub(crate) stream: Option<String>,

    /// ARN of the stream
    #[arg(long, value_name = "ARN", env = "KCL_STREAM_ARN", conflicts_with = "stream")]
    pub(crate) stream_arn: Option<String>,

    /// Name of the application: its workers share the leases, which are kept in a DynamoDB table of the same name
    #[arg(long, value_name = "NAME", env = "KCL_APP")]
    pub(crate) app: Option<String>,

    /// Region of the stream and the tables; by default the one that the AWS SDK finds, such as AWS_REGION
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,

    /// Profile of AWS with the credentials; by default AWS_PROFILE, or the credentials that the AWS SDK finds
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), conflicts_with = "emulate")]
    pub(crate) aws_profile: Option<String>,

    /// Where to start a shard that does not have a checkpoint yet: at the oldest record (the default), after the existing records, or at
    /// TIME, such as 2026-01-31T12:00:00+01:00, 2026-01-31 or -2h
    #[arg(long, value_name = "trim-horizon|latest|TIME", env = "KCL_FROM", value_parser = parse_from, allow_hyphen_values = true)]
    pub(crate) from: Option<StartAt>,

    /// URL of Kinesis, if it is not the region's; by default AWS_ENDPOINT_URL_KINESIS
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,

    /// URL of DynamoDB, if it is not the region's; by default AWS_ENDPOINT_URL_DYNAMODB
    #[arg(long, value_name = "URL")]
    pub(crate) dynamodb_endpoint: Option<String>,

    /// How to read records: polling shares the stream's throughput; fanout has dedicated throughput, for which AWS charges. By default
    /// fanout, or polling if --max-records or another property of polling is given
    #[arg(long, value_name = "polling|fanout", env = "KCL_RETRIEVAL")]
    pub(crate) retrieval: Option<Retrieval>,

    /// Fetch at most N records per GetRecords call, and therefore per processRecords message (with polling)
    #[arg(long, value_name = "N", value_parser = count(clap::value_parser!(u32)), env = "KCL_MAX_RECORDS")]
    pub(crate) max_records: Option<u32>,

    /// Set any property of the daemon; `cargo kcl check --list` shows them all. May be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_set)]
    pub(crate) set: Vec<(String, String)>,

    /// Read properties from this file
    #[arg(long, value_name = "FILE")]
    pub(crate) properties: Option<PathBuf>,

    /// Use a local Kinesis and DynamoDB: those at --endpoint and --dynamodb-endpoint if both are given, otherwise new ones
    #[arg(long)]
    pub(crate) emulate: bool,

    #[command(flatten)]
    pub(crate) content: StreamOptions,

    #[command(flatten)]
    pub(crate) lock: LockOptions,

    #[command(flatten)]
    pub(crate) install: InstallOptions,

    /// Use the jars in this folder instead of fetching any
    #[arg(long, value_name = "DIR")]
    pub(crate) jars: Option<PathBuf>,

    /// Restart the daemon when it ends by itself, which it does as soon as a processor dies: up to N times in a row, by default 10,
    /// after a wait that doubles from 1 s to 1 min. For machines without a supervisor such as systemd or Kubernetes
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "10", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) restart: Option<u32>,

    /// Install the daemon's files into the cache and end, as for an image; a later run needs neither a network nor a cache that can be
    /// written
    #[arg(long = "install", conflicts_with_all = ["dry_run", "emulate", "jars"])]
    pub(crate) installs: bool,

    /// Print the command and the properties, and run only the build
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Show everything that the daemon logs
    #[arg(long, short)]
    pub(crate) verbose: bool,

    /// Add everything that the daemon logs to this file. At 64 MiB it is renamed to FILE.1, and another one is begun
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) metrics: MetricsOptions,

    /// Let /livez and `cargo kcl health` fail while a processor with the feature `metrics` has spent TIME on a call, or on a record
    #[arg(long, help_heading = REPORT, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub(crate) stuck_after: Duration,

    #[command(flatten)]
    pub(crate) output: LogOptions,
}
