//! The daemon's side of a conversation with one processor.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::ChildStdin;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use kcl::Position;
use kcl::protocol::daemon::{CheckpointRefusedError, Lease};
use kcl::protocol::{Message, ProcessRecordsMessage, Reply, ReplyError, WireRecord};

use super::pulse::Pulse;
use crate::local::chaos::{Manner, Point, Step, Trial};
use crate::process::replies::{NoReply, Replies};
use crate::recording::writer::{CheckpointNumbers, SharedTape};

/// The total time to wait for the processor to read a line that is written in pieces.
const PIECES: Duration = Duration::from_secs(2);

/// The number of bytes of a line to write at once: a few times a pipe's capacity, so that the processor seldom waits for more.
const PART: usize = 256 << 10;

/// Writes the line so far, if it is long enough, and clears it.
type Part<'a> = dyn FnMut(&mut Vec<u8>) -> io::Result<()> + 'a;

/// Why a conversation ended early.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The message that was not acknowledged.
    pub(crate) action: &'static str,
    pub(crate) cause: Cause,
}

#[derive(Debug)]
pub(crate) enum Cause {
    /// The processor closed a pipe, most often by exiting.
    Gone,
    Refused {
        line: String,
        why: ReplyError,
    },
    Unfinished {
        text: String,
    },
    WrongStatus {
        response_for: Option<String>,
    },
    NotAtShardEnd {
        position: Position,
    },
    Io(io::Error),
    Recording(io::Error),
    /// Chaos kills the processor at this point.
    Killed,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = self.action;
        match &self.cause {
            Cause::Gone => write!(f, "the processor closed a pipe without sending a status for {action}"),
            Cause::Refused { line, why } => write!(
                f,
                "invalid reply to {action}: {why}: `{line}`\n\
                 \x20 in production: {}\n\
                 \x20 fix: {}",
                why.consequence(),
                match why {
                    ReplyError::UnknownField { .. } | ReplyError::WrongType { .. } =>
                        "a status has `action` and `responseFor`, a checkpoint `action`, `sequenceNumber` and `subSequenceNumber`; \
                         send only these fields",
                    _ => "stdout carries only replies; print to stderr instead",
                },
            ),
            Cause::Unfinished { text } => write!(
                f,
                "invalid reply to {action}: text without a line feed: `{text}`\n\
                 \x20 in production: the MultiLangDaemon waits for the rest of the line, then skips all of it, including a status \
                 appended to it\n\
                 \x20 fix: stdout carries only replies, each ended by a line feed and flushed; print to stderr instead"
            ),
            Cause::WrongStatus { response_for } => write!(
                f,
                "the status is for {}, but the message was {action}\n\
                 \x20 in production: {}\n\
                 \x20 fix: answer each message once, with its own action as `responseFor`",
                response_for
                    .as_deref()
                    .map_or("nothing (`responseFor` is missing)".to_owned(), |other| format!("`{other}`")),
                match action {
                    "shutdownRequested" =>
                        "the MultiLangDaemon gives up on the request, and the shard ends without its checkpoint",
                    _ => "the MultiLangDaemon shuts down the whole worker, with exit code 1",
                },
            ),
            Cause::NotAtShardEnd { position } => write!(
                f,
                "{action} was acknowledged without a checkpoint at the shard's end; the checkpoint stands at {position}\n\
                 \x20 in production: the MultiLangDaemon repeats the error forever, and this shard's children never start\n\
                 \x20 fix: before the status for {action}, send a checkpoint whose sequence number is null",
            ),
            Cause::Io(error) => write!(f, "cannot communicate with the processor during {action}: {error}"),
            Cause::Killed => write!(f, "the processor is killed while handling {action}"),
            Cause::Recording(error) => write!(f, "{action} cannot be recorded, so the conversation ends here: {error}"),
        }
    }
}

/// One processor and the lease of its shard. `keep` makes a checkpoint durable before it is acknowledged.
pub(crate) struct Conversation<R, W, K> {
    replies: Replies<R>,
    writer: W,
    keep: K,
    lease: Lease,
    /// The line to write, or a part of it; kept to reuse its buffer.
    line: Vec<u8>,
    pulse: Arc<Pulse>,
    tape: Option<SharedTape>,
    trial: Option<Box<Trial>>,
    /// Whether the lease was lost while the processor was handling a message.
    lost: bool,
}

/// A writer to a processor's stdin.
pub(crate) trait Outlet: Write {
    /// Waits until everything written has been read, but at most this long.
    fn wait_until_read(&self, _most: Duration) {}
}

impl Outlet for ChildStdin {
    fn wait_until_read(&self, most: Duration) {
        let deadline = Instant::now() + most;
        while rustix::io::ioctl_fionread(self.as_fd()).is_ok_and(|unread| unread > 0) && Instant::now() < deadline {
            thread::sleep(Duration::from_micros(20));
        }
    }
}

impl<R, W, K> Conversation<R, W, K>
where
    R: Read,
    W: Outlet,
    K: FnMut(&Position) -> Result<(), String>,
{
    pub(crate) fn new(reader: R, writer: W, position: Position, pulse: Arc<Pulse>, keep: K) -> Self {
        let lease = Lease::new(position);
        let replies = Replies::new(reader);
        Self { replies, writer, keep, lease, line: Vec::new(), pulse, tape: None, trial: None, lost: false }
    }

    /// Records the messages on this tape. The reader itself records what it reads.
    pub(crate) fn with_tape(self, tape: Option<SharedTape>) -> Self {
        Self { tape, ..self }
    }

    /// Lets chaos disturb the conversation.
    pub(crate) fn with_trial(self, trial: Option<Box<Trial>>) -> Self {
        Self { trial, ..self }
    }

    /// The next step that chaos chooses, with this many records left to deliver.
    pub(crate) fn step(&mut self, records: usize) -> Step {
        self.trial.as_mut().map_or(Step::Deliver(records), |trial| trial.step(records))
    }

    /// Whether the lease was lost while the processor was handling the last message; if so, `leaseLost` comes next.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost
    }

    /// The position at which the checkpoint stands.
    pub(crate) fn position(&self) -> &Position {
        self.lease.position()
    }

    pub(crate) fn initialize(&mut self, shard_id: &str) -> Result<(), Failure> {
        let position = self.lease.position().clone();
        self.exchange("initialize", &Message::Initialize { shard_id: shard_id.to_owned(), position })
    }

    pub(crate) fn process_records(&mut self, records: &[WireRecord<'_>], millis_behind: u64) -> Result<(), Failure> {
        match records.last() {
            Some(last) => self.lease.deliver(last.sequence_number, last.sub_sequence_number),
            None => self.lease.open(),
        }
        let behind = Some(millis_behind);
        let millis_behind_latest = self.trial.as_mut().map_or(behind, |trial| trial.millis_behind_latest(behind));
        let message = ProcessRecordsMessage { records, millis_behind_latest };
        let note = format_args!("processRecords n={}", records.len());
        self.exchange_with("processRecords", note, |line, part| message.write_in_parts(line, part))?;
        let bytes = records.iter().map(|record| record.data.len() as u64).sum();
        self.pulse.processed(records.len() as u64, bytes);
        if let Some(last) = records.last() {
            self.pulse.reached(last.sequence_number);
        }
        Ok(())
    }

    pub(crate) fn end_shard(&mut self) -> Result<(), Failure> {
        self.lease.end_shard();
        self.exchange("shardEnded", &Message::ShardEnded)?;
        match self.lease.position() {
            Position::ShardEnd => Ok(()),
            _ if self.lost => Ok(()),
            position => {
                Err(Failure { action: "shardEnded", cause: Cause::NotAtShardEnd { position: position.clone() } })
            }
        }
    }

    /// Does what the daemon does when a worker is stopped: gives a last chance to checkpoint, then gives up the lease.
    pub(crate) fn shut_down(&mut self) -> Result<(), Failure> {
        self.lease.open();
        self.exchange("shutdownRequested", &Message::ShutdownRequested)?;
        self.lose_lease()
    }

    /// Tells the processor that the lease belongs to another worker.
    pub(crate) fn lose_lease(&mut self) -> Result<(), Failure> {
        self.lease.close();
        self.exchange("leaseLost", &Message::LeaseLost)
    }

    /// The reader and the writer, for use after the last message, and the trial.
    pub(crate) fn into_ends(self) -> (R, W, Option<Box<Trial>>) {
        (self.replies.into_reader(), self.writer, self.trial)
    }

    /// Sends a message and answers checkpoints until its status arrives.
    fn exchange(&mut self, action: &'static str, message: &Message) -> Result<(), Failure> {
        self.exchange_with(action, format_args!("{action}"), |line, _| Ok(serde_json::to_writer(line, message)?))
    }

    fn exchange_with(
        &mut self,
        action: &'static str,
        note: fmt::Arguments<'_>,
        write: impl FnOnce(&mut Vec<u8>, &mut Part<'_>) -> io::Result<()>,
    ) -> Result<(), Failure> {
        if self.trial.as_mut().is_some_and(|trial| trial.begin(action)) {
            self.lease.lose();
            self.lost = true;
        }
        self.pulse.ask(action);
        let answered = self.converse(action, note, write).map_err(|cause| Failure { action, cause });
        self.pulse.answered();
        answered
    }

    fn converse(
        &mut self,
        action: &str,
        note: fmt::Arguments<'_>,
        write: impl FnOnce(&mut Vec<u8>, &mut Part<'_>) -> io::Result<()>,
    ) -> Result<(), Cause> {
        self.send(note, write)?;
        loop {
            match self.reply()? {
                Reply::Status { response_for } if response_for.as_deref() == Some(action) => {
                    if let Some(trial) = &mut self.trial {
                        trial.acknowledged();
                    }
                    return self.survive(Point::Acknowledged);
                }
                Reply::Status { response_for } => return Err(Cause::WrongStatus { response_for }),
                Reply::Checkpoint { sequence_number, sub_sequence_number } => {
                    self.survive(Point::Asked)?;
                    if let Some(trial) = &mut self.trial {
                        trial.answer();
                    }
                    let error = self.checkpoint(sequence_number.as_deref(), sub_sequence_number);
                    if let Some(trial) = &mut self.trial {
                        trial.asked(sequence_number.as_deref(), sub_sequence_number, error.as_deref());
                    }
                    self.survive(Point::Kept)?;
                    let numbers = CheckpointNumbers(sequence_number.as_deref(), sub_sequence_number);
                    let note = format!("checkpoint {numbers} error={}", error.as_deref().unwrap_or("None"));
                    let answer = Message::Checkpoint { sequence_number, sub_sequence_number, error };
                    self.send(format_args!("{note}"), |line, _| Ok(serde_json::to_writer(line, &answer)?))?;
                    self.survive(Point::Answered)?;
                }
                other => return Err(Cause::Io(io::Error::other(format!("unknown reply {other:?}")))),
            }
        }
    }

    /// Checks and saves a checkpoint. Returns the name of the exception if it is refused or cannot be saved.
    fn checkpoint(&mut self, sequence_number: Option<&str>, sub_sequence_number: Option<i64>) -> Option<String> {
        let position = match self.lease.judge(sequence_number, sub_sequence_number) {
            Ok(None) => return None,
            Ok(Some(position)) => position,
            Err(refused) => {
                if let (Some(trial), CheckpointRefusedError::LeaseLost) = (&mut self.trial, refused) {
                    trial.refused();
                }
                return Some(refused.exception().to_owned());
            }
        };
        if let Some(exception) = self.trial.as_mut().and_then(|trial| trial.refusal()) {
            return Some(exception.to_owned());
        }
        let started = Instant::now();
        match (self.keep)(&position) {
            Ok(()) => {
                self.lease.advance(position);
                if let Some(trial) = &mut self.trial {
                    trial.moved();
                }
                self.pulse.checkpointed(started.elapsed());
                None
            }
            Err(exception) => Some(exception),
        }
    }

    fn reply(&mut self) -> Result<Reply, Cause> {
        let reply = self.replies.next();
        if let (Some(tape), Ok(_) | Err(NoReply::Refused { .. })) = (&self.tape, &reply) {
            tape.borrow_mut().note_reply(reply.as_ref().ok()).map_err(Cause::Recording)?;
        }
        Ok(reply?)
    }

    fn send(
        &mut self,
        note: fmt::Arguments<'_>,
        write: impl FnOnce(&mut Vec<u8>, &mut Part<'_>) -> io::Result<()>,
    ) -> Result<(), Cause> {
        self.line.clear();
        // Only chaos and a recording need the whole line at once.
        let whole = self.trial.is_some() || self.tape.is_some();
        let writer = &mut self.writer;
        let mut part = |line: &mut Vec<u8>| {
            if !whole && line.len() >= PART {
                writer.write_all(line)?;
                line.clear();
            }
            Ok(())
        };
        write(&mut self.line, &mut part)?;
        self.line.push(b'\n');
        let length = self.line.len();
        let manner = self.trial.as_mut().map_or(Manner::Whole, |trial| trial.manner(length));
        let end = if let Manner::Torn(end) = manner { end } else { length };
        self.record_notes()?;
        if let Some(tape) = &self.tape {
            tape.borrow_mut().record_message(&self.line[..end], note).map_err(Cause::Recording)?;
        }
        match manner {
            Manner::Pieces(ends) => self.write_pieces(&ends)?,
            Manner::Whole | Manner::Torn(_) => self.writer.write_all(&self.line[..end])?,
        }
        if end < length {
            self.writer.wait_until_read(PIECES);
            return Err(Cause::Killed);
        }
        if let Some(trial) = &mut self.trial {
            trial.told(&self.line);
            if trial.kills(Point::Delivered) {
                let pause = trial.pause();
                self.writer.wait_until_read(PIECES);
                thread::sleep(pause);
                self.record_notes()?;
                return Err(Cause::Killed);
            }
        }
        Ok(())
    }

    /// Writes the line in pieces that end at these byte offsets, each one after the previous one has been read.
    fn write_pieces(&mut self, ends: &[usize]) -> io::Result<()> {
        let deadline = Instant::now() + PIECES;
        let mut start = 0;
        for &end in ends {
            self.writer.write_all(&self.line[start..end])?;
            self.writer.wait_until_read(deadline.saturating_duration_since(Instant::now()));
            start = end;
        }
        Ok(())
    }

    /// Continues, unless chaos kills the processor at this point.
    fn survive(&mut self, point: Point) -> Result<(), Cause> {
        if !self.trial.as_mut().is_some_and(|trial| trial.kills(point)) {
            return Ok(());
        }
        self.record_notes()?;
        Err(Cause::Killed)
    }

    /// Records what chaos has done.
    fn record_notes(&mut self) -> Result<(), Cause> {
        let Some(trial) = &mut self.trial else { return Ok(()) };
        for note in trial.take_notes() {
            if let Some(tape) = &self.tape {
                tape.borrow_mut().note("chaos", note).map_err(Cause::Recording)?;
            }
        }
        Ok(())
    }
}

/// A processor that no longer reads is gone.
impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Gone,
            _ => Self::Io(error),
        }
    }
}

impl From<NoReply> for Cause {
    fn from(no_reply: NoReply) -> Self {
        match no_reply {
            NoReply::Closed => Self::Gone,
            NoReply::Refused { line, why } => Self::Refused { line, why },
            NoReply::Unfinished { text } => Self::Unfinished { text },
            NoReply::Io(error) => Self::Io(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::cell::RefCell;

    impl Outlet for io::Sink {}
    impl Outlet for &mut Vec<u8> {}

    use kcl::SequenceNumber;

    fn record(number: u64) -> WireRecord<'static> {
        WireRecord {
            data: b"data",
            partition_key: "key",
            sequence_number: SequenceNumber::from(number),
            sub_sequence_number: 0,
            approximate_arrival_timestamp: None,
        }
    }

    fn status(action: &str) -> String {
        format!("{{\"action\":\"status\",\"responseFor\":\"{action}\"}}\n")
    }

    const CHECKPOINT: &str = "{\"action\":\"checkpoint\",\"sequenceNumber\":null,\"subSequenceNumber\":null}\n";

    #[test]
    fn a_checkpoint_is_saved_before_it_is_acknowledged() {
        struct Wire<'a>(&'a RefCell<Vec<String>>);
        impl Write for Wire<'_> {
            fn write(&mut self, line: &[u8]) -> io::Result<usize> {
                self.0.borrow_mut().push(String::from_utf8_lossy(line).into_owned());
                Ok(line.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        impl Outlet for Wire<'_> {}
        let events = RefCell::new(Vec::new());
        let replies = [CHECKPOINT, &status("processRecords")].concat();
        let keep = |position: &Position| {
            events.borrow_mut().push(format!("kept {position}"));
            Ok(())
        };
        let pulse = Arc::new(Pulse::default());
        let mut conversation =
            Conversation::new(replies.as_bytes(), Wire(&events), Position::TrimHorizon, Arc::clone(&pulse), keep);
        conversation.process_records(&[record(7), record(8)], 0).unwrap();
        assert_eq!(*conversation.position(), Position::after(8.into(), 0));
        let counts = pulse.counts();
        assert_eq!((counts.records, counts.bytes, counts.checkpoints), (2, 8, 1));
        assert_eq!(
            events.borrow()[1..],
            [
                "kept 8/0".to_owned(),
                "{\"action\":\"checkpoint\",\"sequenceNumber\":null,\"subSequenceNumber\":null,\"error\":null}\n"
                    .to_owned(),
            ]
        );
    }

    #[test]
    fn a_checkpoint_that_cannot_be_saved_is_refused_and_may_be_retried() {
        let replies = [CHECKPOINT, CHECKPOINT, &status("processRecords")].concat();
        let mut full = true;
        let keep = |_: &Position| {
            if std::mem::take(&mut full) { Err("KinesisClientLibDependencyException".to_owned()) } else { Ok(()) }
        };
        let mut sent = Vec::new();
        let mut conversation =
            Conversation::new(replies.as_bytes(), &mut sent, Position::TrimHorizon, Arc::default(), keep);
        conversation.process_records(&[record(7)], 0).unwrap();
        assert_eq!(*conversation.position(), Position::after(7.into(), 0));
        let sent = String::from_utf8(sent).unwrap();
        let answers: Vec<_> = sent.lines().skip(1).filter_map(|line| line.split_once("\"error\":")).collect();
        assert_eq!(
            answers.iter().map(|(_, error)| *error).collect::<Vec<_>>(),
            ["\"KinesisClientLibDependencyException\"}", "null}"]
        );
    }

    #[test]
    fn a_shutdown_takes_a_last_checkpoint_and_none_after_it() {
        let replies = [
            CHECKPOINT,
            &status("processRecords"),
            CHECKPOINT,
            &status("shutdownRequested"),
            CHECKPOINT,
            &status("leaseLost"),
        ];
        let replies = replies.concat();
        let mut sent = Vec::new();
        let mut conversation =
            Conversation::new(replies.as_bytes(), &mut sent, Position::TrimHorizon, Arc::default(), |_| Ok(()));
        conversation.process_records(&[record(7)], 0).unwrap();
        conversation.shut_down().unwrap();
        let sent = String::from_utf8(sent).unwrap();
        assert_eq!(sent.lines().nth(2), Some("{\"action\":\"shutdownRequested\"}"));
        assert!(sent.lines().nth(3).unwrap().ends_with("\"error\":null}"));
        assert_eq!(sent.lines().nth(4), Some("{\"action\":\"leaseLost\"}"));
        assert!(sent.lines().nth(5).unwrap().ends_with("\"error\":\"InvalidStateException\"}"));
    }

    #[test]
    fn a_shard_end_counts_once_it_is_checkpointed() {
        for (replies, ends) in [([CHECKPOINT, &status("shardEnded")].concat(), true), (status("shardEnded"), false)] {
            let mut conversation =
                Conversation::new(replies.as_bytes(), io::sink(), Position::after(7.into(), 0), Arc::default(), |_| {
                    Ok(())
                });
            let ended = conversation.end_shard();
            assert_eq!(ended.is_ok(), ends);
            assert_eq!(*conversation.position() == Position::ShardEnd, ends);
        }
    }
}
