//! Reads one shard from a position to its end.

use std::future::poll_fn;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use aws_sdk_kinesis::operation::get_records::GetRecordsOutput;
use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::{ChildShard, Record, ShardIteratorType};
use kcl::SequenceNumber;
use tokio::time::sleep_until;

use super::tree::Listed;
use super::{Common, Lane, StreamError, number};
use crate::args::shard_id;
use crate::input::lines::LONGEST_LINE;
use crate::kinesis::error::AwsError;
use crate::kinesis::kpl::{self, Content};
use crate::kinesis::pace::Pace;
use crate::kinesis::shards::Shard;
use crate::local::event::Event;
use crate::local::source::queue::{Batch, End, Queue};
use crate::report;

/// The most records that Kinesis returns at once.
const MOST_RECORDS: i32 = 10_000;
/// How many times to look for the children of a shard: the list of shards may lag behind.
const LOOKS: u32 = 8;

/// The place in a shard where reading starts or continues.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cursor {
    TrimHorizon,
    Latest,
    Time(SystemTime),
    /// At the record of a checkpoint, whose parts up to this one are processed.
    At(SequenceNumber, u64),
    /// After a record that was read.
    After(SequenceNumber),
}

/// Reads one shard into its queue.
pub(crate) struct Reader {
    common: Arc<Common>,
    shard: u32,
    /// The shard's id in Kinesis.
    id: String,
    range: RangeInclusive<u128>,
    cursor: Cursor,
    /// Records up to this one were processed before.
    done: Option<(SequenceNumber, u64)>,
    queue: Arc<Queue>,
    batch: Batch,
    pace: Pace,
}

/// The reason why a reader ends before its shard does.
enum Stop {
    /// Nobody takes more records, or the limit is reached.
    Unwanted,
    Failed(StreamError),
}

impl<E: Into<StreamError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Reader {
    pub(crate) fn new(common: Arc<Common>, shard: u32, cursor: Cursor, queue: Arc<Queue>) -> Self {
        let mut state = common.state();
        let lane = Lane { queue: Arc::clone(&queue), holds_records: false };
        if state.failed {
            queue.end(End::Paused);
        }
        state.queues.insert(shard, lane);
        let range = state.ranges.get(&shard).cloned().unwrap_or(0..=u128::MAX);
        drop(state);
        let done = match cursor {
            Cursor::At(sequence_number, sub_sequence_number) => Some((sequence_number, sub_sequence_number)),
            _ => None,
        };
        let (batch, pace) = (Batch::default(), Pace::new());
        Self { common, shard, id: shard_id(shard), range, cursor, done, queue, batch, pace }
    }

    pub(crate) async fn run(mut self) {
        match self.read().await {
            Ok(()) => self.queue.end(End::Finished),
            Err(Stop::Unwanted) => {}
            Err(Stop::Failed(error)) => self.common.fail(error),
        }
        self.common.troubles.over(self.shard);
        let mut state = self.common.state();
        // A restarted processor has another queue.
        if state.queues.get(&self.shard).is_some_and(|lane| Arc::ptr_eq(&lane.queue, &self.queue)) {
            state.queues.remove(&self.shard);
        }
    }

    async fn read(&mut self) -> Result<(), Stop> {
        let mut iterator = None;
        loop {
            // Fetch nothing before the queue has room.
            self.room().await?;
            let at = match iterator.take() {
                Some(at) => at,
                None => self.iterator().await?,
            };
            sleep_until(self.pace.next().into()).await;
            let made = Instant::now();
            let output = match self.records(&at).await {
                Ok(output) => output,
                Err(AwsError::Refused { code, .. }) if code == "ExpiredIteratorException" => continue,
                Err(AwsError::NoSuchStream { .. }) => {
                    // The stream, the shard or the record is missing; the request for an iterator shows which.
                    self.pace.failed();
                    continue;
                }
                Err(error) => {
                    self.tolerate(error)?;
                    iterator = Some(at);
                    continue;
                }
            };
            self.common.troubles.over(self.shard);
            let bytes = output.records.iter().map(|record| record.data.as_ref().len() as u64).sum();
            let behind = output.millis_behind_latest.and_then(|millis| u64::try_from(millis).ok()).unwrap_or(0);
            self.pace.succeeded(made, bytes, output.records.is_empty() && behind == 0);
            self.hand_over(&output.records, behind).await?;
            match output.next_shard_iterator {
                Some(next) => iterator = Some(next),
                None => return self.announce_children(output.child_shards.unwrap_or_default()).await,
            }
        }
    }

    /// Waits until the queue has room for a batch.
    async fn room(&self) -> Result<(), Stop> {
        if poll_fn(|context| self.queue.poll_room(context)).await { Ok(()) } else { Err(Stop::Unwanted) }
    }

    /// Tolerates a transient failure, and returns any other.
    fn tolerate(&mut self, error: AwsError) -> Result<(), Stop> {
        if !error.is_transient() {
            return Err(error.into());
        }
        self.common.troubles.met(self.shard, error);
        self.pace.failed();
        Ok(())
    }

    async fn records(&self, iterator: &str) -> Result<GetRecordsOutput, AwsError> {
        match self.common.client.get_records().shard_iterator(iterator).limit(MOST_RECORDS).send().await {
            Ok(output) => Ok(output),
            Err(error) => Err(self.common.aws.explain("GetRecords", &self.common.name, error).await),
        }
    }

    /// Gets an iterator at the cursor, however long that takes.
    async fn iterator(&mut self) -> Result<String, Stop> {
        loop {
            sleep_until(self.pace.next().into()).await;
            if !self.queue.is_open() {
                return Err(Stop::Unwanted);
            }
            let asked = SystemTime::now();
            let error = match self.iterator_at(self.cursor).await {
                Ok(iterator) => {
                    if matches!(self.cursor, Cursor::Latest) {
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
            match self.common.verify().await {
                Ok(()) => {}
                Err(StreamError::Aws(error)) => {
                    self.tolerate(error)?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            match self.cursor {
                Cursor::At(last, _) | Cursor::After(last) => {
                    report::line(format_args!(
                        "{}: record {last}, where reading stopped, is no longer in the stream; resuming at the oldest record",
                        self.id
                    ));
                    if matches!(self.cursor, Cursor::After(_)) {
                        self.done = Some((last, u64::MAX));
                    }
                    self.cursor = Cursor::TrimHorizon;
                }
                Cursor::TrimHorizon | Cursor::Latest | Cursor::Time(_) => {
                    return Err(match error {
                        AwsError::NoSuchStream { .. } => StreamError::Gone(self.id.clone()).into(),
                        error => error.into(),
                    });
                }
            }
        }
    }

    async fn iterator_at(&self, cursor: Cursor) -> Result<String, AwsError> {
        let call = self.common.client.get_shard_iterator().stream_name(&self.common.name).shard_id(&self.id);
        let call = match cursor {
            Cursor::TrimHorizon => call.shard_iterator_type(ShardIteratorType::TrimHorizon),
            Cursor::Latest => call.shard_iterator_type(ShardIteratorType::Latest),
            Cursor::Time(time) => {
                call.shard_iterator_type(ShardIteratorType::AtTimestamp).timestamp(DateTime::from(time))
            }
            Cursor::At(number, _) => call
                .shard_iterator_type(ShardIteratorType::AtSequenceNumber)
                .starting_sequence_number(number.to_string()),
            Cursor::After(number) => call
                .shard_iterator_type(ShardIteratorType::AfterSequenceNumber)
                .starting_sequence_number(number.to_string()),
        };
        match call.send().await {
            Ok(output) => output.shard_iterator.ok_or_else(|| AwsError::Other {
                operation: "GetShardIterator",
                why: "the answer contains no iterator".to_owned(),
            }),
            Err(error) => Err(self.common.aws.explain("GetShardIterator", &self.common.name, error).await),
        }
    }

    /// Puts all records of a call into the queue, batch by batch.
    async fn hand_over(&mut self, records: &[Record], behind: u64) -> Result<(), Stop> {
        for record in records {
            let number = record.sequence_number();
            let number = number.parse().map_err(|error| StreamError::SequenceNumber {
                shard: self.id.clone(),
                number: number.to_owned(),
                error,
            })?;
            self.note_trimmed(number);
            let arrival = record.approximate_arrival_timestamp.and_then(|time| time.to_millis().ok()).unwrap_or(0);
            let (data, key) = (record.data.as_ref(), record.partition_key().unwrap_or_default());
            match kpl::take_apart(data, &self.range) {
                Content::Plain => self.add(data, key, (number, 0), arrival, behind).await?,
                Content::Elsewhere => {}
                Content::Aggregate { records, trouble } => {
                    for (sub, part) in (0..).zip(&records) {
                        self.add(&part.data, &part.partition_key, (number, sub), arrival, behind).await?;
                    }
                    if let Some(trouble) = trouble {
                        report::line(format_args!(
                            "{}: part {} of the aggregate {number} cannot be read: {trouble}; this part and those after it are \
                             dropped, as in the KCL",
                            self.id,
                            records.len(),
                        ));
                    }
                }
            }
            self.cursor = Cursor::After(number);
        }
        self.flush(behind).await
    }

    /// Reports if the first record is not that of the checkpoint, where reading was to start.
    fn note_trimmed(&mut self, first: SequenceNumber) {
        if let Cursor::At(last, _) = self.cursor
            && first > last
        {
            report::line(format_args!(
                "{}: record {last}, the last checkpoint, has expired in the stream, and so have all records before {first}",
                self.id
            ));
        }
    }

    async fn add(
        &mut self,
        data: &[u8],
        key: &str,
        number: (SequenceNumber, u64),
        arrival: i64,
        behind: u64,
    ) -> Result<(), Stop> {
        if self.done.is_some_and(|done| number <= done) {
            return Ok(());
        }
        if self.batch.len() > 0 && self.batch.data_len() + data.len() > LONGEST_LINE {
            self.flush(behind).await?;
        }
        if !self.common.count(self.shard) {
            self.flush(behind).await?;
            return Err(Stop::Unwanted);
        }
        self.batch.push_numbered(data, key, number, arrival);
        if self.batch.len() >= self.common.max_records {
            self.flush(behind).await?;
        }
        Ok(())
    }

    async fn flush(&mut self, behind: u64) -> Result<(), Stop> {
        if self.batch.len() > 0 {
            self.room().await?;
            self.batch.set_millis_behind(behind);
            self.queue.push(&mut self.batch);
        }
        if self.common.handed_over(self.shard) { Ok(()) } else { Err(Stop::Unwanted) }
    }

    /// Announces the shards that follow this one, which has ended.
    async fn announce_children(&mut self, children: Vec<ChildShard>) -> Result<(), Stop> {
        let reported: Vec<_> = children.into_iter().map(Shard::try_from).collect::<Result<_, _>>()?;
        let mut looks = 0;
        let shards = loop {
            let is_known = |id: &str| number(id).is_ok_and(|shard| self.common.state().ranges.contains_key(&shard));
            match self.common.aws.followers(&self.common.name, &self.id, &reported, is_known).await {
                Ok(followers) => {
                    looks += 1;
                    if followers.complete || looks == LOOKS && !followers.shards.is_empty() {
                        break followers.shards;
                    }
                    if looks == LOOKS {
                        return Err(StreamError::NoChildren(self.id.clone()).into());
                    }
                    self.pace.failed();
                }
                Err(error) => self.tolerate(error)?,
            }
            sleep_until(self.pace.next().into()).await;
            if !self.queue.is_open() {
                return Err(Stop::Unwanted);
            }
        };
        let shards: Vec<_> = shards.into_iter().map(Listed::try_from).collect::<Result<_, _>>()?;
        // The lock is held until all are announced: a shard that is known has been announced.
        let mut state = self.common.state();
        for shard in shards {
            state.ranges.insert(shard.number, shard.range);
            _ = self.common.events.send(Event::Born { shard: shard.number, parents: shard.parents });
        }
        Ok(())
    }
}
