//! The command line.

pub(crate) mod aws;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand};

use self::aws::{AwsOptions, PutOptions, StreamCommand, TailOptions};
use crate::input::key::Pointer;
use crate::input::lines::Input;
use crate::local::{AppName, Rates, Reshard, Rewind, StartAt};
use crate::new::NewOptions;
use crate::process::exec::Death;
use crate::replay::ReplayOptions;

// Headings of the help.
const PROGRAM: &str = "Program";
const INPUT: &str = "Input";
const SHARDS: &str = "Shards and processors";
const CHECKPOINTS: &str = "Checkpoints";
const CHAOS: &str = "Fault injection";
const REPORT: &str = "Output";

/// Run and develop record processors for Amazon Kinesis
#[derive(Debug, Parser)]
#[command(
    name = "cargo-kcl",
    bin_name = "cargo kcl",
    version,
    arg_required_else_help = true,
    max_term_width = 120,
    after_help = "Exit codes: 0 success, 1 a processor failed or something needs fixing, 2 usage error or bad input, 130 interrupted; see the help of \
                  each command for details.\n\n\
                  To get started:\n  \
                  cargo kcl new orders --path DIR_OF_KCL\n  \
                  cd orders\n  \
                  cargo kcl local --input orders.jsonl --key /customer --shards 2"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    New(NewOptions),
    Local(Box<LocalOptions>),
    Daemon(Box<DaemonOptions>),
    Emulate(EmulateOptions),
    Check(CheckOptions),
    Replay(ReplayOptions),
    Put(Box<PutOptions>),
    Tail(TailOptions),
    Stream(StreamCommand),
    /// Become the command, and end when the tool that started it ends
    #[command(name = crate::process::exec::VERB, hide = true)]
    Exec {
        parent: i32,
        /// How it is ended
        #[arg(value_enum)]
        death: Death,
        #[arg(required = true, last = true)]
        command: Vec<OsString>,
    },
}

/// Run a processor over files, standard input or a stream, as the MultiLangDaemon would run it over a stream
///
/// Splits the input into shards, runs one processor per shard, and speaks the MultiLangDaemon's protocol with it. The checks are
/// stricter than the real daemon's: what the daemon would skip silently is an error here.
///
/// Each line is a record; empty lines are skipped. Its arrival time is the time at which its file was last written, or, for
/// standard input, the time at which the run began. The shards end when all records have been delivered. With --format json each
/// line is an object that describes the record in full:
///
/// {"data": "text", "partitionKey": "k", "approximateArrivalTimestamp": 1700000000000}
///
/// Use `dataBase64` instead of `data` for bytes, and add `explicitHashKey` to choose the shard. Everything except the data is
/// optional.
///
/// With --stream the records come from a Kinesis stream, or from a stream of `cargo kcl emulate`. Each shard of the stream has a
/// processor. Splits and merges are followed, and child shards start after their parents. Records that the Kinesis Producer Library
/// aggregated are taken apart. This is for development, and for streams that one machine can handle. To use several machines, run
/// `cargo kcl daemon`.
///
/// On a terminal it shows the progress of each shard; elsewhere it prints a line every 5 s.
///
/// Checkpoints are discarded after the run unless --app or --state keeps them; then the next run resumes where the last one stopped.
/// A run is refused if the input before that point has changed, if the input has grown after its shards ended, if it is a different
/// stream, or while another run uses the same checkpoints.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Exit codes: 0 all shards ended, 1 a processor failed (the other shards continued) or --chaos found a broken promise, 2 usage error \
                  or bad input, 130 interrupted.\n\n\
                  Examples:\n  \
                  cargo kcl local --input orders.jsonl --key /customer --shards 4 --app revenue\n  \
                  zcat orders.gz | cargo kcl local --release --input -\n  \
                  cargo kcl local --input app.log --follow --from latest -- target/debug/alerts\n  \
                  cargo kcl local --stream orders --from latest --app revenue\n  \
                  cargo kcl local --input orders.jsonl --shards 4 --chaos 7\n  \
                  cargo kcl local --show-checkpoints --app revenue"
)]
pub(crate) struct LocalOptions {
    #[command(flatten)]
    pub(crate) program: ProgramOptions,

    /// Read records from this file, one per line; `-` is standard input. May be given several times
    #[arg(long, help_heading = INPUT, value_name = "FILE", required_unless_present_any = ["show_checkpoints", "stream"], value_parser = clap::value_parser!(Input))]
    pub(crate) input: Vec<Input>,

    /// Read this Kinesis stream instead of files. A stream does not end: stop the run with Ctrl-C or --limit
    #[arg(
        long, help_heading = INPUT,
        value_name = "NAME",
        value_parser = NonEmptyStringValueParser::new(),
        conflicts_with_all = ["input", "format", "key", "follow", "large_records", "shards", "reshard", "show_checkpoints"]
    )]
    pub(crate) stream: Option<String>,

    /// Format of an input line: the data of a record, or a JSON object that describes the record in full
    #[arg(long, help_heading = INPUT, value_enum, value_name = "lines|json", default_value_t = LineFormat::Lines, hide_possible_values = true)]
    pub(crate) format: LineFormat,

    /// JSON pointer to the partition key in each record, such as /customer; by default the key is the record's number
    #[arg(long, help_heading = INPUT, value_name = "POINTER")]
    pub(crate) key: Option<Pointer>,

    /// Keep reading after the end of the last --input, as `tail -F` does: across rotation, and from the start of a file that was
    /// truncated. A line is a record once its line feed has been written. Stop with Ctrl-C
    #[arg(long, help_heading = INPUT)]
    pub(crate) follow: bool,

    /// Where to start: at the first record, after the existing records (with --follow or --stream), or at a time in UTC (with
    /// --stream)
    #[arg(long, help_heading = INPUT, value_name = "trim-horizon|latest|TIME", default_value = "trim-horizon")]
    pub(crate) from: StartAt,

    /// Stop after N records of the input, as if the input ended there; the shards of a stream do not end
    #[arg(long, help_heading = INPUT, value_name = "N")]
    pub(crate) limit: Option<u64>,

    /// Accept records of up to 10 MiB instead of 1 MiB, as a stream configured for large records does
    #[arg(long, help_heading = INPUT)]
    pub(crate) large_records: bool,

    /// Split the records into N shards, with one process per shard
    #[arg(long, help_heading = SHARDS, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) shards: u32,

    /// Split or merge shards during the run, each after N records of the input: a split halves the widest shard, a merge joins the
    /// two narrowest neighbours. The new shards start when their parents have ended
    #[arg(long, help_heading = SHARDS, value_name = "split@N,merge@N,…")]
    pub(crate) reshard: Option<Reshard>,

    /// Run at most N processors at once; the others wait until one ends, and those of a stream's open shards never end. Requires
    /// files, which can be read again, or a stream
    #[arg(long, help_heading = SHARDS, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) jobs: Option<u32>,

    /// Restart a shard's failed processor up to N times, from its checkpoint, after a wait that doubles from 0.5 s to 30 s.
    /// Requires files, which can be read again, or a stream
    #[arg(long, help_heading = SHARDS, value_name = "N", default_value_t = 0)]
    pub(crate) restarts: u32,

    /// Report what a processor was asked to do when it has taken TIME and is not done
    #[arg(long, help_heading = SHARDS, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) stuck_after: Duration,

    /// Write the result of the run to stdout as one JSON object, instead of the table on stderr
    #[arg(long, help_heading = REPORT)]
    pub(crate) json: bool,

    /// Report only problems
    #[arg(long, help_heading = REPORT, short)]
    pub(crate) quiet: bool,

    /// Send at most N records in a processRecords message; a message never carries more than 10 MiB of data
    #[arg(long, help_heading = SHARDS, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) max_records: u32,

    /// Keep checkpoints under this name, in .kcl next to the workspace's Cargo.toml or else in the current directory, and resume
    /// from them next time
    #[arg(long, help_heading = CHECKPOINTS, value_name = "NAME")]
    pub(crate) app: Option<AppName>,

    /// Keep checkpoints in this folder, under the processor's name unless --app is given
    #[arg(long, help_heading = CHECKPOINTS, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,

    /// Discard the kept checkpoints and start over
    #[arg(long, help_heading = CHECKPOINTS)]
    pub(crate) fresh: bool,

    /// Move a shard's kept checkpoint back before the run: delivery resumes after this record, or at the first record with
    /// TRIM_HORIZON. May be given several times
    #[arg(long, help_heading = CHECKPOINTS, value_name = "SHARD=SEQUENCE", conflicts_with = "fresh")]
    pub(crate) rewind: Vec<Rewind>,

    /// Inject production failures on a schedule derived from SEED, and verify that no record is lost
    #[arg(
        long,
        help_heading = CHAOS,
        value_name = "SEED",
        conflicts_with_all = ["app", "state", "fresh", "rewind", "show_checkpoints"],
        long_help = crate::local::CHAOS_HELP
    )]
    pub(crate) chaos: Option<u64>,

    /// Set the probability of each fault of --chaos, from 0 to 1, as in all=0,kill=0.2; faults not named keep their defaults
    #[arg(long, help_heading = CHAOS, value_name = "NAME=RATE,…", requires = "chaos")]
    pub(crate) chaos_rates: Option<Rates>,

    /// Record each conversation with a processor in this folder, in both directions, as it happens; `cargo kcl replay` replays it
    ///
    /// Each conversation has its own folder: DIR/SHARD for a shard's first processor, DIR/SHARD.2 for the second, and so on. in.jsonl
    /// holds what was sent to the processor, out.jsonl what it sent back, times.tsv the times and the order, and exit its exit code,
    /// unless a signal ended it. Each line is in the file before it is passed on. DIR must be empty.
    #[arg(long, help_heading = REPORT, value_name = "DIR")]
    pub(crate) record: Option<PathBuf>,

    /// Show the checkpoints that --app keeps, without running anything
    #[arg(long, help_heading = CHECKPOINTS, conflicts_with_all = ["input", "fresh", "rewind", "json"])]
    pub(crate) show_checkpoints: bool,

    #[command(flatten)]
    pub(crate) aws: AwsOptions,
}

/// The format of an input line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LineFormat {
    Lines,
    Json,
}

impl std::fmt::Display for LineFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Lines => "lines",
            Self::Json => "json",
        })
    }
}

/// The program to run: one to build first, as `cargo run` would, or any command.
#[derive(Debug, Args)]
pub(crate) struct ProgramOptions {
    /// Build and run this example
    #[arg(long, help_heading = PROGRAM, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), conflicts_with = "bin")]
    pub(crate) example: Option<String>,

    /// Build and run this binary; by default the one that `cargo run` would run
    #[arg(long, help_heading = PROGRAM, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) bin: Option<String>,

    /// Build this package
    #[arg(long, help_heading = PROGRAM, short, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) package: Option<String>,

    /// Build with optimizations
    #[arg(long, help_heading = PROGRAM, short)]
    pub(crate) release: bool,

    /// Run this command instead of building a program
    #[arg(last = true, help_heading = PROGRAM, value_name = "COMMAND", conflicts_with_all = ["example", "bin", "package", "release"])]
    pub(crate) command: Vec<OsString>,
}

/// Run a processor under Amazon's MultiLangDaemon, over a stream, with any number of workers
///
/// The daemon is Amazon's Kinesis Client Library in Java. It handles leases, load balancing, failover and resharding. This command
/// installs it once through Maven, writes its properties, runs it, shows the important part of its log, and stops it gracefully.
///
/// With --emulate it first starts a local Kinesis and a local DynamoDB, and does not need an AWS account.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Exit codes: the daemon's exit code (143 if it was asked to stop), 1 if the daemon gave up, whatever its exit code, 2 usage error, bad \
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

    /// Where to start a shard that has no checkpoint yet; by default at trim-horizon, the oldest record
    #[arg(long, value_name = "trim-horizon|latest|TIME", env = "KCL_FROM")]
    pub(crate) from: Option<crate::daemon::StartAt>,

    /// URL of Kinesis, if it is not the region's; by default AWS_ENDPOINT_URL_KINESIS
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,

    /// URL of DynamoDB, if it is not the region's; by default AWS_ENDPOINT_URL_DYNAMODB
    #[arg(long, value_name = "URL")]
    pub(crate) dynamodb_endpoint: Option<String>,

    /// How to read records: polling shares the stream's throughput; fanout has dedicated throughput, for which AWS charges
    #[arg(long, value_name = "polling|fanout", env = "KCL_RETRIEVAL")]
    pub(crate) retrieval: Option<crate::daemon::Retrieval>,

    /// Fetch at most N records per GetRecords call, and so per processRecords message (polling)
    #[arg(long, value_name = "N", env = "KCL_MAX_RECORDS")]
    pub(crate) max_records: Option<u32>,

    /// Set any property of the daemon; `cargo kcl check --list` shows them all. May be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = crate::daemon::parse_set)]
    pub(crate) set: Vec<(String, String)>,

    /// Start from this properties file
    #[arg(long, value_name = "FILE")]
    pub(crate) properties: Option<PathBuf>,

    /// Use a local Kinesis and DynamoDB: those at --endpoint and --dynamodb-endpoint if both are given, otherwise new ones
    #[arg(long)]
    pub(crate) emulate: bool,

    #[command(flatten)]
    pub(crate) content: StreamOptions,

    /// Use the jars in this folder instead of those that Maven fetches
    #[arg(long, value_name = "DIR")]
    pub(crate) jars: Option<PathBuf>,

    /// Print the command and the properties, and run only the build
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Show everything that the daemon logs
    #[arg(long, short)]
    pub(crate) verbose: bool,

    /// Write everything that the daemon logs to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
}

/// Run a local Kinesis and a local DynamoDB, for any program that uses an AWS SDK
///
/// Both are installed once, through npm and Maven, and listen on this machine only. When they are up, the environment variables that
/// a program needs are written to stdout, one `export NAME=value` per line, to paste into another shell. Both stop with this command,
/// and their data is lost.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 after Ctrl-C or SIGTERM, 1 if an emulator fails, 2 usage error, bad input or a missing tool.\n\n\
                  Examples:\n  \
                  cargo kcl emulate --stream orders --shards 4 --input orders.jsonl --key /customer\n  \
                  cargo kcl emulate > aws.env    # and, once it is up, in other shells: . ./aws.env"
)]
pub(crate) struct EmulateOptions {
    /// Create this stream
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) stream: Option<String>,

    #[command(flatten)]
    pub(crate) content: StreamOptions,

    /// Show the output of the emulators
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

/// The shards and records of a new stream of the emulator.
#[derive(Debug, Args)]
pub(crate) struct StreamOptions {
    /// Create the stream with N shards [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) shards: Option<u32>,

    /// Put the lines of this file on the stream, each as a record; `-` is standard input. May be given several times
    #[arg(long, value_name = "FILE", value_parser = clap::value_parser!(Input))]
    pub(crate) input: Vec<Input>,

    /// JSON pointer to the partition key in each record, such as /customer; by default the key is the record's number
    #[arg(long, value_name = "POINTER", requires = "input")]
    pub(crate) key: Option<Pointer>,
}

/// Check properties files of the MultiLangDaemon
///
/// The daemon silently ignores a key that it does not know, treats a number that it cannot parse as 0, and drops a 0. Each finding
/// names the line, the reason and the fix.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Exit codes: 0 no findings, 1 a finding, 2 usage error or a file that cannot be read.\n\n\
                  Examples:\n  \
                  cargo kcl check revenue.properties\n  \
                  cargo kcl check --list"
)]
pub(crate) struct CheckOptions {
    /// Check these files
    #[arg(value_name = "FILE", required_unless_present = "list")]
    pub(crate) files: Vec<PathBuf>,

    /// Print every key with its type, default and meaning
    #[arg(long, conflicts_with = "files")]
    pub(crate) list: bool,
}

/// Parses a duration such as `500ms`, `30s` or `2m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("write a time such as 500ms, 30s or 2m ({error})"))
}

impl ProgramOptions {
    /// Whether any option chooses the program.
    pub(crate) fn is_given(&self) -> bool {
        self.example.is_some() || self.bin.is_some() || self.package.is_some() || !self.command.is_empty()
    }
}

impl StreamOptions {
    /// Whether any of these options was given.
    pub(crate) fn is_given(&self) -> bool {
        self.shards.is_some() || !self.input.is_empty() || self.key.is_some()
    }

    /// The number of shards of the stream.
    pub(crate) fn shards(&self) -> u32 {
        self.shards.unwrap_or(1)
    }
}
