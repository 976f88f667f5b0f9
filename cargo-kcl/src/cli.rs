//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand};

use crate::local::{AppName, Input, Pointer, StartAt};

/// Run and develop record processors for Amazon Kinesis
#[derive(Debug, Parser)]
#[command(name = "cargo-kcl", bin_name = "cargo kcl", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Local(Box<LocalOptions>),
    /// Becomes the command, and dies with the tool that started it
    #[command(name = crate::exec::VERB, hide = true)]
    Exec {
        parent: i32,
        #[arg(required = true, last = true)]
        command: Vec<OsString>,
    },
}

/// Run a processor over files or standard input, as the MultiLangDaemon would over a stream
///
/// Splits the input into shards, runs the processor once a shard and speaks the MultiLangDaemon's protocol with it, more
/// strictly than that: what the real daemon would skip in silence is an error here.
///
/// A record is what stands before a line feed; empty lines are skipped. It arrived when its file was last written, or for
/// standard input when the run began. When all records were delivered the shards end.
///
/// Checkpoints go with the run unless --app or --state keeps them; then a run goes on where the last one stopped.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Exit codes: 0 all shards ended, 1 a processor failed (the other shards ran on), 2 wrong use or bad input, 130 interrupted."
)]
pub(crate) struct LocalOptions {
    #[command(flatten)]
    pub(crate) program: ProgramOptions,

    /// A file of records, one a line; `-` is standard input. May be given several times
    #[arg(long, value_name = "FILE", required = true, value_parser = clap::value_parser!(Input))]
    pub(crate) input: Vec<Input>,

    /// JSON pointer to the partition key in each record, such as /customer; without it the key is the record's number
    #[arg(long, value_name = "POINTER")]
    pub(crate) key: Option<Pointer>,

    /// Where to start: trim-horizon is all a file has to offer
    #[arg(long, value_name = "trim-horizon|latest|TIME", default_value = "trim-horizon")]
    pub(crate) from: StartAt,

    /// How many shards to split the records into: one process each
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) shards: u32,

    /// The most records a processRecords message brings; it never brings more than 10 MiB of data
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) max_records: u32,

    /// Keep checkpoints under this name, in .kcl beside the workspace's Cargo.toml, and go on from them next time
    #[arg(long, value_name = "NAME")]
    pub(crate) app: Option<AppName>,

    /// Keep checkpoints in this folder; without --app under the processor's name
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,

    /// Forget the checkpoints that are kept, and start anew
    #[arg(long)]
    pub(crate) fresh: bool,
}

/// What runs: built first, as `cargo run` would, or any command.
#[derive(Debug, Args)]
pub(crate) struct ProgramOptions {
    /// Build and run this example
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), conflicts_with = "bin")]
    pub(crate) example: Option<String>,

    /// Build and run this binary; without any of these, the one that `cargo run` would run
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) bin: Option<String>,

    /// The package to build
    #[arg(long, short, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) package: Option<String>,

    /// Build with optimizations
    #[arg(long, short)]
    pub(crate) release: bool,

    /// Run this command instead of building one
    #[arg(last = true, value_name = "COMMAND", conflicts_with_all = ["example", "bin", "package", "release"])]
    pub(crate) command: Vec<OsString>,
}
