//! The loop: one message, one handler, one outcome, one reply.

mod batch;
mod counts;
pub(crate) mod retry;
pub(crate) mod watch;

use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::{Checkpointer, Scope};
use crate::error::{BoxError, Failure, HandlerError, RunError};
use crate::io::connection::{Broken, Connection, Patience};
use crate::io::fd::write_line;
use crate::io::stderr::{Callback, Report};
use crate::io::{lent_io, stdio};
use crate::processor::{Checkpoints, Initialize, LeaseLost, Processor, ShardEnded, ShutdownRequested};
use crate::protocol::{Message, Reply, ShutdownReason};
use crate::record::Record;
use crate::runner::counts::Counts;
use crate::runner::watch::Watch;
use crate::sequence::SequenceNumber;
use crate::shard::{MillisBehindLatest, Shard};
use crate::trace;

/// Runs a processor on the process's own stdin and stdout until the daemon ends the conversation. The `main` that
/// `#[kcl::processor]` writes calls this function.
///
/// See [`Runner::run`] for its effects on the process, and for the exit codes.
pub fn run<P: Initialize>() -> ExitCode {
    Runner::new(P::initialize).run()
}

/// Runs processors that a factory makes. Use it to give them something that [`run`] cannot, such as a shared connection
/// pool.
///
/// ```
/// use kcl::{BoxError, ProcessRecords, Processor, Runner};
/// use std::sync::mpsc::Sender;
///
/// struct Forward(Sender<Vec<u8>>);
///
/// // `#[kcl::processor(main = false)]` writes this, too.
/// impl Processor for Forward {
///     fn process_records(&mut self, input: &mut ProcessRecords<'_>) -> Result<(), BoxError> {
///         input.for_each_record(|input| Ok(self.0.send(input.record().data().to_vec())?))
///     }
/// }
///
/// let (sender, receiver) = std::sync::mpsc::channel();
/// let input = concat!(
///     r#"{"action":"initialize","shardId":"shardId-000000000000","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}"#, "\n",
///     r#"{"action":"processRecords","records":[{"data":"aGVsbG8=","partitionKey":"a","sequenceNumber":"7"}]}"#, "\n",
///     r#"{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":null}"#, "\n",
/// );
/// let mut output = Vec::new();
/// Runner::new(|_| Ok::<_, std::convert::Infallible>(Forward(sender.clone()))).run_on(input.as_bytes(), &mut output)?;
/// assert_eq!(receiver.try_recv()?, b"hello");
/// assert!(output.ends_with(b"{\"action\":\"status\",\"responseFor\":\"processRecords\"}\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Runner<F> {
    factory: F,
}

impl<F> Runner<F> {
    /// Creates a runner of the processors that `factory` makes, one for each shard. The daemon's `initialize` calls
    /// `factory`.
    pub fn new<P, E>(factory: F) -> Self
    where
        F: Fn(&Shard) -> Result<P, E>,
    {
        Self { factory }
    }

    /// Runs on the process's own stdin and stdout until the daemon ends the conversation.
    ///
    /// Meanwhile, the protocol owns the real stdin, stdout and stderr. Anything that user code prints, even to stdout,
    /// goes to stderr, and processes that it starts receive neither the daemon's messages nor its pipes. SIGINT and
    /// SIGTERM are left to the daemon: the end of the input ends the process. An error that ends the run is reported on
    /// stderr.
    ///
    /// Call this method first: anything that `main` prints or starts before the call uses the daemon's pipes. Output
    /// that a handler prints before it calls [`std::process::exit`] reaches stderr. If another thread, or an abort,
    /// ends the process, the last output may be lost.
    ///
    /// With `KCL_REPORT=1` in the environment, the last line on stderr (before that of an error) reports the
    /// [counts](macro@crate::processor#counts) of records, batches and checkpoints.
    ///
    /// The exit code is 0 at the end of the input, 1 if a handler failed (also because the daemon was gone) or
    /// SHARD_END was not checkpointed, and 2 if the input was not understood, could not be read, or is a terminal.
    pub fn run<P, E>(&self) -> ExitCode
    where
        F: Fn(&Shard) -> Result<P, E>,
        P: Processor,
        E: Into<BoxError>,
    {
        match stdio::with_protocol(|input, output, report| {
            self.converse(Connection::new(Patience::Watchful(input.clone()), input, output), &Environment::real(report))
        }) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                write_line(rustix::stdio::stderr(), &error);
                ExitCode::from(error.exit_code())
            }
        }
    }

    /// Runs on a reader and a writer, without touching the process's own stdio. Warnings still go to stderr.
    ///
    /// The reader and the writer may be borrowed: a thread that ends with this call serves them. They must therefore be
    /// `Send`. Locked ends such as `stdin().lock()` are not: pass `stdin()` instead.
    ///
    /// # Errors
    ///
    /// Any error that would end the process with an exit code other than 0.
    pub fn run_on<P, E>(&self, reader: impl Read + Send, writer: impl Write + Send) -> Result<(), RunError>
    where
        F: Fn(&Shard) -> Result<P, E>,
        P: Processor,
        E: Into<BoxError>,
    {
        lent_io::lend(reader, writer, |reader, writer| {
            self.converse(Connection::new(Patience::Blind, reader, writer), &Environment::real(&Report::Printed))
        })
    }

    fn converse<P, E>(&self, connection: Connection, environment: &Environment<'_>) -> Result<(), RunError>
    where
        F: Fn(&Shard) -> Result<P, E>,
        P: Processor,
        E: Into<BoxError>,
    {
        let mut connection = connection;
        let (shard, _entered, watch, processor) = match connection.receive()? {
            None => return Ok(()),
            Some(Message::Initialize { shard_id, position }) => {
                connection.shard = Some(shard_id.clone());
                let shard = Shard::new(shard_id, position);
                let entered = trace::shard(&shard);
                let watch = match P::WARN_AFTER {
                    after if environment.watch && after < Duration::MAX => {
                        Watch::start(&shard, after, environment.report)
                    }
                    _ => Watch::off(),
                };
                let running = watch.enter("initialize", None);
                let processor = guard(|| (self.factory)(&shard).map_err(Into::into))
                    .map_err(|failure| HandlerError::new(&shard, "initialize", failure))?;
                drop(running);
                // `#[on_init]` may have set up the subscriber.
                let entered = trace::shard_anew(entered, &shard);
                (shard, entered, watch, processor)
            }
            Some(message) => {
                return Err(RunError::Unexpected {
                    shard: None,
                    action: message.action(),
                    expected: "`initialize`, the first message",
                });
            }
        };
        let mut session = Session {
            processor,
            shard,
            checkpointer: Checkpointer::new(connection),
            watermark: Watermark::new(environment.now),
            report: environment.report,
            watch,
            counts: Counts::default(),
        };
        let result = session.converse();
        if environment.counts {
            session.counts.checkpoints = session.checkpointer.accepted;
            session.report_line(format_args!("{}", session.counts));
        }
        let Session { processor, shard, watch, .. } = session;
        let running = watch.enter("drop", None);
        let dropped = guard(|| {
            drop(processor);
            Ok(())
        });
        drop(running);
        match (result, dropped) {
            (Ok(()), Err(failure)) => Err(HandlerError::new(&shard, "drop", failure).into()),
            (result, _) => result,
        }
    }
}

/// Runs a simulation, of which there may be thousands a second. It owns its reader and writer, has a small buffer and
/// never waits. `now` returns the time, and `report` receives the lines for stderr.
///
/// # Errors
///
/// The same errors as [`Runner::run_on`].
pub fn simulate<F, P, E>(
    runner: &Runner<F>,
    reader: impl Read + Send + 'static,
    writer: impl Write + Send + 'static,
    report: impl Fn(&str) + Send + Sync + 'static,
    now: fn() -> Instant,
) -> Result<(), RunError>
where
    F: Fn(&Shard) -> Result<P, E>,
    P: Processor,
    E: Into<BoxError>,
{
    let connection = Connection::new(Patience::None, reader, writer);
    let report = Report::Callback(Callback(Arc::new(report)));
    runner.converse(connection, &Environment { report: &report, now, counts: true, watch: false })
}

/// The environment of a conversation.
struct Environment<'a> {
    report: &'a Report,
    /// The clock.
    now: fn() -> Instant,
    /// Whether to report the counts.
    counts: bool,
    /// Whether to report long-running handlers.
    watch: bool,
}

impl<'a> Environment<'a> {
    fn real(report: &'a Report) -> Self {
        Self { report, now: Instant::now, counts: Counts::are_requested(), watch: true }
    }
}

/// Calls user code, and turns a panic into a failure like any other.
fn guard<T>(call: impl FnOnce() -> Result<T, BoxError>) -> Result<T, Failure> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(Failure::Error),
        Err(payload) => Err(Failure::panic(&*payload)),
    }
}

/// One shard's conversation, from the status of `initialize` on.
struct Session<'a, P> {
    processor: P,
    shard: Shard,
    checkpointer: Checkpointer,
    watermark: Watermark,
    report: &'a Report,
    watch: Watch,
    counts: Counts,
}

/// The position up to which records are done, for a processor whose checkpoints the runtime makes.
struct Watermark {
    now: fn() -> Instant,
    /// The last record of which this holds: it and all records before it have succeeded, or were skipped or
    /// dead-lettered.
    done: Option<(SequenceNumber, u64)>,
    /// The number of records that are done since the last checkpoint.
    outstanding: u64,
    /// The time of the last checkpoint.
    since: Instant,
}

impl Watermark {
    fn new(now: fn() -> Instant) -> Self {
        Self { now, done: None, outstanding: 0, since: now() }
    }

    /// Records that these records are done.
    fn reach(&mut self, done: &[Record]) {
        if let Some(last) = done.last() {
            self.done = Some((last.sequence_number(), last.sub_sequence_number()));
            self.outstanding += done.len() as u64;
        }
    }

    /// Whether a checkpoint is due.
    fn is_due(&self, checkpoints: Checkpoints) -> bool {
        self.outstanding > 0
            && match checkpoints {
                Checkpoints::Batch => true,
                Checkpoints::Records(records) => self.outstanding >= records,
                Checkpoints::Interval(interval) => (self.now)().duration_since(self.since) >= interval,
                Checkpoints::Handler => false,
            }
    }

    /// Records a checkpoint of everything that is done.
    fn confirm(&mut self) {
        self.outstanding = 0;
        self.since = (self.now)();
    }
}

/// The next step after a message was handled.
enum Next {
    Acknowledge,
    /// The daemon is gone.
    End,
}

impl<P: Processor> Session<'_, P> {
    fn converse(&mut self) -> Result<(), RunError> {
        let mut action = "initialize";
        loop {
            match self.checkpointer.connection.send(&Reply::status(action)) {
                Ok(()) => {}
                Err(Broken::End) => return Ok(()),
                Err(Broken::Error(error)) => return Err(error),
            }
            let Some(message) = self.checkpointer.connection.receive()? else { return Ok(()) };
            action = message.action();
            match self.handle(message)? {
                Next::Acknowledge => {}
                Next::End => {
                    self.report_line(format_args!("the daemon was gone before {action} could be acknowledged"));
                    return Ok(());
                }
            }
        }
    }

    fn handle(&mut self, message: Message) -> Result<Next, RunError> {
        let action = message.action();
        let _entered = trace::message(action, message.records());
        match message {
            Message::ProcessRecords { records, millis_behind_latest } => {
                self.process_records(&Arc::new(records), MillisBehindLatest(millis_behind_latest))
            }
            Message::LeaseLost | Message::Shutdown { reason: ShutdownReason::Zombie } => self.lease_lost(action),
            Message::ShardEnded | Message::Shutdown { reason: ShutdownReason::Terminate } => self.shard_ended(action),
            Message::ShutdownRequested => self.shutdown_requested(),
            Message::Initialize { .. } | Message::Checkpoint { .. } => Err(RunError::Unexpected {
                shard: Some(self.shard.id().to_owned()),
                action,
                expected: "a message that follows `initialize`",
            }),
        }
    }

    fn process_records(
        &mut self,
        records: &Arc<Vec<Record>>,
        millis_behind_latest: MillisBehindLatest,
    ) -> Result<Next, RunError> {
        self.checkpointer.enter_message(Scope::Batch);
        self.counts.batches += u64::from(!records.is_empty());
        let result = self.hand_over(records, millis_behind_latest);
        match self.settle(result)? {
            Settled::Done if self.watermark.is_due(P::CHECKPOINTS) => self.checkpoint_all(),
            Settled::Done => Ok(Next::Acknowledge),
            Settled::Failed(failed) => self.fail(failed),
            Settled::Excused(failed) => Ok(self.excuse(&failed)),
            Settled::End => Ok(Next::End),
        }
    }

    fn lease_lost(&mut self, action: &'static str) -> Result<Next, RunError> {
        let running = self.watch.enter(action, None);
        let result = guard(|| self.processor.lease_lost(&mut LeaseLost { shard: &self.shard }));
        drop(running);
        result.map_err(|failure| HandlerError::new(&self.shard, action, failure))?;
        Ok(Next::Acknowledge)
    }

    fn shard_ended(&mut self, action: &'static str) -> Result<Next, RunError> {
        self.checkpointer.enter_message(Scope::ShardEnd);
        let (processor, shard, checkpointer) = (&mut self.processor, &self.shard, &mut self.checkpointer);
        let running = self.watch.enter(action, None);
        let result = guard(|| processor.shard_ended(&mut ShardEnded { shard, checkpointer }));
        drop(running);
        let result = result.map_err(|failure| HandlerError::new(&self.shard, action, failure));
        match self.settle(result)? {
            Settled::Done if self.checkpointer.seen.all_confirmed => Ok(Next::Acknowledge),
            Settled::Done => match self.checkpointer.checkpoint_all() {
                Ok(()) => Ok(Next::Acknowledge),
                // The daemon's retry becomes `leaseLost`. That excuse does not hold for records that were never
                // processed.
                Err(CheckpointError::LeaseLost) if !self.checkpointer.gap => Ok(Next::Acknowledge),
                Err(source) => match self.checkpointer.connection.take_broken() {
                    Some(Broken::Error(error)) => Err(error),
                    _ => Err(RunError::ShardEnd { shard: self.shard.id().to_owned(), source }),
                },
            },
            // No checkpoint of the records that are done: here the daemon reads the last record's number as SHARD_END.
            Settled::Failed(failed) => Err(failed.into()),
            Settled::Excused(failed) => Ok(self.excuse(&failed)),
            Settled::End => Ok(Next::End),
        }
    }

    fn shutdown_requested(&mut self) -> Result<Next, RunError> {
        self.checkpointer.enter_message(Scope::Shutdown);
        let (processor, shard, checkpointer) = (&mut self.processor, &self.shard, &mut self.checkpointer);
        let running = self.watch.enter("shutdownRequested", None);
        let result = guard(|| processor.shutdown_requested(&mut ShutdownRequested { shard, checkpointer }));
        drop(running);
        let result = result.map_err(|failure| HandlerError::new(&self.shard, "shutdownRequested", failure));
        match self.settle(result)? {
            Settled::Done if self.checkpointer.seen.all_confirmed => Ok(Next::Acknowledge),
            Settled::Done => self.checkpoint_all(),
            Settled::Failed(failed) => self.fail(failed),
            Settled::Excused(failed) => Ok(self.excuse(&failed)),
            Settled::End => Ok(Next::End),
        }
    }

    /// Judges a handler's result, before the runtime's own checkpoint.
    fn settle(&mut self, result: Result<(), HandlerError>) -> Result<Settled, RunError> {
        let broken = self.checkpointer.connection.take_broken();
        match (broken, result) {
            (Some(Broken::Error(error)), _) => Err(error),
            (None, Ok(())) => Ok(Settled::Done),
            (Some(Broken::End), Ok(())) => Ok(Settled::End),
            (Some(Broken::End), Err(failed)) => Err(failed.into()),
            (None, Err(failed)) if self.checkpointer.seen.lease_lost => Ok(Settled::Excused(failed)),
            (None, Err(failed)) => Ok(Settled::Failed(failed)),
        }
    }

    /// Makes the runtime's checkpoint for everything that was delivered. Failure is not a reason to stop: the next
    /// checkpoint covers the same records.
    fn checkpoint_all(&mut self) -> Result<Next, RunError> {
        if P::CHECKPOINTS == Checkpoints::Handler || self.checkpointer.gap {
            return Ok(Next::Acknowledge);
        }
        match self.checkpointer.checkpoint_all() {
            Ok(()) => self.watermark.confirm(),
            Err(error) => match self.checkpointer.connection.take_broken() {
                Some(Broken::Error(error)) => return Err(error),
                Some(Broken::End) => return Ok(Next::End),
                None => self.report_line(format_args!("a checkpoint was not made: {error}")),
            },
        }
        Ok(Next::Acknowledge)
    }

    /// Handles a handler's failure: checkpoints the records that have succeeded, if the daemon does not know of them
    /// yet.
    fn fail(&mut self, failed: HandlerError) -> Result<Next, RunError> {
        let known = P::CHECKPOINTS == Checkpoints::Handler
            || self.watermark.outstanding == 0
            || self.checkpointer.seen.all_confirmed;
        if let Some((sequence_number, sub_sequence_number)) = self.watermark.done.filter(|_| !known) {
            if let Err(error) = self.checkpointer.checkpoint_at_sequence(sequence_number, sub_sequence_number) {
                self.report_line(format_args!("the records that succeeded could not be checkpointed: {error}"));
            }
        }
        if self.checkpointer.seen.lease_lost { Ok(self.excuse(&failed)) } else { Err(failed.into()) }
    }

    /// Excuses a handler's failure, because the lease is gone. The lease's new owner receives the records, and a
    /// failure here would only end the whole worker.
    fn excuse(&mut self, failed: &HandlerError) -> Next {
        self.report.line(format_args!("{failed}; the message is acknowledged anyway, because the lease is gone"));
        self.checkpointer.gap = true;
        Next::Acknowledge
    }

    fn report_line(&self, text: impl std::fmt::Display) {
        self.report.line(format_args!("shard {}: {text}", self.shard.id()));
    }
}

/// A handler's result, judged.
enum Settled {
    /// The handler succeeded.
    Done,
    Failed(HandlerError),
    /// The handler failed, but the lease is gone.
    Excused(HandlerError),
    /// The daemon is gone.
    End,
}
