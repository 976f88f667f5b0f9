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
const PROGRAM: &str = "What runs";
const INPUT: &str = "Input";
const SHARDS: &str = "Shards and their processors";
const CHECKPOINTS: &str = "Checkpoints";
const CHAOS: &str = "What goes wrong";
const REPORT: &str = "What it says and keeps";

/// Run and develop record processors for Amazon Kinesis
#[derive(Debug, Parser)]
#[command(
    name = "cargo-kcl",
    bin_name = "cargo kcl",
    version,
    arg_required_else_help = true,
    max_term_width = 120,
    after_help = "Exit codes: 0 all went well, 1 a processor failed or there is something to mend, 2 wrong use or bad input, 130 interrupted; the help \
                  of each command says more.\n\n\
                  To begin with:\n  \
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
    /// Becomes the command, and dies with the tool that started it
    #[command(name = crate::process::exec::VERB, hide = true)]
    Exec {
        parent: i32,
        /// How it dies
        #[arg(value_enum)]
        death: Death,
        #[arg(required = true, last = true)]
        command: Vec<OsString>,
    },
}

/// Run a processor over files, standard input or a stream, as the MultiLangDaemon would over a stream
///
/// Splits the input into shards, runs the processor once a shard and speaks the MultiLangDaemon's protocol with it, more
/// strictly than that: what the real daemon would skip in silence is an error here.
///
/// A record is what stands before a line feed; empty lines are skipped. It arrived when its file was last written, or for
/// standard input when the run began. When all records were delivered the shards end. With --format json a line is an object
/// that spells the record out:
///
/// {"data": "text", "partitionKey": "k", "approximateArrivalTimestamp": 1700000000000}
///
/// with `dataBase64` in place of `data` for bytes, and `explicitHashKey` where that is to say the shard; all but the data may be
/// left out.
///
/// With --stream the records are those of a stream of Kinesis, or of the emulator of `cargo kcl emulate`: each of its shards has a
/// processor, through splits and merges, children behind their parents; records that the Kinesis Producer Library put together
/// are taken apart. This is for development, and for streams that one machine can carry. The engine for more than one is `cargo
/// kcl daemon`.
///
/// On a terminal it shows how far each shard is, elsewhere a line every 5 s.
///
/// Checkpoints go with the run unless --app or --state keeps them; then a run goes on where the last one stopped. It is refused
/// if the input is not what it was up to there, has grown behind shards that ended, or is another stream, and while another run is at
/// work on the same checkpoints.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Exit codes: 0 all shards ended, 1 a processor failed (the other shards ran on) or --chaos found a promise broken, 2 wrong use or \
                  bad input, 130 interrupted.\n\n\
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

    /// A file of records, one a line; `-` is standard input. May be given several times
    #[arg(long, help_heading = INPUT, value_name = "FILE", required_unless_present_any = ["show_checkpoints", "stream"], value_parser = clap::value_parser!(Input))]
    pub(crate) input: Vec<Input>,

    /// A stream of Kinesis to read in place of files. A stream has no end: Ctrl-C ends the run, or --limit
    #[arg(
        long, help_heading = INPUT,
        value_name = "NAME",
        value_parser = NonEmptyStringValueParser::new(),
        conflicts_with_all = ["input", "format", "key", "follow", "large_records", "shards", "reshard", "show_checkpoints"]
    )]
    pub(crate) stream: Option<String>,

    /// What a line of the input is: a record's data, or an object that spells the record out
    #[arg(long, help_heading = INPUT, value_enum, value_name = "lines|json", default_value_t = LineFormat::Lines, hide_possible_values = true)]
    pub(crate) format: LineFormat,

    /// JSON pointer to the partition key in each record, such as /customer; without it the key is the record's number
    #[arg(long, help_heading = INPUT, value_name = "POINTER")]
    pub(crate) key: Option<Pointer>,

    /// Go on reading behind the end of the last --input, as `tail -F` does: through rotation, and from the start of a file that
    /// was cut short. A line counts once its line feed is there. Ctrl-C ends it
    #[arg(long, help_heading = INPUT)]
    pub(crate) follow: bool,

    /// Where to start: at the first record, with --follow or --stream behind what is there, or with --stream at a time in UTC
    #[arg(long, help_heading = INPUT, value_name = "trim-horizon|latest|TIME", default_value = "trim-horizon")]
    pub(crate) from: StartAt,

    /// Stop behind so many records of the input, as if it ended there; the shards of a stream do not end
    #[arg(long, help_heading = INPUT, value_name = "N")]
    pub(crate) limit: Option<u64>,

    /// Take records of up to 10 MiB, as a stream does that was told so, instead of 1 MiB
    #[arg(long, help_heading = INPUT)]
    pub(crate) large_records: bool,

    /// How many shards to split the records into: one process each
    #[arg(long, help_heading = SHARDS, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) shards: u32,

    /// Split or merge shards while running, behind so many records of the input: a split halves the widest shard, a merge joins
    /// the two narrowest neighbours. The new shards start when those they come from have ended
    #[arg(long, help_heading = SHARDS, value_name = "split@N,merge@N,…")]
    pub(crate) reshard: Option<Reshard>,

    /// How many processors run at once; the others wait until one has ended, which those of a stream's open shards never do.
    /// Takes files, which can be read again, or a stream
    #[arg(long, help_heading = SHARDS, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) jobs: Option<u32>,

    /// Restart a shard's processor that fails up to so many times, from its checkpoint, after a wait that doubles from 0.5 s to
    /// 30 s. Takes files, which can be read again, or a stream
    #[arg(long, help_heading = SHARDS, value_name = "N", default_value_t = 0)]
    pub(crate) restarts: u32,

    /// Say what a processor was asked to do once it has been at it for so long
    #[arg(long, help_heading = SHARDS, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) stuck_after: Duration,

    /// Write what the run came to as one JSON object to stdout, in place of the table on stderr
    #[arg(long, help_heading = REPORT)]
    pub(crate) json: bool,

    /// Say nothing but what goes wrong
    #[arg(long, help_heading = REPORT, short)]
    pub(crate) quiet: bool,

    /// The most records a processRecords message brings; it never brings more than 10 MiB of data
    #[arg(long, help_heading = SHARDS, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) max_records: u32,

    /// Keep checkpoints under this name, in .kcl beside the workspace's Cargo.toml or else here, and go on from them next time
    #[arg(long, help_heading = CHECKPOINTS, value_name = "NAME")]
    pub(crate) app: Option<AppName>,

    /// Keep checkpoints in this folder; without --app under the processor's name
    #[arg(long, help_heading = CHECKPOINTS, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,

    /// Forget the checkpoints that are kept, and start anew
    #[arg(long, help_heading = CHECKPOINTS)]
    pub(crate) fresh: bool,

    /// Move a shard's kept checkpoint back before the run: delivery goes on behind this record, or with TRIM_HORIZON from the
    /// first one. May be given several times
    #[arg(long, help_heading = CHECKPOINTS, value_name = "SHARD=SEQUENCE", conflicts_with = "fresh")]
    pub(crate) rewind: Vec<Rewind>,

    /// Let go wrong what goes wrong in production, by a schedule drawn from this number, and check that nothing is lost by it
    #[arg(
        long,
        help_heading = CHAOS,
        value_name = "SEED",
        conflicts_with_all = ["app", "state", "fresh", "rewind", "show_checkpoints"],
        long_help = crate::local::CHAOS_HELP
    )]
    pub(crate) chaos: Option<u64>,

    /// How probable each of the faults of --chaos is, from 0 to 1, as in all=0,kill=0.2; what is not named keeps its default
    #[arg(long, help_heading = CHAOS, value_name = "NAME=RATE,…", requires = "chaos")]
    pub(crate) chaos_rates: Option<Rates>,

    /// Keep each conversation with a processor in this folder, both ways, as it passes; `cargo kcl replay` plays it again
    ///
    /// A conversation has a folder of its own, DIR/SHARD for a shard's first processor, DIR/SHARD.2 for the second, and so on: in.jsonl
    /// is what the processor was told, out.jsonl what it said, times.tsv when and in which order, and exit its exit code, if no
    /// signal ended it. A line is in the file before it is passed on. DIR must be empty.
    #[arg(long, help_heading = REPORT, value_name = "DIR")]
    pub(crate) record: Option<PathBuf>,

    /// Show the checkpoints that --app keeps, and run nothing
    #[arg(long, help_heading = CHECKPOINTS, conflicts_with_all = ["input", "fresh", "rewind", "json"])]
    pub(crate) show_checkpoints: bool,

    #[command(flatten)]
    pub(crate) aws: AwsOptions,
}

/// What a line of the input is.
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

/// What runs: built first, as `cargo run` would, or any command.
#[derive(Debug, Args)]
pub(crate) struct ProgramOptions {
    /// Build and run this example
    #[arg(long, help_heading = PROGRAM, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), conflicts_with = "bin")]
    pub(crate) example: Option<String>,

    /// Build and run this binary; without any of these, the one that `cargo run` would run
    #[arg(long, help_heading = PROGRAM, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) bin: Option<String>,

    /// The package to build
    #[arg(long, help_heading = PROGRAM, short, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) package: Option<String>,

    /// Build with optimizations
    #[arg(long, help_heading = PROGRAM, short)]
    pub(crate) release: bool,

    /// Run this command instead of building one
    #[arg(last = true, help_heading = PROGRAM, value_name = "COMMAND", conflicts_with_all = ["example", "bin", "package", "release"])]
    pub(crate) command: Vec<OsString>,
}

/// Run a processor under Amazon's MultiLangDaemon, over a stream and with as many workers as one likes
///
/// Leases, balancing, failover and resharding are the daemon's, which is Amazon's Kinesis Client Library in Java. This command
/// installs it once through Maven, writes its properties, runs it, shows what matters of what it says, and ends it gracefully.
///
/// With --emulate it first starts a local Kinesis and a local DynamoDB, and needs no AWS account.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Exit codes: the daemon's own (143 if it was asked to end), 1 if it gave up, whatever its own, 2 wrong use, bad properties or nothing to run it \
                  with, 130 interrupted.\n\nWhat is given here wins over the properties file, and --set over all.\n\n\
                  Examples:\n  \
                  cargo kcl daemon --emulate --input orders.jsonl --shards 4\n  \
                  cargo kcl daemon --stream orders --app revenue --region us-east-1 --release"
)]
pub(crate) struct DaemonOptions {
    #[command(flatten)]
    pub(crate) program: ProgramOptions,

    /// The stream
    #[arg(long, value_name = "NAME", env = "KCL_STREAM")]
    pub(crate) stream: Option<String>,

    /// The stream by its ARN
    #[arg(long, value_name = "ARN", env = "KCL_STREAM_ARN", conflicts_with = "stream")]
    pub(crate) stream_arn: Option<String>,

    /// The application: all workers of the same name share its leases, which stand in a DynamoDB table of that name
    #[arg(long, value_name = "NAME", env = "KCL_APP")]
    pub(crate) app: Option<String>,

    /// The region of the stream and the tables; without it where the AWS SDK finds one, such as AWS_REGION
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,

    /// Where to start a shard that has no checkpoint yet; without it trim-horizon, the oldest record there is
    #[arg(long, value_name = "trim-horizon|latest|TIME", env = "KCL_FROM")]
    pub(crate) from: Option<crate::daemon::StartAt>,

    /// Kinesis's URL, if it is not the region's; without it AWS_ENDPOINT_URL_KINESIS
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,

    /// DynamoDB's URL, if it is not the region's; without it AWS_ENDPOINT_URL_DYNAMODB
    #[arg(long, value_name = "URL")]
    pub(crate) dynamodb_endpoint: Option<String>,

    /// How records are read: polling shares the stream's throughput, fanout has its own and is paid for
    #[arg(long, value_name = "polling|fanout", env = "KCL_RETRIEVAL")]
    pub(crate) retrieval: Option<crate::daemon::Retrieval>,

    /// The most records a GetRecords call brings, and so a processRecords message (polling)
    #[arg(long, value_name = "N", env = "KCL_MAX_RECORDS")]
    pub(crate) max_records: Option<u32>,

    /// Any property of the daemon; `cargo kcl check --list` shows them all. May be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = crate::daemon::parse_set)]
    pub(crate) set: Vec<(String, String)>,

    /// A properties file of one's own
    #[arg(long, value_name = "FILE")]
    pub(crate) properties: Option<PathBuf>,

    /// Run on a local Kinesis and DynamoDB: at --endpoint and --dynamodb-endpoint if both are given, else on new ones
    #[arg(long)]
    pub(crate) emulate: bool,

    #[command(flatten)]
    pub(crate) content: StreamOptions,

    /// Use the jars in this folder instead of those that Maven fetches
    #[arg(long, value_name = "DIR")]
    pub(crate) jars: Option<PathBuf>,

    /// Print the command and the properties, and run nothing but the build
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Show all that the daemon says
    #[arg(long, short)]
    pub(crate) verbose: bool,

    /// Write all that the daemon says to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
}

/// Keep a local Kinesis and a local DynamoDB running, for any program that uses an AWS SDK
///
/// Both are installed once, through npm and Maven, and listen on this machine only. When they are up, what a program needs in
/// its environment is written to stdout, an `export NAME=value` a line, to paste into another shell; they end with this command, and what
/// they hold goes with them.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 after Ctrl-C or SIGTERM, 1 if an emulator fails, 2 wrong use, bad input, or nothing to run it with.\n\n\
                  Example:\n  \
                  cargo kcl emulate --stream orders --shards 4 --input orders.jsonl --key /customer
  \
                  cargo kcl emulate > aws.env    # and, once it is up, in other shells: . ./aws.env"
)]
pub(crate) struct EmulateOptions {
    /// Create this stream
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) stream: Option<String>,

    #[command(flatten)]
    pub(crate) content: StreamOptions,

    /// Show what the emulators say
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

/// What a stream of the emulator is made with.
#[derive(Debug, Args)]
pub(crate) struct StreamOptions {
    /// How many shards the stream is created with [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) shards: Option<u32>,

    /// Put a file's lines on the stream, each a record; `-` is standard input. May be given several times
    #[arg(long, value_name = "FILE", value_parser = clap::value_parser!(Input))]
    pub(crate) input: Vec<Input>,

    /// JSON pointer to the partition key in each record, such as /customer; without it the key is the record's number
    #[arg(long, value_name = "POINTER", requires = "input")]
    pub(crate) key: Option<Pointer>,
}

/// Find what is wrong with a properties file of the MultiLangDaemon
///
/// The daemon ignores a key that it does not know, takes a number that it cannot read for 0 and drops a 0, all without a word.
/// Each finding names the line, says why it is one, and how to mend it.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Exit codes: 0 nothing to mend, 1 a finding, 2 wrong use or a file that cannot be read.\n\n\
                  Examples:\n  \
                  cargo kcl check revenue.properties\n  \
                  cargo kcl check --list"
)]
pub(crate) struct CheckOptions {
    /// The files to check
    #[arg(value_name = "FILE", required_unless_present = "list")]
    pub(crate) files: Vec<PathBuf>,

    /// Print every key with its type, default and meaning
    #[arg(long, conflicts_with = "files")]
    pub(crate) list: bool,
}

/// A time as people write it.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("write a time such as 500ms, 30s or 2m ({error})"))
}

impl ProgramOptions {
    /// Whether anything says what runs.
    pub(crate) fn is_given(&self) -> bool {
        self.example.is_some() || self.bin.is_some() || self.package.is_some() || !self.command.is_empty()
    }
}

impl StreamOptions {
    /// Whether anything was said about the stream.
    pub(crate) fn is_given(&self) -> bool {
        self.shards.is_some() || !self.input.is_empty() || self.key.is_some()
    }

    /// How many shards the stream has.
    pub(crate) fn shards(&self) -> u32 {
        self.shards.unwrap_or(1)
    }
}
