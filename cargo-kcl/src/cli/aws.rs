//! The verbs that talk to AWS. They stand in the help of every build; one without the feature `aws` reads none of it.
#![cfg_attr(not(feature = "aws"), allow(dead_code))]

use std::str::FromStr;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};

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
