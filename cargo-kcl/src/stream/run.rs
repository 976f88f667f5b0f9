//! `cargo kcl stream`: manages streams for development.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use aws_sdk_kinesis::types::StreamStatus;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::options::{StreamCommand, StreamVerb};
use crate::args::{AwsOptions, ShardName, is_local};
use crate::backoff::Backoff;
use crate::exit::WRONG_USE;
use crate::kinesis::connection::{Connection, block_on};
use crate::kinesis::error::AwsError;
use crate::kinesis::shards::{Range, Shard};
use crate::report;

/// The longest wait for a change; AWS takes about a minute.
const PATIENCE: Duration = Duration::from_secs(600);
/// The wait before each check after a change. One check a second stays within the limits of AWS.
const CHECKS: Backoff = Backoff { first: Duration::from_millis(20), most: Duration::from_secs(1) };

/// The reason why a command failed.
#[derive(Debug, thiserror::Error)]
enum StreamError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("the stream `{stream}` has no shard `{shard}`; it has {}", list(there))]
    NoShard { stream: String, shard: String, there: Vec<String> },
    #[error("`{0}` was already split or merged; only an open shard can be split or merged")]
    Closed(String),
    #[error("`{shard}` has the hash keys {start} to {end}; the second part must start at one of {} to {end}, not at {at}", start + 1)]
    OutOfRange { shard: String, start: u128, end: u128, at: u128 },
    #[error("`{0}` has a single hash key and cannot be split")]
    Single(String),
    #[error("`{shard}` and `{neighbour}` are not neighbours; `{shard}` can be merged with {}", list(there))]
    NoNeighbours { shard: String, neighbour: String, there: Vec<String> },
    #[error("this would delete the stream `{stream}` {place} with all its records; add --yes to confirm")]
    NotSure { stream: String, place: String },
    #[error(
        "the stream `{stream}` is still {status} after {}; the change may complete later",
        report::duration(PATIENCE)
    )]
    Slow { stream: String, status: String },
    #[error("stdout cannot be written: {0}")]
    Output(io::Error),
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Runs the verb.
pub(crate) fn run(command: &StreamCommand) -> ExitCode {
    match block_on(carry_out(&command.verb)).map_err(StreamError::Aws).and_then(|done| done) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::line(&error);
            match error {
                StreamError::Aws(error) => ExitCode::from(error.code()),
                StreamError::Slow { .. } => ExitCode::FAILURE,
                _ => ExitCode::from(WRONG_USE),
            }
        }
    }
}

async fn carry_out(verb: &StreamVerb) -> Result<(), StreamError> {
    match verb {
        StreamVerb::Create { stream, shards, aws } => open(&stream.name, aws).await?.create(*shards).await,
        StreamVerb::Describe { stream, json, aws } => open(&stream.name, aws).await?.describe(*json).await,
        StreamVerb::Split { stream, shard, at, aws } => open(&stream.name, aws).await?.split(shard, *at).await,
        StreamVerb::Merge { stream, shard, neighbour, aws } => {
            open(&stream.name, aws).await?.merge(shard, neighbour).await
        }
        StreamVerb::Delete { stream, yes, aws } => open(&stream.name, aws).await?.delete(*yes).await,
    }
}

async fn open(stream: &str, options: &AwsOptions) -> Result<Stream, AwsError> {
    Ok(Stream { aws: Connection::open(options).await?, name: stream.to_owned() })
}

/// A stream, which may not exist yet.
struct Stream {
    aws: Connection,
    name: String,
}

/// The output of `describe --json`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Description<'a> {
    stream_name: &'a str,
    stream_arn: &'a str,
    stream_status: &'a str,
    retention_period_hours: i32,
    open_shard_count: usize,
    shards: &'a [Shard],
}

impl Stream {
    async fn create(&self, shards: u32) -> Result<(), StreamError> {
        let count = i32::try_from(shards).unwrap_or(i32::MAX);
        let created = self.aws.client.create_stream().stream_name(&self.name).shard_count(count).send().await;
        if let Err(error) = created {
            return Err(self.aws.explain("CreateStream", &self.name, error).await.into());
        }
        self.wait(&StreamStatus::Active).await?;
        let shards = report::count(shards.into(), "shard");
        report::line(format_args!("stream `{}` was created with {shards} {}", self.name, self.aws.place()));
        Ok(())
    }

    async fn describe(&self, json: bool) -> Result<(), StreamError> {
        let summary = self.aws.describe(&self.name).await?;
        let shards = self.aws.shards(&self.name).await?;
        let description = Description {
            stream_name: &self.name,
            stream_arn: summary.stream_arn(),
            stream_status: summary.stream_status().as_str(),
            retention_period_hours: summary.retention_period_hours(),
            open_shard_count: shards.iter().filter(|shard| shard.is_open).count(),
            shards: &shards,
        };
        if json {
            return report::json(&description).map_err(StreamError::Output);
        }
        io::stdout().write_all(description.text().as_bytes()).map_err(StreamError::Output)
    }

    async fn split(&self, shard: &ShardName, at: Option<u128>) -> Result<(), StreamError> {
        let shards = self.aws.shards(&self.name).await?;
        let Range { start, end } = self.open_shard(&shards, shard)?.range;
        let at = match at {
            Some(at) if at <= start || at > end => {
                return Err(StreamError::OutOfRange { shard: shard.0.clone(), start, end, at });
            }
            Some(at) => at,
            None => Range { start, end }.middle().ok_or_else(|| StreamError::Single(shard.0.clone()))?,
        };
        let call = self.aws.client.split_shard().stream_name(&self.name).shard_to_split(&shard.0);
        if let Err(error) = call.new_starting_hash_key(at.to_string()).send().await {
            return Err(self.aws.explain("SplitShard", &self.name, error).await.into());
        }
        self.wait(&StreamStatus::Active).await?;
        let children = self.children(&shard.0).await?.join("` and `");
        report::line(format_args!("`{}` was split at {at} into `{children}`", shard.0));
        Ok(())
    }

    async fn merge(&self, shard: &ShardName, neighbour: &ShardName) -> Result<(), StreamError> {
        let shards = self.aws.shards(&self.name).await?;
        let first = self.open_shard(&shards, shard)?;
        let second = self.open_shard(&shards, neighbour)?;
        if !first.range.touches(second.range) {
            let neighbours = shards.iter().filter(|other| other.is_open && other.range.touches(first.range));
            return Err(StreamError::NoNeighbours {
                shard: shard.0.clone(),
                neighbour: neighbour.0.clone(),
                there: neighbours.map(|shard| shard.id.clone()).collect(),
            });
        }
        // Some implementations of Kinesis require the lower shard first.
        let (lower, upper) = if first.range.start < second.range.start { (first, second) } else { (second, first) };
        let call = self.aws.client.merge_shards().stream_name(&self.name).shard_to_merge(&lower.id);
        if let Err(error) = call.adjacent_shard_to_merge(&upper.id).send().await {
            return Err(self.aws.explain("MergeShards", &self.name, error).await.into());
        }
        self.wait(&StreamStatus::Active).await?;
        let children = self.children(&shard.0).await?.join("` and `");
        report::line(format_args!("`{}` and `{}` were merged into `{children}`", shard.0, neighbour.0));
        Ok(())
    }

    async fn delete(&self, yes: bool) -> Result<(), StreamError> {
        let place = self.aws.place();
        if !yes && !place.endpoint.as_deref().is_some_and(is_local) {
            return Err(StreamError::NotSure { stream: self.name.clone(), place: place.to_string() });
        }
        let call = self.aws.client.delete_stream().stream_name(&self.name).enforce_consumer_deletion(true);
        if let Err(error) = call.send().await {
            return Err(self.aws.explain("DeleteStream", &self.name, error).await.into());
        }
        match self.wait_for(|_| false).await {
            Err(StreamError::Aws(AwsError::NoSuchStream { .. })) => {}
            other => return other,
        }
        report::line(format_args!("stream `{}` was deleted {place}", self.name));
        Ok(())
    }

    /// The shard with this name, if it can be split or merged.
    fn open_shard<'s>(&self, shards: &'s [Shard], name: &ShardName) -> Result<&'s Shard, StreamError> {
        let Some(shard) = shards.iter().find(|shard| shard.id == name.0) else {
            let open = shards.iter().filter(|shard| shard.is_open);
            return Err(StreamError::NoShard {
                stream: self.name.clone(),
                shard: name.0.clone(),
                there: open.map(|shard| shard.id.clone()).collect(),
            });
        };
        if shard.is_open { Ok(shard) } else { Err(StreamError::Closed(name.0.clone())) }
    }

    async fn children(&self, parent: &str) -> Result<Vec<String>, AwsError> {
        let mut shards = self.aws.shards(&self.name).await?;
        shards.retain(|shard| shard.parents().any(|id| id == parent));
        Ok(shards.into_iter().map(|shard| shard.id).collect())
    }

    async fn wait(&self, wanted: &StreamStatus) -> Result<(), StreamError> {
        self.wait_for(|status| status == wanted).await
    }

    async fn wait_for(&self, is_reached: impl Fn(&StreamStatus) -> bool) -> Result<(), StreamError> {
        let deadline = Instant::now() + PATIENCE;
        let mut checks = 0;
        loop {
            checks += 1;
            sleep(CHECKS.longest(checks)).await;
            let status = match self.aws.client.describe_stream_summary().stream_name(&self.name).send().await {
                Ok(output) => output.stream_description_summary.map(|summary| summary.stream_status),
                Err(error) => match self.aws.explain("DescribeStreamSummary", &self.name, error).await {
                    error if error.is_transient() && Instant::now() < deadline => continue,
                    error => return Err(error.into()),
                },
            };
            if status.as_ref().is_some_and(&is_reached) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let status = status.as_ref().map_or("unknown", StreamStatus::as_str).to_owned();
                return Err(StreamError::Slow { stream: self.name.clone(), status });
            }
        }
    }
}

impl Description<'_> {
    /// The description for people.
    fn text(&self) -> String {
        let mut text = format!(
            "{}  {}, {} open, records are kept for {} h\n{}\n",
            self.stream_name,
            self.stream_status,
            report::count(self.open_shard_count as u64, "shard"),
            self.retention_period_hours,
            self.stream_arn
        );
        for shard in self.shards {
            let parents: Vec<_> = shard.parents().collect();
            let state = if shard.is_open { "open" } else { "closed" };
            let Range { start, end } = shard.range;
            text += &format!("{}  {state:<6}  {start:>39} to {end:>39}", shard.id);
            if !parents.is_empty() {
                text += &format!("  of {}", parents.join(" and "));
            }
            text.push('\n');
        }
        text
    }
}
