//! `cargo kcl stream`: manages streams for development.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use aws_sdk_kinesis::config::http::HttpResponse;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::types::StreamStatus;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::options::{StreamCommand, StreamVerb};
use crate::args::{AwsOptions, ShardName, is_local};
use crate::backoff::Backoff;
use crate::exit::{FAILED, WRONG_USE};
use crate::kinesis::connection::{Connection, block_on};
use crate::kinesis::error::AwsError;
use crate::kinesis::shards::{Range, Shard};
use crate::kinesis::trouble::Troubles;
use crate::report;

/// The longest wait for a change; AWS takes about a minute.
const PATIENCE: Duration = Duration::from_secs(600);
/// The wait before each check after a change. One check a second stays within the limits of AWS.
const CHECKS: Backoff = Backoff { first: Duration::from_millis(20), most: Duration::from_secs(1) };

/// The name of the only caller.
const CALLER: &str = "stream";

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
            report::error(&error);
            ExitCode::from(match error {
                StreamError::Aws(error) => error.code(),
                StreamError::Slow { .. } | StreamError::Output(_) => FAILED,
                _ => WRONG_USE,
            })
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
    let aws = Connection::open(options).await?;
    Ok(Stream { troubles: Troubles::new("retrying", "Kinesis answers again"), aws, name: stream.to_owned() })
}

/// A stream, which may not exist yet.
struct Stream {
    aws: Connection,
    troubles: Troubles,
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
        if self.status().await?.is_some() {
            return Err(AwsError::Exists { stream: self.name.clone(), place: self.aws.place().clone() }.into());
        }
        let count = i32::try_from(shards).unwrap_or(i32::MAX);
        let call = async || self.aws.client.create_stream().stream_name(&self.name).shard_count(count).send().await;
        // There was no stream a moment ago.
        let is_done = async |error: &AwsError| Ok(matches!(error, AwsError::Exists { .. }));
        self.change("CreateStream", call, is_done).await?;
        self.wait(&StreamStatus::Active).await?;
        let shards = report::count(shards.into(), "shard");
        report::line(format_args!("stream `{}` was created with {shards} {}", self.name, self.aws.place()));
        Ok(())
    }

    async fn describe(&self, json: bool) -> Result<(), StreamError> {
        let summary = self.persist(async || self.aws.describe(&self.name).await).await?;
        let shards = self.shards().await?;
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
        report::data(description.lines()).map_err(StreamError::Output)
    }

    async fn split(&self, shard: &ShardName, at: Option<u128>) -> Result<(), StreamError> {
        let shards = self.shards().await?;
        let Range { start, end } = self.open_shard(&shards, shard)?.range;
        let at = match at {
            Some(at) if at <= start || at > end => {
                return Err(StreamError::OutOfRange { shard: shard.0.clone(), start, end, at });
            }
            Some(at) => at,
            None => Range { start, end }.middle().ok_or_else(|| StreamError::Single(shard.0.clone()))?,
        };
        let call = async || {
            let call = self.aws.client.split_shard().stream_name(&self.name).shard_to_split(&shard.0);
            call.new_starting_hash_key(at.to_string()).send().await
        };
        let is_done = async |_: &AwsError| {
            let shards = self.shards().await?;
            Ok(shards.iter().any(|child| child.parent.as_ref() == Some(&shard.0) && child.range.start == at))
        };
        self.change("SplitShard", call, is_done).await?;
        self.wait(&StreamStatus::Active).await?;
        let children = self.children(&shard.0).await?.join("` and `");
        report::line(format_args!("`{}` was split at {at} into `{children}`", shard.0));
        Ok(())
    }

    async fn merge(&self, shard: &ShardName, neighbour: &ShardName) -> Result<(), StreamError> {
        let shards = self.shards().await?;
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
        let call = async || {
            let call = self.aws.client.merge_shards().stream_name(&self.name).shard_to_merge(&lower.id);
            call.adjacent_shard_to_merge(&upper.id).send().await
        };
        let is_done = async |_: &AwsError| {
            let shards = self.shards().await?;
            let is_child = |child: &Shard| [&lower.id, &upper.id].iter().all(|id| child.parents().any(|of| of == *id));
            Ok(shards.iter().any(is_child))
        };
        self.change("MergeShards", call, is_done).await?;
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
        let call = async || {
            let call = self.aws.client.delete_stream().stream_name(&self.name);
            call.enforce_consumer_deletion(true).send().await
        };
        let is_done = async |error: &AwsError| Ok(matches!(error, AwsError::NoSuchStream { .. }));
        self.change("DeleteStream", call, is_done).await?;
        self.wait_for(|status| status.is_none()).await?;
        report::line(format_args!("stream `{}` was deleted {place}", self.name));
        Ok(())
    }

    /// Makes a change. A call that fails for a transient reason is repeated, and one that the stream is not ready for is made when
    /// it is. If the answer to a call was lost, the next one may be refused because the change is made already.
    async fn change<T, E>(
        &self,
        operation: &'static str,
        mut call: impl AsyncFnMut() -> Result<T, SdkError<E, HttpResponse>>,
        is_done: impl AsyncFn(&AwsError) -> Result<bool, AwsError>,
    ) -> Result<(), StreamError>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let deadline = Instant::now() + PATIENCE;
        let mut was_lost = false;
        let mut attempts = 0;
        let error = loop {
            let attempt = async || match call().await {
                Ok(_) => Ok(None),
                Err(error) => match self.aws.explain(operation, &self.name, error).await {
                    busy @ AwsError::InUse { .. } => Ok(Some(busy)),
                    error => {
                        was_lost |= error.leaves_open();
                        Err(error)
                    }
                },
            };
            match self.persist(attempt).await {
                Ok(None) => return Ok(()),
                Ok(Some(busy)) if Instant::now() >= deadline => break busy,
                Ok(Some(busy)) => {
                    self.troubles.met(CALLER, Instant::now(), busy);
                    attempts += 1;
                    sleep(CHECKS.longest(attempts)).await;
                    match self.wait(&StreamStatus::Active).await {
                        Err(StreamError::Aws(error)) => break error,
                        waited => waited?,
                    }
                }
                Err(error) => break error,
            }
        };
        if was_lost && is_done(&error).await? { Ok(()) } else { Err(error.into()) }
    }

    /// Makes a call, and repeats it for a while if it fails for a transient reason.
    async fn persist<T>(&self, call: impl AsyncFnMut() -> Result<T, AwsError>) -> Result<T, AwsError> {
        self.troubles.persist(CALLER, &self.aws, self.aws.patience(), call).await
    }

    async fn shards(&self) -> Result<Vec<Shard>, AwsError> {
        self.persist(async || self.aws.shards(&self.name).await).await
    }

    async fn status(&self) -> Result<Option<StreamStatus>, AwsError> {
        self.persist(async || self.aws.status(&self.name).await).await
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
        let mut shards = self.shards().await?;
        shards.retain(|shard| shard.parents().any(|id| id == parent));
        Ok(shards.into_iter().map(|shard| shard.id).collect())
    }

    async fn wait(&self, wanted: &StreamStatus) -> Result<(), StreamError> {
        let status = self.wait_for(|status| status.is_none_or(|status| status == wanted)).await?;
        match status {
            Some(_) => Ok(()),
            None => {
                let (name, place) = (self.name.clone(), self.aws.place().clone());
                Err(AwsError::NoSuchStream { name, place, near: Vec::new() }.into())
            }
        }
    }

    /// Waits until the status is as wanted, or there is no stream.
    async fn wait_for(
        &self,
        is_wanted: impl Fn(Option<&StreamStatus>) -> bool,
    ) -> Result<Option<StreamStatus>, StreamError> {
        let deadline = Instant::now() + PATIENCE;
        let mut checks = 0;
        loop {
            checks += 1;
            sleep(CHECKS.longest(checks)).await;
            let status = self.status().await?;
            if is_wanted(status.as_ref()) {
                return Ok(status);
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
    fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!(
                "{}  {}, {} open, records are kept for {} h",
                self.stream_name,
                self.stream_status,
                report::count(self.open_shard_count as u64, "shard"),
                self.retention_period_hours,
            ),
            self.stream_arn.to_owned(),
        ];
        for shard in self.shards {
            let parents: Vec<_> = shard.parents().collect();
            let state = if shard.is_open { "open" } else { "closed" };
            let Range { start, end } = shard.range;
            let of = if parents.is_empty() { String::new() } else { format!("  of {}", parents.join(" and ")) };
            lines.push(format!("{}  {state:<6}  {start:>39} to {end:>39}{of}", shard.id));
        }
        lines
    }
}
