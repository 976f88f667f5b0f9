//! Reads one shard to its end.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use aws_sdk_kinesis::operation::get_records::GetRecordsOutput;
use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::{ChildShard, ShardIteratorType};
use tokio::sync::mpsc::Sender;
use tokio::time::sleep_until;

use super::{Common, Event, line};
use crate::kinesis::error::AwsError;
use crate::kinesis::pace::Pace;
use crate::kinesis::shards::Shard;

/// How many times to look for the children of a shard: the list of shards may lag behind.
const LOOKS: u32 = 8;

/// The place in a shard where reading starts or continues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cursor {
    TrimHorizon,
    Latest,
    Time(SystemTime),
    /// After the record with this sequence number.
    After(String),
}

/// Reads one shard.
pub(crate) struct Reader {
    common: Arc<Common>,
    shard: Shard,
    cursor: Cursor,
    pace: Pace,
    events: Sender<Event>,
}

/// The reason why a reader ends before its shard does.
enum Stop {
    /// Nobody receives the events.
    Unwanted,
    Failed(AwsError),
}

impl From<AwsError> for Stop {
    fn from(error: AwsError) -> Self {
        Self::Failed(error)
    }
}

impl Reader {
    pub(crate) fn new(common: Arc<Common>, shard: Shard, cursor: Cursor, events: Sender<Event>) -> Self {
        Self { common, shard, cursor, pace: Pace::new(), events }
    }

    pub(crate) async fn run(mut self) {
        let event = match self.read().await {
            Ok(children) => Event::Ended(self.shard.id, children),
            Err(Stop::Failed(error)) => Event::Failed(error),
            Err(Stop::Unwanted) => return,
        };
        _ = self.events.send(event).await;
    }

    /// Reads to the end, and returns the shards that follow.
    async fn read(&mut self) -> Result<Vec<Shard>, Stop> {
        let mut iterator = self.iterator().await?;
        if self.cursor == Cursor::Latest {
            // If the iterator expires, no record that has arrived since is skipped.
            self.cursor = Cursor::Time(self.common.began);
        }
        self.send(Event::Ready).await?;
        loop {
            sleep_until(self.pace.next().into()).await;
            let made = Instant::now();
            let output = match self.records(&iterator).await {
                Ok(output) => output,
                Err(AwsError::Refused { code, .. }) if code == "ExpiredIteratorException" => {
                    iterator = self.iterator().await?;
                    continue;
                }
                Err(error) => {
                    self.tolerate(error)?;
                    continue;
                }
            };
            self.common.troubles.over(&self.shard.id);
            let bytes = output.records.iter().map(|record| record.data.as_ref().len() as u64).sum();
            let is_idle = output.records.is_empty() && output.millis_behind_latest.unwrap_or(0) == 0;
            self.pace.succeeded(made, bytes, is_idle);
            if let Some(last) = output.records.last() {
                self.cursor = Cursor::After(last.sequence_number.clone());
                let lines = line::lines(&output.records, &self.shard, self.common.style);
                self.send(Event::Lines(lines)).await?;
            }
            match output.next_shard_iterator {
                Some(next) => iterator = next,
                None => return self.children(output.child_shards.unwrap_or_default()).await,
            }
        }
    }

    async fn records(&self, iterator: &str) -> Result<GetRecordsOutput, AwsError> {
        match self.common.client.get_records().shard_iterator(iterator).send().await {
            Ok(output) => Ok(output),
            Err(error) => Err(self.common.aws.explain("GetRecords", &self.common.stream, error).await),
        }
    }

    /// Gets an iterator at the cursor, however long that takes.
    async fn iterator(&mut self) -> Result<String, Stop> {
        loop {
            sleep_until(self.pace.next().into()).await;
            let call =
                self.common.client.get_shard_iterator().stream_name(&self.common.stream).shard_id(&self.shard.id);
            let call = match &self.cursor {
                Cursor::TrimHorizon => call.shard_iterator_type(ShardIteratorType::TrimHorizon),
                Cursor::Latest => call.shard_iterator_type(ShardIteratorType::Latest),
                Cursor::Time(time) => {
                    call.shard_iterator_type(ShardIteratorType::AtTimestamp).timestamp(DateTime::from(*time))
                }
                Cursor::After(number) => {
                    call.shard_iterator_type(ShardIteratorType::AfterSequenceNumber).starting_sequence_number(number)
                }
            };
            let error = match call.send().await {
                Ok(output) => match output.shard_iterator {
                    Some(iterator) => return Ok(iterator),
                    None => AwsError::Other {
                        operation: "GetShardIterator",
                        why: "the answer contains no iterator".to_owned(),
                    },
                },
                Err(error) => self.common.aws.explain("GetShardIterator", &self.common.stream, error).await,
            };
            self.tolerate(error)?;
        }
    }

    /// The shards that follow this one, from the last call or, if that is not enough, from the list of shards.
    async fn children(&mut self, reported: Vec<ChildShard>) -> Result<Vec<Shard>, Stop> {
        if self.common.only_one {
            return Ok(Vec::new());
        }
        let reported: Vec<_> = reported.into_iter().map(Shard::try_from).collect::<Result<_, _>>()?;
        let mut looks = 0;
        loop {
            let is_known = |id: &str| self.common.knows(id);
            match self.common.aws.followers(&self.common.stream, &self.shard.id, &reported, is_known).await {
                Ok(followers) => {
                    looks += 1;
                    if followers.complete || looks == LOOKS && !followers.shards.is_empty() {
                        return Ok(followers.shards);
                    }
                    if looks == LOOKS {
                        let why = format!(
                            "{} has ended, but it does not have children yet; try again in a moment",
                            self.shard.id
                        );
                        return Err(AwsError::Other { operation: "ListShards", why }.into());
                    }
                    self.pace.failed();
                }
                Err(error) => self.tolerate(error)?,
            }
            sleep_until(self.pace.next().into()).await;
        }
    }

    /// Tolerates a transient failure, and returns any other.
    fn tolerate(&mut self, error: AwsError) -> Result<(), Stop> {
        if !error.is_transient() {
            return Err(error.into());
        }
        self.common.troubles.met(&self.shard.id, error);
        self.pace.failed();
        Ok(())
    }

    async fn send(&self, event: Event) -> Result<(), Stop> {
        self.events.send(event).await.map_err(|_| Stop::Unwanted)
    }
}
