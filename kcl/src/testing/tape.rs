//! A recorded conversation while it is replayed: what the daemon sends next, and whether a reply is the recorded one.

use std::time::Duration;

use crate::excerpt::Excerpt;
use crate::protocol::recording::{Replied, Sent, Transcript, TranscriptError, in_words};
use crate::protocol::{Message, Reply};

/// A recorded conversation. Its first message was taken.
#[derive(Debug)]
pub(crate) struct Tape {
    transcript: Transcript,
    /// The last message.
    message: String,
    /// The last line of the daemon, and its message.
    asked: String,
    /// The time of the first message.
    start: Option<Duration>,
    /// All messages were sent.
    is_at_end: bool,
    /// The reason why the replay stopped before its process ended.
    pub(crate) stopped: Option<Stop>,
}

/// The reason why a replay stops.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The recording breaks off, because a process was killed or a disk was full.
    Over,
    /// The processor does something else than it did; a sentence says what.
    Different(String),
    /// The recording cannot be read.
    Unreadable(TranscriptError),
    /// The recording has a message that no process of this library gets there; a sentence says which.
    Unknown(String),
}

impl From<TranscriptError> for Stop {
    fn from(error: TranscriptError) -> Self {
        Self::Unreadable(error)
    }
}

/// The next message of a recording, with the time since the first one, if that was recorded.
pub(crate) type Next = (Message, Option<Duration>);

impl Tape {
    /// Takes the first message of a recording, and returns it. `None` if there is none.
    pub(crate) fn begin(transcript: Transcript) -> Result<Option<(Self, Message)>, TranscriptError> {
        let mut tape = Self {
            transcript,
            message: String::new(),
            asked: String::new(),
            start: None,
            is_at_end: false,
            stopped: None,
        };
        let Some(first) = tape.transcript.message()? else { return Ok(None) };
        tape.start = first.time;
        tape.note(&first);
        Ok(Some((tape, first.message)))
    }

    /// The next message; `None` at the end of the input.
    pub(crate) fn next(&mut self) -> Result<Option<Next>, Stop> {
        let Some(sent) = self.transcript.message()? else {
            self.is_at_end = true;
            return Ok(None);
        };
        self.note(&sent);
        let since = sent.time.zip(self.start).map(|(time, start)| time.saturating_sub(start));
        Ok(Some((sent.message, since)))
    }

    fn note(&mut self, message: &Sent) {
        self.message = message.to_string();
        self.asked.clone_from(&self.message);
    }

    /// Compares a status with the recorded reply.
    pub(crate) fn status(&mut self, action: &str) -> Result<(), Stop> {
        self.reply(&Reply::status(action))
    }

    /// Compares a request for a checkpoint with the recorded reply. Returns the exception of the recorded answer.
    pub(crate) fn checkpoint(&mut self, request: &Reply) -> Result<Option<String>, Stop> {
        self.reply(request)?;
        match self.transcript.answer()? {
            Some(Sent { message: Message::Checkpoint { error, .. }, .. }) => {
                let how = error
                    .as_ref()
                    .map_or("accepted".to_owned(), |error| format!("refused with {}", Excerpt(error.as_bytes())));
                self.asked = format!("{}, and its {} {how}", self.message, in_words(request));
                Ok(error)
            }
            _ => Err(Stop::Over),
        }
    }

    fn reply(&mut self, reply: &Reply) -> Result<(), Stop> {
        let expected = match (self.transcript.reply()?, self.transcript.exit()) {
            (Some(recorded), _) if recorded.is_same(reply) => return Ok(()),
            (Some(recorded), _) => expected(&recorded),
            (None, Some(code)) => format!("exit code {code} without an answer"),
            (None, None) => return Err(Stop::Over),
        };
        Err(self.different(&expected, &format!("the processor sent \"{}\"", in_words(reply))))
    }

    /// Compares how the process ended by itself.
    pub(crate) fn end(mut self, code: u8) -> Result<(), Stop> {
        if let Some(stopped) = self.stopped {
            return Err(stopped);
        }
        let now = format!("the processor ended with exit code {code}");
        let (recorded, exit) = (self.transcript.reply()?, self.transcript.exit());
        let expected = match (recorded, exit) {
            // Without an exit code, a reply after the last answer may belong to a message that is missing.
            (Some(recorded), exit) if exit.is_some() || !self.is_at_end => expected(&recorded),
            (None, Some(recorded)) if recorded != i32::from(code) => format!("exit code {recorded}"),
            _ => return Ok(()),
        };
        if self.is_at_end {
            self.asked = format!("the end of the input after {}", self.asked);
        }
        Err(self.different(&expected, &now))
    }

    fn different(&self, expected: &str, now: &str) -> Stop {
        Stop::Different(format!("expected {expected} after {}; {now}", self.asked))
    }
}

fn expected(recorded: &Replied) -> String {
    format!("\"{}\" (out.jsonl, line {})", in_words(&recorded.reply), recorded.line)
}
