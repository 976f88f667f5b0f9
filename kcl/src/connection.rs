//! The two ends of the conversation: lines in, lines out, and what went wrong with them.

use std::fmt;
use std::io::{self, Read, Write};
use std::thread;
use std::time::Duration;

use crate::error::RunError;
use crate::line_reader::{CAPACITY, LineReader};
use crate::protocol::{Message, Reply};
use crate::stdio::RealEnd;

/// A processor's connection to its daemon.
pub(crate) struct Connection {
    lines: LineReader<Box<dyn Read + Send>>,
    writer: Box<dyn Write + Send>,
    patience: Patience,
    /// The line to be written, kept for its buffer.
    out: Vec<u8>,
    /// As soon as `initialize` named it.
    pub(crate) shard: Option<String>,
    /// Why no handler may go on, where one learned of it through a checkpoint.
    broken: Option<Broken>,
}

/// How it waits before something is tried again.
pub(crate) enum Patience {
    /// For as long as it takes.
    Blind,
    /// Only as long as there is a daemon that may read the outcome: at the other end of this input.
    Watchful(RealEnd),
    /// Simulations do not wait.
    None,
}

/// The conversation is over.
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
        // Where nobody waits there are thousands.
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

    /// Waits; the conversation is over if the daemon goes away meanwhile.
    pub(crate) fn wait(&mut self, time: Duration) {
        match &self.patience {
            Patience::None => {}
            // What was read ahead is still to be answered.
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

    /// Sends a line and waits for the answer. After an error the conversation is over, see [`Connection::take_broken`].
    pub(crate) fn exchange(&mut self, reply: &Reply) -> io::Result<Message> {
        if self.broken.is_some() {
            return Err(io::Error::new(io::ErrorKind::NotConnected, "the conversation with the daemon has ended"));
        }
        let answer = self.send(reply).and_then(|()| self.receive().map_err(Broken::Error)?.ok_or(Broken::End));
        answer.map_err(|broken| self.break_off(broken))
    }

    /// The daemon said something else than it had to.
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

    /// Whether the conversation ended in the middle of a handler.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Why the conversation ended in the middle of a handler, if it did.
    pub(crate) fn take_broken(&mut self) -> Option<Broken> {
        self.broken.take()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("shard", &self.shard).finish_non_exhaustive()
    }
}
