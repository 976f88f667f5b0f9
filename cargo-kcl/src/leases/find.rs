//! The position before the first record of a shard that arrived at some time or later.
//!
//! A lease names the record after which delivery resumes, so that record must be found. Kinesis reads forward only. The search
//! therefore starts shortly before the time, and goes back in growing steps until there is a record. It then halves the last step until
//! few records are left to read.

use std::time::{Duration, SystemTime};

use kcl::Position;

use crate::kinesis::cursor::Cursor;
use crate::kinesis::error::AwsError;
use crate::kinesis::shards::Shard;
use crate::lease_table::{Entry, Stream};

/// The first step back, in milliseconds.
const STEP: i64 = 5_000;
/// The part of a step that is read and not halved, in milliseconds. A shard takes at most a megabyte a second.
const SHORT: i64 = 1_000;
/// The records of a call that looks for one record. The shard's throughput is shared with the workers.
pub(super) const ONE: i32 = 1;
/// The records of a call that reads all of them: as many as a shard takes in a second.
const MANY: i32 = 1_000;

/// The place of a time in a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The last record that arrived before the time; `None` if the stream does not hold one.
    pub(super) before: Option<Entry>,
    /// The first record that arrived at the time or later, if there is one.
    pub(super) first: Option<Entry>,
}

impl Found {
    /// The position from which that first record is delivered, and none is skipped.
    pub(super) fn position(&self) -> Position {
        self.before.map_or(Position::TrimHorizon, |entry| entry.position())
    }
}

/// Finds the place of a time, in milliseconds since 1970. Arrival times are not always in the order of the records: the first record
/// that arrived at the time or later counts.
///
/// # Errors
///
/// If the shard cannot be read.
pub(super) async fn find(stream: &Stream, shard: &Shard, time: i64) -> Result<Found, AwsError> {
    let (oldest, _) = stream.read(shard, Cursor::TrimHorizon, ONE).await?.find(|_| true).await?;
    let Some(oldest) = oldest.filter(|oldest| oldest.arrival < time) else {
        return Ok(Found { before: None, first: oldest });
    };
    let start = near(stream, shard, time, oldest).await?;
    let mut pages = stream.read(shard, Cursor::At(start.number, 0), MANY).await?;
    // If the record has just expired, the last record before the time is unknown.
    let (first, before) = pages.find(|entry| entry.arrival >= time).await?;
    Ok(Found { before, first })
}

/// A record that arrived before the time, with few records between it and the time.
async fn near(stream: &Stream, shard: &Shard, time: i64, oldest: Entry) -> Result<Entry, AwsError> {
    let mut near = oldest;
    // No record is known that arrived between this and the time.
    let mut beyond = time;
    let mut step = STEP;
    while time.saturating_sub(step) > near.arrival {
        let from = time - step;
        match earlier(stream, shard, from, time).await? {
            Some(entry) => {
                near = entry;
                break;
            }
            None => beyond = from,
        }
        step = step.saturating_mul(2);
    }
    while beyond - near.arrival > SHORT {
        let middle = near.arrival + (beyond - near.arrival) / 2;
        match earlier(stream, shard, middle, time).await? {
            Some(entry) if entry.number > near.number => near = entry,
            _ => beyond = middle,
        }
    }
    Ok(near)
}

/// The first record from some time on, if it arrived before another time.
async fn earlier(stream: &Stream, shard: &Shard, from: i64, time: i64) -> Result<Option<Entry>, AwsError> {
    let from = Duration::from_millis(u64::try_from(from).unwrap_or(0));
    let cursor = Cursor::Time(SystemTime::UNIX_EPOCH + from);
    let (entry, _) = stream.read(shard, cursor, ONE).await?.find(|_| true).await?;
    Ok(entry.filter(|entry| entry.arrival < time))
}
