//! The two ends of the conversation: lines in, lines out, and their errors.

use std::fmt;
use std::io::{self, Read, Write};
use std::thread;
use std::time::Duration;

use crate::error::RunError;
use crate::io::line_reader::{CAPACITY, LineReader};
use crate::io::stdio::RealEnd;
use crate::protocol::{Message, Reply};

/// A processor's connection to its daemon.
pub(crate) struct Connection {
    lines: LineReader<Box<dyn Read + Send>>,
    writer: Box<dyn Write + Send>,
    patience: Patience,
    /// The line to write; kept so that its buffer is reused.
    out: Vec<u8>,
    /// The shard's id, once `initialize` has named it.
    pub(crate) shard: Option<String>,
    /// The reason the conversation ended, if a handler's checkpoint found out.
    broken: Option<Broken>,
}

/// How a connection waits before a retry.
pub(crate) enum Patience {
    /// Always waits for the full time.
    Blind,
    /// Stops waiting once no daemon is left to read the outcome, at the other end of this input.
    Watchful(RealEnd),
    /// Does not wait: for simulations.
    None,
}

/// The reason the conversation is over.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The daemon is gone: its end of a pipe is closed.
    End,
    Error(RunError),
}

impl Connection {
    pub(crate) fn new(
        patience: Patience,
        reader: impl Read + Send + 'static,
        writer: impl Write + Send + 'static,
    ) -> Self {
        // Simulations have thousands of connections, so each gets a small buffer.
        let capacity = if matches!(patience, Patience::None) { 1 << 12 } else { CAPACITY };
        Self {
            patience,
            lines: LineReader::with_capacity(capacity, Box::new(reader)),
            writer: Box::new(writer),
            out: Vec::new(),
            shard: None,
            broken: None,
        }
    }

    /// Waits. If the daemon goes away meanwhile, the conversation is over.
    pub(crate) fn wait(&mut self, time: Duration) {
        match &self.patience {
            Patience::None => {}
            // Messages that were read ahead still need answers.
            Patience::Watchful(input) if !self.lines.has_unread() => {
                if input.ends_within(time) {
                    self.broken.get_or_insert(Broken::End);
                }
            }
            Patience::Watchful(_) | Patience::Blind => thread::sleep(time),
        }
    }

    /// The next message; `None` at the end of the input.
    pub(crate) fn receive(&mut self) -> Result<Option<Message>, RunError> {
        let Some(line) = self.lines.next_line().map_err(RunError::Read)? else { return Ok(None) };
        match Message::from_line(line) {
            Ok(message) => Ok(Some(message)),
            Err(source) => Err(RunError::Input { shard: self.shard.clone(), source }),
        }
    }

    /// Sends a line.
    pub(crate) fn send(&mut self, reply: &Reply) -> Result<(), Broken> {
        self.out.clear();
        serde_json::to_writer(&mut self.out, reply).map_err(|error| Broken::Error(RunError::Write(error.into())))?;
        self.out.push(b'\n');
        let sent = self.writer.write_all(&self.out).and_then(|()| self.writer.flush());
        sent.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Broken::End,
            _ => Broken::Error(RunError::Write(error)),
        })
    }

    /// Sends a line and waits for the answer. After an error the conversation is over; see [`Connection::take_broken`].
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

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("shard", &self.shard).finish_non_exhaustive()
    }
}
