//! Recorded conversations as tests.

use std::fmt::Write as _;
use std::future::ready;
use std::path::{Path, PathBuf};

#[cfg(feature = "tokio")]
use crate::async_processor::AsyncInitialize;
use crate::async_processor::AsyncProcessor;
use crate::error::BoxError;
use crate::processor::{Initialize, Processor};
use crate::protocol::Message;
use crate::protocol::recording::{IN_FILE, Transcript, find};
use crate::runner::conversation::{Waits, now};
use crate::shard::Shard;
use crate::testing::report::{ShardReport, brief, first_of_each};
use crate::testing::script::ShardScript;
use crate::testing::stage::replay;
use crate::testing::tape::{Stop, Tape};
#[cfg(feature = "tokio")]
use crate::testing::tasks::block_on;

/// The number of conversations whose report is part of a failure.
const SHOWN: usize = 3;

/// Recorded conversations, which a processor must repeat: each folder of them is a regression suite.
///
/// `cargo kcl local --record DIR` records the conversations of a run, one folder for each process. Recordings of the real
/// daemon in the same layout work as well.
///
/// ```
/// use kcl::testing::Recordings;
/// # #[derive(Default)]
/// # struct Revenue;
/// # #[kcl::processor(main = false)]
/// # impl Revenue {
/// #     #[on_record]
/// #     fn add(&mut self) {}
/// # }
/// # let folder = std::env::temp_dir().join(format!("kcl-recordings-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # std::fs::write(folder.join("in.jsonl"), "{\"action\":\"initialize\",\"shardId\":\"s\",\"sequenceNumber\":\"LATEST\"}\n")?;
/// # std::fs::write(folder.join("out.jsonl"), "{\"action\":\"status\",\"responseFor\":\"initialize\"}\n")?;
/// # let recorded = folder.clone();
///
/// # /*
/// #[test]
/// fn it_repeats_the_recorded_conversations() {
///     Recordings::read("tests/recordings").replay::<Revenue>();
/// }
/// # */
/// # Recordings::read(recorded).replay::<Revenue>();
/// # std::fs::remove_dir_all(folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Each conversation is replayed with a process of its own. It gets the recorded messages, and the recorded answers to its
/// checkpoints, refusals included. It must send the same checkpoints and statuses, and end with the same exit code. What it
/// writes elsewhere was not recorded: assert that on the processor, or on a [`Sink`](super::Sink). The
/// [promises](super#the-promises) are checked, too.
///
/// Virtual time passes between the messages as it did when they were recorded. Handlers take no time. A processor that
/// checkpoints by time can therefore do so at another message than it did.
///
/// A recording that breaks off, because the process was killed, the disk was full or a file of it was truncated, is replayed as
/// far as it goes. Then the process is killed.
#[derive(Clone, Debug)]
pub struct Recordings {
    folders: Vec<PathBuf>,
}

impl Recordings {
    /// Finds the recordings in a folder, at any depth. Tests run in the folder of their package, so a relative path starts
    /// there.
    ///
    /// # Panics
    ///
    /// If the folder cannot be read, or if there is no recording in it.
    #[must_use]
    #[track_caller]
    pub fn read(folder: impl AsRef<Path>) -> Self {
        match find(&[folder.as_ref().to_owned()]) {
            Ok(folders) => Self { folders },
            Err(error) => panic!("{error}"),
        }
    }

    /// Replays the conversations with processors of this type. Returns what each process did, in the order of shards, and
    /// of the processes of a shard. A process that got no message is left out.
    ///
    /// # Panics
    ///
    /// If a processor does not do what it did, or breaks a promise; the message names all differences. If a recording
    /// cannot be read; the others are still replayed. If no recording has a message.
    #[track_caller]
    pub fn replay<P: Initialize>(&self) -> Vec<ShardReport<P>> {
        self.replay_with(P::initialize)
    }

    /// Replays the conversations with processors that a factory makes, as [`replay`](Self::replay) does.
    ///
    /// # Panics
    ///
    /// As [`replay`](Self::replay) does.
    #[track_caller]
    pub fn replay_with<P, E>(&self, factory: impl Fn(&Shard) -> Result<P, E>) -> Vec<ShardReport<P>>
    where
        P: Processor,
        E: Into<BoxError>,
    {
        let make = |shard: &Shard| ready(factory(shard));
        match now(self.play(&make, Waits::Thread)) {
            Ok(reports) => reports,
            Err(problem) => panic!("{problem}"),
        }
    }

    /// Replays the conversations with processors of this type, whose handlers may be `async`, as [`replay`](Self::replay) does. It
    /// needs the feature `tokio`.
    ///
    /// The clock of tokio is virtual, as in [`Daemon::run_async`](super::Daemon::run_async). A handler takes the time that it waits for
    /// there. With `concurrency`, which records are done when a checkpoint is made can depend on these times, so a processor with
    /// `ahead`, or with a `checkpoint` other than `batch`, may answer in another way than it did.
    ///
    /// # Panics
    ///
    /// As [`replay`](Self::replay) does; within a runtime; and if a handler waits for something that never happens.
    #[cfg(feature = "tokio")]
    #[track_caller]
    pub fn replay_async<P: AsyncInitialize>(&self) -> Vec<ShardReport<P>> {
        self.replay_with_async(async |shard: &Shard| P::initialize(shard).await)
    }

    /// Replays the conversations with processors that an `async` factory makes, as [`replay_async`](Self::replay_async) does.
    ///
    /// # Panics
    ///
    /// As [`replay_async`](Self::replay_async) does.
    #[cfg(feature = "tokio")]
    #[track_caller]
    pub fn replay_with_async<P, E>(&self, factory: impl AsyncFn(&Shard) -> Result<P, E>) -> Vec<ShardReport<P>>
    where
        P: AsyncProcessor,
        E: Into<BoxError>,
    {
        match block_on(self.play(&factory, Waits::Task)) {
            Ok(Ok(reports)) => reports,
            Ok(Err(problem)) => panic!("{problem}"),
            Err(error) => panic!("the runtime of the test could not be started: {error}"),
        }
    }

    async fn play<M, P, E>(&self, make: &M, waits: Waits) -> Result<Vec<ShardReport<P>>, String>
    where
        M: AsyncFn(&Shard) -> Result<P, E>,
        P: AsyncProcessor,
        E: Into<BoxError>,
    {
        let mut reports = Vec::new();
        let (mut different, mut unplayed, mut problems) = (0, 0, String::new());
        let mut empty = 0;
        for folder in &self.folders {
            let (report, found) = match play(folder, make, waits).await? {
                Played::Report(report, found) => (report, found),
                Played::Empty => {
                    empty += 1;
                    continue;
                }
                Played::Not(unplayable) => {
                    unplayed += 1;
                    _ = writeln!(problems, "\n{unplayable}");
                    continue;
                }
            };
            if !found.is_empty() {
                different += 1;
                _ = writeln!(problems, "\n{}: {}", folder.display(), found.join("\n"));
                if different <= SHOWN {
                    _ = writeln!(problems, "\n{}", brief(&report.to_string()).trim_end());
                }
            }
            reports.push(*report);
        }
        let all = self.folders.len();
        // A process may have ended before its first message. If they all did, nothing is tested.
        if empty == all {
            unplayed = all;
            for folder in &self.folders {
                let why = "has no message, so nothing is tested; remove it, or record it again";
                _ = writeln!(problems, "\n{}: {IN_FILE} {why}", folder.display());
            }
        }
        let differ = match different {
            1 => "1 differs from its recording".to_owned(),
            _ => format!("{different} differ from their recordings"),
        };
        match (different, unplayed) {
            (0, 0) => Ok(reports),
            (1, 0) => Err(format!("1 of {all} conversations differs from its recording:\n{problems}")),
            (_, 0) => Err(format!("{different} of {all} conversations differ from their recordings:\n{problems}")),
            (0, _) => Err(format!("{unplayed} of {all} conversations cannot be replayed:\n{problems}")),
            _ => Err(format!("of {all} conversations, {differ}, and {unplayed} cannot be replayed:\n{problems}")),
        }
    }
}

/// What becomes of the conversation in a folder.
enum Played<P> {
    /// Its report, and how it differs from its recording.
    Report(Box<ShardReport<P>>, Vec<String>),
    /// It has no message.
    Empty,
    /// It cannot be replayed, for this reason.
    Not(String),
}

/// Replays the conversation in a folder.
async fn play<M, P, E>(folder: &Path, make: &M, waits: Waits) -> Result<Played<P>, String>
where
    M: AsyncFn(&Shard) -> Result<P, E>,
    P: AsyncProcessor,
    E: Into<BoxError>,
{
    let name = folder.display();
    let (tape, shard_id, position) = match Transcript::open(folder).and_then(Tape::begin) {
        Err(error) => return Ok(Played::Not(error.to_string())),
        Ok(None) => return Ok(Played::Empty),
        Ok(Some((tape, Message::Initialize { shard_id, position }))) => (tape, shard_id, position),
        Ok(Some((_, other))) => {
            return Ok(Played::Not(format!("{name}: the first message is {}, not initialize", other.action())));
        }
    };
    let mut script = ShardScript::new(shard_id);
    script.position = position;
    let (performed, stopped) = replay(&script, tape, make, waits).await?;
    let mut found = first_of_each(&performed.ledger.violations);
    match stopped {
        Some(Stop::Unreadable(error)) => return Ok(Played::Not(error.to_string())),
        Some(Stop::Unknown(message)) => return Ok(Played::Not(format!("{name}: {message}"))),
        Some(Stop::Different(difference)) => found.insert(0, difference),
        Some(Stop::Over) | None => {}
    }
    Ok(Played::Report(Box::new(performed.into()), found))
}
