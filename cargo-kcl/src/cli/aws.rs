//! The verbs that talk to AWS. Every build shows them in its help; a build without the feature `aws` does not use their options.
#![cfg_attr(not(feature = "aws"), allow(dead_code))]

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};

use super::{INPUT, LineFormat, REPORT};
use crate::input::key::Pointer;
use crate::input::lines::Input;
use crate::local::StartAt;

/// The address of Kinesis and the credentials for it.
#[derive(Debug, Args)]
#[command(next_help_heading = "AWS")]
pub(crate) struct AwsOptions {
    /// Region of the stream; by default the one that the AWS SDK finds, such as AWS_REGION or the profile's
    #[arg(long, value_name = "REGION", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) region: Option<String>,

    /// Profile with the credentials; by default AWS_PROFILE, or the credentials that the AWS SDK finds
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) profile: Option<String>,

    /// URL of Kinesis, if it is not the region's; by default AWS_ENDPOINT_URL_KINESIS
    #[arg(long, value_name = "URL", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) endpoint: Option<String>,
}

impl AwsOptions {
    /// Whether any of these options was given.
    pub(crate) fn is_given(&self) -> bool {
        self.region.is_some() || self.profile.is_some() || self.endpoint.is_some()
    }
}

/// Put the lines of files or standard input on a stream, as records
///
/// Each line is a record; empty lines are skipped. With --format json each line is an object that describes the record in full, as
/// `cargo kcl local` reads it and `cargo kcl tail --json` prints it. Kinesis sets its own approximateArrivalTimestamp.
///
/// Records with the same partition key keep their order: each is put only after the one before it was acknowledged, because Kinesis
/// does not keep the order of the records within a call. A call carries records of many keys, and several calls run at once, so this
/// costs nothing unless there are few keys; then --order none is faster.
///
/// A record that Kinesis does not accept, because a shard is at its limits or the network is down, is retried after a random wait of
/// up to 0.1 s, doubling up to 5 s. A record whose acknowledgement is lost is put again, so it may be on the stream twice.
///
/// A run that ends early reports how many records from the start of the input were acknowledged without a gap: pass that number to
/// --skip to continue after them. With --resume the number is kept in a file, so that the same command continues by itself.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
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
    #[arg(long, value_name = "NAME", env = "KCL_STREAM", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) stream: String,

    /// Format of an input line: the data of a record, or a JSON object that describes the record in full
    #[arg(long, help_heading = INPUT, value_enum, value_name = "lines|json", default_value_t = LineFormat::Lines, hide_possible_values = true)]
    pub(crate) format: LineFormat,

    /// JSON pointer to the partition key in each record, such as /customer; by default the key is the record's number
    #[arg(long, help_heading = INPUT, value_name = "POINTER")]
    pub(crate) key: Option<Pointer>,

    /// Accept records of up to 10 MiB instead of 1 MiB, for a stream configured for large records. The size includes the key
    #[arg(long, help_heading = INPUT)]
    pub(crate) large_records: bool,

    /// Which records keep their order: those of a key, or none, which is faster if there are few keys
    #[arg(long, value_enum, value_name = "key|none", default_value_t = Order::Key, hide_possible_values = true)]
    pub(crate) order: Order,

    /// Put at most N records per second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: Option<u32>,

    /// Stop after N records of the input, as if the input ended there
    #[arg(long, help_heading = INPUT, value_name = "N")]
    pub(crate) limit: Option<u64>,

    /// Skip the first N records of the input
    #[arg(long, help_heading = INPUT, value_name = "N", conflicts_with = "resume")]
    pub(crate) skip: Option<u64>,

    /// Keep the progress in this file, and continue from there if the file exists
    #[arg(long, help_heading = INPUT, value_name = "FILE")]
    pub(crate) resume: Option<PathBuf>,

    /// Give up after TIME of attempts without an acknowledgement
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = humantime::parse_duration)]
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

/// Print the records of a stream to stdout as they arrive, one per line
///
/// The records of a shard are printed in order, before those of the child shards that a split or a merge creates. Records that the
/// Kinesis Producer Library aggregated are taken apart. While Kinesis cannot be reached or throttles, the read is retried.
///
/// The data of a record is printed unchanged, except that its line feeds become \n, so that it stays on one line. With --json each
/// line is an object with everything that is known about the record, which `--format json` of `cargo kcl put` and `cargo kcl local`
/// accepts.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Exit codes: 0 --limit or the end of the shard was reached, 1 reading from Kinesis failed, 2 usage error, no region or no \
                  credentials, 130 interrupted.\n\n\
                  On AWS this needs permission for kinesis:ListShards, kinesis:GetShardIterator and kinesis:GetRecords on the stream, and for \
                  kms:Decrypt if the stream is encrypted.\n\n\
                  Examples:\n  \
                  cargo kcl tail --stream orders\n  \
                  cargo kcl tail --stream orders --from trim-horizon --json --limit 1000 > orders.jsonl"
)]
pub(crate) struct TailOptions {
    /// Name of the stream
    #[arg(long, value_name = "NAME", env = "KCL_STREAM", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) stream: String,

    /// Where to start: after the existing records, at the oldest record, or at the first record that arrived at TIME or later
    #[arg(long, value_name = "latest|trim-horizon|TIME", default_value = "latest")]
    pub(crate) from: StartAt,

    /// Print only this shard, given by its id or number, without its child shards
    #[arg(long, value_name = "SHARD")]
    pub(crate) shard: Option<ShardName>,

    /// Stop after N records
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,

    /// Print each record as a JSON object
    #[arg(long)]
    pub(crate) json: bool,

    /// Report only problems
    #[arg(long, short)]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) aws: AwsOptions,
}

/// Create, describe, reshard and delete streams, for development
///
/// Each command waits until its change is complete. `cargo kcl emulate` runs a Kinesis on this machine to try them on.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Exit codes: 0 success, 1 AWS did not carry it out, 2 usage error, no region or no credentials."
)]
pub(crate) struct StreamCommand {
    #[command(subcommand)]
    pub(crate) verb: StreamVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StreamVerb {
    /// Create a stream, and wait until it is active
    Create {
        #[command(flatten)]
        stream: StreamName,

        /// Create the stream with N shards
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        shards: u32,

        #[command(flatten)]
        aws: AwsOptions,
    },
    /// Print a stream's shards with their parents and hash key ranges
    Describe {
        #[command(flatten)]
        stream: StreamName,

        /// Print the result as one JSON object
        #[arg(long)]
        json: bool,

        #[command(flatten)]
        aws: AwsOptions,
    },
    /// Split a shard in two
    Split {
        #[command(flatten)]
        stream: StreamName,

        /// Id or number of the shard
        #[arg(value_name = "SHARD")]
        shard: ShardName,

        /// Start the second of the two at this hash key, a decimal below 2^128; by default in the middle
        #[arg(long, value_name = "HASHKEY")]
        at: Option<u128>,

        #[command(flatten)]
        aws: AwsOptions,
    },
    /// Merge two neighbouring shards
    Merge {
        #[command(flatten)]
        stream: StreamName,

        /// Id or number of one shard
        #[arg(value_name = "SHARD")]
        shard: ShardName,

        /// Id or number of the shard before or after it
        #[arg(value_name = "NEIGHBOUR")]
        neighbour: ShardName,

        #[command(flatten)]
        aws: AwsOptions,
    },
    /// Delete a stream with all its records
    Delete {
        #[command(flatten)]
        stream: StreamName,

        /// Confirm the deletion; not needed for a stream of this machine's emulator
        #[arg(long)]
        yes: bool,

        #[command(flatten)]
        aws: AwsOptions,
    },
}

/// The stream that a command works on.
#[derive(Debug, Args)]
pub(crate) struct StreamName {
    /// Name of the stream
    #[arg(id = "stream", value_name = "STREAM", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) name: String,
}

/// A shard's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShardName(pub(crate) String);

impl FromStr for ShardName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<u64>() {
            Ok(number) => Ok(Self(format!("shardId-{number:012}"))),
            Err(_) if text.starts_with("shardId-") => Ok(Self(text.to_owned())),
            Err(_) => Err("give a shard by its id, such as shardId-000000000000, or by its number, such as 0"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_goes_by_its_id_or_its_number() {
        for (text, id) in [
            ("0", Some("shardId-000000000000")),
            ("12", Some("shardId-000000000012")),
            ("shardId-x", Some("shardId-x")),
            ("x", None),
            ("", None),
            ("-1", None),
        ] {
            assert_eq!(text.parse::<ShardName>().ok().map(|shard| shard.0).as_deref(), id, "{text}");
        }
    }
}
