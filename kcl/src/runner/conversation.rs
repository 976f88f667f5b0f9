//! The conversation with the daemon: messages in, replies out, waits between them, and the reason why it is over.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::clock::Clock;
use crate::error::{Fatal, RunError};
use crate::io::lines::{Io, Watcher};
use crate::io::stderr::Report;
use crate::protocol::reply::Status;
use crate::protocol::scanner::Scanner;
use crate::protocol::{Message, Reply};
use crate::record::Record;
use crate::runner::events::{Event, Events};

/// A processor's conversation with its daemon. It is given its two ends, its clock and its report, and makes none of
/// them.
pub(crate) struct Conversation {
    io: Box<dyn Io>,
    scanner: Scanner,
    pub(crate) clock: Arc<dyn Clock>,
    /// Who waits when the conversation waits.
    pub(crate) waits: Waits,
    /// Sees the end of the daemon during waits, if only a task waits.
    watcher: Option<Box<dyn Watcher>>,
    pub(crate) report: Report,
    pub(crate) events: Events,
    /// Whether messages may quote payloads and partition keys.
    pub(crate) log_payloads: bool,
    /// The line to write; kept so that its buffer is reused.
    out: Vec<u8>,
    /// The shard's id, once `initialize` has named it.
    pub(crate) shard: Option<String>,
    /// The reason the conversation ended, if a handler's checkpoint found out.
    broken: Option<Broken>,
}

/// Who waits for the daemon, or for time to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waits {
    /// The thread. A future that waits this way is ready when it is first polled.
    Thread,
    /// The task that polls the future. The thread runs other tasks meanwhile.
    #[cfg_attr(not(feature = "tokio"), allow(dead_code, reason = "it needs a runtime"))]
    Task,
}

/// The output of a future in which the thread waits.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("blocking code never lets a task wait"),
    }
}

/// The reason the conversation is over.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The daemon is gone: its end of a pipe is closed.
    End,
    Error(Fatal),
}

impl Broken {
    fn write(error: io::Error) -> Self {
        Self::Error(Box::new(RunError::Write(error)))
    }
}

impl Conversation {
    pub(crate) fn new(io: Box<dyn Io>, clock: Arc<dyn Clock>, report: Report, waits: Waits) -> Self {
        Self {
            watcher: None,
            waits,
            io,
            scanner: Scanner::default(),
            clock,
            report,
            events: Events::default(),
            log_payloads: true,
            out: Vec::new(),
            shard: None,
            broken: None,
        }
    }

    /// Waits for a random time of up to `limit`. If the daemon goes away meanwhile, the conversation is over.
    pub(crate) async fn wait(&mut self, limit: Duration, waits: Waits) {
        let time = self.clock.jitter(limit);
        let is_gone = match waits {
            Waits::Thread => self.clock.sleep(time, self.io.watched()),
            Waits::Task => self.sleep(time).await,
        };
        if is_gone {
            self.lose();
        }
    }

    /// Lets the task wait for `time`, or until the daemon is gone. Returns whether the latter is the case.
    async fn sleep(&mut self, time: Duration) -> bool {
        let mut sleep = self.clock.sleep_until(self.clock.now().saturating_add(time));
        if self.watcher.is_none() {
            self.watcher = self.io.watcher();
        }
        poll_fn(|cx| {
            if sleep.as_mut().poll(cx).is_ready() {
                return Poll::Ready(false);
            }
            match &mut self.watcher {
                Some(watcher) if !self.io.has_unread() => watcher.poll_input(cx).map(|()| true),
                _ => Poll::Pending,
            }
        })
        .await
    }

    /// Ends the conversation, because the daemon is gone.
    pub(crate) fn lose(&mut self) {
        self.broken.get_or_insert(Broken::End);
    }

    /// What sees the end of the daemon while a handler runs; `None` if nothing does.
    pub(crate) fn watcher(&self) -> Option<Box<dyn Watcher>> {
        match self.waits {
            Waits::Thread => None,
            Waits::Task => self.io.watcher(),
        }
    }

    /// Whether a part of the input was read and not received yet.
    #[cfg(any(feature = "tokio", test))]
    pub(crate) fn has_unread(&self) -> bool {
        self.io.has_unread()
    }

    /// Reports what happened to all who follow the events.
    #[inline(always)]
    pub(crate) fn emit(&mut self, event: Event<'_>) {
        self.events.emit(&event);
    }

    /// The next message; `None` at the end of the input.
    pub(crate) fn receive(&mut self) -> impl Future<Output = Result<Option<Message>, Fatal>> {
        poll_fn(|cx| self.poll_receive(cx, self.waits))
    }

    /// Receives the next message; `None` at the end of the input.
    pub(crate) fn poll_receive(&mut self, cx: &mut Context<'_>, waits: Waits) -> Poll<Result<Option<Message>, Fatal>> {
        let received = match waits {
            Waits::Thread => self.io.receive(&mut self.scanner),
            Waits::Task => match self.io.poll_receive(cx, &mut self.scanner) {
                Poll::Ready(received) => received,
                Poll::Pending => return Poll::Pending,
            },
        };
        Poll::Ready(match received.map_err(|error| Box::new(RunError::Read(error)))?.transpose() {
            Ok(message) => Ok(message),
            Err(source) => {
                let source = if self.log_payloads { source } else { source.without_payloads() };
                Err(Box::new(RunError::Input { shard: self.shard.clone(), source }))
            }
        })
    }

    /// Takes back the records of a message that is done.
    pub(crate) fn take_back(&mut self, records: Vec<Record>) {
        self.scanner.take_back(records);
    }

    /// Acknowledges the message of this action.
    pub(crate) fn acknowledge(&mut self, action: &str) -> Result<(), Broken> {
        self.send(|line| Status(Some(action)).write(line))
    }

    /// Sends the line that `write` writes.
    fn send(&mut self, write: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<()>) -> Result<(), Broken> {
        self.out.clear();
        write(&mut self.out).map_err(|error| Broken::write(error.into()))?;
        self.out.push(b'\n');
        self.io.send(&self.out).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Broken::End,
            _ => Broken::write(error),
        })
    }

    /// Sends a request. After an error the conversation is over; see [`Conversation::take_broken`].
    pub(crate) fn ask(&mut self, request: &Reply) -> io::Result<()> {
        if self.broken.is_some() {
            return Err(io::Error::new(io::ErrorKind::NotConnected, "the conversation with the daemon has ended"));
        }
        self.send(|line| request.write(line)).map_err(|broken| self.break_off(broken))
    }

    /// Receives the answer to a request. After an error the conversation is over; see [`Conversation::take_broken`].
    pub(crate) fn poll_answer(&mut self, cx: &mut Context<'_>, waits: Waits) -> Poll<io::Result<Message>> {
        self.poll_receive(cx, waits).map(|answer| {
            let answer = answer.map_err(Broken::Error).and_then(|answer| answer.ok_or(Broken::End));
            answer.map_err(|broken| self.break_off(broken))
        })
    }

    /// Ends the conversation, because the daemon did not send what the protocol requires.
    pub(crate) fn unexpected(&mut self, message: &Message, expected: &'static str) -> io::Error {
        let shard = self.shard.clone();
        self.break_off(Broken::Error(Box::new(RunError::Unexpected { shard, action: message.action(), expected })))
    }

    fn break_off(&mut self, broken: Broken) -> io::Error {
        let error = match &broken {
            Broken::End => io::Error::new(io::ErrorKind::UnexpectedEof, "the daemon is gone"),
            Broken::Error(error) => io::Error::new(io::ErrorKind::InvalidData, error.to_string()),
        };
        self.broken = Some(broken);
        error
    }

    /// Whether the conversation ended during a handler.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// The reason the conversation ended during a handler, if it did.
    pub(crate) fn take_broken(&mut self) -> Option<Broken> {
        self.broken.take()
    }
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation").field("shard", &self.shard).finish_non_exhaustive()
    }
}
