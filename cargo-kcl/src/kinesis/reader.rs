//! Reads one shard from a position to its end.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::operation::get_records::GetRecordsOutput;
use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::{ChildShard, Record};
use kcl::{ParseSequenceNumberError, SequenceNumber};
use tokio::time::sleep_until;

use super::connection::Connection;
use super::cursor::Cursor;
use super::error::AwsError;
use super::pace::Pace;
use super::shards::Shard;
use super::trouble::Troubles;
use crate::input::kpl::{self, Content, UserRecord};
use crate::report;

/// The most records that Kinesis returns at once.
const MOST_RECORDS: i32 = 10_000;
/// How many times to look for the children of a shard: the list of shards may lag behind.
const LOOKS: u32 = 8;

/// The reason why a shard cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("{shard} delivered a record whose sequence number `{number}` is invalid: {error}")]
    SequenceNumber { shard: String, number: String, error: ParseSequenceNumberError },
    #[error("the stream `{0}` was deleted and created again; run this again, with --fresh if checkpoints are kept")]
    Recreated(String),
    #[error("{0} is no longer in the stream, and its unread records are lost")]
    Gone(String),
    #[error("{0} has ended, but it does not have children yet; try again in a moment")]
    NoChildren(String),
}

/// The reason why a reader ends before its shard does.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The sink takes no more records.
    Unwanted,
    Failed(ReadError),
}

impl<E: Into<ReadError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// A record as its producer put it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShardRecord<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) partition_key: &'a str,
    pub(crate) sequence_number: SequenceNumber,
    /// The index in the aggregate.
    pub(crate) sub_sequence_number: u64,
    /// In milliseconds since 1970.
    pub(crate) arrival: Option<i64>,
    /// How far the call was behind the tip of the shard.
    pub(crate) millis_behind: u64,
}

/// The receiver of a shard's records. A call ends the reader with [`Stop::Unwanted`] if no more are wanted.
pub(crate) trait Sink: Send {
    /// Waits until it can take the records of a call. They are not fetched before that.
    fn ready(&mut self) -> impl Future<Output = Result<(), Stop>> + Send;

    /// Whether records are still wanted. The reader asks between calls while it cannot read.
    fn is_open(&self) -> bool;

    /// Takes a record.
    fn take(&mut self, record: ShardRecord<'_>) -> impl Future<Output = Result<(), Stop>> + Send;

    /// Ends the records of a call, which may be none.
    fn flush(&mut self, millis_behind: u64) -> impl Future<Output = Result<(), Stop>> + Send;
}

/// The stream that several readers read.
#[derive(Debug)]
pub(crate) struct SharedStream {
    pub(crate) aws: Connection,
    /// A client without retries: readers have their own, which respect the limits of a shard.
    client: Client,
    pub(crate) name: String,
    created: Option<DateTime>,
    pub(crate) troubles: Troubles,
}

impl SharedStream {
    /// If it is known when the stream was created, readers notice that it was deleted and created again.
    pub(crate) fn new(aws: Connection, name: &str, created: Option<DateTime>) -> Self {
        let config = aws.client.config().to_builder().retry_config(RetryConfig::disabled()).build();
        let (client, name) = (Client::from_conf(config), name.to_owned());
        Self { aws, client, name, created, troubles: Troubles::default() }
    }

    /// Checks that the stream exists, and is still the same.
    async fn verify(&self) -> Result<(), ReadError> {
        match self.created {
            Some(created) if self.aws.describe(&self.name).await?.stream_creation_timestamp != created => {
                Err(ReadError::Recreated(self.name.clone()))
            }
            Some(_) => Ok(()),
            // Readers have the permission to list shards in any case.
            None => self.aws.shards(&self.name).await.map(drop).map_err(ReadError::from),
        }
    }

    async fn iterator(&self, shard: &str, cursor: Cursor) -> Result<String, AwsError> {
        let call = self.client.get_shard_iterator().stream_name(&self.name).shard_id(shard);
        match cursor.add_to(call).send().await {
            Ok(output) => output.shard_iterator.ok_or_else(|| AwsError::Other {
                operation: "GetShardIterator",
                why: "the answer contains no iterator".to_owned(),
            }),
            Err(error) => Err(self.aws.explain("GetShardIterator", &self.name, error).await),
        }
    }

    async fn records(&self, iterator: &str) -> Result<GetRecordsOutput, AwsError> {
        match self.client.get_records().shard_iterator(iterator).limit(MOST_RECORDS).send().await {
            Ok(output) => Ok(output),
            Err(error) => Err(self.aws.explain("GetRecords", &self.name, error).await),
        }
    }
}

/// Reads one shard into a sink.
pub(crate) struct ShardReader<S> {
    stream: Arc<SharedStream>,
    /// The shard's id.
    shard: String,
    range: RangeInclusive<u128>,
    cursor: Cursor,
    /// The iterator of the next call, unless it must be requested.
    iterator: Option<String>,
    /// Records up to this one were processed before.
    done: Option<(SequenceNumber, u64)>,
    pace: Pace,
    sink: S,
}

impl<S: Sink> ShardReader<S> {
    pub(crate) fn new(
        stream: Arc<SharedStream>,
        shard: String,
        range: RangeInclusive<u128>,
        cursor: Cursor,
        sink: S,
    ) -> Self {
        Self { stream, shard, range, cursor, iterator: None, done: cursor.last(), pace: Pace::new(), sink }
    }

    /// Gets the first iterator: a reader of the latest records misses none that arrive from now on.
    pub(crate) async fn open(&mut self) -> Result<(), Stop> {
        self.iterator = Some(self.next_iterator().await?);
        Ok(())
    }

    /// Reads to the end of the shard, and returns the children that Kinesis reported, if any.
    pub(crate) async fn read(&mut self) -> Result<Vec<ChildShard>, Stop> {
        loop {
            self.sink.ready().await?;
            let at = match self.iterator.take() {
                Some(at) => at,
                None => self.next_iterator().await?,
            };
            sleep_until(self.pace.next().into()).await;
            let made = Instant::now();
            let output = match self.stream.records(&at).await {
                Ok(output) => output,
                Err(AwsError::Refused { code, .. }) if code == "ExpiredIteratorException" => continue,
                Err(AwsError::NoSuchStream { .. }) => {
                    // The stream, the shard or the record is missing; the request for an iterator shows which.
                    self.pace.failed();
                    continue;
                }
                Err(error) => {
                    self.tolerate(error)?;
                    self.iterator = Some(at);
                    continue;
                }
            };
            self.stream.troubles.over(&self.shard);
            let bytes = output.records.iter().map(|record| record.data.as_ref().len() as u64).sum();
            let behind = output.millis_behind_latest.and_then(|millis| u64::try_from(millis).ok()).unwrap_or(0);
            self.pace.succeeded(made, bytes, output.records.is_empty() && behind == 0);
            self.hand_over(&output.records, behind).await?;
            match output.next_shard_iterator {
                Some(next) => self.iterator = Some(next),
                None => return Ok(output.child_shards.unwrap_or_default()),
            }
        }
    }

    /// Tolerates a transient failure, and returns any other.
    fn tolerate(&mut self, error: AwsError) -> Result<(), Stop> {
        if !error.is_transient() {
            return Err(error.into());
        }
        self.stream.troubles.met(&self.shard, error);
        self.pace.failed();
        Ok(())
    }

    /// Gets an iterator at the cursor, however long that takes.
    async fn next_iterator(&mut self) -> Result<String, Stop> {
        loop {
            sleep_until(self.pace.next().into()).await;
            if !self.sink.is_open() {
                return Err(Stop::Unwanted);
            }
            let asked = SystemTime::now();
            let error = match self.stream.iterator(&self.shard, self.cursor).await {
                Ok(iterator) => {
                    if self.cursor == Cursor::Latest {
                        // Records that arrive from now on must not be skipped if this iterator expires.
                        self.cursor = Cursor::Time(asked);
                    }
                    return Ok(iterator);
                }
                Err(error) => error,
            };
            let is_missing = match &error {
                AwsError::NoSuchStream { .. } => true,
                AwsError::Refused { code, .. } => code == "InvalidArgumentException",
                _ => false,
            };
            if !is_missing {
                self.tolerate(error)?;
                continue;
            }
            match self.stream.verify().await {
                Ok(()) => self.rewind(error)?,
                Err(ReadError::Aws(error)) => self.tolerate(error)?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Moves the cursor to the oldest record if its own is missing. Otherwise the shard is.
    fn rewind(&mut self, error: AwsError) -> Result<(), Stop> {
        let Some(last) = self.cursor.last() else {
            return Err(match error {
                AwsError::NoSuchStream { .. } => ReadError::Gone(self.shard.clone()),
                error => error.into(),
            }
            .into());
        };
        report::line(format_args!(
            "{}: record {}, where reading stopped, is no longer in the stream; resuming at the oldest record",
            self.shard, last.0
        ));
        self.done = Some(last);
        self.cursor = Cursor::TrimHorizon;
        Ok(())
    }

    /// Hands all records of a call to the sink.
    async fn hand_over(&mut self, records: &[Record], millis_behind: u64) -> Result<(), Stop> {
        for record in records {
            let number = record.sequence_number();
            let sequence_number = number.parse().map_err(|error| ReadError::SequenceNumber {
                shard: self.shard.clone(),
                number: number.to_owned(),
                error,
            })?;
            self.note_trimmed(sequence_number);
            let whole = ShardRecord {
                data: record.data.as_ref(),
                partition_key: record.partition_key().unwrap_or_default(),
                sequence_number,
                sub_sequence_number: 0,
                arrival: record.approximate_arrival_timestamp.and_then(|time| time.to_millis().ok()),
                millis_behind,
            };
            match kpl::take_apart(whole.data, &self.range) {
                Content::Plain => self.hand_over_one(whole).await?,
                Content::Elsewhere => self.stream.troubles.dropped.add(&self.shard, sequence_number),
                Content::Aggregate(aggregate) => {
                    for (sub_sequence_number, part) in (0..).zip(aggregate.records()) {
                        let UserRecord { data, partition_key, .. } = part;
                        self.hand_over_one(ShardRecord { data, partition_key, sub_sequence_number, ..whole }).await?;
                    }
                    if let Some(trouble) = &aggregate.trouble {
                        report::line(format_args!(
                            "{}: part {} of the aggregate {sequence_number} cannot be read: {trouble}; this part and those \
                             after it are dropped, as in the KCL",
                            self.shard,
                            aggregate.len(),
                        ));
                    }
                }
            }
            self.cursor = Cursor::After(sequence_number);
        }
        self.sink.flush(millis_behind).await
    }

    /// Hands a record to the sink, unless it was processed before.
    async fn hand_over_one(&mut self, record: ShardRecord<'_>) -> Result<(), Stop> {
        if self.done.is_some_and(|done| (record.sequence_number, record.sub_sequence_number) <= done) {
            return Ok(());
        }
        self.sink.take(record).await
    }

    /// Reports if the first record is not that of the checkpoint, where reading was to start.
    fn note_trimmed(&mut self, first: SequenceNumber) {
        if let Cursor::At(last, _) = self.cursor
            && first > last
        {
            report::line(format_args!(
                "{}: record {last}, the last checkpoint, has expired in the stream, and so have all records before {first}",
                self.shard
            ));
        }
    }

    /// The shards that follow this one, which has ended with these children.
    pub(crate) async fn followers(
        &mut self,
        children: Vec<ChildShard>,
        is_known: impl Fn(&str) -> bool,
    ) -> Result<Vec<Shard>, Stop> {
        let reported: Vec<_> = children.into_iter().map(Shard::try_from).collect::<Result<_, _>>()?;
        let mut looks = 0;
        loop {
            match self.stream.aws.followers(&self.stream.name, &self.shard, &reported, &is_known).await {
                Ok(followers) => {
                    looks += 1;
                    if followers.complete || looks == LOOKS && !followers.shards.is_empty() {
                        return Ok(followers.shards);
                    }
                    if looks == LOOKS {
                        return Err(ReadError::NoChildren(self.shard.clone()).into());
                    }
                    self.pace.failed();
                }
                Err(error) => self.tolerate(error)?,
            }
            sleep_until(self.pace.next().into()).await;
            if !self.sink.is_open() {
                return Err(Stop::Unwanted);
            }
        }
    }
}
