//! A Kinesis stream as the source of records.
//!
//! A task ([`filler`]) reads each shard whose processor is running; all the tasks run on one thread. The stream lists the shards
//! ([`tree`]); the children of a split or a merge become known when their parents end.

mod filler;
mod limit;
mod tree;

use std::collections::BTreeMap;
use std::error::Error;
use std::ops::RangeInclusive;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_kinesis::primitives::DateTime;
use kcl::Position;
use tokio::runtime::{Builder, Handle, Runtime};

use self::limit::{Limit, Number};
use self::tree::Listed;
use super::queue::{End, Queue};
use super::{SourceError, Standing, Supply};
use crate::args::shard::shard_number;
use crate::args::{AwsOptions, StartAt, shard_id};
use crate::exit::FAILED;
use crate::input::kpl::Dropped;
use crate::kinesis::connection::Connection;
use crate::kinesis::cursor::Cursor;
use crate::kinesis::error::AwsError;
use crate::kinesis::reader::{ReadError, SharedStream};
use crate::kinesis::shards::Shard;
use crate::local::event::Event;
use crate::local::state::marks::Met;
use crate::local::state::{Run, Store};
use crate::report;
use crate::threads;

/// The name of the caller before any shard is read.
const START: &str = "the start";

/// An error with a stream.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the stream cannot be read: {0}")]
    Thread(std::io::Error),
    #[error("the stream `{0}` has no shards yet; try again in a moment")]
    NoShards(String),
    #[error("the stream has a shard `{0}`, which is not a Kinesis shard id")]
    ShardId(String),
}

impl StreamError {
    /// The exit code of a run that fails because of it.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Aws(error) | Self::Read(ReadError::Aws(error)) => error.code(),
            _ => FAILED,
        }
    }
}

/// The stream that feeds a run.
pub(crate) struct Stream {
    /// `None` once the run has begun: the thread of the readers owns it then.
    runtime: Option<Runtime>,
    handle: Handle,
    identity: Run,
    from: StartAt,
    /// Whether an earlier run has left positions.
    resumes: bool,
    common: Arc<Common>,
}

/// The state that all readers share.
struct Common {
    stream: Arc<SharedStream>,
    max_records: usize,
    /// When the stream was first read, by the clock of Kinesis.
    began: Mutex<SystemTime>,
    state: Mutex<State>,
    events: Sender<Event>,
}

#[derive(Default)]
struct State {
    ranges: BTreeMap<u32, RangeInclusive<u128>>,
    /// The queues of the readers that are running.
    queues: BTreeMap<u32, Lane>,
    limit: Limit,
    /// Whether reading has failed permanently.
    failed: bool,
}

struct Lane {
    queue: Arc<Queue>,
    /// The last record that the queue received, or that was processed before.
    received: Option<Number>,
}

impl Stream {
    /// Finds the stream.
    pub(crate) fn open(
        name: &str,
        aws: &AwsOptions,
        from: StartAt,
        max_records: u32,
        limit: Option<u64>,
        events: Sender<Event>,
    ) -> Result<Self, SourceError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(AwsError::Runtime);
        let runtime = runtime.map_err(StreamError::Aws)?;
        let aws = runtime.block_on(Connection::open(aws)).map_err(StreamError::Aws)?;
        let troubles = SharedStream::troubles();
        let describe = troubles.persist(START, &aws, Duration::MAX, async || aws.describe(name).await);
        let summary = runtime.block_on(describe).map_err(StreamError::Aws)?;
        let created = summary.stream_creation_timestamp;
        let to_time =
            |time: &DateTime| time.to_millis().ok().and_then(|millis| Some(time_of(u64::try_from(millis).ok()?)));
        let shown = to_time(&created).map_or("unknown".to_owned(), text_of);
        let identity = vec![
            ("--input", "a stream".to_owned()),
            ("--stream", summary.stream_arn),
            ("its creation", shown),
            ("--from", from.to_string()),
        ];
        let common = Common {
            began: Mutex::new(aws.time()),
            stream: Arc::new(SharedStream::new(aws, name, Some(created), troubles)),
            max_records: max_records as usize,
            state: Mutex::new(State { limit: Limit::new(limit), ..State::default() }),
            events,
        };
        let handle = runtime.handle().clone();
        Ok(Self { runtime: Some(runtime), handle, identity, from, resumes: false, common: Arc::new(common) })
    }

    /// Where to start reading a shard that is at this position.
    fn cursor(&self, position: &Position, first: bool) -> Cursor {
        match (position, self.from) {
            (Position::After { sequence_number, sub_sequence_number }, _) => {
                Cursor::At(*sequence_number, *sub_sequence_number)
            }
            (Position::Latest, _) if first => Cursor::Latest,
            // Records that have arrived since the start must not be skipped.
            (Position::Latest, _) => Cursor::Time(*lock(&self.common.began)),
            (Position::AtTimestamp, StartAt::Time(moment)) => Cursor::Time(moment.time(*lock(&self.common.began))),
            _ => Cursor::TrimHorizon,
        }
    }

    fn read(&self, shard: u32, cursor: Cursor) -> Arc<Queue> {
        let queue = Arc::new(Queue::default());
        self.handle.spawn(filler::fill(Arc::clone(&self.common), shard, cursor, Arc::clone(&queue)));
        queue
    }
}

impl Supply for Stream {
    fn identity(&self) -> Run {
        self.identity.clone()
    }

    fn dropped(&self) -> &Dropped {
        &self.common.stream.dropped
    }

    fn start(&self) -> Option<String> {
        Some(text_of(self.common.stream.aws.time()))
    }

    fn load(&mut self, store: Option<Arc<Store>>) -> Result<Vec<Standing>, SourceError> {
        let mut kept = BTreeMap::new();
        *lock(&self.common.began) = self.common.stream.aws.time();
        if let Some(store) = &store {
            kept = store.positions()?.into_iter().collect();
            if let Some(began) = store.start()?.and_then(|text| humantime::parse_rfc3339(&text).ok()) {
                *lock(&self.common.began) = began;
            }
        }
        self.resumes = !kept.is_empty();
        let stream = &self.common.stream;
        let shards = match &self.runtime {
            Some(runtime) => {
                let list = async || stream.aws.shards(&stream.name).await;
                let list = stream.troubles.persist(START, &stream.aws, Duration::MAX, list);
                runtime.block_on(list).map_err(StreamError::Aws)?
            }
            None => Vec::new(),
        };
        let shards: Vec<_> = shards.into_iter().map(Listed::try_from).collect::<Result<_, _>>()?;
        if shards.is_empty() {
            return Err(StreamError::NoShards(stream.name.clone()).into());
        }
        for gone in tree::gone(&shards, &kept) {
            report::warning(format_args!(
                "{} is no longer in the stream: its unprocessed records have expired",
                shard_id(gone)
            ));
        }
        let standings = tree::standings(&shards, &kept, self.from);
        if let (false, Some(store)) = (self.resumes, &store) {
            // Only the first run knows which shards existed at the start.
            for shard in standings.iter().filter(|shard| shard.position == Position::Latest) {
                store.keep(shard.number, &shard.position, None)?;
            }
        }
        let mut state = self.common.state();
        state.ranges = shards.into_iter().map(|shard| (shard.number, shard.range)).collect();
        drop(state);
        Ok(standings)
    }

    fn begin(&mut self, ready: Vec<(u32, Position)>, _: Vec<(u32, Position)>) -> BTreeMap<u32, Arc<Queue>> {
        if let Some(runtime) = self.runtime.take() {
            // The thread runs until the process ends.
            if let Err(error) = threads::spawn(move || runtime.block_on(std::future::pending::<()>())) {
                self.common.fail(StreamError::Thread(error));
            }
        }
        let queues = ready.into_iter().map(|(shard, position)| {
            let cursor = self.cursor(&position, !self.resumes);
            (shard, self.read(shard, cursor))
        });
        queues.collect()
    }

    fn fill(&mut self, shard: u32, position: &Position, _: Met) -> Arc<Queue> {
        let first = false;
        self.read(shard, self.cursor(position, first))
    }
}

impl Common {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Whether this shard has been announced.
    fn knows(&self, id: &str) -> bool {
        number(id).is_ok_and(|shard| self.state().ranges.contains_key(&shard))
    }

    /// Announces the shards that follow one that has ended.
    fn announce(&self, shards: Vec<Shard>) -> Result<(), StreamError> {
        let shards: Vec<_> = shards.into_iter().map(Listed::try_from).collect::<Result<_, _>>()?;
        // The lock is held until all are announced: a shard that is known has been announced.
        let mut state = self.state();
        for shard in shards {
            state.ranges.insert(shard.number, shard.range);
            _ = self.events.send(Event::Born { shard: shard.number, parents: shard.parents });
        }
        Ok(())
    }

    /// Notes that a queue has received the counted records of a shard up to `last`; false if the shard gets no more.
    fn handed_over(&self, shard: u32, queue: &Arc<Queue>, last: Option<Number>) -> bool {
        let mut state = self.state();
        let state = &mut *state;
        // A restarted processor has another queue.
        let lane = state.queues.get_mut(&shard).filter(|lane| Arc::ptr_eq(&lane.queue, queue));
        if let Some(lane) = lane {
            lane.received = lane.received.max(last);
        }
        if !state.limit.is_reached() {
            return true;
        }
        let has_all = |(shard, lane): &(&u32, &Lane)| !state.limit.owes(**shard, lane.received);
        state.queues.iter().filter(has_all).for_each(|(_, lane)| lane.queue.end(End::Paused));
        _ = self.events.send(Event::Over);
        queue.is_open()
    }

    /// Ends reading with an error.
    fn fail(&self, error: StreamError) {
        // Sent before any shard ends, so that the error is known by then.
        let code = error.code();
        _ = self.events.send(Event::BadInput(Box::<dyn Error + Send + Sync>::from(error), code));
        let mut state = self.state();
        state.failed = true;
        state.queues.values().for_each(|lane| lane.queue.end(End::Paused));
    }
}

/// A shard's number, which is the end of its id.
fn number(id: &str) -> Result<u32, StreamError> {
    shard_number(id).ok_or_else(|| StreamError::ShardId(id.to_owned()))
}

impl TryFrom<Shard> for Listed {
    type Error = StreamError;

    fn try_from(shard: Shard) -> Result<Self, StreamError> {
        Ok(Self {
            number: number(&shard.id)?,
            parents: shard.parents().map(number).collect::<Result<_, _>>()?,
            is_open: shard.is_open,
            range: shard.range.start..=shard.range.end,
        })
    }
}

fn time_of(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis)
}

fn text_of(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
