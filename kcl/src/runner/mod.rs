//! The loop, and the ways to run it.

mod batch;
pub(crate) mod call;
pub(crate) mod conversation;
pub(crate) mod counts;
#[cfg(any(feature = "testing", feature = "tokio", test))]
pub(crate) mod current;
pub(crate) mod describe;
pub(crate) mod events;
mod oldest;
mod remaining;
pub(crate) mod retry;
pub(crate) mod session;
#[cfg(any(feature = "tokio", test))]
mod shared;
pub(crate) mod watch;
pub(crate) mod watermark;

use std::future::ready;
use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::async_processor::AsyncProcessor;
use crate::checkpoint::Checkpointer;
use crate::checkpoint::asynchronous::AsyncCheckpointer;
use crate::checkpoint::pace::Checkpoints;
use crate::clock::{Clock, SystemClock};
use crate::error::{BoxError, Failure, HandlerError, RunError};
use crate::excerpt::Paragraph;
use crate::io::fd::write_all;
use crate::io::lines::{Io, Lines};
use crate::io::stderr::Report;
use crate::io::{lent_io, stdio};
use crate::measure::Measure;
use crate::processor::{Initialize, Processor};
use crate::protocol::Message;
use crate::redact;
use crate::runner::call::Caller;
use crate::runner::conversation::{Conversation, Waits, now};
use crate::runner::counts::Counts;
use crate::runner::describe::describe;
use crate::runner::events::Event;
use crate::runner::session::Session;
use crate::runner::watch::Watch;
use crate::runner::watermark::Watermark;
use crate::shard::Shard;
use crate::trace;

/// Runs a processor on the process's own stdin and stdout until the daemon ends the conversation. The `main` that
/// `#[kcl::processor]` writes calls this function.
///
/// See [`Runner::run`] for its effects on the process, and for the exit codes.
#[must_use = "return this exit code from `main`: otherwise, the process ends with exit code 0 after a failure"]
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
#[must_use = "a runner does nothing until its `run` or `run_on` is called"]
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
    /// A process that a handler forks without `exec` is an exception: it keeps the daemon's pipes open, so the daemon waits
    /// until it ends. Start a program instead, as [`std::process::Command`] does.
    ///
    /// Call this method first: anything that `main` prints or starts before the call uses the daemon's pipes. Output
    /// that a handler prints before it calls [`std::process::exit`] reaches stderr. If another thread exits, or the
    /// process aborts (a stack overflow, a failed allocation), the last output may be lost, including the message about
    /// it. The message of a panic is not lost.
    ///
    /// With the feature `metrics`, `KCL_METRICS` in the environment asks for metrics; see [`metrics`](crate#features).
    ///
    /// With `KCL_REPORT=1` in the environment, the last line on stderr (before that of an error) reports the
    /// [counts](macro@crate::processor#counts) of records, batches and checkpoints.
    ///
    /// With `KCL_DESCRIBE=1`, the call touches nothing of the above: it writes a line of JSON to stdout, with what the type `P` asks
    /// for, and returns 0. The tools that start processors ask this way, before they start them.
    ///
    /// The exit code is 0 at the end of the input, 1 if a handler failed (also because the daemon was gone) or
    /// SHARD_END was not checkpointed, and 2 if the input was not understood, could not be read, or is a terminal, if a
    /// thread or a pipe that the run needs could not be made, or if an environment variable has a wrong value.
    #[must_use = "return this exit code from `main`: otherwise, the process ends with exit code 0 after a failure"]
    pub fn run<P, E>(&self) -> ExitCode
    where
        F: Fn(&Shard) -> Result<P, E>,
        P: Processor,
        E: Into<BoxError>,
    {
        if describe::<P>() {
            return ExitCode::SUCCESS;
        }
        #[cfg(feature = "tokio")]
        if let Err(error) = crate::runtime::refuse_nesting() {
            return end(Err(error));
        }
        end(stdio::with_protocol(are_payloads_logged::<P>(), |input, output, report| {
            self.converse(blocking::<P>(Lines::real(input, output), report.clone())?, Counts::are_requested())
        }))
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
        let run = |reader, writer| {
            self.converse(blocking::<P>(Lines::new(reader, writer), Report::Printed)?, Counts::are_requested())
        };
        lent_io::lend(reader, writer, run).map_err(RunError::Thread)?
    }

    /// Does what [`converse`] does, while the thread waits.
    pub(crate) fn converse<P, E>(&self, conversation: Conversation, counts: bool) -> Result<(), RunError>
    where
        F: Fn(&Shard) -> Result<P, E>,
        P: Processor,
        E: Into<BoxError>,
    {
        now(converse(&|shard: &Shard| ready((self.factory)(shard)), conversation, counts))
    }
}

/// Converses until the daemon ends the conversation. If `counts` are requested, the last line of the report has them.
pub(crate) async fn converse<M, P, E>(make: &M, conversation: Conversation, counts: bool) -> Result<(), RunError>
where
    M: AsyncFn(&Shard) -> Result<P, E>,
    P: AsyncProcessor,
    E: Into<BoxError>,
{
    let gauge = conversation.events.measure.gauge();
    let result = converse_to_the_end(make, conversation, counts).await;
    gauge.finish(&result);
    result
}

async fn converse_to_the_end<M, P, E>(make: &M, conversation: Conversation, counts: bool) -> Result<(), RunError>
where
    M: AsyncFn(&Shard) -> Result<P, E>,
    P: AsyncProcessor,
    E: Into<BoxError>,
{
    let Some(mut session) = open(make, conversation).await? else { return Ok(()) };
    let result = trace::within(session.span.clone(), session.converse()).await;
    if counts {
        session.report_line(format_args!("{}", session.checkpointer.inner.conversation.events.counts));
    }
    session.close(result.map_err(|error| *error))
}

/// Makes the processor of the shard that `initialize` names; `None` if the input ends before it, or the daemon is gone before the
/// processor is made. The message is not acknowledged yet.
pub(crate) async fn open<M, P, E>(make: &M, mut conversation: Conversation) -> Result<Option<Session<P>>, RunError>
where
    M: AsyncFn(&Shard) -> Result<P, E>,
    P: AsyncProcessor,
    E: Into<BoxError>,
{
    let (shard_id, position) = match conversation.receive().await.map_err(|error| *error)? {
        None => return Ok(None),
        Some(Message::Initialize { shard_id, position }) => (shard_id, position),
        Some(message) => {
            return Err(RunError::Unexpected {
                shard: None,
                action: message.action(),
                expected: "`initialize`, the first message",
            });
        }
    };
    conversation.shard = Some(shard_id.clone());
    let shard = Shard::new(shard_id, position).with_payloads_logged(conversation.log_payloads);
    let span = trace::shard(&shard);
    let interval = match P::CHECKPOINTS {
        Checkpoints::Interval(interval) => interval,
        _ => Duration::MAX,
    };
    let Conversation { clock, report, events, .. } = &conversation;
    events.measure.begin(shard.id());
    let gauge = events.measure.gauge();
    conversation.events.watch = Watch::start(&shard, P::WARN_AFTER, interval, clock, report, gauge);
    conversation.emit(Event::Called { action: "initialize", records: None });
    let mut caller = Caller::new(&conversation);
    let call = caller.call(None, || async { make(&shard).await.map_err(Into::into) });
    let processor = trace::within(span.clone(), call).await;
    conversation.emit(Event::Attempted(processor.as_ref().map(drop)));
    conversation.emit(Event::Returned);
    let processor = match processor {
        Ok(processor) => processor,
        Err(Failure::Gone) => return Ok(None),
        Err(failure) => return Err(HandlerError::new(&shard, "initialize", failure).into()),
    };
    // `#[on_init]` may have set up the subscriber.
    let span = trace::shard_anew(span, &shard);
    let watermark = Watermark::new(P::CHECKPOINTS, &*conversation.clock);
    let ticked = conversation.clock.now();
    let checkpointer = AsyncCheckpointer::new(Checkpointer::new(conversation));
    Ok(Some(Session { processor, shard, span, caller, checkpointer, watermark, ticked, hole: false }))
}

/// Whether messages about this processor's records may quote payloads.
pub(crate) fn are_payloads_logged<P: AsyncProcessor>() -> bool {
    P::LOG_PAYLOADS && redact::is_allowed()
}

/// A conversation at the pace of this machine's clock, in which the thread waits.
fn blocking<P: AsyncProcessor>(io: impl Io + 'static, report: Report) -> Result<Conversation, RunError> {
    real::<P>(io, Arc::new(SystemClock::new()), report, Waits::Thread)
}

/// A conversation that is not a simulation.
pub(crate) fn real<P: AsyncProcessor>(
    io: impl Io + 'static,
    clock: Arc<dyn Clock>,
    report: Report,
    waits: Waits,
) -> Result<Conversation, RunError> {
    let mut conversation = Conversation::new(Box::new(io), clock, report, waits);
    conversation.log_payloads = are_payloads_logged::<P>();
    conversation.events.measure = Measure::from_env(&conversation.clock, &conversation.report)?;
    Ok(conversation)
}

/// Ends a run on the process's own stdio: reports the error, if there is one, and returns the exit code.
pub(crate) fn end(result: Result<(), RunError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            write_all(rustix::stdio::stderr(), format!("kcl: {}\n", Paragraph(&error, &error.backtrace())).as_bytes());
            ExitCode::from(error.exit_code())
        }
    }
}
