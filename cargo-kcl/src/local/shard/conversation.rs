//! The daemon's side of a conversation with one processor.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::os::fd::AsFd;
use std::process::ChildStdin;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use kcl::Position;
use kcl::protocol::daemon::Lease;
use kcl::protocol::{Message, Reply, ReplyError, WireText};

use super::pulse::Pulse;
use super::watcher::{Answer, Content, Effect, Manner, Moment, Step, Watcher};
use crate::local::source::queue::Part;
use crate::process::replies::{NoReply, Replies};
use crate::report::excerpt;

/// How much text of records is written at once, in bytes: as much as an ordinary pipe takes.
const AT_ONCE: usize = 1 << 16;
/// The total time to wait for the processor to read a line that is written in pieces.
const PIECES: Duration = Duration::from_secs(2);

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
    /// A watcher cannot record the conversation.
    Recording(io::Error),
    /// A watcher kills the processor at this point.
    Killed,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = self.action;
        match &self.cause {
            Cause::Gone => write!(f, "the processor closed a pipe without sending a status for {action}"),
            Cause::Refused { line, why } => write!(f, "invalid reply to {action}: {why}: `{line}`"),
            Cause::Unfinished { text } => {
                write!(f, "invalid reply to {action}: text without a line feed: `{text}`")
            }
            Cause::WrongStatus { response_for: Some(other) } => {
                write!(f, "the status is for `{}`, but the message was {action}", excerpt(other))
            }
            Cause::WrongStatus { response_for: None } => {
                write!(f, "the status is for nothing (`responseFor` is missing), but the message was {action}")
            }
            Cause::NotAtShardEnd { position } => write!(
                f,
                "{action} was acknowledged without a checkpoint at the shard's end; the checkpoint stands at {position}"
            ),
            Cause::Io(error) => write!(f, "cannot communicate with the processor during {action}: {error}"),
            Cause::Killed => write!(f, "the processor is killed while handling {action}"),
            Cause::Recording(error) => write!(f, "{action} cannot be recorded, so the conversation ends here: {error}"),
        }
    }
}

impl Failure {
    /// The consequence of the failure in production, and its fix.
    pub(crate) fn advice(&self) -> Option<Advice> {
        let action = self.action;
        let advice = |in_production, fix: &str| Some(Advice { in_production, fix: fix.to_owned() });
        match &self.cause {
            Cause::Refused { why, .. } => advice(
                why.consequence(),
                match why {
                    ReplyError::UnknownField { .. } | ReplyError::WrongType { .. } => {
                        "a status has `action` and `responseFor`, a checkpoint `action`, `sequenceNumber` and `subSequenceNumber`; \
                         send only these fields"
                    }
                    _ => only_replies(action),
                },
            ),
            Cause::Unfinished { .. } => advice(
                "the MultiLangDaemon waits for the rest of the line, then skips all of it, including a status appended to it",
                &format!("{}; each reply is ended by a line feed and flushed", only_replies(action)),
            ),
            Cause::WrongStatus { .. } => advice(
                match action {
                    "shutdownRequested" => {
                        "the MultiLangDaemon gives up on the request, and the shard ends without its checkpoint"
                    }
                    _ => "the MultiLangDaemon shuts down the whole worker, with exit code 1",
                },
                "answer each message once, with its own action as `responseFor`",
            ),
            Cause::NotAtShardEnd { .. } => advice(
                "the MultiLangDaemon repeats the error forever, and this shard's children never start",
                &format!("before the status for {action}, send a checkpoint whose sequence number is null"),
            ),
            Cause::Gone | Cause::Io(_) | Cause::Killed | Cause::Recording(_) => None,
        }
    }
}

/// The consequence of a failure in production, and its fix.
#[derive(Debug)]
pub(crate) struct Advice {
    pub(crate) in_production: &'static str,
    pub(crate) fix: String,
}

/// The advice on text that is printed while this message is handled. `initialize` is the first one, so text that the program printed
/// before it called `kcl` arrives as an answer to it.
fn only_replies(action: &str) -> &'static str {
    match action {
        "initialize" => {
            "stdout carries only replies; print to stderr instead, or after the call of `kcl::run`, which sends printed text to stderr"
        }
        _ => "stdout carries only replies; print to stderr instead",
    }
}

/// One processor and the lease of its shard. `keep` makes a checkpoint durable before it is acknowledged.
pub(crate) struct Conversation<'a, R, W, K> {
    replies: Replies<R>,
    writer: W,
    keep: K,
    lease: Lease,
    /// The line to write, if the watcher sees it; kept to reuse its buffer.
    line: Vec<u8>,
    /// Some records of the message that is being written; kept to reuse its buffer.
    text: WireText,
    pulse: Arc<Pulse>,
    watcher: &'a RefCell<dyn Watcher>,
    /// Whether the lease was lost while the processor was handling a message.
    lost: bool,
}

/// A message to the processor.
#[derive(Clone, Copy)]
enum Outgoing<'a> {
    /// A whole line.
    Line(Content<'a>, &'a [u8]),
    /// Records, and the end of their line.
    Records(Part<'a>, &'a str),
}

impl<'a> Outgoing<'a> {
    fn content(self) -> Content<'a> {
        match self {
            Self::Line(content, _) => content,
            Self::Records(records, _) => Content::Records(records.len()),
        }
    }

    /// Writes the line. Records become text a few at a time, so that the text is still in the CPU's cache when it is written.
    fn write(self, text: &mut WireText, to: &mut impl Write) -> io::Result<()> {
        let (records, after) = match self {
            Self::Line(_, line) => return to.write_all(line),
            Self::Records(records, after) => (records, after),
        };
        let mut before = WireText::BEFORE;
        text.clear();
        for record in records.records() {
            if text.len() >= AT_ONCE {
                write_all(to, [before, text.as_bytes()])?;
                text.clear();
                before = b",";
            }
            text.push(&record);
        }
        write_all(to, [before, text.as_bytes(), after.as_bytes()])
    }
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

impl<'a, R, W, K> Conversation<'a, R, W, K>
where
    R: Read,
    W: Outlet,
    K: FnMut(&Position) -> Result<(), String>,
{
    pub(crate) fn new(
        reader: R,
        writer: W,
        position: Position,
        pulse: Arc<Pulse>,
        watcher: &'a RefCell<dyn Watcher>,
        keep: K,
    ) -> Self {
        let lease = Lease::new(position);
        let replies = Replies::new(reader);
        Self { replies, writer, keep, lease, line: Vec::new(), text: WireText::default(), pulse, watcher, lost: false }
    }

    /// The next step that the watcher chooses, with this many records left to deliver, or none if a batch without records is due.
    pub(crate) fn step(&mut self, records: usize) -> Step {
        self.watcher.borrow_mut().step(records)
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
        self.exchange("initialize", &Message::Initialize { shard_id: shard_id.to_owned(), position })?;
        self.pulse.initialized();
        Ok(())
    }

    pub(crate) fn process_records(&mut self, records: Part<'_>, millis_behind: u64) -> Result<(), Failure> {
        let last = records.last_number();
        match last {
            Some((sequence_number, sub_sequence_number)) => self.lease.deliver(sequence_number, sub_sequence_number),
            None => self.lease.open(),
        }
        let mut millis_behind_latest = Some(millis_behind);
        self.begin("processRecords", &mut millis_behind_latest);
        let after = WireText::after(millis_behind_latest) + "\n";
        self.exchange_with("processRecords", Outgoing::Records(records, &after))?;
        self.pulse.processed(records.len() as u64, records.size());
        if let Some((last, _)) = last {
            self.pulse.reached(last);
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

    /// The reader and the writer, for use after the last message.
    pub(crate) fn into_ends(self) -> (R, W) {
        (self.replies.into_reader(), self.writer)
    }

    /// Sends a message and answers checkpoints until its status arrives.
    fn exchange(&mut self, action: &'static str, message: &Message) -> Result<(), Failure> {
        self.begin(action, &mut None);
        let line = line_of(message).map_err(|cause| Failure { action, cause })?;
        self.exchange_with(action, Outgoing::Line(Content::Message(action), &line))
    }

    /// Shows the watcher a message before it is built.
    fn begin(&mut self, action: &str, millis_behind_latest: &mut Option<u64>) {
        if self.watcher.borrow_mut().begin(action, millis_behind_latest) {
            self.lease.lose();
            self.lost = true;
        }
    }

    fn exchange_with(&mut self, action: &'static str, message: Outgoing<'_>) -> Result<(), Failure> {
        self.pulse.ask(action, matches!(message.content(), Content::Records(1..)));
        let answered = self.converse(action, message).map_err(|cause| Failure { action, cause });
        self.pulse.answered();
        answered
    }

    fn converse(&mut self, action: &str, message: Outgoing<'_>) -> Result<(), Cause> {
        self.send(message)?;
        loop {
            match self.reply()? {
                Reply::Status { response_for } if response_for.as_deref() == Some(action) => {
                    return self.reach(Moment::Acknowledged).map(drop);
                }
                Reply::Status { response_for } => return Err(Cause::WrongStatus { response_for }),
                Reply::Checkpoint { sequence_number, sub_sequence_number } => {
                    self.answer(sequence_number, sub_sequence_number)?;
                }
                other => return Err(Cause::Io(io::Error::other(format!("unknown reply {other:?}")))),
            }
        }
    }

    /// Answers a request for a checkpoint.
    fn answer(&mut self, sequence_number: Option<String>, sub_sequence_number: Option<i64>) -> Result<(), Cause> {
        self.reach(Moment::Requested)?;
        let sequence_number = sequence_number.as_deref();
        let error = self.checkpoint(sequence_number, sub_sequence_number)?;
        let error = error.as_deref();
        let answer = Answer { sequence_number, sub_sequence_number, error };
        self.reach(Moment::Answering(answer))?;
        let message = Message::Checkpoint {
            sequence_number: sequence_number.map(str::to_owned),
            sub_sequence_number,
            error: error.map(str::to_owned),
        };
        self.send(Outgoing::Line(Content::Answer(answer), &line_of(&message)?))?;
        self.reach(Moment::Answered).map(drop)
    }

    /// Checks and saves a checkpoint. Returns the name of the exception if it is refused or cannot be saved.
    fn checkpoint(
        &mut self,
        sequence_number: Option<&str>,
        sub_sequence_number: Option<i64>,
    ) -> Result<Option<String>, Cause> {
        let position = match self.lease.judge(sequence_number, sub_sequence_number) {
            Ok(None) => return Ok(None),
            Ok(Some(position)) => position,
            Err(refused) => {
                self.reach(Moment::Judged(Err(refused)))?;
                return Ok(Some(refused.exception().to_owned()));
            }
        };
        if let Some(exception) = self.reach(Moment::Judged(Ok(())))? {
            return Ok(Some(exception.to_owned()));
        }
        let started = Instant::now();
        if let Err(exception) = (self.keep)(&position) {
            return Ok(Some(exception));
        }
        self.lease.advance(position);
        self.pulse.checkpointed(started.elapsed());
        self.reach(Moment::Kept).map(|_| None)
    }

    /// The next reply. Watchers see the blank lines before it, which are skipped as the daemon skips them.
    fn reply(&mut self) -> Result<Reply, Cause> {
        loop {
            let reply = self.replies.next_line();
            if let Ok(_) | Err(NoReply::Refused { .. }) = &reply {
                self.reach(Moment::Received(reply.as_ref().ok()))?;
            }
            if !matches!(reply, Err(NoReply::Refused { why: ReplyError::Blank, .. })) {
                return Ok(reply?);
            }
        }
    }

    /// Writes a message to the processor.
    fn send(&mut self, message: Outgoing<'_>) -> Result<(), Cause> {
        if !self.watcher.borrow().sees_lines() {
            return Ok(message.write(&mut self.text, &mut self.writer)?);
        }
        self.line.clear();
        message.write(&mut self.text, &mut self.line)?;
        let manner = self.watcher.borrow_mut().send(&self.line, message.content()).map_err(Cause::Recording)?;
        match manner {
            Manner::Whole => self.writer.write_all(&self.line)?,
            Manner::Pieces(ends) => self.write_pieces(&ends)?,
            Manner::Torn(end) => {
                self.writer.write_all(&self.line[..end])?;
                self.writer.wait_until_read(PIECES);
                return Err(Cause::Killed);
            }
        }
        self.reach(Moment::Delivered(&self.line)).map(drop)
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

    /// Shows the watcher this moment. Returns the exception with which it refuses a checkpoint.
    fn reach(&self, moment: Moment<'_>) -> Result<Option<&'static str>, Cause> {
        match self.watcher.borrow_mut().reach(moment).map_err(Cause::Recording)? {
            Effect::Continue => Ok(None),
            Effect::Refuse(exception) => Ok(Some(exception)),
            Effect::Kill(pause) => {
                if let Some(pause) = pause {
                    self.writer.wait_until_read(PIECES);
                    thread::sleep(pause);
                }
                Err(Cause::Killed)
            }
        }
    }
}

/// The line of a message without records.
fn line_of(message: &Message) -> Result<Vec<u8>, Cause> {
    let mut line = serde_json::to_vec(message).map_err(|error| Cause::Io(error.into()))?;
    line.push(b'\n');
    Ok(line)
}

/// Writes all of these slices, with as few system calls as possible.
fn write_all<const N: usize>(writer: &mut impl Write, slices: [&[u8]; N]) -> io::Result<()> {
    let mut slices = &mut slices.map(IoSlice::new)[..];
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match writer.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
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

    impl Outlet for io::Sink {}
    impl Outlet for &mut Vec<u8> {}

    use crate::local::place::Place;
    use crate::local::source::queue::{Batch, Stamp};

    fn batch<const N: usize>(numbers: [u64; N]) -> Batch {
        let mut batch = Batch::default();
        for number in numbers {
            batch.push(b"data", "key", Stamp { place: place(number), ..Stamp::default() });
        }
        batch
    }

    fn place(record: u64) -> Place {
        Place { record, ..Place::default() }
    }

    fn after(record: u64) -> Position {
        Position::after(place(record).sequence_number(), 0)
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
        let nobody = RefCell::new(());
        let mut conversation = Conversation::new(
            replies.as_bytes(),
            Wire(&events),
            Position::TrimHorizon,
            Arc::clone(&pulse),
            &nobody,
            keep,
        );
        conversation.process_records(batch([7, 8]).all(), 0).unwrap();
        assert_eq!(*conversation.position(), after(8));
        let counts = pulse.counts();
        assert_eq!((counts.records, counts.bytes, counts.checkpoints), (2, 8, 1));
        let written = events.borrow().iter().position(|event| event.starts_with("kept")).unwrap();
        assert_eq!(
            events.borrow()[written..],
            [
                format!("kept {}", after(8)),
                "{\"action\":\"checkpoint\",\"sequenceNumber\":null,\"subSequenceNumber\":null,\"error\":null}\n"
                    .to_owned(),
            ]
        );
    }

    #[test]
    fn a_message_is_one_line_however_often_it_is_written_to() {
        let data = vec![b'x'; 1_000];
        let mut batch = Batch::default();
        for number in 1..=200 {
            batch.push(&data, "key", Stamp { place: place(number), ..Stamp::default() });
        }
        let nobody = RefCell::new(());
        let (all, none) = (batch.all(), batch.all().split_at(0).0);
        for records in [all, all.split_at(1).0, all.split_at(150).1, none] {
            let replies = status("processRecords");
            let mut sent = Vec::new();
            let start = Position::TrimHorizon;
            let mut conversation =
                Conversation::new(replies.as_bytes(), &mut sent, start, Arc::default(), &nobody, |_| Ok(()));
            conversation.process_records(records, 0).unwrap();
            let Ok(Message::ProcessRecords { records: read, .. }) = Message::from_line(&sent) else {
                panic!("not a message: {}", sent.escape_ascii())
            };
            assert!(read.iter().map(|record| record.sequence_number()).eq(records.numbers().map(|(number, _)| number)));
            assert!(read.iter().all(|record| record.data() == data && record.partition_key() == "key"));
        }
    }

    #[test]
    fn a_checkpoint_that_cannot_be_saved_is_refused_and_may_be_retried() {
        let replies = [CHECKPOINT, CHECKPOINT, &status("processRecords")].concat();
        let mut full = true;
        let keep = |_: &Position| {
            if std::mem::take(&mut full) { Err("KinesisClientLibDependencyException".to_owned()) } else { Ok(()) }
        };
        let mut sent = Vec::new();
        let nobody = RefCell::new(());
        let mut conversation =
            Conversation::new(replies.as_bytes(), &mut sent, Position::TrimHorizon, Arc::default(), &nobody, keep);
        conversation.process_records(batch([7]).all(), 0).unwrap();
        assert_eq!(*conversation.position(), after(7));
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
        let nobody = RefCell::new(());
        let mut conversation = Conversation::new(
            replies.as_bytes(),
            &mut sent,
            Position::TrimHorizon,
            Arc::default(),
            &nobody,
            |_| Ok(()),
        );
        conversation.process_records(batch([7]).all(), 0).unwrap();
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
            let nobody = RefCell::new(());
            let mut conversation = Conversation::new(
                replies.as_bytes(),
                io::sink(),
                Position::after(7.into(), 0),
                Arc::default(),
                &nobody,
                |_| Ok(()),
            );
            let ended = conversation.end_shard();
            assert_eq!(ended.is_ok(), ends);
            assert_eq!(*conversation.position() == Position::ShardEnd, ends);
        }
    }
}
