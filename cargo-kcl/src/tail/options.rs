//! The options of `cargo kcl tail`.
#![cfg_attr(not(feature = "aws"), allow(dead_code))]

use clap::Args;

use crate::args::{AwsOptions, ShardName, StartAt, count, stream_name};

/// Print the records of a stream to stdout as they arrive, one per line
///
/// The records of a shard are printed in order, before those of the child shards that a split or a merge creates. Records that the
/// Kinesis Producer Library aggregated are unpacked. While Kinesis cannot be reached, does not answer or throttles, the read is retried,
/// from the first call on.
///
/// A record is printed on one line: a line feed at its end is dropped, with a carriage return before it, and other line feeds become \n.
/// The rest of its data is unchanged. With --json each line is an object that describes the record in full, with every byte of its data,
/// and that `cargo kcl put` and `cargo kcl local` accept with --format json.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 --limit or the end of the shard was reached, or the reader of stdout has left, 1 reading from Kinesis failed, 2 usage error, no region or no \
                  credentials, 130 interrupted.\n\n\
                  On AWS this needs permission for kinesis:ListShards, kinesis:GetShardIterator and kinesis:GetRecords on the stream, and for \
                  kms:Decrypt if the stream is encrypted.\n\n\
                  Examples:\n  \
                  cargo kcl tail --stream orders --from -2h\n  \
                  cargo kcl tail --stream orders --from trim-horizon --json --limit 1000 > orders.jsonl"
)]
pub(crate) struct TailOptions {
    /// Name of the stream
    #[arg(long, value_name = "NAME", env = "KCL_STREAM", value_parser = stream_name())]
    pub(crate) stream: String,

    /// Where to start: after the existing records, at the oldest record, or at the first record that arrived at TIME or later, such as
    /// 2026-01-31T12:00:00+01:00, 2026-01-31 or -2h
    #[arg(long, value_name = "latest|trim-horizon|TIME", default_value = "latest", allow_hyphen_values = true)]
    pub(crate) from: StartAt,

    /// Print only this shard, given by its id or number, without its child shards
    #[arg(long, value_name = "SHARD")]
    pub(crate) shard: Option<ShardName>,

    /// Stop after N records
    #[arg(long, value_name = "N", value_parser = count(clap::value_parser!(u64).range(1..)))]
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
