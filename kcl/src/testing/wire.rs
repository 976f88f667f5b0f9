//! The daemon's half of a conversation, in process. It writes messages and reads replies as strictly as the daemon does,
//! and judges checkpoints by the rules of the lease. A [`Director`] decides what happens.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use crate::clock::{Clock, Sleep};
use crate::error::{BoxError, RunError};
use crate::io::lines::{Io, Received};
use crate::io::stderr::Report;
use crate::processor::Processor;
use crate::protocol::daemon::Lease;
use crate::protocol::scanner::Scanner;
use crate::protocol::{Message, ProcessRecordsMessage, Reply, ReplyError, WireRecord};
use crate::record::Record;
use crate::runner::Runner;
use crate::runner::conversation::{Conversation, Waits};
use crate::shard::{Position, Shard};

/// A message to deliver.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// `processRecords`, with how far the batch is behind the newest record of the shard, in milliseconds, if the daemon
    /// knows.
    Records(Vec<Record>, Option<u64>),
    /// `leaseLost`.
    LeaseLost,
    /// `shardEnded`.
    ShardEnded,
    /// `shutdownRequested`.
    ShutdownRequested,
}

/// A processor's request for a checkpoint.
#[derive(Clone, Debug)]
pub struct Request {
    /// `None` means everything that was delivered.
    pub sequence_number: Option<String>,
    /// `None` means 0.
    pub sub_sequence_number: Option<i64>,
}

/// Decides what happens to a process, and notes what the process does.
pub trait Director: Send {
    /// Whether the process is alive. Nothing that a dead one does has an effect. Called before each effect.
    fn is_alive(&mut self) -> bool;

    /// Ends a dead process that tries to go on.
    fn bury() -> io::Error {
        io::ErrorKind::BrokenPipe.into()
    }

    /// A wait before the next message, if a task waits for it.
    fn wait(&mut self) -> Option<Sleep> {
        None
    }

    /// The next message; `None` at the end of the input.
    fn next(&mut self, lease: &Lease) -> Option<Delivery>;

    /// Decides on a checkpoint before the lease judges it: the name of the exception with which it is refused.
    fn refuse(&mut self, request: &Request, lease: &Lease) -> Option<String>;

    /// Notes the answer to a checkpoint: the position to which the lease moves, if it does, or the exception's name.
    /// Returns whether the lease is lost from now on.
    fn answer(&mut self, request: &Request, answer: Result<Option<&Position>, &str>) -> bool;

    /// Notes the status of a message.
    fn acknowledge(&mut self, action: &'static str);

    /// Notes a reply that the daemon does not understand.
    fn misunderstand(&mut self, problem: String);
}

/// The daemon's half of the conversation of one shard.
#[derive(Debug)]
pub struct Half<D> {
    /// The director.
    pub director: D,
    lease: Lease,
    /// The action of the message that waits for its status.
    pending: Option<&'static str>,
    /// The line to be received next.
    line: Option<Vec<u8>>,
}

impl<D: Director> Half<D> {
    /// The half of a shard whose lease is at this position.
    pub fn new(director: D, position: Position) -> Self {
        Self { director, lease: Lease::new(position), pending: None, line: None }
    }

    /// The position of the lease.
    pub fn position(&self) -> &Position {
        self.lease.position()
    }

    /// Whether a message waits for its status.
    pub fn is_busy(&self) -> bool {
        self.pending.is_some()
    }

    /// Gives the shard to a new process.
    pub fn start(&mut self, shard_id: &str) {
        let position = self.lease.position().clone();
        self.lease = Lease::new(position.clone());
        self.send("initialize", &Message::Initialize { shard_id: shard_id.to_owned(), position });
    }

    fn send(&mut self, action: &'static str, message: &Message) {
        self.pending = Some(action);
        self.write(message);
    }

    fn write(&mut self, message: &Message) {
        let mut line = Vec::new();
        match message.write(&mut line) {
            Ok(()) => self.line = Some(line),
            Err(error) => self.director.misunderstand(format!("a message cannot be written: {error}")),
        }
    }

    /// Delivers the next message.
    fn deliver(&mut self) {
        let Some(delivery) = self.director.next(&self.lease) else { return };
        match delivery {
            Delivery::Records(records, behind) => {
                match records.last() {
                    Some(last) => self.lease.deliver(last.sequence_number(), last.sub_sequence_number()),
                    None => self.lease.open(),
                }
                let records: Vec<_> = records.iter().map(WireRecord::from).collect();
                let mut line = Vec::new();
                let message = ProcessRecordsMessage { records: &records[..], millis_behind_latest: behind };
                message.write(&mut line);
                (self.pending, self.line) = (Some("processRecords"), Some(line));
            }
            Delivery::LeaseLost => {
                self.lease.close();
                self.send("leaseLost", &Message::LeaseLost);
            }
            Delivery::ShardEnded => {
                self.lease.end_shard();
                self.send("shardEnded", &Message::ShardEnded);
            }
            Delivery::ShutdownRequested => {
                self.lease.open();
                self.send("shutdownRequested", &Message::ShutdownRequested);
            }
        }
    }

    /// Reads a reply.
    fn read(&mut self, line: &[u8]) {
        // A status as the runtime writes it need not be parsed.
        let status = line.strip_prefix(br#"{"action":"status","responseFor":""#);
        let status = status.and_then(|rest| rest.strip_suffix(b"\"}\n"));
        if let Some(pending) = self.pending.take_if(|pending| status == Some(pending.as_bytes())) {
            return self.director.acknowledge(pending);
        }
        match (Reply::from_line(line), self.pending) {
            (Ok(Reply::Status { response_for: Some(action) }), Some(pending)) if action == pending => {
                self.pending = None;
                self.director.acknowledge(pending);
            }
            (Ok(Reply::Checkpoint { sequence_number, sub_sequence_number }), _) => {
                self.judge(&Request { sequence_number, sub_sequence_number });
            }
            (Err(ReplyError::Blank), _) => {}
            (Ok(reply), pending) => {
                self.director.misunderstand(format!("{reply:?}, while the status of {pending:?} was expected"));
            }
            (Err(error), _) => self.director.misunderstand(format!("{error}: {}", error.consequence())),
        }
    }

    fn judge(&mut self, request: &Request) {
        let Request { sequence_number, sub_sequence_number } = request;
        let judged = match self.director.refuse(request, &self.lease) {
            Some(exception) => Err(exception),
            None => {
                let judged = self.lease.judge(sequence_number.as_deref(), *sub_sequence_number);
                judged.map_err(|refused| refused.exception().to_owned())
            }
        };
        if let Ok(Some(position)) = &judged {
            self.lease.advance(position.clone());
        }
        if self.director.answer(request, judged.as_ref().map(Option::as_ref).map_err(String::as_str)) {
            self.lease.lose();
        }
        self.write(&Message::Checkpoint {
            sequence_number: sequence_number.clone(),
            sub_sequence_number: *sub_sequence_number,
            error: judged.err(),
        });
    }
}

/// The daemon's half, shared by a process and whoever watches it.
#[derive(Debug)]
pub struct Shared<D>(Arc<Mutex<Half<D>>>);

impl<D> Clone for Shared<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D: Director + 'static> Shared<D> {
    /// Shares a half.
    pub fn new(half: Half<D>) -> Self {
        Self(Arc::new(Mutex::new(half)))
    }

    /// The half, until the guard is dropped.
    pub fn lock(&self) -> MutexGuard<'_, Half<D>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The half, unless someone has it now.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, Half<D>>> {
        self.0.try_lock().ok()
    }

    /// The ends of a process's conversation with this half.
    pub fn ends(&self) -> Ends<D> {
        Ends { half: self.clone(), wait: None }
    }
}

/// The ends of a process's conversation.
pub struct Ends<D> {
    half: Shared<D>,
    /// The wait for the next message.
    wait: Option<Sleep>,
}

impl<D: fmt::Debug> fmt::Debug for Ends<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ends").field("half", &self.half).finish_non_exhaustive()
    }
}

impl<D: Director + 'static> Io for Ends<D> {
    fn receive(&mut self, scanner: &mut Scanner) -> Received {
        let mut half = self.half.lock();
        if half.line.is_none() && half.pending.is_none() && half.director.is_alive() {
            half.deliver();
        }
        if !half.director.is_alive() {
            return Err(buried(half));
        }
        let line = half.line.take();
        drop(half);
        Ok(line.and_then(|line| scanner.end(&line)))
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>, scanner: &mut Scanner) -> Poll<Received> {
        loop {
            if let Some(wait) = &mut self.wait {
                ready!(wait.as_mut().poll(cx));
            }
            let mut half = self.half.lock();
            let is_idle = half.line.is_none() && half.pending.is_none() && half.director.is_alive();
            self.wait = if is_idle { half.director.wait() } else { None };
            drop(half);
            if self.wait.is_none() {
                return Poll::Ready(self.receive(scanner));
            }
        }
    }

    fn send(&mut self, line: &[u8]) -> io::Result<()> {
        let mut half = self.half.lock();
        if !half.director.is_alive() {
            return Err(buried(half));
        }
        half.read(line);
        Ok(())
    }
}

/// Ends a dead process. The director may unwind, so the lock is released first.
fn buried<D: Director>(half: MutexGuard<'_, Half<D>>) -> io::Error {
    drop(half);
    D::bury()
}

/// Runs one process on these ends, with the lines that kcl writes to stderr, its counts included, in `report`.
///
/// # Errors
///
/// The same errors as [`Runner::run_on`].
pub fn run<F, P, E>(
    runner: &Runner<F>,
    io: impl Io + 'static,
    clock: Arc<dyn Clock>,
    report: impl Fn(&str) + Send + Sync + 'static,
) -> Result<(), RunError>
where
    F: Fn(&Shard) -> Result<P, E>,
    P: Processor,
    E: Into<BoxError>,
{
    runner.converse(Conversation::new(Box::new(io), clock, Report::callback(report), Waits::Thread), true)
}
