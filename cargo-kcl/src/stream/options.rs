//! The options of `cargo kcl stream`.
#![cfg_attr(not(feature = "aws"), allow(dead_code))]

use clap::{Args, Subcommand};

use crate::args::{AwsOptions, ShardName, count, stream_name};

/// Create, describe, reshard and delete streams, for development
///
/// Each command waits until its change is complete. A call that fails because Kinesis cannot be reached, does not answer or throttles is
/// retried for a minute; if the answer to a change was lost, the stream is looked at again. `cargo kcl emulate` runs a local Kinesis for trying them out.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 success, 1 AWS did not carry out the command, 2 usage error, no region or no credentials, 130 interrupted."
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
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = count(clap::value_parser!(u32).range(1..=10_000)))]
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
    #[arg(id = "stream", value_name = "STREAM", value_parser = stream_name())]
    pub(crate) name: String,
}
