//! One shard, from `initialize` to its processor's exit.

mod conversation;
mod empties;
mod left_off;
pub(crate) mod pulse;
pub(crate) mod times;
pub(crate) mod watcher;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::{self, Read};
use std::process::{ChildStderr, ChildStdin, ChildStdout, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use kcl::__private::passed_over;
use kcl::Position;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::Serialize;

use self::conversation::{Advice, Cause, Conversation, Failure};
use self::empties::Empties;
use self::left_off::LeftOff;
use self::pulse::Pulse;
use self::watcher::{Excuse, Moment, Step, Watched, Watcher};
use super::source::queue::{Batch, End, Queue};
use super::state::Store;
use super::state::marks::{Met, Trail};
use crate::args::shard_id;
use crate::process::spawn::Process;
use crate::report::{self, LastLines, Level, Message, Speaker};
use crate::threads;

/// The number of a processor's last lines that are repeated if it fails.
const LAST_LINES: usize = 5;
/// How long a processor that closed its pipes may take to exit.
const TO_END: Duration = Duration::from_secs(5);
/// How long a processor that failed may take to exit once its input has ended.
const TO_GIVE_UP: Duration = Duration::from_secs(5);
/// How long a processor's pipes may stay open after it has exited: a few bytes may still be on their way.
const TO_DRAIN: Duration = Duration::from_secs(5);
/// How long to wait before reporting that a processor is slow to exit.
const TO_REPORT: Duration = Duration::from_secs(10);
const POLL: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

/// A shard that is about to be processed.
pub(crate) struct Shard {
    pub(crate) number: u32,
    pub(crate) position: Position,
    pub(crate) queue: Arc<Queue>,
    /// `None` if checkpoints do not outlive the run.
    pub(crate) store: Option<Arc<Store>>,
    /// Whether the last record that a checkpoint covers must be known: for the store, or for the next processor of the shard.
    pub(crate) marks: bool,
    /// The names of the inputs as the user knows them, to locate a record.
    pub(crate) inputs: Arc<[String]>,
    /// The processor, as the speaker of its stderr.
    pub(crate) speaker: Speaker,
    pub(crate) pulse: Arc<Pulse>,
    /// How often the processor gets a batch without records if there are none.
    pub(crate) empty_every: Option<Duration>,
    /// Whether batches are acknowledged before all of their records are done.
    pub(crate) works_ahead: bool,
}

/// The thread that copies a processor's stderr, and the last lines of it.
pub(crate) struct Pump {
    thread: JoinHandle<()>,
    last_words: Arc<Mutex<LastLines>>,
}

/// The result of a shard's processor.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    /// The position at which the checkpoint stands now.
    pub(crate) position: Position,
    /// The last records that the processor met, as far as they are known.
    pub(crate) met: Met,
    /// The lines that were printed about a processor that failed.
    pub(crate) failure: Vec<String>,
    /// The last lines of the processor's stderr.
    pub(crate) last_words: Vec<String>,
    /// The processor's exit status, if it has ended.
    pub(crate) status: Option<ExitStatus>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Outcome {
    /// The shard reached SHARD_END in this run.
    Ended,
    /// The shard reached SHARD_END in an earlier run.
    EndedBefore,
    /// The processor was asked to stop, and did.
    Stopped,
    Failed,
    /// A watcher ended the processor or drove it to give up; another one resumes the shard.
    HandedOver,
    /// The shard did not start, because a shard before it did not end.
    #[serde(rename = "notStarted")]
    Waiting,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ended => "ended",
            Self::EndedBefore => "ended before",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::HandedOver => "handed over",
            Self::Waiting => "not started",
        })
    }
}

impl Shard {
    /// Converses with the processor until either side is done, reports what went wrong, and waits for the processor to exit.
    pub(crate) fn run(
        self,
        (stdin, stdout, process): (ChildStdin, ChildStdout, Process),
        Pump { thread: pump, last_words }: Pump,
        watcher: &RefCell<dyn Watcher>,
    ) -> Ended {
        let mut outcome = Outcome::Failed;
        let mut printed = Vec::new();
        let trail = RefCell::new(Trail::default());
        let covered = Cell::new(None);
        let keep = |position: &Position| {
            let mark = trail.borrow_mut().up_to(position);
            let kept = self.store.as_ref().map_or(Ok(()), |store| store.keep(self.number, position, mark));
            if kept.is_ok() {
                covered.set(mark.or(covered.get()));
            }
            kept.map_err(|error| {
                self.message(Level::Error, format_args!("{error}; the processor receives this as an error")).print();
                "KinesisClientLibDependencyException".to_owned()
            })
        };
        let stdout = Watched::new(stdout, watcher);
        let pulse = Arc::clone(&self.pulse);
        let mut conversation = Conversation::new(stdout, stdin, self.position.clone(), pulse, watcher, keep);
        let mut batch = Batch::default();
        let acknowledged = Cell::new(0);
        let result = self.converse(&mut conversation, &trail, &mut batch, &acknowledged);
        self.queue.abandon();
        let position = conversation.position().clone();
        let (stdout, stdin) = conversation.into_ends();
        let ending = Ending { process: process.clone(), pump };
        self.reach(watcher, Moment::Closing);
        let left_off = LeftOff {
            batch: &batch,
            acknowledged: acknowledged.get(),
            works_ahead: self.works_ahead,
            position: &position,
            inputs: &self.inputs,
        };
        if result.is_err() {
            let done = left_off.done();
            self.pulse.processed(done.len() as u64, done.size());
        }
        match result {
            Ok(result) => match ending.of_success(stdin, stdout, || {
                self.message(Level::Warn, "the processor is still running 10 s after its input ended").print();
            }) {
                Ok(()) => outcome = result,
                Err(problem) => printed = self.print_failure(problem, []),
            },
            Err(Failure { cause: Cause::Killed, .. }) => {
                ending.by_force(stdin, stdout);
                outcome = if position == Position::ShardEnd { Outcome::Ended } else { Outcome::HandedOver };
            }
            Err(failure) => {
                let excuse = watcher.borrow_mut().excuse(&|| ending.gave_up(&failure));
                let problem = ending.of_failure(stdin, stdout, failure);
                match excuse {
                    Excuse::Given => outcome = Outcome::HandedOver,
                    Excuse::Denied(line) => {
                        printed = self.print_failure(problem, [left_off.to_string()].into_iter().chain(line));
                    }
                }
            }
        }
        let status = process.try_wait().ok().flatten();
        if let Some(status) = status {
            self.reach(watcher, Moment::Exited(status.code()));
        }
        let met = Met { covered: covered.get(), delivered: trail.borrow().last() };
        let last_words = last_words.lock().unwrap_or_else(PoisonError::into_inner).lines();
        Ended { outcome, position, met, failure: printed, last_words, status }
    }

    fn converse<K>(
        &self,
        conversation: &mut Conversation<'_, Watched<'_, ChildStdout>, ChildStdin, K>,
        trail: &RefCell<Trail>,
        batch: &mut Batch,
        acknowledged: &Cell<usize>,
    ) -> Result<Outcome, Failure>
    where
        K: FnMut(&Position) -> Result<(), String>,
    {
        conversation.initialize(&shard_id(self.number))?;
        let mut empties = Empties::new(self.empty_every);
        let end = loop {
            let started = Instant::now();
            let popped = empties.next(&self.queue, batch);
            self.pulse.waited(started.elapsed());
            if let Err(end) = popped {
                break end;
            }
            acknowledged.set(0);
            if self.marks {
                trail.borrow_mut().deliver(batch.marks());
            }
            let mut rest = batch.all();
            loop {
                let count = match conversation.step(rest.len()) {
                    Step::Deliver(count) => count,
                    Step::Empty => 0,
                    step => return hand_over(conversation, step),
                };
                let (now, later) = rest.split_at(count);
                conversation.process_records(now, batch.millis_behind())?;
                if conversation.is_lost() {
                    return hand_over(conversation, Step::LoseLease);
                }
                acknowledged.set(batch.len() - later.len());
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
        };
        match end {
            End::Finished => {
                conversation.end_shard()?;
                if conversation.is_lost() && *conversation.position() != Position::ShardEnd {
                    return hand_over(conversation, Step::LoseLease);
                }
                Ok(Outcome::Ended)
            }
            End::Paused | End::Interrupted => conversation.shut_down().map(|()| Outcome::Stopped),
        }
    }

    /// Starts to copy the processor's stderr.
    pub(crate) fn pump(&self, stderr: ChildStderr) -> io::Result<Pump> {
        let speaker = self.speaker.clone();
        let last_words = Arc::new(Mutex::new(LastLines::new(LAST_LINES)));
        let last = Arc::clone(&last_words);
        let pulse = Arc::clone(&self.pulse);
        let thread = threads::spawn(move || {
            report::pump(stderr, speaker, |lines| {
                // This is the only trace of such a record that a processor of any version leaves, even if it is killed later.
                for line in lines.split(|&byte| byte == b'\n') {
                    if let Some(action) = passed_over(line) {
                        pulse.passed_over(action, line);
                    }
                }
                last.lock().unwrap_or_else(PoisonError::into_inner).add(lines);
            });
        })?;
        Ok(Pump { thread, last_words })
    }

    /// Shows the watcher this moment after the last message.
    fn reach(&self, watcher: &RefCell<dyn Watcher>, moment: Moment<'_>) {
        if let Err(error) = watcher.borrow_mut().reach(moment) {
            let text = format_args!("the end of the conversation cannot be recorded: {error}");
            self.message(Level::Error, text).print();
        }
    }

    /// Prints a failure, its advice, and further lines about it. Returns these lines.
    fn print_failure(&self, problem: Problem, more: impl IntoIterator<Item = String>) -> Vec<String> {
        let lines: Vec<_> = problem.advice.into_iter().chain(more).collect();
        self.message(Level::Error, &problem.text).with(&lines).print();
        [problem.text].into_iter().chain(lines).collect()
    }

    fn message(&self, level: Level, text: impl fmt::Display) -> Message {
        Message::new(level, text).of(shard_id(self.number))
    }
}

/// Hands the shard over to another processor.
fn hand_over<K>(
    conversation: &mut Conversation<'_, Watched<'_, ChildStdout>, ChildStdin, K>,
    step: Step,
) -> Result<Outcome, Failure>
where
    K: FnMut(&Position) -> Result<(), String>,
{
    match step {
        Step::ShutDown => conversation.shut_down()?,
        _ => conversation.lose_lease()?,
    }
    Ok(Outcome::HandedOver)
}

/// The failure of a processor, and advice about it.
struct Problem {
    text: String,
    advice: Vec<String>,
}

impl Problem {
    fn new(text: String, advice: Option<Advice>) -> Self {
        let lines =
            |Advice { in_production, fix }| vec![format!("in production: {in_production}"), format!("fix: {fix}")];
        Self { text, advice: advice.map(lines).unwrap_or_default() }
    }
}

impl From<String> for Problem {
    fn from(text: String) -> Self {
        Self::new(text, None)
    }
}

/// A processor whose conversation has ended.
struct Ending {
    process: Process,
    pump: JoinHandle<()>,
}

impl Ending {
    /// Ends the processor as the daemon does: closes its stdin, reads its stdout to the end, and waits for it to exit.
    fn of_success(
        self,
        stdin: ChildStdin,
        mut stdout: Watched<'_, ChildStdout>,
        slow: impl Fn(),
    ) -> Result<(), Problem> {
        drop(stdin);
        let mut reported = false;
        let started = Instant::now();
        let mut open = true;
        let mut ended: Option<(ExitStatus, Instant)> = None;
        while open || ended.is_none() || !self.pump.is_finished() {
            if open {
                open = drain(&mut stdout).map_err(|error| format!("the processor's stdout cannot be read: {error}"))?;
            } else {
                thread::sleep(Duration::from_millis(2));
            }
            match ended {
                None => {
                    let status = self.process.try_wait();
                    let status = status.map_err(|error| format!("the processor cannot be waited for: {error}"))?;
                    ended = status.map(|status| (status, Instant::now()));
                }
                Some((_, at)) if at.elapsed() > TO_DRAIN => return Err(held(if open { "stdout" } else { "stderr" })),
                Some(_) => {}
            }
            if !reported && ended.is_none() && started.elapsed() > TO_REPORT {
                reported = true;
                slow();
            }
        }
        match ended {
            Some((status, _)) if !status.success() => {
                Err(format!("the processor failed after its last message ({status})").into())
            }
            _ => Ok(()),
        }
    }

    /// Kills the processor.
    fn by_force(self, stdin: ChildStdin, stdout: Watched<'_, ChildStdout>) {
        self.process.kill();
        drop((stdin, stdout));
        _ = self.process.wait_for(TO_END);
        self.wait_for_last_words();
    }

    /// Whether the processor exited by itself, with an error.
    fn gave_up(&self, failure: &Failure) -> bool {
        let ended = || self.process.wait_for(TO_END).ok().flatten();
        matches!(failure.cause, Cause::Gone)
            && ended().is_some_and(|status| status.code().is_some_and(|code| code != 0))
    }

    /// Waits for the processor to exit, kills it if necessary, and returns a full description of the failure.
    fn of_failure(self, stdin: ChildStdin, stdout: Watched<'_, ChildStdout>, failure: Failure) -> Problem {
        let problem = match failure.cause {
            Cause::Gone => self.gone(failure.action),
            _ => Problem::new(failure.to_string(), failure.advice()),
        };
        drop((stdin, stdout));
        if !matches!(self.process.wait_for(TO_GIVE_UP), Ok(Some(_))) {
            self.process.kill();
            _ = self.process.wait_for(TO_END);
        }
        self.wait_for_last_words();
        problem
    }

    /// Waits for the last lines of stderr, so that they come before the report of the failure. Does not wait for another
    /// process that holds the pipe open after the processor's exit.
    fn wait_for_last_words(&self) {
        let deadline = Instant::now() + TO_DRAIN;
        while !self.pump.is_finished() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Describes a closed pipe. Most often the processor is exiting, and has exited a moment later.
    fn gone(&self, action: &str) -> Problem {
        match self.process.wait_for(TO_END) {
            Ok(Some(status)) => format!("the processor exited ({status}) while handling {action}").into(),
            Ok(None) => Problem::new(
                format!(
                    "the processor closed its stdin or stdout while handling {action}, but is still running; it is stopped now"
                ),
                Some(Advice {
                    in_production: "the MultiLangDaemon shuts down the whole worker once the processor has exited too",
                    fix: "keep both open until the input ends, then exit".to_owned(),
                }),
            ),
            Err(error) => format!("the processor closed a pipe while handling {action}; {error}").into(),
        }
    }
}

fn held(what: &str) -> Problem {
    Problem::new(
        format!("the processor has exited, but a process that it started still holds its {what} open"),
        Some(Advice {
            in_production: "the MultiLangDaemon waits for that process forever",
            fix: "redirect the stdout and stderr of every process that the processor starts".to_owned(),
        }),
    )
}

/// Reads and discards what is available now or a moment later, as the daemon does. Returns `false` at the end.
fn drain(stdout: &mut Watched<'_, ChildStdout>) -> io::Result<bool> {
    let mut ready = [PollFd::new(stdout, PollFlags::IN)];
    match poll(&mut ready, Some(&POLL)) {
        Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(true),
        Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(stdout.read(&mut [0; 4 << 10])? > 0)
}
