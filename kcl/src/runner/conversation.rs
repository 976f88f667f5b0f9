//! The conversation with the daemon: messages in, replies out, waits between them, and the reason why it is over.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::clock::Clock;
use crate::error::RunError;
use crate::io::lines::Io;
use crate::io::stderr::Report;
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

/// The reason the conversation is over.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The daemon is gone: its end of a pipe is closed.
    End,
    Error(RunError),
}

impl Conversation {
    pub(crate) fn new(io: Box<dyn Io>, clock: Arc<dyn Clock>, report: Report) -> Self {
        Self {
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
    pub(crate) fn wait(&mut self, limit: Duration) {
        if self.clock.sleep(self.clock.jitter(limit), self.io.watched()) {
            self.broken.get_or_insert(Broken::End);
        }
    }

    /// Reports what happened to all who follow the events.
    #[inline(always)]
    pub(crate) fn emit(&mut self, event: Event<'_>) {
        self.events.emit(&event);
    }

    /// The next message; `None` at the end of the input.
    pub(crate) fn receive(&mut self) -> Result<Option<Message>, RunError> {
        match self.io.receive(&mut self.scanner).map_err(RunError::Read)?.transpose() {
            Ok(message) => Ok(message),
            Err(source) => {
                let source = if self.log_payloads { source } else { source.without_payloads() };
                Err(RunError::Input { shard: self.shard.clone(), source })
            }
        }
    }

    /// Takes back the records of a message that is done.
    pub(crate) fn take_back(&mut self, records: Vec<Record>) {
        self.scanner.take_back(records);
    }

    /// Sends a reply.
    pub(crate) fn send(&mut self, reply: &impl Serialize) -> Result<(), Broken> {
        self.out.clear();
        serde_json::to_writer(&mut self.out, reply).map_err(|error| Broken::Error(RunError::Write(error.into())))?;
        self.out.push(b'\n');
        self.io.send(&self.out).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Broken::End,
            _ => Broken::Error(RunError::Write(error)),
        })
    }

    /// Sends a line and waits for the answer. After an error the conversation is over; see [`Conversation::take_broken`].
    pub(crate) fn exchange(&mut self, reply: &Reply) -> io::Result<Message> {
        if self.broken.is_some() {
            return Err(io::Error::new(io::ErrorKind::NotConnected, "the conversation with the daemon has ended"));
        }
        let answer = self.send(reply).and_then(|()| self.receive().map_err(Broken::Error)?.ok_or(Broken::End));
        answer.map_err(|broken| self.break_off(broken))
    }

    /// Ends the conversation, because the daemon did not send what the protocol requires.
    pub(crate) fn unexpected(&mut self, message: &Message, expected: &'static str) -> io::Error {
        let shard = self.shard.clone();
        self.break_off(Broken::Error(RunError::Unexpected { shard, action: message.action(), expected }))
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
