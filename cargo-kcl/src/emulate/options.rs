//! The options of `cargo kcl emulate`, and of the stream that it and `cargo kcl daemon --emulate` create.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use crate::args::count;
use crate::input::key::{Missing, Pointer};
use crate::input::path::Input;

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
    #[arg(long, value_name = "N", value_parser = count(clap::value_parser!(u32).range(1..=100)))]
    pub(crate) shards: Option<u32>,

    /// Put the lines of this file on the stream, each as a record; `-` is standard input. May be given several times
    #[arg(long, value_name = "FILE", value_parser = clap::value_parser!(Input))]
    pub(crate) input: Vec<Input>,

    /// JSON pointer to the partition key in each record, such as /customer; by default the key is the record's number
    #[arg(long, value_name = "POINTER", requires = "input")]
    pub(crate) key: Option<Pointer>,

    /// The partition key of a record without a value at --key: its number, or this text. By default such a record is an error
    #[arg(long, value_name = "number|TEXT", requires = "key")]
    pub(crate) key_missing: Option<Missing>,
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
