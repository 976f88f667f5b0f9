//! Short looks into the shards of a stream.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime};

use aws_sdk_kinesis::operation::get_records::GetRecordsOutput;
use aws_sdk_kinesis::types::Record;
use kcl::{Position, SequenceNumber};
use tokio::time::{Instant, sleep_until};

use crate::input::kpl::{self, Content};
use crate::kinesis::connection::Connection;
use crate::kinesis::cursor::Cursor;
use crate::kinesis::error::AwsError;
use crate::kinesis::pace::Pace;
use crate::kinesis::reader::arrival;
use crate::kinesis::shards::Shard;
use crate::kinesis::trouble::Troubles;

/// A stream, and the client for it.
#[derive(Debug)]
pub(crate) struct Stream {
    aws: Connection,
    pub(crate) name: String,
    troubles: Troubles,
    /// The pace at which each shard is read, whatever it is read for.
    paces: RefCell<HashMap<String, Pace>>,
}

/// A record of a shard, as far as positions need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) number: SequenceNumber,
    /// The sub-sequence number of the last part that a processor gets; `None` if it gets nothing of the record.
    pub(crate) last_part: Option<u64>,
    /// When the record arrived, in milliseconds since 1970.
    pub(crate) arrival: i64,
}

impl Entry {
    /// The position after the record with all its parts.
    pub(crate) fn position(&self) -> Position {
        Position::after(self.number, self.last_part.unwrap_or(0))
    }

    /// The time of arrival for people.
    pub(crate) fn arrived(&self) -> String {
        time_text(self.arrival)
    }
}

/// The records of a call.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) entries: Vec<Entry>,
    /// Whether no more records follow for now.
    pub(crate) is_last: bool,
    /// Whether the shard has ended here.
    pub(crate) is_end: bool,
}

impl Stream {
    pub(crate) fn new(aws: Connection, name: &str) -> Self {
        Self {
            aws,
            name: name.to_owned(),
            troubles: Troubles::new("retrying", "Kinesis answers again"),
            paces: RefCell::default(),
        }
    }

    /// The time at Kinesis, or a little earlier. The clock of this machine may be wrong.
    pub(crate) fn time(&self) -> SystemTime {
        self.aws.time()
    }

    /// All shards of the stream.
    ///
    /// # Errors
    ///
    /// If they cannot be listed.
    pub(crate) async fn shards(&self) -> Result<Vec<Shard>, AwsError> {
        self.persist("the shards", async || self.aws.shards(&self.name).await).await
    }

    /// How many hours the stream keeps its records.
    ///
    /// # Errors
    ///
    /// If the stream cannot be described.
    pub(crate) async fn retention(&self) -> Result<u64, AwsError> {
        let summary = self.persist("the stream", async || self.aws.describe(&self.name).await).await?;
        Ok(u64::try_from(summary.retention_period_hours).unwrap_or_default())
    }

    /// Starts to read a shard at a place. A call returns at most this many records.
    ///
    /// # Errors
    ///
    /// If there is no iterator for the place.
    pub(crate) async fn read(&self, shard: &Shard, from: Cursor, limit: i32) -> Result<Pages<'_>, AwsError> {
        let open = async || {
            let call = self.aws.client.get_shard_iterator().stream_name(&self.name).shard_id(&shard.id);
            match from.add_to(call).send().await {
                Ok(output) => output
                    .shard_iterator
                    .ok_or_else(|| AwsError::foreign("GetShardIterator", self.aws.place(), "without an iterator")),
                Err(error) => Err(self.aws.explain("GetShardIterator", &self.name, error).await),
            }
        };
        let iterator = self.persist(&shard.id, open).await?;
        Ok(Pages {
            stream: self,
            shard: shard.id.clone(),
            range: shard.range.start..=shard.range.end,
            iterator: Some(iterator),
            limit,
        })
    }

    async fn persist<T>(&self, caller: &str, call: impl AsyncFnMut() -> Result<T, AwsError>) -> Result<T, AwsError> {
        self.troubles.persist(caller, &self.aws, self.aws.patience(), call).await
    }
}

/// The records of a shard, call by call.
#[derive(Debug)]
pub(crate) struct Pages<'a> {
    stream: &'a Stream,
    shard: String,
    range: RangeInclusive<u128>,
    iterator: Option<String>,
    limit: i32,
}

impl Pages<'_> {
    /// The records of the next call; `None` after the end of the shard.
    ///
    /// # Errors
    ///
    /// If the call fails.
    pub(crate) async fn next(&mut self) -> Result<Option<Page>, AwsError> {
        let Some(iterator) = self.iterator.take() else { return Ok(None) };
        let next = self.pace(|pace| pace.next());
        sleep_until(next.into()).await;
        let made = Instant::now();
        let aws = &self.stream.aws;
        let read = async || {
            let call = aws.client.get_records().shard_iterator(&iterator).limit(self.limit);
            match call.send().await {
                Ok(output) => Ok(output),
                Err(error) => Err(aws.explain("GetRecords", &self.stream.name, error).await),
            }
        };
        let output = self.stream.persist(&self.shard, read).await?;
        if output.records.is_empty()
            && output.next_shard_iterator.is_none()
            && output.millis_behind_latest.is_none()
            && output.child_shards.is_none()
        {
            return Err(AwsError::foreign("GetRecords", aws.place(), "without records"));
        }
        let bytes = output.records.iter().map(|record| record.data.as_ref().len() as u64).sum();
        self.pace(|pace| pace.succeeded(made.into_std(), bytes, false));
        self.page(output).map(Some)
    }

    fn pace<T>(&self, of: impl FnOnce(&mut Pace) -> T) -> T {
        of(self.stream.paces.borrow_mut().entry(self.shard.clone()).or_insert_with(Pace::new))
    }

    fn page(&mut self, output: GetRecordsOutput) -> Result<Page, AwsError> {
        let entries = output.records.iter().map(|record| self.entry(record)).collect::<Result<Vec<_>, _>>()?;
        self.iterator = output.next_shard_iterator;
        let is_end = self.iterator.is_none();
        // An answer may be empty although records follow.
        let is_last = is_end || entries.is_empty() && output.millis_behind_latest.unwrap_or(0) == 0;
        Ok(Page { entries, is_last, is_end })
    }

    fn entry(&self, record: &Record) -> Result<Entry, AwsError> {
        let unusable = |what: &str| AwsError::Other {
            operation: "GetRecords",
            why: format!("{} delivered a record {what}", self.shard),
        };
        let number = record.sequence_number().parse().map_err(|_| unusable("with an invalid sequence number"))?;
        let last_part = match kpl::take_apart(record.data.as_ref(), &self.range) {
            Content::Plain => Some(0),
            Content::Elsewhere => None,
            Content::Aggregate(aggregate) => aggregate.len().checked_sub(1),
        };
        Ok(Entry { number, last_part, arrival: arrival(record).ok_or_else(|| unusable("without an arrival time"))? })
    }

    /// The first record that satisfies a condition, and the last one before it. Either is `None` if there is none.
    ///
    /// # Errors
    ///
    /// If a call fails.
    pub(crate) async fn find(
        &mut self,
        wanted: impl Fn(&Entry) -> bool,
    ) -> Result<(Option<Entry>, Option<Entry>), AwsError> {
        let mut last = None;
        while let Some(page) = self.next().await? {
            for entry in page.entries {
                if wanted(&entry) {
                    return Ok((Some(entry), last));
                }
                last = Some(entry);
            }
            if page.is_last {
                break;
            }
        }
        Ok((None, last))
    }
}

/// The time in milliseconds since 1970.
pub(crate) fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A time in milliseconds since 1970, for people.
fn time_text(millis: i64) -> String {
    let since = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
    // The formatter panics after the year 9999.
    let latest = Duration::from_secs(253_402_300_799);
    humantime::format_rfc3339_millis(SystemTime::UNIX_EPOCH + since.min(latest)).to_string()
}
