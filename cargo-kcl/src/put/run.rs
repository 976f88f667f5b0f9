//! `cargo kcl put`: records of files or standard input, put on a stream.
//!
//! A thread reads ([`read`]) as far ahead as the window has room ([`window`]), which knows what may be put without a key's
//! records changing places. Calls ([`call`]) are made side by side, and their answers, what was read and signals come to one loop
//! as events. How far it got without a gap can be kept ([`resume`]).

mod call;
mod pace;
mod progress;
mod read;
mod resume;
mod window;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;
use std::{io, thread};

use serde::Serialize;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, timeout_at};

use self::call::Answer;
use self::pace::Pace;
use self::progress::{Counts, Progress};
use self::read::Reader;
use self::resume::Resume;
use self::window::{Item, Position, Window};
use super::options::{Order, PutOptions};
use crate::exit::{INTERRUPTED, WRONG_USE};
use crate::input::lines::{Input, InputError, LONGEST_LINE, Source};
use crate::input::record::Format;
use crate::kinesis::connection::{Connection, block_on};
use crate::kinesis::error::AwsError;
use crate::local::LONGEST_RECORD;
use crate::report;

/// So many calls are under way at once.
const CALLS: usize = 4;
/// The most a call brings, keys among it; more where records may be larger than that.
const CALL_BYTES: usize = 5 << 20;
/// Chunks that the reader may be ahead of the window.
const CHUNKS: usize = 2;
/// How often it is shown, and kept, how far it is.
const TICK: Duration = Duration::from_millis(200);
const KEEP: Duration = Duration::from_secs(1);
/// An endpoint that was never there will not be soon.
const FIRST_CONTACT: Duration = Duration::from_secs(5);

/// Why not all was put.
#[derive(Debug, thiserror::Error)]
enum PutError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("nothing was acknowledged for {} s; the last thing that happened: {last}", after.as_secs())]
    GaveUp { after: Duration, last: AwsError },
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(
        "{input} has changed since it was put: up to line {line} it is not what it was; put what it was, or start anew without the file of --resume"
    )]
    Changed { input: Input, line: u64 },
    #[error("the input has {records} records, and {skip} were to be skipped; it is not the one that was put before")]
    Short { records: u64, skip: u64 },
    #[error("{} cannot be used to keep how far it got: {error}", path.display())]
    Resume { path: PathBuf, error: io::Error },
    #[error("{} belongs to another run: {what} is not what it was; name another file for this one", path.display())]
    OtherRun { path: PathBuf, what: &'static str },
    #[error("signals cannot be caught: {0}")]
    Signals(io::Error),
    #[error("interrupted")]
    Interrupted,
}

impl PutError {
    fn code(&self) -> u8 {
        match self {
            Self::Aws(error) => error.code(),
            Self::GaveUp { .. } => 1,
            Self::Interrupted => INTERRUPTED,
            _ => WRONG_USE,
        }
    }

    /// The line of the input that would stop the next run, too.
    fn line_to_mend(&self) -> Option<u64> {
        match self {
            Self::Input(
                InputError::Key { line, .. } | InputError::Record { line, .. } | InputError::TooLong { line, .. },
            ) => Some(*line),
            _ => None,
        }
    }
}

/// What the loop hears of.
#[derive(Debug)]
enum Event {
    /// Records, and where the input stands behind them.
    Read(Vec<Item>, Position),
    /// There are no more.
    End(Result<(), PutError>),
    Answered(Answer),
    Interruption,
}

/// What `--json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'a> {
    stream: &'a str,
    #[serde(flatten)]
    counts: &'a Counts,
    /// How many records of the input were acknowledged without a gap: what to skip.
    acknowledged: u64,
    seconds: f64,
    error: Option<String>,
}

/// Runs the verb.
pub(crate) fn run(options: &PutOptions) -> ExitCode {
    match block_on(put(options)).map_err(PutError::Aws).and_then(|done| done) {
        Ok(code) => code,
        Err(error) => {
            report::line(&error);
            ExitCode::from(error.code())
        }
    }
}

async fn put(options: &PutOptions) -> Result<ExitCode, PutError> {
    // What can be wrong with the input shows before a call is made.
    let inputs = if options.input.is_empty() { &[Input::Stdin][..] } else { &options.input };
    let sources = Source::open_all(inputs)?;
    let aws = Connection::open(&options.aws).await?;
    let resume = options.resume.as_ref().map(|path| Resume::open(path, options, aws.place(), &sources)).transpose()?;
    let start = match &resume {
        Some(resume) => resume.position(),
        None => Position { records: options.skip.unwrap_or(0), digest: 0 },
    };
    if !options.quiet {
        if sources.iter().any(Source::is_terminal) {
            report::line("reading records from the terminal, one a line; Ctrl-D ends them");
        }
        if resume.is_some() && start.records > 0 {
            report::line(format_args!("goes on behind {} that were put", report::count(start.records, "record")));
        }
    }
    let reader = Reader {
        sources,
        format: Format::new(options.format, options.key.clone()),
        longest: if options.large_records { LONGEST_LINE } else { LONGEST_RECORD },
        skip: start.records,
        digest: resume.as_ref().map(|_| start.digest),
        limit: options.limit.unwrap_or(u64::MAX),
    };
    let (sender, events) = unbounded_channel();
    catch_signals(sender.clone()).map_err(PutError::Signals)?;
    let (ask, asked) = channel();
    let read_to = sender.clone();
    thread::spawn(move || reader.read(asked, read_to));
    let now = Instant::now();
    let mut putter = Putter {
        aws,
        stream: options.stream.as_str().into(),
        call_bytes: if options.large_records { LONGEST_LINE } else { CALL_BYTES },
        give_up: options.give_up,
        window: Window::new(options.order, start),
        pace: Pace::new(options.rate, now),
        resume,
        kept: now,
        start: start.records,
        sender,
        ask: Some(ask),
        asked: 0,
        calls: 0,
        failing_since: None,
        answered: false,
        stopped: None,
        bad_input: None,
        counts: Counts::default(),
        progress: Progress::new(options.quiet),
    };
    putter.run(events).await;
    Ok(putter.finish(options))
}

/// Lets signals be events for as long as the tool lives.
fn catch_signals(events: UnboundedSender<Event>) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::spawn(move || {
        for _ in signals.forever() {
            if events.send(Event::Interruption).is_err() {
                return;
            }
        }
    });
    Ok(())
}

/// The loop.
struct Putter {
    aws: Connection,
    stream: Arc<str>,
    /// The most a call brings.
    call_bytes: usize,
    give_up: Duration,
    window: Window,
    pace: Pace,
    resume: Option<Resume>,
    /// When how far it got was last kept.
    kept: Instant,
    /// How many records were put before.
    start: u64,
    sender: UnboundedSender<Event>,
    /// Asks the reader for more. None if there is no more.
    ask: Option<Sender<()>>,
    /// Chunks that were asked for and are not there.
    asked: usize,
    /// Calls under way.
    calls: usize,
    /// Since when nothing was acknowledged although it was tried.
    failing_since: Option<Instant>,
    /// Whether anything ever answered.
    answered: bool,
    /// Why nothing more is put.
    stopped: Option<PutError>,
    /// What was wrong with the input behind all that was read.
    bad_input: Option<PutError>,
    counts: Counts,
    progress: Progress,
}

impl Putter {
    /// Puts all there is, or as much as can be.
    async fn run(&mut self, mut events: UnboundedReceiver<Event>) {
        loop {
            self.ask_for_more();
            let now = Instant::now();
            if self.stopped.is_none() {
                self.start_calls(now);
            }
            let done = self.stopped.is_some() || self.ask.is_none() && self.window.is_empty();
            if done && self.calls == 0 {
                return;
            }
            if let Ok(event) = timeout_at(self.next_look(now), events.recv()).await {
                match event {
                    Some(Event::Read(items, end)) => {
                        self.asked = self.asked.saturating_sub(1);
                        self.window.add(items, end);
                    }
                    Some(Event::End(Ok(()))) => self.ask = None,
                    Some(Event::End(Err(error))) => {
                        self.ask = None;
                        self.bad_input = Some(error);
                    }
                    Some(Event::Answered(answer)) => self.answered(answer),
                    Some(Event::Interruption) if matches!(self.stopped, Some(PutError::Interrupted)) => return,
                    Some(Event::Interruption) => _ = self.stopped.get_or_insert(PutError::Interrupted),
                    None => return,
                }
            }
            self.progress.show(&self.counts, self.window.waiting());
            if self.kept.elapsed() >= KEEP {
                self.keep();
            }
        }
    }

    fn ask_for_more(&mut self) {
        while self.asked < CHUNKS
            && self.window.has_room()
            && let Some(ask) = &self.ask
            && ask.send(()).is_ok()
        {
            self.asked += 1;
        }
    }

    /// Makes calls while there is something to put: full ones side by side, another only if none is under way.
    fn start_calls(&mut self, now: Instant) {
        while self.calls < CALLS {
            if self.calls > 0 && !self.window.fills_a_call(self.call_bytes, now) {
                return;
            }
            let items = self.window.take(self.pace.allows(now), self.call_bytes, now);
            if items.is_empty() {
                return;
            }
            self.pace.spend(items.len());
            self.calls += 1;
            self.counts.calls += 1;
            let (aws, stream, sender) = (self.aws.clone(), Arc::clone(&self.stream), self.sender.clone());
            tokio::spawn(async move { sender.send(Event::Answered(call::put(aws, stream, items).await)) });
        }
    }

    /// When to look again, whatever happens.
    fn next_look(&self, now: Instant) -> Instant {
        let due = [self.window.next_due(), self.pace.next()].into_iter().flatten().filter(|due| *due > now);
        due.chain([now + TICK]).min().unwrap_or(now)
    }

    fn answered(&mut self, answer: Answer) {
        self.calls -= 1;
        let now = Instant::now();
        let mut refused = Vec::new();
        let mut last = None;
        match answer.outcome {
            Ok(records) => {
                self.answered = true;
                for (number, record) in answer.numbers.into_iter().zip(records) {
                    match record {
                        Ok(shard) => {
                            self.counts.records += 1;
                            self.counts.bytes += self.window.acknowledge(number) as u64;
                            *self.counts.shards.entry(shard).or_default() += 1;
                            self.failing_since = None;
                        }
                        Err(error) => {
                            refused.push(number);
                            last = Some(error);
                        }
                    }
                }
            }
            Err(error) => {
                self.answered |= !matches!(error, AwsError::Unreachable { .. });
                refused = answer.numbers;
                last = Some(error);
            }
        }
        let Some(last) = last else { return };
        self.counts.again += refused.len() as u64;
        self.window.hold_back(&refused, now);
        let patience = if self.answered { self.give_up } else { self.give_up.min(FIRST_CONTACT) };
        let since = *self.failing_since.get_or_insert(now);
        if !last.is_transient() {
            self.stopped.get_or_insert(PutError::Aws(last));
        } else if now - since >= patience {
            self.stopped.get_or_insert(PutError::GaveUp { after: now - since, last });
        }
    }

    /// Keeps how far it got, if that is wanted.
    fn keep(&mut self) {
        self.kept = Instant::now();
        if let Some(resume) = &mut self.resume
            && let Err(error) = resume.keep(self.window.position())
        {
            self.stopped.get_or_insert(error);
        }
    }

    /// Says what it came to.
    fn finish(mut self, options: &PutOptions) -> ExitCode {
        self.progress.clear();
        self.keep();
        let position = self.window.position().records;
        let failed = self.stopped.take().or(self.bad_input.take());
        let said = format!("{}{}", self.counts.sentence(self.progress.elapsed()), self.counts.trouble());
        if options.json {
            report::json(&Outcome {
                stream: &options.stream,
                counts: &self.counts,
                acknowledged: position,
                seconds: self.progress.elapsed().as_secs_f64(),
                error: failed.as_ref().map(ToString::to_string),
            });
        }
        let Some(error) = failed else {
            if !options.json && !options.quiet {
                report::line(said);
            }
            return ExitCode::SUCCESS;
        };
        report::line(&error);
        report::line(said);
        if position > 0 {
            let ahead = self.counts.records.saturating_sub(position - self.start);
            let twice = match ahead {
                0 => String::new(),
                ahead => format!(
                    "; {} behind it went on the stream, too, and would be there twice",
                    report::count(ahead, "record")
                ),
            };
            let how = match &options.resume {
                Some(_) => "the same command goes on".to_owned(),
                None => format!("--skip {position} goes on"),
            };
            let first = error.line_to_mend().map(|line| format!("mend line {line} first, and ")).unwrap_or_default();
            report::line(format_args!(
                "the input is on the stream up to its record {position}; {first}{how} behind it{twice}"
            ));
        }
        ExitCode::from(error.code())
    }
}
