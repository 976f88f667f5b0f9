//! `cargo kcl tail`: prints the records of a stream, one per line.
//!
//! A task per shard ([`shard`]) reads the records and formats them as lines ([`line`]). One loop prints the lines, and starts the
//! children of shards that have ended. A thread writes them ([`output`]).

mod budget;
mod line;
mod output;
mod shard;

use std::collections::{BTreeMap, HashSet};
use std::future::poll_fn;
use std::io::{self, IsTerminal as _};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use self::budget::Budget;
use self::line::Style;
use self::output::Output;
use super::TailOptions;
use crate::args::StartAt;
use crate::exit::{INTERRUPTED, WRONG_USE};
use crate::input::kpl;
use crate::kinesis::connection::{Connection, block_on};
use crate::kinesis::cursor::Cursor;
use crate::kinesis::error::AwsError;
use crate::kinesis::reader::{ReadError, SharedStream};
use crate::kinesis::shards::Shard;
use crate::report;
use crate::signals::Signals;

/// How many calls may wait to be printed.
const AHEAD: usize = 4;

/// The reason why the verb ended early.
#[derive(Debug, thiserror::Error)]
enum TailError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the stream `{stream}` has no shard `{shard}`; it has {}", there.join(", "))]
    NoShard { stream: String, shard: String, there: Vec<String> },
    #[error("signals cannot be caught: {0}")]
    Signals(io::Error),
    #[error("threads cannot be started: {0}")]
    Threads(io::Error),
    #[error("stdout cannot be written: {0}")]
    Output(io::Error),
    #[error("interrupted")]
    Interrupted,
}

/// An event that the loop receives.
#[derive(Debug)]
enum Event {
    /// The reader of a shard has its first iterator.
    Ready,
    /// Records, one per line.
    Lines(Vec<Vec<u8>>),
    /// A shard has ended, and these shards follow it.
    Ended(String, Vec<Shard>),
    Failed(ReadError),
}

/// Runs the verb.
pub(crate) fn run(options: &TailOptions) -> ExitCode {
    let ended = block_on(tail(options)).map_err(TailError::Aws).and_then(|ended| ended);
    let error = match ended {
        Ok(()) => return ExitCode::SUCCESS,
        Err(TailError::Interrupted) => return ExitCode::from(INTERRUPTED),
        Err(error) => error,
    };
    report::error(&error);
    ExitCode::from(match error {
        TailError::Aws(error) | TailError::Read(ReadError::Aws(error)) => error.code(),
        TailError::NoShard { .. } => WRONG_USE,
        _ => 1,
    })
}

async fn tail(options: &TailOptions) -> Result<(), TailError> {
    let aws = Connection::open(&options.aws).await?;
    let troubles = SharedStream::troubles();
    let list = async || aws.shards(&options.stream).await;
    let shards = troubles.persist("the start", &aws, Duration::MAX, list).await?;
    let (sender, events) = channel(AHEAD);
    let signalled = Arc::new(Notify::new());
    let notified = Arc::clone(&signalled);
    Signals::forward(move |_| {
        signalled.notify_one();
        true
    })
    .map_err(TailError::Signals)?;
    let (output, mut end) = output::start().map_err(TailError::Threads)?;
    let common = Common {
        // The time of its creation would take the permission kinesis:DescribeStreamSummary.
        stream: Arc::new(SharedStream::new(aws, &options.stream, None, troubles)),
        style: match options.json {
            true => Style::Json,
            false if io::stdout().is_terminal() => Style::Terminal,
            false => Style::Data,
        },
        budget: Budget::new(),
        only_one: options.shard.is_some(),
        known: Mutex::default(),
    };
    let mut tail = Tail {
        common: Arc::new(common),
        sender,
        remaining: options.limit.unwrap_or(u64::MAX),
        pending: BTreeMap::new(),
        reading: HashSet::new(),
    };
    tail.choose(shards, options)?;
    tail.start_ready();
    let common = Arc::clone(&tail.common);
    let printed = async {
        tail.print(events, output, options.quiet).await?;
        // The rest is written, unless the reader of stdout has left.
        std::future::pending().await
    };
    let left = async { end.wait().await.map_err(TailError::Output) };
    let interrupted = async {
        notified.notified().await;
        Err(TailError::Interrupted)
    };
    let ended = first(interrupted, first(printed, left)).await;
    let dropped = common.stream.dropped.total();
    if dropped > 0 {
        report::warning(kpl::sentence(dropped));
    }
    ended
}

/// Awaits the first of two futures to end.
async fn first<T>(one: impl Future<Output = T>, other: impl Future<Output = T>) -> T {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|context| match one.as_mut().poll(context) {
        Poll::Pending => other.as_mut().poll(context),
        ready => ready,
    })
    .await
}

/// The state that all readers share.
#[derive(Debug)]
struct Common {
    stream: Arc<SharedStream>,
    style: Style,
    budget: Budget,
    /// Whether only the shard that the user named is read.
    only_one: bool,
    /// All shards of the start, and those that were found since.
    known: Mutex<HashSet<String>>,
}

impl Common {
    fn knows(&self, shard: &str) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(shard)
    }

    /// Adds a shard; returns whether it was new.
    fn learn(&self, shard: &str) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(shard.to_owned())
    }
}

/// The loop.
struct Tail {
    common: Arc<Common>,
    sender: Sender<Event>,
    /// How many records may still be printed.
    remaining: u64,
    /// Shards that wait for their parents, and where their reading will start.
    pending: BTreeMap<String, (Shard, Cursor)>,
    reading: HashSet<String>,
}

impl Tail {
    /// Chooses which of the shards to read at the start.
    fn choose(&mut self, shards: Vec<Shard>, options: &TailOptions) -> Result<(), TailError> {
        let cursor = match options.from {
            StartAt::Latest => Cursor::Latest,
            StartAt::TrimHorizon => Cursor::TrimHorizon,
            StartAt::Time(moment) => Cursor::Time(moment.time(self.common.stream.aws.time())),
        };
        let present: Vec<_> = shards.iter().map(|shard| shard.id.clone()).collect();
        for shard in shards {
            let wanted = match &options.shard {
                Some(name) => shard.id == name.0,
                None => shard.is_open || cursor != Cursor::Latest,
            };
            if wanted {
                self.add(shard, cursor);
            } else {
                self.common.learn(&shard.id);
            }
        }
        match &options.shard {
            Some(name) if self.pending.is_empty() => {
                Err(TailError::NoShard { stream: options.stream.clone(), shard: name.0.clone(), there: present })
            }
            _ => Ok(()),
        }
    }

    /// Adds a new shard, which is read once its parents have ended.
    fn add(&mut self, shard: Shard, cursor: Cursor) {
        if self.common.learn(&shard.id) {
            self.pending.insert(shard.id.clone(), (shard, cursor));
        }
    }

    /// Starts the shards whose parents have ended, or are not read at all.
    fn start_ready(&mut self) {
        let waits = |shard: &Shard| {
            shard.parents().any(|parent| self.reading.contains(parent) || self.pending.contains_key(parent))
        };
        let ready: Vec<_> =
            self.pending.values().filter(|(shard, _)| !waits(shard)).map(|(shard, _)| shard.id.clone()).collect();
        for id in ready {
            if let Some((shard, cursor)) = self.pending.remove(&id) {
                self.reading.insert(id);
                tokio::spawn(shard::read(Arc::clone(&self.common), shard, cursor, self.sender.clone()));
            }
        }
    }

    /// Prints until there is nothing more to print.
    async fn print(mut self, mut events: Receiver<Event>, output: Output, quiet: bool) -> Result<(), TailError> {
        let mut settled = 0;
        let initial = self.reading.len();
        while let Some(event) = events.recv().await {
            match event {
                Event::Ready => {
                    settled += 1;
                    if settled == initial && !quiet {
                        report::line(format_args!(
                            "reading {} of `{}` {}; Ctrl-C stops it",
                            report::count(initial as u64, "shard"),
                            self.common.stream.name,
                            self.common.stream.aws.place()
                        ));
                    }
                }
                Event::Lines(lines) => {
                    let most = usize::try_from(self.remaining).unwrap_or(usize::MAX);
                    let printed = lines.len().min(most);
                    self.remaining -= printed as u64;
                    if !output.write(lines[..printed].concat()).await || self.remaining == 0 {
                        return Ok(());
                    }
                }
                Event::Ended(id, children) => {
                    self.reading.remove(&id);
                    if self.common.only_one {
                        if !quiet {
                            report::line(format_args!("{id} has ended"));
                        }
                        return Ok(());
                    }
                    for child in children {
                        self.add(child, Cursor::TrimHorizon);
                    }
                    self.start_ready();
                }
                Event::Failed(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
