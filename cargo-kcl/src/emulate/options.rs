//! The options of `cargo kcl emulate`, and of the stream that it and `cargo kcl daemon --emulate` create.

use clap::Args;

use crate::args::{INPUT, InstallOptions, count, stream_name};
use crate::input::options::RecordOptions;
use crate::input::path::Input;

/// Run a local Kinesis and a local DynamoDB, for programs that use an AWS SDK
///
/// Both are installed once, through npm and Maven (or Java), and listen on this machine only. When they are up, the environment variables that
/// a program needs are written to stdout, one `export NAME=value` per line, to paste into another shell. Both stop with this command,
/// and their data is lost.
///
/// The AWS SDK for JavaScript (v3) calls Kinesis over HTTP/2 by default, which this Kinesis does not understand. Give the client
/// `requestHandler: new NodeHttpHandler()`, from `@smithy/node-http-handler`.
///
/// --input puts records on a new stream, as `cargo kcl put` does: each line is a record, or with --format json an object that describes
/// it in full. With --format aws the input has documents as AWS prints them, of up to 64 MiB each.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 after Ctrl-C or SIGTERM, 1 if an emulator fails, 2 usage error, bad input or a missing tool, 130 if interrupted \
                  before the records are on the stream.\n\n\
                  Examples:\n  \
                  cargo kcl emulate --stream orders --shards 4 --input orders.jsonl --key /customer\n  \
                  cargo kcl emulate > aws.env    # and, once it is up, in other shells: . ./aws.env"
)]
pub(crate) struct EmulateOptions {
    /// Create this stream
    #[arg(long, value_name = "NAME", value_parser = stream_name())]
    pub(crate) stream: Option<String>,

    #[command(flatten)]
    pub(crate) content: StreamOptions,

    #[command(flatten)]
    pub(crate) install: InstallOptions,

    /// Show the output of the emulators
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

/// The shards and records of a new stream of the emulator.
#[derive(Debug, Args)]
#[command(
    mut_arg("format", |format| format.requires("input")),
    mut_arg("key", |key| key.requires("input")),
    mut_arg("key_missing", |missing| missing.requires("input"))
)]
pub(crate) struct StreamOptions {
    /// Create the stream with N shards [default: 1]
    #[arg(long, value_name = "N", value_parser = count(clap::value_parser!(u32).range(1..=100)))]
    pub(crate) shards: Option<u32>,

    /// Put the records of this file on the stream; `-` is standard input. May be given several times. The emulator takes longer for a
    /// record the more records its shard holds, so use several shards for more than a few thousand
    #[arg(long, help_heading = INPUT, value_name = "FILE", value_parser = clap::value_parser!(Input))]
    pub(crate) input: Vec<Input>,

    #[command(flatten)]
    pub(crate) records: RecordOptions,

    /// Stop after N records of the input, as if the input ended there
    #[arg(long, help_heading = INPUT, value_name = "N", requires = "input", value_parser = count(clap::value_parser!(u64)))]
    pub(crate) limit: Option<u64>,
}

impl StreamOptions {
    /// Whether any of these options was given.
    pub(crate) fn is_given(&self) -> bool {
        self.shards.is_some() || !self.input.is_empty() || self.records.large_records
    }

    /// The number of shards of the stream.
    pub(crate) fn shards(&self) -> u32 {
        self.shards.unwrap_or(1)
    }
}
