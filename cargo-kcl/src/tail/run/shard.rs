//! Reads one shard to its end, and formats its records as lines.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc::Sender;

use super::budget::{Share, received};
use super::line::line;
use super::{Common, Event};
use crate::kinesis::cursor::Cursor;
use crate::kinesis::reader::{ShardReader, ShardRecord, Sink, Stop};
use crate::kinesis::shards::Shard;

/// The bytes of lines after which they are sent, before the end of the call.
const ENOUGH: usize = 1 << 20;

/// Reads a shard from this place, and reports its lines and its end as events.
pub(crate) async fn read(common: Arc<Common>, shard: Shard, cursor: Cursor, events: Sender<Event>) {
    let sender = LineSender {
        common: Arc::clone(&common),
        shard: shard.id.clone(),
        is_behind: cursor != Cursor::Latest,
        called: Instant::now(),
        answered: Instant::now(),
        lines: Vec::new(),
        bytes: 0,
        events,
    };
    let (id, range) = (shard.id, shard.range.start..=shard.range.end);
    let events = sender.events.clone();
    let mut reader = ShardReader::new(Arc::clone(&common.stream), id.clone(), range, cursor, sender);
    let event = match read_to_end(&common, &mut reader, &events).await {
        Ok(children) => {
            common.stream.troubles.over(&id);
            Event::Ended(id, children)
        }
        Err(Stop::Failed(error)) => Event::Failed(error),
        Err(Stop::Unwanted) => return,
    };
    _ = events.send(event).await;
}

/// Reads to the end of the shard, and returns the shards that follow.
async fn read_to_end(
    common: &Common,
    reader: &mut ShardReader<LineSender>,
    events: &Sender<Event>,
) -> Result<Vec<Shard>, Stop> {
    reader.open().await?;
    events.send(Event::Ready).await.map_err(|_| Stop::Unwanted)?;
    let children = reader.read().await?;
    if common.only_one {
        return Ok(Vec::new());
    }
    reader.followers(children, |id| common.knows(id)).await
}

/// Sends the records of a shard as lines, call by call, or earlier if they are many.
struct LineSender {
    common: Arc<Common>,
    shard: String,
    /// Whether the next call may deliver as many records as a call can.
    is_behind: bool,
    /// The time of the last call, and of the last one that was answered.
    called: Instant,
    answered: Instant,
    lines: Vec<Vec<u8>>,
    /// The size of these lines.
    bytes: usize,
    events: Sender<Event>,
}

impl Sink for LineSender {
    type Room = Share;

    async fn ready(&mut self) -> Result<Share, Stop> {
        let size = || (!self.is_behind).then(|| received(self.answered.elapsed()));
        let share = self.common.budget.share(size).await;
        self.called = Instant::now();
        Ok(share)
    }

    fn is_open(&self) -> bool {
        !self.events.is_closed()
    }

    async fn take(&mut self, record: ShardRecord<'_>) -> Result<(), Stop> {
        let line = line(record, &self.shard, self.common.style);
        self.bytes += line.len();
        self.lines.push(line);
        if self.bytes >= ENOUGH { self.flush(record.millis_behind).await } else { Ok(()) }
    }

    async fn flush(&mut self, millis_behind: u64) -> Result<(), Stop> {
        self.is_behind = millis_behind > 0;
        self.answered = self.called;
        if self.lines.is_empty() {
            return Ok(());
        }
        self.bytes = 0;
        self.events.send(Event::Lines(std::mem::take(&mut self.lines))).await.map_err(|_| Stop::Unwanted)
    }
}
