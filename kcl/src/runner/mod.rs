//! The loop, and the ways to run it.

mod batch;
pub(crate) mod conversation;
mod counts;
pub(crate) mod events;
mod remaining;
pub(crate) mod retry;
pub(crate) mod session;
pub(crate) mod watch;
pub(crate) mod watermark;

use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::checkpoint::Checkpointer;
use crate::checkpoint::pace::Checkpoints;
use crate::clock::SystemClock;
use crate::error::{BoxError, HandlerError, RunError};
use crate::excerpt::Paragraph;
use crate::io::fd::write_line;
use crate::io::lines::{Io, Lines};
use crate::io::stderr::Report;
use crate::io::{lent_io, stdio};
use crate::processor::{Initialize, Processor};
use crate::protocol::Message;
use crate::redact;
use crate::runner::conversation::Conversation;
use crate::runner::counts::Counts;
use crate::runner::events::Event;
use crate::runner::session::{Session, guard};
use crate::runner::watch::Watch;
use crate::runner::watermark::Watermark;
use crate::shard::Shard;
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
    /// A process that a handler forks without `exec` is an exception: it keeps the daemon's pipes open, so the daemon waits
    /// until it ends. Start a program instead, as [`std::process::Command`] does.
    ///
    /// Call this method first: anything that `main` prints or starts before the call uses the daemon's pipes. Output
    /// that a handler prints before it calls [`std::process::exit`] reaches stderr. If another thread, or an abort,
    /// ends the process, the last output may be lost.
    ///
    /// With `KCL_REPORT=1` in the environment, the last line on stderr (before that of an error) reports the
    /// [counts](macro@crate::processor#counts) of records, batches and checkpoints.
    ///
    /// The exit code is 0 at the end of the input, 1 if a handler failed (also because the daemon was gone) or
    /// SHARD_END was not checkpointed, and 2 if the input was not understood, could not be read, or is a terminal, or if a
    /// thread or a pipe that the run needs could not be made.
    pub fn run<P, E>(&self) -> ExitCode
    where
        F: Fn(&Shard) -> Result<P, E>,
        P: Processor,
        E: Into<BoxError>,
    {
        match stdio::with_protocol(are_payloads_logged::<P>(), |input, output, report| {
            self.converse(real::<P>(Lines::real(input, output), report.clone()), Counts::are_requested())
        }) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                write_line(rustix::stdio::stderr(), Paragraph(&error, &error.backtrace()));
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
        let run = |reader, writer| {
            self.converse(real::<P>(Lines::new(reader, writer), Report::Printed), Counts::are_requested())
        };
        lent_io::lend(reader, writer, run).map_err(RunError::Thread)?
    }

    /// Converses until the daemon ends the conversation. If `counts` are requested, the last line of the report has them.
    pub(crate) fn converse<P, E>(&self, conversation: Conversation, counts: bool) -> Result<(), RunError>
    where
        F: Fn(&Shard) -> Result<P, E>,
        P: Processor,
        E: Into<BoxError>,
    {
        let Some(mut session) = self.open(conversation)? else { return Ok(()) };
        let result = session.converse();
        if counts {
            session.report_line(format_args!("{}", session.checkpointer.conversation.events.counts));
        }
        session.close(result)
    }

    /// Makes the processor of the shard that `initialize` names; `None` if the input ends before it. The message is not
    /// acknowledged yet.
    pub(crate) fn open<P, E>(&self, mut conversation: Conversation) -> Result<Option<Session<P>>, RunError>
    where
        F: Fn(&Shard) -> Result<P, E>,
        P: Processor,
        E: Into<BoxError>,
    {
        let (shard_id, position) = match conversation.receive()? {
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
        let entered = trace::shard(&shard);
        let interval = match P::CHECKPOINTS {
            Checkpoints::Interval(interval) => interval,
            _ => Duration::MAX,
        };
        let Conversation { clock, report, .. } = &conversation;
        conversation.events.watch = Watch::start(&shard, P::WARN_AFTER, interval, clock, report);
        conversation.emit(Event::Called { action: "initialize", records: None });
        let processor = guard(|| (self.factory)(&shard).map_err(Into::into));
        conversation.emit(Event::Attempted(processor.as_ref().map(drop)));
        conversation.emit(Event::Returned);
        let processor = processor.map_err(|failure| HandlerError::new(&shard, "initialize", failure))?;
        // `#[on_init]` may have set up the subscriber.
        let entered = trace::shard_anew(entered, &shard);
        let watermark = Watermark::new(P::CHECKPOINTS, &*conversation.clock);
        let ticked = conversation.clock.now();
        let checkpointer = Checkpointer::new(conversation);
        Ok(Some(Session { processor, shard, entered, checkpointer, watermark, ticked }))
    }
}

/// Whether messages about this processor's records may quote payloads.
fn are_payloads_logged<P: Processor>() -> bool {
    P::LOG_PAYLOADS && redact::is_allowed()
}

/// A conversation at the pace of this machine's clock.
fn real<P: Processor>(io: impl Io + 'static, report: Report) -> Conversation {
    let mut conversation = Conversation::new(Box::new(io), Arc::new(SystemClock::new()), report);
    conversation.log_payloads = are_payloads_logged::<P>();
    conversation
}
