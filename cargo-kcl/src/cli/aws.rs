//! The verbs that talk to AWS. They stand in the help of every build; one without the feature `aws` reads none of it.
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

/// Where Kinesis is, and who asks.
#[derive(Debug, Args)]
#[command(next_help_heading = "AWS")]
pub(crate) struct AwsOptions {
    /// The stream's region; without it where the AWS SDK finds one, such as AWS_REGION or the profile
    #[arg(long, value_name = "REGION", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) region: Option<String>,

    /// The profile with the credentials; without it AWS_PROFILE, or what else the AWS SDK finds
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) profile: Option<String>,

    /// Kinesis's URL, if it is not the region's; without it AWS_ENDPOINT_URL_KINESIS
    #[arg(long, value_name = "URL", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) endpoint: Option<String>,
}

impl AwsOptions {
    /// Whether anything was said.
    pub(crate) fn is_given(&self) -> bool {
        self.region.is_some() || self.profile.is_some() || self.endpoint.is_some()
    }
}

/// Put records on a stream: lines, or JSON objects, of files or standard input
///
/// A record is what stands before a line feed; empty lines are skipped. With --format json a line is an object that spells the
/// record out, as `cargo kcl local` takes it and `cargo kcl tail --json` prints it; its approximateArrivalTimestamp is Kinesis's.
///
/// Records of a partition key keep their order: one is put only when the one before it was acknowledged, for Kinesis keeps none
/// among those that a call brings. Calls bring records of many keys, and several calls are under way at once, so that this costs
/// nothing unless there are few keys; then --order none is quicker.
///
/// What Kinesis does not take, because a shard is at its limits or the network is down, is tried again after a random wait of up
/// to 0.1 s, doubling up to 5 s. A record whose acknowledgement is lost is put again, so it may be there twice.
///
/// A run that ends before all is put says how many records of the input were acknowledged without a gap: --skip goes on behind
/// them. With --resume that is kept in a file, so that the same command goes on by itself.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Exit codes: 0 every record was acknowledged, 1 Kinesis did not take them all, 2 wrong use, bad input, or neither region nor \
                  credentials, 130 interrupted.\n\n\
                  On AWS it takes the action kinesis:PutRecords on the stream, and kms:GenerateDataKey if that is encrypted.\n\n\
                  Examples:\n  \
                  cargo kcl put --stream orders --key /customer orders.jsonl\n  \
                  tail -F app.log | cargo kcl put --stream logs --rate 500\n  \
                  cargo kcl put --stream orders --format json --resume orders.state 2026-*.jsonl"
)]
pub(crate) struct PutOptions {
    /// Files of records, one a line; `-` is standard input, and so is no file at all
    #[arg(value_name = "FILE", value_parser = clap::value_parser!(Input))]
    pub(crate) input: Vec<Input>,

    /// The stream
    #[arg(long, value_name = "NAME", env = "KCL_STREAM", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) stream: String,

    /// What a line of the input is: a record's data, or an object that spells the record out
    #[arg(long, help_heading = INPUT, value_enum, value_name = "lines|json", default_value_t = LineFormat::Lines, hide_possible_values = true)]
    pub(crate) format: LineFormat,

    /// JSON pointer to the partition key in each record, such as /customer; without it the key is the record's number
    #[arg(long, help_heading = INPUT, value_name = "POINTER")]
    pub(crate) key: Option<Pointer>,

    /// Take records of up to 10 MiB, on a stream that was told so, instead of 1 MiB. The key counts
    #[arg(long, help_heading = INPUT)]
    pub(crate) large_records: bool,

    /// What keeps its order: the records of a key, or nothing, which is quicker where there are few keys
    #[arg(long, value_enum, value_name = "key|none", default_value_t = Order::Key, hide_possible_values = true)]
    pub(crate) order: Order,

    /// The most records to put in a second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: Option<u32>,

    /// Stop behind so many records of the input, as if it ended there
    #[arg(long, help_heading = INPUT, value_name = "N")]
    pub(crate) limit: Option<u64>,

    /// Go on behind so many records of the input
    #[arg(long, help_heading = INPUT, value_name = "N", conflicts_with = "resume")]
    pub(crate) skip: Option<u64>,

    /// Keep in this file how far it got, and go on from there if the file is there
    #[arg(long, help_heading = INPUT, value_name = "FILE")]
    pub(crate) resume: Option<PathBuf>,

    /// Give up when nothing was acknowledged for so long, although it was tried
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = humantime::parse_duration)]
    pub(crate) give_up: Duration,

    /// Write what the run came to as one JSON object to stdout, in place of the line on stderr
    #[arg(long, help_heading = REPORT)]
    pub(crate) json: bool,

    /// Say nothing but what goes wrong
    #[arg(long, help_heading = REPORT, short)]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) aws: AwsOptions,
}

/// What keeps its order.
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

/// Print the records of a stream as they come, one a line, to stdout
///
/// The records of a shard come in order, and those of the shards that follow it by a split or a merge behind them. What the Kinesis
/// Producer Library put together is taken apart. While Kinesis cannot be reached, or gives no more for now, it is tried again.
///
/// A record's data is printed as it is, but for its line feeds, which become \n, so that it stays one line. With --json a line is an
/// object with all that there is to know of the record, which `--format json` of `cargo kcl put` and `cargo kcl local` reads again.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Exit codes: 0 --limit or the shard's end was reached, 1 Kinesis gave no more, 2 wrong use, or neither region nor credentials, \
                  130 interrupted.\n\n\
                  On AWS it takes the actions kinesis:ListShards, kinesis:GetShardIterator and kinesis:GetRecords on the stream, and kms:Decrypt if \
                  that is encrypted.\n\n\
                  Examples:\n  \
                  cargo kcl tail --stream orders\n  \
                  cargo kcl tail --stream orders --from trim-horizon --json --limit 1000 > orders.jsonl"
)]
pub(crate) struct TailOptions {
    /// The stream
    #[arg(long, value_name = "NAME", env = "KCL_STREAM", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) stream: String,

    /// Where to start: behind what is there, at the oldest record, or with those that arrived then or later
    #[arg(long, value_name = "latest|trim-horizon|TIME", default_value = "latest")]
    pub(crate) from: StartAt,

    /// Only this shard, by its id or number, and none that follows it
    #[arg(long, value_name = "SHARD")]
    pub(crate) shard: Option<ShardName>,

    /// End behind so many records
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,

    /// Print each record as a JSON object
    #[arg(long)]
    pub(crate) json: bool,

    /// Say nothing but what goes wrong
    #[arg(long, short)]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) aws: AwsOptions,
}

/// Create, describe, reshape and delete streams, for development
///
/// Each waits until what it did is done. `cargo kcl emulate` keeps a Kinesis on this machine to do it to.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Exit codes: 0 it is done, 1 AWS did not do it, 2 wrong use, or neither region nor credentials."
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

        /// How many shards it has
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        shards: u32,

        #[command(flatten)]
        aws: AwsOptions,
    },
    /// Print a stream's shards with their parents and hash ranges
    Describe {
        #[command(flatten)]
        stream: StreamName,

        /// Print one JSON object
        #[arg(long)]
        json: bool,

        #[command(flatten)]
        aws: AwsOptions,
    },
    /// Split a shard in two
    Split {
        #[command(flatten)]
        stream: StreamName,

        /// The shard, or its number
        #[arg(value_name = "SHARD")]
        shard: ShardName,

        /// Where the second of the two starts, a decimal below 2^128; without it in the middle
        #[arg(long, value_name = "HASHKEY")]
        at: Option<u128>,

        #[command(flatten)]
        aws: AwsOptions,
    },
    /// Merge two neighbouring shards
    Merge {
        #[command(flatten)]
        stream: StreamName,

        /// One shard, or its number
        #[arg(value_name = "SHARD")]
        shard: ShardName,

        /// The shard before or behind it
        #[arg(value_name = "NEIGHBOUR")]
        neighbour: ShardName,

        #[command(flatten)]
        aws: AwsOptions,
    },
    /// Delete a stream with all its records
    Delete {
        #[command(flatten)]
        stream: StreamName,

        /// Yes, really. A stream on this machine's emulator goes without
        #[arg(long)]
        yes: bool,

        #[command(flatten)]
        aws: AwsOptions,
    },
}

/// Which stream.
#[derive(Debug, Args)]
pub(crate) struct StreamName {
    /// The stream
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
            Err(_) => Err("a shard is its id, such as shardId-000000000000, or its number, such as 0"),
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
