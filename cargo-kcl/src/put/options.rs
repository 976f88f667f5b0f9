//! The options of `cargo kcl put`.
#![cfg_attr(not(feature = "aws"), allow(dead_code))]

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::args::{AwsOptions, INPUT, REPORT, count, duration, stream_name};
use crate::input::options::RecordOptions;
use crate::input::path::Input;

/// Put the lines of files or standard input on a stream, as records
///
/// Each line is a record, without its end, `\n` or `\r\n`; empty lines are skipped. With --format json each line is an object that
/// describes the record in full, as `cargo kcl local` reads it and `cargo kcl tail --json` prints it. With --format aws the input has
/// documents as AWS prints them, of up to 64 MiB each: the answer of `aws kinesis get-records`, or an event of AWS Lambda. Kinesis sets
/// its own approximateArrivalTimestamp. Records that the Kinesis Producer Library aggregated are put as they are. The
/// size of a record includes its key.
///
/// Records with the same partition key keep their order: each is put only after the one before it has been acknowledged, because
/// Kinesis does not keep the order of the records within a call. A call carries records of many keys, and several calls run at
/// once, so this costs nothing unless there are few keys; then --order none is faster.
///
/// A record that Kinesis does not accept, because a shard is at its limits or the network is down, is retried after a random wait of
/// up to 0.1 s, doubling up to 5 s. A call in which no byte moves for 10 s counts as failed. A record whose acknowledgement is lost,
/// or does not arrive in that time, is put again, so it may be on the stream twice.
///
/// A run that ends early reports how many records from the start of the input were acknowledged without a gap: pass that number to
/// --skip to continue after them. With --resume the number is kept in a file, and running the same command again continues from
/// there.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 every record was acknowledged, 1 Kinesis did not accept them all, 2 usage error, bad input, no region or no \
                  credentials, 130 interrupted.\n\n\
                  On AWS this needs permission for kinesis:PutRecords on the stream, and for kms:GenerateDataKey if the stream is encrypted.\n\n\
                  Examples:\n  \
                  cargo kcl put --stream orders --key /customer orders.jsonl\n  \
                  tail -F app.log | cargo kcl put --stream logs --rate 500\n  \
                  cargo kcl put --stream orders --format json --resume orders.state 2026-*.jsonl"
)]
pub(crate) struct PutOptions {
    /// Files of records, one per line; `-` is standard input, which is also the default
    #[arg(value_name = "FILE", value_parser = clap::value_parser!(Input))]
    pub(crate) input: Vec<Input>,

    /// Name of the stream
    #[arg(long, value_name = "NAME", env = "KCL_STREAM", value_parser = stream_name())]
    pub(crate) stream: String,

    #[command(flatten)]
    pub(crate) records: RecordOptions,

    /// Which records keep their order: those with the same key, or none, which is faster if there are few keys
    #[arg(long, value_enum, value_name = "key|none", default_value_t = Order::Key, hide_possible_values = true)]
    pub(crate) order: Order,

    /// Put at most N records per second
    #[arg(long, value_name = "N", value_parser = count(clap::value_parser!(u32).range(1..)))]
    pub(crate) rate: Option<u32>,

    /// Stop after N records of the input, including those that are skipped, as if the input ended there
    #[arg(long, help_heading = INPUT, value_name = "N", value_parser = count(clap::value_parser!(u64)))]
    pub(crate) limit: Option<u64>,

    /// Skip the first N records of the input
    #[arg(long, help_heading = INPUT, value_name = "N", value_parser = count(clap::value_parser!(u64)), conflicts_with = "resume")]
    pub(crate) skip: Option<u64>,

    /// Keep the progress in this file, and continue from there if the file exists. One run at a time can use it
    #[arg(long, help_heading = INPUT, value_name = "FILE")]
    pub(crate) resume: Option<PathBuf>,

    /// Give up after TIME without an acknowledgement, counted from the start or from the last one
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub(crate) give_up: Duration,

    /// Write the result of the run to stdout as one JSON object, instead of the line on stderr
    #[arg(long, help_heading = REPORT)]
    pub(crate) json: bool,

    /// Report only problems
    #[arg(long, help_heading = REPORT, short)]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) aws: AwsOptions,
}

/// The records that keep their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Order {
    Key,
    None,
}

impl std::fmt::Display for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Key => "key",
            Self::None => "none",
        })
    }
}
