//! Watchers of conversations: they see what passes between the tool and a processor, and may disturb it.

use std::cell::RefCell;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use kcl::protocol::Reply;
use kcl::protocol::daemon::CheckpointRefusedError;

/// Sees the conversations with a shard's processors, one after the other, and may disturb them. The defaults do nothing.
///
/// An error ends the conversation.
pub(crate) trait Watcher {
    /// Whether [`send`](Self::send) and [`Moment::Delivered`] are to see each line, for which it must be in memory as a whole.
    fn sees_lines(&self) -> bool {
        false
    }

    /// Chooses the next step, with this many records left to deliver. With none, a batch without records is due.
    fn step(&mut self, records: usize) -> Step {
        Step::Deliver(records)
    }

    /// Sees a message before it is built, and may change its `millisBehindLatest`, which only `processRecords` has. True if the
    /// lease is lost while the processor handles the message. The action `initialize` begins the conversation with a new processor.
    fn begin(&mut self, _action: &str, _millis_behind_latest: &mut Option<u64>) -> bool {
        false
    }

    /// Sees a line that is about to be written, and chooses how.
    fn send(&mut self, _line: &[u8], _content: Content<'_>) -> io::Result<Manner> {
        Ok(Manner::Whole)
    }

    /// Sees that the conversation has reached this moment.
    fn reach(&mut self, _moment: Moment<'_>) -> io::Result<Effect> {
        Ok(Effect::Continue)
    }

    /// Sees that the conversation failed. `gave_up` waits for the processor to exit, and is true if it did so by itself with an error.
    fn excuse(&mut self, _gave_up: &dyn Fn() -> bool) -> Excuse {
        Excuse::Denied(None)
    }
}

/// Watches nothing.
#[cfg(test)]
impl Watcher for () {}

/// The next thing that a shard's processor gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A batch with this many records.
    Deliver(usize),
    /// A batch without records.
    Empty,
    /// The message that the lease is lost.
    LoseLease,
    /// A request to shut down, followed by that message.
    ShutDown,
}

/// The content of a line for the processor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content<'a> {
    /// A message with this action.
    Message(&'a str),
    /// The message `processRecords`, with this many records.
    Records(usize),
    /// The answer to a request for a checkpoint.
    Answer(Answer<'a>),
}

/// The answer to a request for a checkpoint. `error` is the name of an exception.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) sequence_number: Option<&'a str>,
    pub(crate) sub_sequence_number: Option<i64>,
    pub(crate) error: Option<&'a str>,
}

/// How a line is written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Whole,
    /// In pieces that end at these bytes, each written once the previous one was read.
    Pieces(Vec<usize>),
    /// Up to this byte, after which the processor is killed.
    Torn(usize),
}

/// A moment of a conversation.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment<'a> {
    /// This line was written.
    Delivered(&'a [u8]),
    /// These bytes were read from the processor's stdout.
    Read(&'a [u8]),
    /// A line of the processor is complete: a reply, or `None` for any other text.
    Received(Option<&'a Reply>),
    /// The processor requests a checkpoint.
    Requested,
    /// The request is valid and may still be refused, or it is refused with this error. Not reached by a request for the checkpoint
    /// that already stands.
    Judged(Result<(), CheckpointRefusedError>),
    /// The checkpoint is saved.
    Kept,
    /// The request is about to be answered.
    Answering(Answer<'a>),
    /// The answer was written.
    Answered,
    /// The processor acknowledged the message.
    Acknowledged,
    /// The last message is done; the processor's stdin is about to be closed.
    Closing,
    /// The processor has exited, without a code if a signal killed it.
    Exited(Option<i32>),
}

/// The effect of a watcher on a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Continue,
    /// Refuses a valid request for a checkpoint with this exception. Has no effect at other moments.
    Refuse(&'static str),
    /// Kills the processor: at once, or if there is a time, that long after it has read everything written.
    Kill(Option<Duration>),
}

/// A watcher's judgement of a failure.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Excuse {
    /// The processor was right to fail, so another one resumes the shard.
    Given,
    /// The processor has failed. The report of the failure includes this line of the watcher, if there is one.
    Denied(Option<String>),
}

/// A reader of a processor's stdout. The watcher sees what is read.
pub(crate) struct Watched<'a, R> {
    from: R,
    watcher: &'a RefCell<dyn Watcher>,
}

impl<'a, R> Watched<'a, R> {
    pub(crate) fn new(from: R, watcher: &'a RefCell<dyn Watcher>) -> Self {
        Self { from, watcher }
    }
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(to)?;
        let reached = self.watcher.borrow_mut().reach(Moment::Read(&to[..read]));
        reached.map_err(|error| io::Error::other(format!("the recording cannot be written: {error}")))?;
        Ok(read)
    }
}

impl<R: AsFd> AsFd for Watched<'_, R> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.from.as_fd()
    }
}
