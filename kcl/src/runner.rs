//! The loop: one message, one handler, one outcome, one reply.

mod batch;

use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::checkpoint::{Checkpointer, Scope};
use crate::connection::{Broken, Connection, Patience};
use crate::counts::Counts;
use crate::error::{Failure, HandlerFailed, RunError};
use crate::protocol::{Message, Reply, ShutdownReason};
use crate::report::{self, Hand, Report};
use crate::trace;
use crate::watch::Watch;
use crate::{
    BoxError, CheckpointError, Checkpoints, Initialize, LeaseLost, MillisBehindLatest, Processor, Record,
    SequenceNumber, Shard, ShardEnded, ShutdownRequested, lent_io, stdio,
};

/// Runs a processor on the process's own stdin and stdout until the daemon ends the conversation: what the `main` that
/// `#[kcl::processor]` writes calls.
///
/// See [`Runner::run`] for what it does with the process, and for the exit codes.
pub fn run<P: Initialize>() -> ExitCode {
    Runner::new(P::initialize).run()
}

/// Runs processors that a factory makes: for what [`run`] cannot give them, such as a shared connection pool.
///
/// ```
/// use kcl::{BoxError, ProcessRecords, Processor, Runner};
/// use std::sync::mpsc::Sender;
///
/// struct Forward(Sender<Vec<u8>>);
///
/// // What `#[kcl::processor(main = false)]` writes, too.
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
    /// A runner of the processors that `factory` makes, one a shard; it is called on the daemon's `initialize`.
    pub fn new<P, E>(factory: F) -> Self
    where
        F: Fn(&Shard) -> Result<P, E>,
    {
        Self { factory }
    }

    /// Runs on the process's own stdin and stdout until the daemon ends the conversation.
    ///
    /// The protocol owns the real stdin, stdout and stderr meanwhile: what user code prints, to stdout too, goes to stderr, and
    /// processes that it starts get neither the daemon's messages nor its pipes. SIGINT and SIGTERM are left to the daemon:
    /// the end of the input ends the process. What cannot go on is reported on stderr.
    ///
    /// Call it first: what `main` prints or starts before has the daemon's pipes. What a handler prints before it calls
    /// [`std::process::exit`] comes out; what other threads, or an abort, end the process with may not.
    ///
    /// With `KCL_REPORT=1` in the environment the last line on stderr before an error's is what was done with the
    /// records, [counted](macro@crate::processor#counts).
    ///
    /// The exit code is 0 at the end of the input, 1 if a handler failed (for want of the daemon, too) or SHARD_END was not
    /// checkpointed, and 2 if the input was not understood, failed, or is a terminal.
    pub fn run<P, E>(&self) -> ExitCode
    where
        F: Fn(&Shard) -> Result<P, E>,
        P: Processor,
        E: Into<BoxError>,
    {
        match stdio::with_protocol(|input, output, report| {
            self.converse(
                Connection::new(Patience::Watchful(input.clone()), input, output),
                &Surroundings::real(report),
            )
        }) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                report::write_line(rustix::stdio::stderr(), &error);
                ExitCode::from(error.exit_code())
            }
        }
    }

    /// Runs on a reader and a writer, without touching the process's own stdio; what is worth a line, but no failure, still goes
    /// to stderr.
    ///
    /// They may be borrowed, as a thread that ends with this call serves them; hence `Send`, which locked ends such as
    /// `stdin().lock()` are not: pass `stdin()` instead.
    ///
    /// # Errors
    ///
    /// Whatever would end the process with an exit code other than 0.
    pub fn run_on<P, E>(&self, reader: impl Read + Send, writer: impl Write + Send) -> Result<(), RunError>
    where
        F: Fn(&Shard) -> Result<P, E>,
        P: Processor,
        E: Into<BoxError>,
    {
        lent_io::lend(reader, writer, |reader, writer| {
            self.converse(Connection::new(Patience::Blind, reader, writer), &Surroundings::real(&Report::Printed))
        })
    }

    /// For simulations that run thousands of processors a second: on ends of their own, with a small buffer; nothing waits, `now`
    /// is asked for the time, and `report` gets the lines that are for stderr.
    #[doc(hidden)]
    pub fn simulate<P, E>(
        &self,
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
        let report = Report::Handed(Hand(Arc::new(report)));
        self.converse(connection, &Surroundings { report: &report, now, counts: true, watch: false })
    }

    fn converse<P, E>(&self, connection: Connection, around: &Surroundings<'_>) -> Result<(), RunError>
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
                    after if around.watch && after < Duration::MAX => Watch::start(&shard, after, around.report),
                    _ => Watch::off(),
                };
                let running = watch.enter("initialize", None);
                let processor = guard(|| (self.factory)(&shard).map_err(Into::into))
                    .map_err(|failure| HandlerFailed::new(&shard, "initialize", failure))?;
                drop(running);
                // `#[on_init]` may have been where the subscriber was set up.
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
            watermark: Watermark::new(around.now),
            report: around.report,
            watch,
            counts: Counts::default(),
        };
        let result = session.converse();
        if around.counts {
            session.counts.checkpoints = session.checkpointer.accepted;
            session.say(format_args!("{}", session.counts));
        }
        let Session { processor, shard, watch, .. } = session;
        let running = watch.enter("drop", None);
        let dropped = guard(|| {
            drop(processor);
            Ok(())
        });
        drop(running);
        match (result, dropped) {
            (Ok(()), Err(failure)) => Err(HandlerFailed::new(&shard, "drop", failure).into()),
            (result, _) => result,
        }
    }
}

/// What is around a conversation.
struct Surroundings<'a> {
    report: &'a Report,
    /// What says how late it is.
    now: fn() -> Instant,
    /// Whether the counts are wanted.
    counts: bool,
    /// Whether handlers that run for long are named.
    watch: bool,
}

impl<'a> Surroundings<'a> {
    fn real(report: &'a Report) -> Self {
        Self { report, now: Instant::now, counts: Counts::are_wanted(), watch: true }
    }
}

/// Calls user code; a panic is a failure like any other.
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

/// How far the records are done, for a processor whose checkpoints the runtime makes.
struct Watermark {
    now: fn() -> Instant,
    /// The last record before which, itself included, all have succeeded, or were dealt with by the user's own word.
    done: Option<(SequenceNumber, u64)>,
    /// How many are done of which the daemon does not know.
    outstanding: u64,
    /// When it last was told.
    since: Instant,
}

impl Watermark {
    fn new(now: fn() -> Instant) -> Self {
        Self { now, done: None, outstanding: 0, since: now() }
    }

    /// The batch up to here is done.
    fn reach(&mut self, done: &[Record]) {
        if let Some(last) = done.last() {
            self.done = Some((*last.sequence_number(), last.sub_sequence_number()));
            self.outstanding += done.len() as u64;
        }
    }

    /// Whether the daemon should be told by now.
    fn is_due(&self, checkpoints: Checkpoints) -> bool {
        self.outstanding > 0
            && match checkpoints {
                Checkpoints::Batch => true,
                Checkpoints::Records(records) => self.outstanding >= records,
                Checkpoints::Interval(interval) => (self.now)().duration_since(self.since) >= interval,
                Checkpoints::Handler => false,
            }
    }

    /// The daemon knows of all that is done.
    fn confirm(&mut self) {
        self.outstanding = 0;
        self.since = (self.now)();
    }
}

/// What follows a message that was dealt with.
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
                    self.say(format_args!("the daemon was gone before {action} could be acknowledged"));
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
        result.map_err(|failure| HandlerFailed::new(&self.shard, action, failure))?;
        Ok(Next::Acknowledge)
    }

    fn shard_ended(&mut self, action: &'static str) -> Result<Next, RunError> {
        self.checkpointer.enter_message(Scope::ShardEnd);
        let (processor, shard, checkpointer) = (&mut self.processor, &self.shard, &mut self.checkpointer);
        let running = self.watch.enter(action, None);
        let result = guard(|| processor.shard_ended(&mut ShardEnded { shard, checkpointer }));
        drop(running);
        let result = result.map_err(|failure| HandlerFailed::new(&self.shard, action, failure));
        match self.settle(result)? {
            Settled::Done if self.checkpointer.seen.all_confirmed => Ok(Next::Acknowledge),
            Settled::Done => match self.checkpointer.checkpoint_all() {
                Ok(()) => Ok(Next::Acknowledge),
                // The daemon's retry turns into `leaseLost`; records that were never processed are another matter.
                Err(CheckpointError::LeaseLost) if !self.checkpointer.gap => Ok(Next::Acknowledge),
                Err(source) => match self.checkpointer.connection.take_broken() {
                    Some(Broken::Error(error)) => Err(error),
                    _ => Err(RunError::ShardEnd { shard: self.shard.id().to_owned(), source }),
                },
            },
            // No checkpoint of what is done: here the daemon takes the last record's number for SHARD_END itself.
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
        let result = result.map_err(|failure| HandlerFailed::new(&self.shard, "shutdownRequested", failure));
        match self.settle(result)? {
            Settled::Done if self.checkpointer.seen.all_confirmed => Ok(Next::Acknowledge),
            Settled::Done => self.checkpoint_all(),
            Settled::Failed(failed) => self.fail(failed),
            Settled::Excused(failed) => Ok(self.excuse(&failed)),
            Settled::End => Ok(Next::End),
        }
    }

    /// What a handler's result means, before the runtime's own checkpoint.
    fn settle(&mut self, result: Result<(), HandlerFailed>) -> Result<Settled, RunError> {
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

    /// The runtime's checkpoint for everything that was handed over. Its failure is no reason to stop: the next one covers it.
    fn checkpoint_all(&mut self) -> Result<Next, RunError> {
        if P::CHECKPOINTS == Checkpoints::Handler || self.checkpointer.gap {
            return Ok(Next::Acknowledge);
        }
        match self.checkpointer.checkpoint_all() {
            Ok(()) => self.watermark.confirm(),
            Err(error) => match self.checkpointer.connection.take_broken() {
                Some(Broken::Error(error)) => return Err(error),
                Some(Broken::End) => return Ok(Next::End),
                None => self.say(format_args!("a checkpoint was not made: {error}")),
            },
        }
        Ok(Next::Acknowledge)
    }

    /// A handler failed: checkpoints the records that have succeeded, if the daemon does not know of them yet.
    fn fail(&mut self, failed: HandlerFailed) -> Result<Next, RunError> {
        let known = P::CHECKPOINTS == Checkpoints::Handler
            || self.watermark.outstanding == 0
            || self.checkpointer.seen.all_confirmed;
        if let Some((sequence_number, sub_sequence_number)) = self.watermark.done.filter(|_| !known) {
            if let Err(error) = self.checkpointer.checkpoint_at_sequence(&sequence_number, sub_sequence_number) {
                self.say(format_args!("what succeeded could not be checkpointed: {error}"));
            }
        }
        if self.checkpointer.seen.lease_lost { Ok(self.excuse(&failed)) } else { Err(failed.into()) }
    }

    /// A handler failed, but the lease is gone: whoever has it now gets the records, and to fail would only end the whole worker.
    fn excuse(&mut self, failed: &HandlerFailed) -> Next {
        self.report.line(format_args!("{failed}; as the lease is gone, it is acknowledged all the same"));
        self.checkpointer.gap = true;
        Next::Acknowledge
    }

    fn say(&self, what: impl std::fmt::Display) {
        self.report.line(format_args!("shard {}: {what}", self.shard.id()));
    }
}

enum Settled {
    /// The handler succeeded.
    Done,
    Failed(HandlerFailed),
    /// It failed, but the lease is gone.
    Excused(HandlerFailed),
    /// The daemon is gone.
    End,
}
