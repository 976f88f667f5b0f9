//! `cargo kcl put`: puts records from files or standard input on a stream.
//!
//! A thread ([`read`]) reads ahead for as long as the [`window`] has room. The window knows which records can be put without
//! reordering the records of a key. Calls ([`call`]) run concurrently. Their answers, the records read and signals arrive in one
//! loop as events. The progress without a gap can be saved in a file ([`resume`]).

mod call;
mod pace;
mod progress;
mod read;
mod resume;
mod window;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, timeout_at};

use self::call::Answer;
use self::pace::Pace;
use self::progress::{Counts, Progress};
use self::read::Reader;
use self::resume::Resume;
use self::window::{Item, Position, Window};
use super::options::{Order, PutOptions};
use crate::exit::{FAILED, INTERRUPTED, WRONG_USE};
use crate::input::path::Input;
use crate::input::source::{InputError, Source};
use crate::kinesis::connection::{Connection, block_on};
use crate::kinesis::error::AwsError;
use crate::kinesis::trouble::Troubles;
use crate::report;
use crate::signals::{Request, Signals};
use crate::threads;

/// The most calls in flight at once.
const CALLS: usize = 4;
/// The most bytes in a call, including keys; more where a single record may be larger.
const CALL_BYTES: usize = 5 << 20;
/// How many chunks the reader may be ahead of the window.
const CHUNKS: usize = 2;
/// How often the progress is shown (`TICK`) and saved (`KEEP`).
const TICK: Duration = Duration::from_millis(200);
const KEEP: Duration = Duration::from_secs(1);
/// How long a run that stops waits for the answers of the calls in flight.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
/// A call is under way if a byte moved in this time.
const UNDER_WAY: Duration = Duration::from_secs(2);
/// The name of the only caller.
const PUT: &str = "put";

/// The reason why not every record was put.
#[derive(Debug, thiserror::Error)]
enum PutError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("no record was acknowledged for {}; the last error: {last}", report::elapsed(*after))]
    GaveUp { after: Duration, last: AwsError },
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(
        "{input} has changed since it was put: up to line {line} its content is different; restore it, or start over without the --resume file"
    )]
    Changed { input: Input, line: u64 },
    #[error("the input has {records} records, fewer than the {skip} to skip; it is not the input that was put before")]
    Short { records: u64, skip: u64 },
    #[error("{} cannot be used to save the progress: {error}", path.display())]
    Resume { path: PathBuf, error: io::Error },
    #[error("{} is in use by another run that has not ended, which puts the same records", .0.display())]
    InUse(PathBuf),
    #[error("{} belongs to another run: {what} is different; name another file for this run", path.display())]
    OtherRun { path: PathBuf, what: &'static str },
    #[error("{0}")]
    Options(&'static str),
    #[error("signals cannot be caught: {0}")]
    Signals(io::Error),
    #[error("the input cannot be read: {0}")]
    Thread(io::Error),
    #[error("interrupted")]
    Interrupted,
}

impl PutError {
    fn code(&self) -> u8 {
        match self {
            Self::Aws(error) => error.code(),
            Self::GaveUp { .. } => FAILED,
            Self::Interrupted => INTERRUPTED,
            _ => WRONG_USE,
        }
    }

    /// Whether the input is the one that was put before, so that a run can resume in it.
    fn is_resumable(&self) -> bool {
        !matches!(
            self,
            Self::Short { .. } | Self::Changed { .. } | Self::OtherRun { .. } | Self::Input(InputError::Altered { .. })
        )
    }

    /// The input line that would stop the next run, too.
    fn line_to_fix(&self) -> Option<u64> {
        match self {
            Self::Input(
                InputError::Document { line, .. } | InputError::Record { line, .. } | InputError::TooLong { line, .. },
            ) => Some(*line),
            _ => None,
        }
    }
}

/// An event that the loop receives.
#[derive(Debug)]
enum Event {
    /// Records, and the position of the input after them.
    Read(Vec<Item>, Position),
    /// The end of the input, or the error that ended it.
    End(Result<(), PutError>),
    Answered(Answer),
    Interruption(Request),
}

/// The output of `--json`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'a> {
    stream: &'a str,
    #[serde(flatten)]
    counts: &'a Counts,
    /// How many records of the input were acknowledged without a gap: the number to skip.
    acknowledged: u64,
    seconds: f64,
    error: Option<String>,
}

/// Runs the verb.
pub(crate) fn run(options: &PutOptions) -> ExitCode {
    match block_on(put(options)).map_err(PutError::Aws).and_then(|done| done) {
        Ok(code) => code,
        Err(error) => {
            report::error(&error);
            ExitCode::from(error.code())
        }
    }
}

async fn put(options: &PutOptions) -> Result<ExitCode, PutError> {
    let format = options.records.format().map_err(PutError::Options)?;
    if options.skip.zip(options.limit).is_some_and(|(skip, limit)| skip >= limit) {
        return Err(PutError::Options(
            "--limit counts the records of the input that --skip skips, too, so nothing would be put; raise --limit",
        ));
    }
    // Errors in opening the input appear before any call is made.
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
            report::line("reading records from the terminal, one per line; Ctrl-D ends the input");
        }
        if resume.is_some() && start.records > 0 {
            report::line(format_args!("resuming after {} already put", report::count(start.records, "record")));
        }
    }
    let reader = Reader {
        sources,
        format,
        longest: options.records.longest(),
        skip: start.records,
        digest: resume.as_ref().map(|_| start.digest),
        old: resume.as_ref().is_some_and(Resume::is_old),
        limit: options.limit.unwrap_or(u64::MAX),
    };
    let (sender, events) = unbounded_channel();
    let interruptions = sender.clone();
    let send = move |request| interruptions.send(Event::Interruption(request)).is_ok();
    Signals::forward(send).map_err(PutError::Signals)?;
    let (ask, requests) = channel();
    let read_to = sender.clone();
    threads::spawn(move || reader.read(requests, read_to)).map_err(PutError::Thread)?;
    let now = Instant::now();
    let remedy = format!("retrying for up to {}", report::duration(options.give_up));
    let mut putter = Putter {
        aws,
        troubles: Arc::new(Troubles::new(remedy, "Kinesis answers again")),
        stream: options.stream.as_str().into(),
        call_bytes: options.records.longest().max(CALL_BYTES),
        give_up: options.give_up,
        window: Window::new(options.order, start),
        pace: Pace::new(options.rate, now),
        resume,
        kept: now,
        start: start.records,
        sender,
        ask: Some(ask),
        requested: 0,
        calls: 0,
        in_flight: 0,
        sent: now,
        failing_since: None,
        last_failure: None,
        stopped: None,
        stopped_at: None,
        bad_input: None,
        counts: Counts::default(),
        progress: Progress::new(options.quiet),
    };
    putter.run(events).await;
    Ok(putter.finish(options))
}

/// The loop.
struct Putter {
    aws: Connection,
    troubles: Arc<Troubles>,
    stream: Arc<str>,
    /// The most bytes in a call.
    call_bytes: usize,
    give_up: Duration,
    window: Window,
    pace: Pace,
    resume: Option<Resume>,
    /// When the progress was last saved.
    kept: Instant,
    /// How many records earlier runs put.
    start: u64,
    sender: UnboundedSender<Event>,
    /// Asks the reader for more. `None` at the end of the input.
    ask: Option<Sender<()>>,
    /// Chunks that were requested and have not arrived.
    requested: usize,
    /// Calls in flight, and their records.
    calls: usize,
    in_flight: usize,
    /// When the last call was made.
    sent: Instant,
    /// The start of the first call that failed since the last acknowledgement.
    failing_since: Option<Instant>,
    last_failure: Option<AwsError>,
    /// The reason why nothing more is put, and when the loop learned of it.
    stopped: Option<PutError>,
    stopped_at: Option<Instant>,
    /// The error that ended the input, after the last record read.
    bad_input: Option<PutError>,
    counts: Counts,
    progress: Progress,
}

impl Putter {
    /// Puts all records, or as many as possible.
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
            if self.stopped.is_some() && now - *self.stopped_at.get_or_insert(now) >= LAST_ANSWERS {
                return;
            }
            if let Ok(event) = timeout_at(self.next_look(now), events.recv()).await {
                match event {
                    Some(Event::Read(items, end)) => {
                        self.requested = self.requested.saturating_sub(1);
                        self.window.add(items, end);
                    }
                    Some(Event::End(Ok(()))) => self.ask = None,
                    Some(Event::End(Err(error))) => {
                        self.ask = None;
                        self.bad_input = Some(error);
                    }
                    Some(Event::Answered(answer)) => self.answered(answer),
                    Some(Event::Interruption(Request::Stop)) => _ = self.stopped.get_or_insert(PutError::Interrupted),
                    Some(Event::Interruption(Request::Kill)) => {
                        self.stopped.get_or_insert(PutError::Interrupted);
                        return;
                    }
                    None => return,
                }
            }
            self.check_patience();
            let why = self.last_failure.as_ref().and_then(AwsError::transient);
            self.progress.show(&self.counts, self.window.waiting(), why);
            if self.kept.elapsed() >= KEEP {
                self.keep();
            }
        }
    }

    fn ask_for_more(&mut self) {
        while self.requested < CHUNKS
            && self.window.has_room()
            && let Some(ask) = &self.ask
            && ask.send(()).is_ok()
        {
            self.requested += 1;
        }
    }

    /// Makes calls while there are records to put: full calls run concurrently, a partial one only if no other is in flight.
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
            self.in_flight += items.len();
            self.sent = now;
            self.counts.calls += 1;
            let (stream, troubles) = (Arc::clone(&self.stream), Arc::clone(&self.troubles));
            let (aws, sender) = (self.aws.clone(), self.sender.clone());
            tokio::spawn(async move {
                let answer = troubles.attend(PUT, &aws, call::put(&aws, &stream, items)).await;
                sender.send(Event::Answered(answer))
            });
        }
    }

    /// The time of the next look, even if no event arrives.
    fn next_look(&self, now: Instant) -> Instant {
        let due = [self.window.next_due(), self.pace.next()].into_iter().flatten().filter(|due| *due > now);
        due.chain([now + TICK]).min().unwrap_or(now)
    }

    fn answered(&mut self, answer: Answer) {
        self.calls -= 1;
        self.in_flight -= answer.numbers.len();
        let mut refused = Vec::new();
        let mut failure: Option<AwsError> = None;
        let mut is_acknowledged = false;
        match answer.outcome {
            Ok(records) => {
                for (number, record) in answer.numbers.into_iter().zip(records) {
                    match record {
                        Ok(shard) => {
                            is_acknowledged = true;
                            self.counts.records += 1;
                            self.counts.bytes += self.window.acknowledge(number) as u64;
                            *self.counts.shards.entry(shard).or_default() += 1;
                        }
                        Err(error) => {
                            refused.push((number, error.transient()));
                            // A record that will never be accepted matters more than one that may be.
                            if failure.as_ref().is_none_or(AwsError::is_transient) {
                                failure = Some(error);
                            }
                        }
                    }
                }
            }
            Err(error) => {
                refused = answer.numbers.into_iter().map(|number| (number, error.transient())).collect();
                failure = Some(error);
            }
        }
        if is_acknowledged {
            self.failing_since = None;
            self.troubles.over(PUT);
        }
        if let Some(failure) = failure {
            self.failed(&refused, failure, if is_acknowledged { Instant::now() } else { answer.made });
        }
    }

    /// Retries refused records after a wait, unless that is useless. The call that refused them began then.
    fn failed(&mut self, refused: &[(u64, Option<&'static str>)], failure: AwsError, began: Instant) {
        if !failure.is_transient() {
            self.stopped.get_or_insert(PutError::Aws(failure));
            return;
        }
        for why in refused.iter().filter_map(|(_, why)| *why) {
            self.counts.again += 1;
            *self.counts.reasons.entry(why).or_default() += 1;
        }
        let now = Instant::now();
        let numbers: Vec<_> = refused.iter().map(|(number, _)| *number).collect();
        self.window.hold_back(&numbers, now);
        let since = *self.failing_since.get_or_insert(began);
        if now - since >= self.give_up {
            self.stopped.get_or_insert(PutError::GaveUp { after: now - since, last: failure });
        } else {
            self.progress.clear();
            self.troubles.met(PUT, began, &failure);
            self.last_failure = Some(failure);
        }
    }

    /// Gives up if there was no acknowledgement for too long, even if a call is not answered at all. A call that moves bytes goes on.
    fn check_patience(&mut self) {
        let now = Instant::now();
        let (moved, is_calling) = (self.aws.moved(), self.calls > 0);
        let silent = moved.max(self.sent);
        let Some(since) = self.failing_since.or(is_calling.then_some(silent)) else { return };
        let after = now - since;
        if after < self.give_up || is_calling && now - moved < UNDER_WAY.min(self.give_up) {
            return;
        }
        let last = self.last_failure.take().unwrap_or_else(|| AwsError::Timeout {
            operation: "PutRecords",
            place: self.aws.place().clone(),
            why: format!("no byte was sent or received for {}", report::elapsed(now - silent)),
        });
        self.stopped.get_or_insert(PutError::GaveUp { after, last });
        // The calls in flight were waited for long enough.
        self.stopped_at = now.checked_sub(LAST_ANSWERS);
    }

    /// Saves the progress, if the user asked for that.
    fn keep(&mut self) {
        self.kept = Instant::now();
        if let Some(resume) = &mut self.resume
            && let Err(error) = resume.keep(self.window.position())
        {
            self.stopped.get_or_insert(error);
        }
    }

    /// Reports the result.
    fn finish(mut self, options: &PutOptions) -> ExitCode {
        self.progress.clear();
        self.keep();
        let position = self.window.position().records;
        let failed = self.stopped.take().or(self.bad_input.take());
        let summary = format!("{}{}", self.counts.sentence(self.progress.elapsed()), self.counts.trouble());
        let code = failed.as_ref().map_or(0, PutError::code);
        let mut exit_code = code;
        if options.json {
            let outcome = Outcome {
                stream: &options.stream,
                counts: &self.counts,
                acknowledged: position,
                seconds: self.progress.elapsed().as_secs_f64(),
                error: failed.as_ref().map(|error| report::bounded(&error.to_string()).into_owned()),
            };
            exit_code = report::summary(&outcome, code);
        }
        let Some(error) = failed else {
            if !options.json && !options.quiet {
                report::line(summary);
            }
            return ExitCode::from(exit_code);
        };
        report::error(&error);
        if self.counts.records > 0 || self.counts.again > 0 {
            report::line(summary);
        }
        if self.in_flight > 0 {
            report::warning(format_args!(
                "no answer came yet for {}, which may be on the stream",
                report::count(self.in_flight as u64, "record")
            ));
        }
        if position > 0 && error.is_resumable() {
            self.say_how_to_resume(position, &error);
        }
        ExitCode::from(exit_code)
    }

    /// Reports where the next run resumes, now that this one has ended early.
    fn say_how_to_resume(&self, position: u64, error: &PutError) {
        let ahead = self.counts.records.saturating_sub(position - self.start);
        let twice = match ahead {
            0 => String::new(),
            ahead => format!(" and puts {} a second time", report::count(ahead, "later record")),
        };
        let how = match &self.resume {
            Some(resume) if resume.position().records == position => "the same command".to_owned(),
            // The file holds an earlier position, so the same command would put records again.
            Some(_) => format!("--skip {position} instead of --resume"),
            None => format!("--skip {position}"),
        };
        let first = error.line_to_fix().map(|line| format!("fix line {line} first, then ")).unwrap_or_default();
        report::line(format_args!(
            "the input is on the stream up to record {position}; {first}{how} resumes after it{twice}"
        ));
    }
}
