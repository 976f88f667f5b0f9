//! Fills the queue of a shard with its records.

use std::future::poll_fn;
use std::sync::Arc;

use super::limit::Number;
use super::{Common, Lane};
use crate::args::shard_id;
use crate::input::limits::LONGEST_LINE;
use crate::kinesis::cursor::Cursor;
use crate::kinesis::reader::{ShardReader, ShardRecord, Sink, Stop};
use crate::local::source::queue::{Batch, End, Queue};

/// Reads a shard into its queue, which takes the place of the shard's earlier queue at once.
pub(crate) fn fill(
    common: Arc<Common>,
    shard: u32,
    cursor: Cursor,
    queue: Arc<Queue>,
) -> impl Future<Output = ()> + Send + 'static {
    let mut state = common.state();
    let lane = Lane { queue: Arc::clone(&queue), received: cursor.last() };
    if state.failed {
        queue.end(End::Paused);
    }
    state.queues.insert(shard, lane);
    let range = state.ranges.get(&shard).cloned().unwrap_or(0..=u128::MAX);
    drop(state);
    let filler =
        Filler { common: Arc::clone(&common), shard, queue: Arc::clone(&queue), batch: Batch::default(), last: None };
    let reader = ShardReader::new(Arc::clone(&common.stream), shard_id(shard), range, cursor, filler);
    async move {
        read(&common, reader, &queue).await;
        common.stream.troubles.over(&shard_id(shard));
        let mut state = common.state();
        // A restarted processor has another queue.
        if state.queues.get(&shard).is_some_and(|lane| Arc::ptr_eq(&lane.queue, &queue)) {
            state.queues.remove(&shard);
        }
    }
}

/// Reads to the end of the shard, and announces the shards that follow.
async fn read(common: &Common, mut reader: ShardReader<Filler>, queue: &Queue) {
    let followers = match reader.read().await {
        Ok(children) => reader.followers(children, |id| common.knows(id)).await,
        Err(stop) => Err(stop),
    };
    let announced = match followers {
        Ok(shards) => common.announce(shards),
        Err(Stop::Unwanted) => return,
        Err(Stop::Failed(error)) => Err(error.into()),
    };
    match announced {
        Ok(()) => queue.end(End::Finished),
        Err(error) => common.fail(error),
    }
}

/// Puts the records of a shard into its queue, batch by batch.
struct Filler {
    common: Arc<Common>,
    shard: u32,
    queue: Arc<Queue>,
    batch: Batch,
    /// The last record that was taken, or refused because of the limit.
    last: Option<Number>,
}

impl Sink for Filler {
    type Room = ();

    async fn ready(&mut self) -> Result<(), Stop> {
        if poll_fn(|context| self.queue.poll_room(context)).await { Ok(()) } else { Err(Stop::Unwanted) }
    }

    fn is_open(&self) -> bool {
        self.queue.is_open()
    }

    async fn take(&mut self, record: ShardRecord<'_>) -> Result<(), Stop> {
        let ShardRecord { data, partition_key, millis_behind, .. } = record;
        if self.batch.len() > 0 && self.batch.size() + data.len() + partition_key.len() > LONGEST_LINE {
            self.flush(millis_behind).await?;
        }
        let number = (record.sequence_number, record.sub_sequence_number);
        self.last = Some(number);
        if !self.common.state().limit.admits(self.shard, number) {
            self.flush(millis_behind).await?;
            return Err(Stop::Unwanted);
        }
        self.batch.push_numbered(data, partition_key, number, record.arrival.unwrap_or(0));
        if self.batch.len() >= self.common.max_records {
            self.flush(millis_behind).await?;
        }
        Ok(())
    }

    async fn flush(&mut self, millis_behind: u64) -> Result<(), Stop> {
        if self.batch.len() > 0 {
            self.ready().await?;
            self.batch.set_millis_behind(millis_behind);
            self.queue.push(&mut self.batch);
        }
        self.queue.set_millis_behind(millis_behind);
        if self.common.handed_over(self.shard, &self.queue, self.last) { Ok(()) } else { Err(Stop::Unwanted) }
    }
}
