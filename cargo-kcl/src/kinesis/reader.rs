//! Reads one shard from a position to its end.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_kinesis::operation::get_records::GetRecordsOutput;
use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::{ChildShard, Record};
use kcl::{ParseSequenceNumberError, SequenceNumber};
use tokio::time::{Instant, sleep_until};

use super::connection::Connection;
use super::cursor::Cursor;
use super::error::AwsError;
use super::pace::Pace;
use super::place::Place;
use super::shards::Shard;
use super::trouble::Troubles;
use crate::backoff::Backoff;
use crate::input::kpl::{self, Content, Dropped, UserRecord};
use crate::report;

/// The most records that Kinesis returns at once.
const MOST_RECORDS: i32 = 10_000;
/// How many times to look for the children of a shard: the list of shards may lag behind.
const LOOKS: u32 = 8;
/// How many iterators in a row may be refused as soon as they were issued.
const ITERATORS: u32 = 5;

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
    #[error(
        "{shard} cannot be read: {ITERATORS} iterators in a row were refused as soon as they were issued ({last}); the service {place} does not keep its iterators"
    )]
    Iterators { shard: String, last: String, place: Place },
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

/// When a record arrived, in milliseconds since 1970. Kinesis knows no parts of them. It sends seconds as a floating-point number, which
/// is often a little below the one that is meant.
pub(crate) fn arrival(record: &Record) -> Option<i64> {
    let nanos = record.approximate_arrival_timestamp?.as_nanos();
    i64::try_from((nanos + 500_000).div_euclid(1_000_000)).ok()
}

/// The receiver of a shard's records. A call ends the reader with [`Stop::Unwanted`] if no more are wanted.
pub(crate) trait Sink: Send {
    /// The room for the records of a call, which is given back when they are handed over.
    type Room: Send;

    /// Waits until it can take the records of a call. They are not fetched before that.
    fn ready(&mut self) -> impl Future<Output = Result<Self::Room, Stop>> + Send;

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
    pub(crate) name: String,
    created: Option<DateTime>,
    pub(crate) troubles: Troubles,
    pub(crate) dropped: Dropped,
    looked: Mutex<Looked>,
}

/// The last look at which shards are closed.
#[derive(Debug)]
struct Looked {
    closed: Vec<String>,
    at: Instant,
    looks: u32,
}

impl SharedStream {
    /// The troubles of those who read a stream, and retry without a limit of time.
    pub(crate) fn troubles() -> Troubles {
        Troubles::new("retrying until it works or Ctrl-C ends the run", "the stream can be read again")
    }

    /// If it is known when the stream was created, readers notice that it was deleted and created again.
    pub(crate) fn new(aws: Connection, name: &str, created: Option<DateTime>, troubles: Troubles) -> Self {
        let looked = Mutex::new(Looked { closed: Vec::new(), at: Instant::now(), looks: 0 });
        Self { aws, name: name.to_owned(), created, troubles, dropped: Dropped::default(), looked }
    }

    /// How long a shard returns no records before anyone looks whether it is closed.
    fn quiet(&self) -> Duration {
        self.aws.idle() * 3
    }

    /// Whether a shard is listed as closed. Looks less and less often, and rather errs than fails.
    async fn is_closed(&self, shard: &str) -> bool {
        let pause = Backoff { first: self.quiet(), most: self.quiet() * 20 };
        let is_due = {
            let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
            let is_due = looked.looks == 0 || looked.at.elapsed() >= pause.longest(looked.looks);
            if is_due {
                looked.at = Instant::now();
                looked.looks = looked.looks.saturating_add(1);
            }
            is_due
        };
        if is_due && let Ok(shards) = self.aws.shards(&self.name).await {
            let closed = shards.into_iter().filter(|shard| !shard.is_open).map(|shard| shard.id).collect();
            self.looked.lock().unwrap_or_else(PoisonError::into_inner).closed = closed;
        }
        let looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        looked.closed.iter().any(|closed| closed == shard)
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
        let call = self.aws.client.get_shard_iterator().stream_name(&self.name).shard_id(shard);
        match cursor.add_to(call).send().await {
            Ok(output) => output
                .shard_iterator
                .ok_or_else(|| AwsError::foreign("GetShardIterator", self.aws.place(), "without an iterator")),
            Err(error) => Err(self.aws.explain("GetShardIterator", &self.name, error).await),
        }
    }

    async fn records(&self, iterator: &str) -> Result<GetRecordsOutput, AwsError> {
        match self.aws.client.get_records().shard_iterator(iterator).limit(MOST_RECORDS).send().await {
            // Taken for an answer of Kinesis, it would be the end of the shard.
            Ok(output)
                if output.records.is_empty()
                    && output.next_shard_iterator.is_none()
                    && output.millis_behind_latest.is_none()
                    && output.child_shards.is_none() =>
            {
                Err(AwsError::foreign("GetRecords", self.aws.place(), "without records"))
            }
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
    /// How many iterators in a row were refused.
    refused: u32,
    /// Since when the shard has returned no records although there should be none that it holds back.
    quiet: Option<Instant>,
    /// Whether it was reported that the shard is closed and does not end.
    reported: bool,
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
        let (done, pace) = (cursor.last(), Pace::new());
        Self {
            stream,
            shard,
            range,
            cursor,
            iterator: None,
            done,
            pace,
            refused: 0,
            quiet: None,
            reported: false,
            sink,
        }
    }

    /// Gets the first iterator: a reader of the latest records misses none that arrive from now on.
    pub(crate) async fn open(&mut self) -> Result<(), Stop> {
        self.iterator = Some(self.next_iterator().await?);
        Ok(())
    }

    /// Reads to the end of the shard, and returns the children that Kinesis reported, if any.
    pub(crate) async fn read(&mut self) -> Result<Vec<ChildShard>, Stop> {
        loop {
            sleep_until(self.pace.next().into()).await;
            let room = self.sink.ready().await?;
            let at = match self.iterator.take() {
                Some(at) => at,
                None => match self.try_iterator().await? {
                    Some(at) => at,
                    // The room is for others while this reader waits.
                    None => continue,
                },
            };
            let made = Instant::now();
            let output =
                match self.stream.troubles.attend(&self.shard, &self.stream.aws, self.stream.records(&at)).await {
                    Ok(output) => output,
                    Err(AwsError::Refused { code, .. }) if code == "ExpiredIteratorException" => {
                        self.refused_at(made, code)?;
                        continue;
                    }
                    Err(error @ AwsError::NoSuchStream { .. }) => {
                        // The stream, the shard or the record is missing; the request for an iterator shows which.
                        self.refused_at(made, error.to_string())?;
                        continue;
                    }
                    Err(error) => {
                        self.tolerate(made, error)?;
                        self.iterator = Some(at);
                        continue;
                    }
                };
            self.stream.troubles.over(&self.shard);
            self.refused = 0;
            let bytes = output.records.iter().map(|record| record.data.as_ref().len() as u64).sum();
            let behind = output.millis_behind_latest.and_then(|millis| u64::try_from(millis).ok()).unwrap_or(0);
            let is_idle = output.records.is_empty() && behind == 0;
            self.pace.succeeded(made.into_std(), bytes, is_idle);
            self.hand_over(&output.records, behind).await?;
            drop((output.records, room));
            match output.next_shard_iterator {
                Some(next) => self.iterator = Some(next),
                None => return Ok(output.child_shards.unwrap_or_default()),
            }
            self.note_quiet(is_idle).await;
        }
    }

    /// Counts an iterator that was refused. The first may have grown old while the sink took no records.
    fn refused_at(&mut self, made: Instant, why: String) -> Result<(), Stop> {
        self.refused += 1;
        if self.refused >= ITERATORS {
            let place = self.stream.aws.place().clone();
            return Err(ReadError::Iterators { shard: self.shard.clone(), last: why, place }.into());
        }
        if self.refused > 1 {
            self.stream.troubles.met(&self.shard, made, format_args!("{}: an iterator was refused: {why}", self.shard));
            self.pace.failed();
        }
        Ok(())
    }

    /// Reports a shard that is closed and never ends, so that nobody waits for its children in vain.
    async fn note_quiet(&mut self, is_idle: bool) {
        if !is_idle {
            self.quiet = None;
            return;
        }
        let quiet = self.quiet.get_or_insert_with(Instant::now).elapsed();
        if !self.reported && quiet >= self.stream.quiet() && self.stream.is_closed(&self.shard).await {
            self.reported = true;
            report::warning(format_args!(
                "{} is closed and returns no more records, but its end is not reported, so its child shards are not read; Kinesis \
                 reports the end, and some emulators do not",
                self.shard
            ));
        }
    }

    /// Tolerates a transient failure, and returns any other.
    fn tolerate(&mut self, made: Instant, error: AwsError) -> Result<(), Stop> {
        if !error.is_transient() {
            return Err(error.into());
        }
        self.stream.troubles.met(&self.shard, made, error);
        self.pace.failed();
        Ok(())
    }

    /// Gets an iterator at the cursor, however long that takes.
    async fn next_iterator(&mut self) -> Result<String, Stop> {
        loop {
            sleep_until(self.pace.next().into()).await;
            if let Some(iterator) = self.try_iterator().await? {
                return Ok(iterator);
            }
        }
    }

    /// Asks once for an iterator at the cursor. There is none if that fails for a while, or if the cursor was moved.
    async fn try_iterator(&mut self) -> Result<Option<String>, Stop> {
        if !self.sink.is_open() {
            return Err(Stop::Unwanted);
        }
        let (asked, made) = (self.stream.aws.time(), Instant::now());
        let call = self.stream.iterator(&self.shard, self.cursor);
        let error = match self.stream.troubles.attend(&self.shard, &self.stream.aws, call).await {
            Ok(iterator) => {
                if self.cursor == Cursor::Latest {
                    // Records that arrive from now on must not be skipped if this iterator expires.
                    self.cursor = Cursor::Time(asked);
                }
                return Ok(Some(iterator));
            }
            Err(error) => error,
        };
        let is_missing = match &error {
            AwsError::NoSuchStream { .. } => true,
            AwsError::Refused { code, .. } => code == "InvalidArgumentException",
            _ => false,
        };
        if !is_missing {
            self.tolerate(made, error)?;
            return Ok(None);
        }
        match self.stream.verify().await {
            Ok(()) => self.rewind(error)?,
            Err(ReadError::Aws(error)) => self.tolerate(made, error)?,
            Err(error) => return Err(error.into()),
        }
        Ok(None)
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
        report::warning(format_args!(
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
                arrival: arrival(record),
                millis_behind,
            };
            match kpl::take_apart(whole.data, &self.range) {
                Content::Plain => self.hand_over_one(whole).await?,
                Content::Elsewhere => self.stream.dropped.add(&self.shard, sequence_number),
                Content::Aggregate(aggregate) => {
                    for (sub_sequence_number, part) in (0..).zip(aggregate.records()) {
                        let UserRecord { data, partition_key, .. } = part;
                        self.hand_over_one(ShardRecord { data, partition_key, sub_sequence_number, ..whole }).await?;
                    }
                    if let Some(trouble) = &aggregate.trouble {
                        report::warning(format_args!(
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
            report::warning(format_args!(
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
            let made = Instant::now();
            let call = self.stream.aws.followers(&self.stream.name, &self.shard, &reported, &is_known);
            match self.stream.troubles.attend(&self.shard, &self.stream.aws, call).await {
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
                Err(error) => self.tolerate(made, error)?,
            }
            sleep_until(self.pace.next().into()).await;
            if !self.sink.is_open() {
                return Err(Stop::Unwanted);
            }
        }
    }
}
